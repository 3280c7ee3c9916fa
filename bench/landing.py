"""Kafka to a table: how many records a second a drain takes in.

project       `lakehouse ingest --feed bpm`, the whole command, into bronze
query         its query alone, without the command around it, into a table like bronze's
bare_spark    the same source into nothing (`noop`), the query alone
hand_written  a Python consumer (bench/hand_written.py), the whole process, into a Delta table
raw_consumer  Kafka's own consumer in Java, which drops the records, without the JVM's start

Each round produces new records, which the first four read; the consumer reads as many from the
topic's beginning. All must count the same, and the three tables must hold the same records.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from bench import compare, data, raw_consumer, workspaces
from bench.memory import PeakMemory
from bench.results import Unequal, store
from ingestion import broker, bronze, sources
from local.commands.ingest import config_of
from local.home import CHECKOUT, Home
from tests.support import Workspace

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.streaming.query import StreamingQuery

CONTENDERS = ("project", "query", "bare_spark", "hand_written", "raw_consumer")
_DEVICES = 500
_SCHEMA = "landing"
"""Where `query` writes."""

Offsets = Mapping[int, int]


def measure(space: Workspace, records: int, repeats: int) -> None:
    """Run the rounds, one more to warm up, and store the result as case `<records>`."""
    seconds: dict[str, list[float]] = {}
    with PeakMemory(space) as memory:
        for turn in range(repeats + 1):
            first = _latest(space)
            produce(space.home, records)
            last = _latest(space)
            _require("the broker", sum(last.values()) - sum(first.values()), records)
            by_hand = space.home.root / "hand-written" / str(turn)
            ways: dict[str, Callable[[], float]] = {
                "project": partial(_project, space, records),
                "query": partial(_query, space, first, records),
                "bare_spark": partial(_bare_spark, space, first, records),
                "hand_written": partial(_hand_written, space, first, last, by_hand),
                "raw_consumer": partial(raw_consumer.run, space.home, "bpm", records),
            }
            for name in workspaces.in_turn(CONTENDERS, turn):
                taken = ways[name]()
                print(f"  round {turn}: {name} {records / taken:.0f}/s", flush=True)
                if turn:
                    seconds.setdefault(name, []).append(taken)
            _check(space, first, records, by_hand)
    store(
        "landing",
        f"{records}",
        seconds=seconds,
        facts={"records": records, **_kept(space)},
        memory_mib=memory.peaks,
    )


def produce(home: Home, records: int) -> None:
    """Send so many readings at once, acknowledged."""
    from confluent_kafka import Producer

    producer = Producer(
        {**workspaces.librdkafka(home), "acks": "all", "linger.ms": 20, "batch.size": 1 << 18}
    )
    for number in range(records):
        device = data.FIRST_DEVICE + number % _DEVICES
        at = data.EPOCH + number // _DEVICES
        value = b'{"device_id":%d,"time":%d,"heartrate":%d}' % (device, at, 60 + number % 90)
        while True:
            try:
                producer.produce("bpm", value, key=b"%d" % device)
                break
            except BufferError:  # its queue is full: let it send
                producer.poll(0.1)
    unsent = producer.flush(120)
    _require("the producer", records - unsent, records)


def _project(space: Workspace, records: int) -> float:
    before = _bronze_rows(space)
    command = ("ingest", "--feed", "bpm")
    taken = workspaces.stopwatch(lambda: space.run(*command, timeout=workspaces.PATIENCE_SECONDS))
    _require("the project", _bronze_rows(space) - before, records)
    return taken


def _query(space: Workspace, first: Offsets, records: int) -> float:
    with workspaces.connect(space) as spark:
        spark.sql(f"create schema if not exists {_SCHEMA}")
        spark.sql(f"drop table if exists {_SCHEMA}.bpm")
        spark.sql(f"create table {_SCHEMA}.bpm like bronze.bpm")

        def start(rows: DataFrame, checkpoint: Path) -> StreamingQuery:
            return bronze.start_writing(
                rows,
                table=bronze.table_name("bpm", schema=_SCHEMA),
                name="bpm",
                writer_id="bpm/0",
                checkpoint=checkpoint,
                continuous=False,
                trigger_seconds=1,
            )

        return _drained(space, spark, first, records, start)


def _bare_spark(space: Workspace, first: Offsets, records: int) -> float:
    def start(rows: DataFrame, checkpoint: Path) -> StreamingQuery:
        writer = rows.writeStream.format("noop").trigger(availableNow=True)
        return writer.option("checkpointLocation", str(checkpoint)).start()

    with workspaces.connect(space) as spark:
        return _drained(space, spark, first, records, start)


def _drained(
    space: Workspace,
    spark: SparkSession,
    first: Offsets,
    records: int,
    start: Callable[[DataFrame, Path], StreamingQuery],
) -> float:
    """Seconds of a query from its start to its end, with ingestion's source."""
    config = config_of(space.home)
    topic = broker.describe(config, "bpm")
    # All micro-batches are counted, not only the newest.
    spark.conf.set("spark.sql.streaming.numRecentProgressUpdates", "100000")
    stream = sources.kafka_stream(
        spark, config, topic, epoch=0, start=dict(first), most=config.max_offsets_per_trigger
    )
    checkpoint = space.home.root / f"drained-{time.monotonic_ns()}"
    started = time.monotonic()
    query = start(stream, checkpoint)
    query.awaitTermination()
    taken = time.monotonic() - started
    batches = query.recentProgress
    read = sum(source["numInputRows"] for batch in batches for source in batch["sources"])
    _require("Spark", read, records)
    return taken


def _hand_written(space: Workspace, first: Offsets, last: Offsets, table: Path) -> float:
    command = [
        *(sys.executable, "-m", "bench.hand_written", "bpm"),
        *(str(table), json.dumps(dict(first)), json.dumps(dict(last))),
    ]
    # Not among the arguments, which all users of the machine can see.
    client = json.dumps(workspaces.librdkafka(space.home))
    return workspaces.stopwatch(
        lambda: subprocess.run(command, cwd=CHECKOUT, check=True, input=client, text=True)
    )


def _check(space: Workspace, first: Offsets, records: int, by_hand: Path) -> None:
    """Raises Unequal unless the tables hold the same records, byte by byte, and all of them."""
    from deltalake import DeltaTable

    with workspaces.connect(space) as spark:
        files = {
            "project": workspaces.files_of(spark, "bronze.bpm"),
            "query": workspaces.files_of(spark, f"{_SCHEMA}.bpm"),
            "hand_written": workspaces.paths(DeltaTable(str(by_hand)).file_uris()),
        }
    # Bronze has those of the rounds before as well.
    new = " or ".join(f'partition = {p} and "offset" >= {at}' for p, at in first.items())
    relations = {
        who: f'(select partition, "offset", key, value, timestamp from '
        f"{compare.parquet(of)} where {new})"
        for who, of in files.items()
    }
    with duckdb.connect() as connection:
        _require("each table", compare.check(connection, "bpm", relations), records)


def _latest(space: Workspace) -> dict[int, int]:
    return dict(broker.describe(config_of(space.home), "bpm").latest)


def _bronze_rows(space: Workspace) -> int:
    return int(space.sql("select count(*) as rows from bronze.bpm")[0]["rows"])


def _kept(space: Workspace) -> dict[str, float]:
    """Bytes a record in Kafka's log and in bronze."""
    rows = _bronze_rows(space)
    log = sum(p.stat().st_size for p in space.home.kafka.glob("bpm-*/*.log"))
    with workspaces.connect(space) as spark:
        table = workspaces.bytes_of(spark, "bronze.bpm")
    return {
        "kafka_bytes_a_record": round(log / rows, 1),
        "bronze_bytes_a_record": round(table / rows, 1),
    }


def _require(who: str, found: int, expected: int) -> None:
    if found != expected:
        raise Unequal(f"{who} counts {found} records, not {expected}")
