"""From the producer's time stamp to bronze and to gold, at a steady rate.

Bronze: the end of the micro-batch that made the row visible. Gold: the end of the first
`dbt build` (they follow each other without a pause) of which staging covers the row's commit.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from kafka import KafkaProducer

from bench import data, workspaces
from bench.memory import PeakMemory
from bench.results import store
from local.home import CHECKOUT, Home
from tests.support import Workspace, until

_DEVICES = 500
_WARM_UP_SECONDS = 20.0

_TO_BRONZE = """
select unix_millis(batches.started_at) / 1000 + batches.seconds
    - unix_millis(records.timestamp) / 1000 as latency
from bronze.bpm as records
join bronze.ingestion_batches as batches
    on batches.feed = 'bpm' and batches.started_at = records.ingested_at
where records.source_file is null
    and records.timestamp >= timestamp_millis({since})
    and records.timestamp < timestamp_millis({until})
"""
_TO_GOLD = """
select min(builds.ended_at) - first(unix_millis(records.kafka_timestamp)) / 1000 as latency
from silver.stg_kafka__bpm as records
join (select * from values {builds} as builds (ended_at, bronze_version)) as builds
    on builds.bronze_version >= records.bronze_version
where records.kafka_timestamp >= timestamp_millis({since})
    and records.kafka_timestamp < timestamp_millis({until})
group by records.record_key
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
        stop = threading.Event()
        builder = threading.Thread(target=_build_on, args=(space, stop, builds, durations))
        if gold:
            builder.start()
        since = int(time.time() * 1000)
        sent = produce(space.home, rate, seconds)
        end = int(time.time() * 1000)
        _until_in_bronze(space, sent, since)
        stop.set()
        if gold:
            builder.join()
            # What came last: one more build covers it.
            _build_once(space, builds, durations)
    window = {"since": since, "until": end}
    with workspaces.connect(space) as spark:
        found = {"bronze": _TO_BRONZE.format(**window)}
        if gold:
            values = ", ".join(f"({at:.3f}D, {version}L)" for at, version in builds)
            found["gold"] = _TO_GOLD.format(builds=values, **window)
        facts = {}
        for layer, latencies in found.items():
            row = spark.sql(_PERCENTILES.format(latencies=latencies)).collect()[0]
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
        facts={"rate": rate, "seconds": seconds, **facts},
        memory_mib=memory.peaks,
    )


def produce(home: Home, rate: int, seconds: float) -> int:
    """Send readings of now at a steady rate; returns how many."""
    producer = KafkaProducer(
        bootstrap_servers=home.kafka_bootstrap, acks="all", linger_ms=20, batch_size=1 << 18
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


def _until_in_bronze(space: Workspace, records: int, since: int) -> None:
    query = (
        "select count(*) as rows from bronze.bpm "
        f"where timestamp >= timestamp_millis({since}) and source_file is null"
    )
    until(lambda: int(space.sql(query)[0]["rows"]) >= records)


def _build_on(
    space: Workspace,
    stop: threading.Event,
    builds: list[tuple[float, int]],
    durations: list[float],
) -> None:
    while not stop.is_set():
        _build_once(space, builds, durations)


def _build_once(space: Workspace, builds: list[tuple[float, int]], durations: list[float]) -> None:
    """Note when a build ended and up to which commit of bronze it reached."""
    durations.append(workspaces.build(space))
    ended = datetime.now(UTC).timestamp()
    query = "select coalesce(max(bronze_version), -1) as newest from silver.stg_kafka__bpm"
    builds.append((ended, int(space.sql(query)[0]["newest"])))
