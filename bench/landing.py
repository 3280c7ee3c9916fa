"""Kafka to a table: how many records a second a drain takes in.

project       `lakehouse ingest --feed bpm`, the whole command, into bronze
bare_spark    Spark's Kafka source into nothing (`noop`), the query alone
hand_written  a Python consumer (bench/hand_written.py), the whole process, into a Delta table
raw_consumer  Kafka's own consumer in Java, which drops the records, without the JVM's start

Each round produces new records, which each of them reads; all must count the same.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial

from bench import data, raw_consumer, workspaces
from bench.memory import PeakMemory
from bench.results import Unequal, store
from ingestion import broker, sources
from local.commands.ingest import config_of
from local.home import CHECKOUT
from tests.support import Workspace

_DEVICES = 500

Offsets = Mapping[int, int]


def measure(space: Workspace, records: int, repeats: int) -> None:
    """Run the rounds, one more to warm up, and store the result as case `<records>`."""
    seconds: dict[str, list[float]] = {}
    with PeakMemory(space) as memory:
        for turn in range(repeats + 1):
            first = _latest(space)
            produce(space.home.kafka_bootstrap, records)
            last = _latest(space)
            _require("the broker", sum(last.values()) - sum(first.values()), records)
            ways: dict[str, Callable[[], float]] = {
                "project": partial(_project, space, records),
                "bare_spark": partial(_bare_spark, space, first, records),
                "hand_written": partial(_hand_written, space, first, last, records, turn),
                "raw_consumer": partial(raw_consumer.run, space.home, "bpm", records),
            }
            names = list(ways)
            for name in names[turn % 4 :] + names[: turn % 4]:
                taken = ways[name]()
                print(f"  round {turn}: {name} {records / taken:.0f}/s", flush=True)
                if turn:
                    seconds.setdefault(name, []).append(taken)
    store(
        "landing",
        f"{records}",
        seconds=seconds,
        facts={"records": records, **_kept(space)},
        memory_mib=memory.peaks,
    )


def produce(bootstrap: str, records: int) -> None:
    """Send so many readings at once, acknowledged."""
    from confluent_kafka import Producer

    producer = Producer(
        {"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 20, "batch.size": 1 << 18}
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


def _bare_spark(space: Workspace, first: Offsets, records: int) -> float:
    config = config_of(space.home)
    topic = broker.describe(config, "bpm")
    with workspaces.connect(space) as spark:
        stream = sources.kafka_stream(spark, config, topic, epoch=0, start=dict(first))
        writer = stream.writeStream.format("noop").trigger(availableNow=True)
        folder = space.home.root / f"bare-{time.monotonic_ns()}"
        started = time.monotonic()
        query = writer.option("checkpointLocation", str(folder)).start()
        query.awaitTermination()
        taken = time.monotonic() - started
        batches = query.recentProgress
        read = sum(source["numInputRows"] for batch in batches for source in batch["sources"])
    _require("bare Spark", read, records)
    return taken


def _hand_written(
    space: Workspace, first: Offsets, last: Offsets, records: int, turn: int
) -> float:
    from deltalake import DeltaTable

    table = str(space.home.root / "hand-written" / str(turn))
    command = [
        *(sys.executable, "-m", "bench.hand_written", space.home.kafka_bootstrap, "bpm", table),
        *(json.dumps(dict(first)), json.dumps(dict(last))),
    ]
    taken = workspaces.stopwatch(lambda: subprocess.run(command, cwd=CHECKOUT, check=True))
    _require("the hand-written consumer", DeltaTable(table).to_pyarrow_table().num_rows, records)
    return taken


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
