"""A workspace that is up: what it holds, where it listens, what it takes."""

from __future__ import annotations

import socket
import stat
import struct
from dataclasses import replace

import psutil
import pytest

from ingestion import broker
from ingestion.config import Config
from ingestion.feeds import IngestionError
from lakehouse import kafka, spark
from lakehouse import workspace as workspaces
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


def closed_without_an_answer(port: int, request: bytes) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as raw:
        raw.sendall(request)
        return raw.recv(1) == b""


def test_kafka_wants_the_password_at_both_ports(workspace: Workspace) -> None:
    home = workspace.home
    wrong = kafka.client_settings(replace(home, given_token="wrong"))
    with pytest.raises(IngestionError, match="refuses this user"):
        broker.describe(Config(kafka=wrong), "bpm")
    assert not kafka.answers(replace(home, given_token="wrong"))
    # Metadata of all topics, version 1, of somebody who does not sign in.
    body = struct.pack(">hhihi", 3, 1, 1, -1, -1)
    for port in (home.kafka_port, home.controller_port):
        assert closed_without_an_answer(port, struct.pack(">i", len(body)) + body)


def test_what_kafka_and_clients_are_told_is_for_the_owner_only(workspace: Workspace) -> None:
    for name in ("kafka.properties", "kafka-client.properties"):
        file = workspace.home.run / name
        assert workspace.home.token in file.read_text()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for line in workspaces.status(workspace.home):
        assert line.running is not None
        assert workspace.home.token not in " ".join(psutil.Process(line.running.pid).cmdline())


def test_sparks_other_ports_want_its_secret(workspace: Workspace) -> None:
    (spark_line,) = [x for x in workspaces.status(workspace.home) if x.part == "spark"]
    assert spark_line.running is not None
    others = {
        connection.laddr.port
        for connection in psutil.Process(spark_line.running.pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    } - set(spark_line.ports)
    assert others
    # A request of Spark's own protocol (RpcRequest, number 1) that does not sign in first.
    body = b"hello"
    frame = struct.pack(">qbqi", 8 + 1 + 8 + 4 + len(body), 3, 1, len(body)) + body
    for port in others:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as raw:
            raw.sendall(frame)
            assert b"Expected SaslMessage" in raw.recv(4096)


def test_dbt_finds_the_token_and_writes_it_nowhere(workspace: Workspace) -> None:
    assert "LAKEHOUSE_TOKEN" not in workspace.environment
    done = workspace.dbt("--log-level", "debug", "show", "--inline", "select 41 + 1 as answer")
    assert "| 42 |" in " ".join(done.stdout.split()).replace("|     42 |", "| 42 |")
    written = [path for path in workspace.dbt_folder.rglob("*") if path.is_file()]
    assert written
    secret = workspace.home.token.encode()
    assert [path for path in written if secret in path.read_bytes()] == []
    assert workspace.home.token not in done.stdout + done.stderr


def test_spark_connect_wants_the_token(workspace: Workspace) -> None:
    from pyspark.errors.exceptions.connect import SparkConnectGrpcException

    with pytest.raises(SparkConnectGrpcException, match="UNAUTHENTICATED"):
        spark.connect(replace(workspace.home, given_token="wrong")).sql("select 1").collect()
