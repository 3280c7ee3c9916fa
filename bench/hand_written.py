"""What somebody writes by hand to bring a topic into a Delta table: confluent-kafka and deltalake.

    python -m bench.hand_written TOPIC TABLE FROM TO < CLIENT

CLIENT, librdkafka's options for the broker, FROM and TO, offsets by partition, are JSON. Batches of
500,000 records (smaller ones take longer), each one commit of the table; offsets are committed
behind it, so a crash in between repeats a batch. No headers, no schema changes, no second writer,
no restarts, no metrics.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from confluent_kafka import Consumer, TopicPartition
from deltalake import write_deltalake

BATCH = 500_000
_TIME = pa.timestamp("us", "UTC")
_SCHEMA = pa.schema(
    {
        "key": pa.binary(),
        "value": pa.binary(),
        "topic": pa.string(),
        "partition": pa.int32(),
        "offset": pa.int64(),
        "timestamp": _TIME,
        "ingested_at": _TIME,
    }
)


def main() -> None:
    topic, table, first, last = sys.argv[1:]
    _consume(json.load(sys.stdin), topic, table, _offsets(first), _offsets(last))


def _consume(
    client: dict[str, str], topic: str, table: str, first: dict[int, int], last: dict[int, int]
) -> None:
    """Append the records in [first, last) of each partition to a Delta table."""
    consumer = Consumer({**client, "group.id": "hand-written", "enable.auto.commit": False})
    left = sum(last.values()) - sum(first.values())
    try:
        consumer.assign([TopicPartition(topic, p, offset) for p, offset in first.items()])
        rows: list[Any] = []
        while left > 0:
            messages: list[Any] = consumer.consume(BATCH - len(rows), timeout=1.0)
            rows += [m for m in messages if not m.error() and m.offset() < last[m.partition()]]
            if len(rows) == BATCH or len(rows) == left:
                write_deltalake(table, _columns(topic, rows), mode="append")
                consumer.commit(asynchronous=False)
                left -= len(rows)
                rows = []
    finally:
        consumer.close()


def _columns(topic: str, rows: list[Any]) -> Any:
    now = datetime.now(UTC)
    return pa.table(
        {
            "key": [m.key() for m in rows],
            "value": [m.value() for m in rows],
            "topic": [topic] * len(rows),
            "partition": [m.partition() for m in rows],
            "offset": [m.offset() for m in rows],
            "timestamp": pa.array([m.timestamp()[1] * 1000 for m in rows]).cast(_TIME),
            "ingested_at": [now] * len(rows),
        },
        schema=_SCHEMA,
    )


def _offsets(text: str) -> dict[int, int]:
    return {int(partition): offset for partition, offset in json.loads(text).items()}


if __name__ == "__main__":
    main()
