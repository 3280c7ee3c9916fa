"""kill -9, with real parts: what died comes back, what lives is left alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from lakehouse import kafka, processes
from lakehouse.home import Home
from tests.support import Workspace

pytestmark = [pytest.mark.drill, pytest.mark.timeout(900)]


def publish(home: Home, value: bytes) -> None:
    from kafka import KafkaProducer

    producer = KafkaProducer(**kafka.client_options(home), acks="all")
    producer.send("bpm", value=value, key=b"device", partition=0).get(timeout=30)
    producer.close()


def published(home: Home) -> list[bytes]:
    from kafka import KafkaConsumer, TopicPartition

    partition = TopicPartition("bpm", 0)
    consumer = KafkaConsumer(**kafka.client_options(home))
    consumer.assign([partition])
    consumer.seek_to_beginning(partition)
    end = consumer.end_offsets([partition])[partition]
    values: list[bytes] = []
    while consumer.position(partition) < end:
        for records in consumer.poll(timeout_ms=1000).values():
            values += [record.value for record in records]
    consumer.close()
    return values


def test_kill_9_of_each_part_beside_another_workspace(
    workspace: Workspace, fresh_workspace: Callable[[], Workspace]
) -> None:
    neighbour = workspace.pids()
    mine = fresh_workspace()
    # A token of the user's own, with all that logins, URLs and files of settings write otherwise.
    home = replace(mine.home, given_token="""it's "a" \\ to;ken=% #! ok""")
    mine = replace(mine, home=home)
    mine.run("up")
    publish(home, b"kept")
    mine.sql("create table gold.kept as select 42 as answer, cast('2020-01-01' as date) as day")
    before = mine.pids()

    for part in ("kafka", "endpoint", "spark"):
        mine.kill(part)
        assert mine.run("status", check=False).returncode == 3
        mine.run("up")
        after = mine.pids()
        assert {name for name in after if after[name] != before[name]} == {part}
        before = after
        assert published(home) == [b"kept"]
        assert mine.sql("select answer from gold.kept") == [{"answer": 42}]
    mine.sql("insert into gold.kept values (43, date'2020-01-02')")

    # All at once, as when the machine loses power, and by the command's own means.
    for part in before:
        mine.kill(part)
    mine.run("up")
    assert published(home) == [b"kept"]
    assert mine.sql("select count(*) as n from gold.kept") == [{"n": 2}]
    mine.run("down")
    assert mine.pids() == {}
    assert [p for part in before for p in processes.leftovers(home, part)] == []

    assert workspace.pids() == neighbour
    assert workspace.sql("show tables in gold like 'kept'") == []
