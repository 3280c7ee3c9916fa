"""A workspace that is up: what it holds, where it listens, what it takes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from local import kafka, spark
from local import workspace as workspaces
from tests.support import Workspace


def test_the_workspace_has_topics_schemas_and_bronze(workspace: Workspace) -> None:
    from kafka import KafkaAdminClient

    admin = KafkaAdminClient(**kafka.client_options(workspace.home))
    try:
        described = {t["name"]: len(t["partitions"]) for t in admin.describe_topics()}
    finally:
        admin.close()
    topics = {name: number for name, number in described.items() if not name.startswith("_")}
    assert topics == {"user_info": 2, "bpm": 2, "workout": 2}
    schemas = {name for row in workspace.sql("show schemas") for name in row.values()}
    assert {"bronze", "silver", "gold"} <= schemas
    tables = {row["tableName"] for row in workspace.sql("show tables in bronze")}
    assert {"user_info", "bpm", "workout", "registered_users", "gym_logins"} <= tables


def test_everything_is_on_the_loopback_only_and_within_memory(workspace: Workspace) -> None:
    import psutil

    status = workspaces.status(workspace.home)
    for line in status:
        assert line.running is not None
        listening = [
            connection.laddr
            for connection in psutil.Process(line.running.pid).net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        ]
        assert {address.port for address in listening} >= set(line.ports)
        outside = [a for a in listening if a.ip not in ("127.0.0.1", "::ffff:127.0.0.1", "::1")]
        assert outside == []
    assert sum(line.memory_bytes for line in status) < 5 * 1024**3


def test_up_twice_is_harmless(workspace: Workspace) -> None:
    before = workspace.pids()
    assert set(before) == {"kafka", "spark", "endpoint"}
    assert "is up" in workspace.run("up").stdout
    assert workspace.pids() == before
    status = workspace.run("status")
    assert status.stdout.count(" up ") == 3


def test_spark_connect_wants_the_token(workspace: Workspace) -> None:
    from pyspark.errors.exceptions.connect import SparkConnectGrpcException

    with pytest.raises(SparkConnectGrpcException, match="UNAUTHENTICATED"):
        spark.connect(replace(workspace.home, given_token="wrong")).sql("select 1").collect()
