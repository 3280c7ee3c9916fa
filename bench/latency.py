"""From the producer's time stamp to bronze and to gold, at a steady rate.

Bronze: the Delta commit that made the row visible. Gold: the end of the first `dbt build` (they
follow each other without a pause) of which staging covers the row's commit. Each record that was
sent must be found in both, by its partition and offset, or nothing is stored.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime

from kafka import KafkaProducer

from bench import data, workspaces
from bench.memory import PeakMemory
from bench.results import Unequal, store
from ingestion import broker
from local import kafka
from local.commands.ingest import config_of
from local.home import CHECKOUT, Home
from tests.support import Workspace, until

_DEVICES = 500
_WARM_UP_SECONDS = 20.0

Window = Sequence[tuple[int, int, int]]
"""Of each partition: its number, the first offset sent, the first one after."""

_TO_BRONZE = """
select unix_millis(records._commit_timestamp) / 1000 - unix_millis(records.timestamp) / 1000
    as latency
from table_changes('bronze.bpm', {version}) as records
where records.source_file is null and records._change_type = 'insert' and ({sent})
"""
_TO_GOLD = """
select min(builds.ended_at) - first(unix_millis(records.timestamp)) / 1000 as latency
from table_changes('bronze.bpm', {version}) as records
join silver.stg_kafka__bpm as staged
    on staged.topic_epoch = records.topic_epoch
    and staged.kafka_partition = records.partition
    and staged.kafka_offset = records.offset
join (select * from values {builds} as builds (ended_at, bronze_version)) as builds
    on builds.bronze_version >= records._commit_version
where records.source_file is null and records._change_type = 'insert' and ({sent})
group by staged.record_key
"""
_PERCENTILES = """
select
    count(*) as records,
    percentile(latency, 0.5) as p50, percentile(latency, 0.95) as p95, max(latency) as longest
from ({latencies})
"""


def measure(space: Workspace, rate: int, seconds: float, *, gold: bool = True) -> None:
    """Produce at a rate and store the latencies as case `<rate>`, without builds `<rate> alone`."""
    with workspaces.connect(space) as spark:
        data.write(spark, data.registrations(_DEVICES))
    workspaces.build(space)  # parses, and makes the tables
    builds: list[tuple[float, int]] = []
    durations: list[float] = []
    with PeakMemory(space) as memory, ingesting(space):
        produce(space.home, rate, _WARM_UP_SECONDS)  # the first micro-batches compile
        with _building(space, builds, durations) if gold else nullcontext():
            history = space.sql("describe history bronze.bpm limit 1")
            first = _ends(space)
            sent = produce(space.home, rate, seconds)
            window = [(p, first[p], end) for p, end in _ends(space).items()]
            _until_in_bronze(space, sent, window)
        if gold:
            # What came last: one more build covers it.
            _build_once(space, builds, durations)
    with workspaces.connect(space) as spark:
        version, sent_ones = history[0]["version"], _within(window, "records.")
        found = {"bronze": _TO_BRONZE.format(version=version, sent=sent_ones)}
        if gold:
            values = ", ".join(f"({at:.3f}D, {version}L)" for at, version in builds)
            found["gold"] = _TO_GOLD.format(builds=values, version=version, sent=sent_ones)
        facts = {}
        for layer, latencies in found.items():
            row = spark.sql(_PERCENTILES.format(latencies=latencies)).collect()[0]
            if row.records != sent:
                raise Unequal(f"{row.records} of {sent} records are in {layer}")
            facts[layer] = {
                "records": row.records,
                "p50_seconds": round(float(row.p50), 3),
                "p95_seconds": round(float(row.p95), 3),
                "longest_seconds": round(float(row.longest), 3),
            }
    store(
        "latency",
        f"{rate}" if gold else f"{rate} alone",
        seconds={"builds": durations},
        facts={
            "rate": rate,
            "seconds": seconds,
            **facts,
            "memory_mib_by_minute": memory.by_minute,
        },
        memory_mib=memory.peaks,
    )


def produce(home: Home, rate: int, seconds: float) -> int:
    """Send readings of now at a steady rate; returns how many.

    Raises Unequal if the producer falls behind: records stamped late would look fast.
    """
    producer = KafkaProducer(
        **kafka.client_options(home), acks="all", linger_ms=20, batch_size=1 << 18
    )
    total = int(rate * seconds)
    try:
        started = time.monotonic()
        for number in range(total):
            if number % 100 == 0:
                time.sleep(max(0.0, started + number / rate - time.monotonic()))
            device = data.FIRST_DEVICE + number % _DEVICES
            value = b'{"device_id":%d,"time":%.6f,"heartrate":70}' % (device, time.time())
            producer.send("bpm", value, key=b"%d" % device)
        reached = total / (time.monotonic() - started)
        if reached < 0.98 * rate:
            raise Unequal(f"the producer came to {reached:.0f} records a second, not {rate}")
        producer.flush()
    finally:
        producer.close()
    return total


@contextmanager
def ingesting(space: Workspace) -> Iterator[None]:
    """A continuous ingestion of `bpm` while the block runs."""
    command = [sys.executable, "-m", "local.cli", "ingest", "--continuous", "--feed", "bpm"]
    process = subprocess.Popen(
        command, cwd=CHECKOUT, env=space.environment, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=120)


def _ends(space: Workspace) -> Mapping[int, int]:
    """The next offset of each partition."""
    return broker.describe(config_of(space.home), "bpm").latest


def _within(window: Window, of: str = "") -> str:
    """Condition for the records that were sent; of: an alias of bronze and a full stop."""
    return " or ".join(
        f"({of}`partition` = {p} and {of}`offset` >= {first} and {of}`offset` < {end})"
        for p, first, end in window
    )


def _until_in_bronze(space: Workspace, records: int, window: Window) -> None:
    query = (
        f"select count(*) as rows from bronze.bpm where source_file is null and ({_within(window)})"
    )
    until(lambda: int(space.sql(query)[0]["rows"]) >= records)


@contextmanager
def _building(
    space: Workspace, builds: list[tuple[float, int]], durations: list[float]
) -> Iterator[None]:
    """Builds one after the other while the block runs, and to the end of the last one."""
    stop = threading.Event()

    def build_on() -> None:
        while not stop.is_set():
            _build_once(space, builds, durations)

    builder = threading.Thread(target=build_on)
    builder.start()
    try:
        yield
    finally:
        stop.set()
        builder.join()


def _build_once(space: Workspace, builds: list[tuple[float, int]], durations: list[float]) -> None:
    """Note when a build ended and up to which commit of bronze it reached."""
    durations.append(workspaces.build(space))
    ended = datetime.now(UTC).timestamp()
    # The mark of a table: commit and its time.
    marks = space.sql("show tblproperties silver.stg_kafka__bpm")
    read = [row["value"] for row in marks if row["key"] == "build.read.bronze.bpm"]
    builds.append((ended, int(read[0].split()[0]) if read else -1))
