"""Records whose Kafka time no timestamp holds, as some brokers let them through, are all taken."""

from __future__ import annotations

from typing import Any

import pytest

from ingestion import broker, topics
from ingestion.broker import Record
from ingestion.config import Config
from tests.ingestion.drills import Drills
from tests.support import until

NOW = 1_709_287_200_000  # ms
MICROS, NANOS, LAST = NOW * 1000, NOW * 10**6, 2**63 - 1


def send(drills: Drills, *times: int) -> None:
    producer = drills.producer()
    try:
        sent = [
            producer.send(
                *("workout", b"%d" % at), partition=0, timestamp_ms=at, headers=[("odd", b"1")]
            )
            for at in times
        ]
        producer.flush()
        found = {(done.partition, done.offset) for done in (future.get(60) for future in sent)}
    finally:
        producer.close()
    drills.ledger.setdefault("workout", set()).update(found)


def assert_all(drills: Drills) -> None:
    """Each record that was sent is there, once; what another test let expire left gaps."""
    found = drills.bronze("workout")
    assert len(found) == len(set(found))
    assert drills.ledger["workout"] <= set(found)


def test_ingestion_takes_them_and_goes_on(drills: Drills) -> None:
    admin = drills.admin()
    # As a broker before Kafka 3.6 is, and many a later one is set.
    admin.alter_configs([topic_config("workout", {"message.timestamp.after.max.ms": str(LAST)})])
    admin.close()
    send(drills, NOW, MICROS, NOW + 1, NANOS, NOW + 2, LAST, *[NOW + 3] * 20)
    log = drills.drain("--feed", "workout")
    assert "Kafka time" in log
    assert_all(drills)
    rows = drills.workspace.sql(
        "select cast(value as string) as sent, unix_millis(`timestamp`) as kept, headers[0].key "
        "as header, `timestamp` from bronze.workout where headers[0].key = 'odd' order by `offset`"
    )
    kept = {int(row["sent"]): row["kept"] for row in rows}
    assert kept == {
        **{NOW + i: NOW + i for i in range(4)},
        **dict.fromkeys((MICROS, NANOS, LAST)),
    }
    assert {row["header"] for row in rows} == {"odd"}
    audited = drills.workspace.run("audit", check=False).stdout.splitlines()
    lines = [line for line in audited if line.strip().startswith("workout")]
    assert lines
    assert not [line for line in lines if "not sound" in line]
    assert "workout 0:0 1:0" in drills.workspace.run("status").stdout
    since = "select count(*) as n from bronze.workout where `timestamp` > '2024-01-01'"
    assert drills.workspace.sql(since)[0]["n"] >= 23

    with drills.ingesting("--feed", "workout", "--continuous") as ingestion:
        for times in ((NOW, NANOS), (NOW,)):
            send(drills, *times)
            until(lambda: drills.ledger["workout"] <= set(drills.bronze("workout")))
        assert ingestion.terminate() == 0
    assert_all(drills)


def topic_config(name: str, options: dict[str, str]) -> Any:
    from kafka.admin import ConfigResource, ConfigResourceType

    return ConfigResource(ConfigResourceType.TOPIC, name, configs=options)


@pytest.mark.parametrize(
    ("odd", "pages"),
    [
        ("", []),
        ("3", [[3]]),
        ("3 5", [[3, 4, 5]]),
        ("0 3 4 9", [[0, 1, 2, 3], [4], [9]]),  # a page ends with its last odd one
        ("0 8", [[0], [8]]),
    ],
)
def test_pages_begin_and_end_with_an_odd_time(
    monkeypatch: pytest.MonkeyPatch, odd: str, pages: list[list[int]]
) -> None:
    numbers = {int(number) for number in odd.split()}

    def records(*_: object) -> list[Record]:
        return [Record(None, b"", [], "t", 0, n, None if n in numbers else 1) for n in range(10)]

    monkeypatch.setattr(broker, "records", records)
    monkeypatch.setattr(topics, "_PAGE_RECORDS", 4)
    found = topics._odd_pages(Config(), "t", 0, range(10))
    assert [[record.offset for record in page] for page in found] == pages
