"""Up, down and kill -9, with real parts: what died comes back, what lives is left alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from local import processes, spark
from local import workspace as workspaces
from local.home import Home
from tests.support import Workspace

pytestmark = pytest.mark.timeout(900)


def pids(home: Home) -> dict[str, int]:
    return {line.part: line.running.pid for line in workspaces.status(home) if line.running}


def publish(home: Home, value: bytes) -> None:
    from kafka import KafkaProducer

    producer = KafkaProducer(bootstrap_servers=home.kafka_bootstrap, acks="all")
    producer.send("bpm", value=value, key=b"device", partition=0).get(timeout=30)
    producer.close()


def published(home: Home) -> list[bytes]:
    from kafka import KafkaConsumer, TopicPartition

    partition = TopicPartition("bpm", 0)
    consumer = KafkaConsumer(bootstrap_servers=home.kafka_bootstrap)
    consumer.assign([partition])
    consumer.seek_to_beginning(partition)
    end = consumer.end_offsets([partition])[partition]
    values: list[bytes] = []
    while consumer.position(partition) < end:
        for records in consumer.poll(timeout_ms=1000).values():
            values += [record.value for record in records]
    consumer.close()
    return values


def test_the_workspace_has_topics_schemas_and_bronze(workspace: Workspace) -> None:
    from kafka import KafkaAdminClient

    admin = KafkaAdminClient(bootstrap_servers=workspace.home.kafka_bootstrap)
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
    before = pids(workspace.home)
    assert set(before) == {"kafka", "spark", "endpoint"}
    assert "is up" in workspace.run("up").stdout
    assert pids(workspace.home) == before
    status = workspace.run("status")
    assert status.stdout.count(" up ") == 3


def test_spark_connect_wants_the_token(workspace: Workspace) -> None:
    from pyspark.errors.exceptions.connect import SparkConnectGrpcException

    with pytest.raises(SparkConnectGrpcException, match="UNAUTHENTICATED"):
        spark.connect(replace(workspace.home, token="wrong")).sql("select 1").collect()


def test_kill_9_of_each_part_beside_another_workspace(
    workspace: Workspace, fresh_workspace: Callable[[], Workspace]
) -> None:
    neighbour = pids(workspace.home)
    space = fresh_workspace()
    space.run("up")
    home = space.home
    publish(home, b"kept")
    space.sql("create table gold.kept as select 42 as answer, cast('2020-01-01' as date) as day")
    before = pids(home)

    for part in ("kafka", "endpoint", "spark"):
        space.kill(part)
        assert space.run("status", check=False).returncode == 3
        space.run("up")
        after = pids(home)
        assert {name for name in after if after[name] != before[name]} == {part}
        before = after
        assert published(home) == [b"kept"]
        assert space.sql("select answer from gold.kept") == [{"answer": 42}]
    space.sql("insert into gold.kept values (43, date'2020-01-02')")

    # All at once, as when the machine loses power, and by the command's own means.
    for part in before:
        space.kill(part)
    (home.run / "kafka.json").unlink()
    space.run("up")
    assert published(home) == [b"kept"]
    assert space.sql("select count(*) as n from gold.kept") == [{"n": 2}]
    space.run("down")
    assert pids(home) == {}
    assert [p for part in before for p in processes.leftovers(home, part)] == []

    assert pids(workspace.home) == neighbour
    assert workspace.sql("show tables in gold like 'kept'") == []
