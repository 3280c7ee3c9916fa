"""From the producer's time stamp to bronze and to gold, at a steady rate.

Bronze: the Delta commit that made the row visible. Gold: the end of the first `dbt build` (they
follow each other without a pause) of which staging covers the row's commit. Each record that was
sent must be found in both, by its partition and offset, or nothing is reported.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime

from kafka import KafkaProducer

from bench import data, workspaces
from bench.results import Seconds, Unequal, note, report
from ingestion import broker
from lakehouse import kafka
from lakehouse.client import Workspace
from lakehouse.commands.ingest import config_of
from lakehouse.home import CHECKOUT, Home

_DEVICES = 500
_WARM_UP_SECONDS = 20.0

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


def measure(workspace: Workspace, rate: int, seconds: float, *, gold: bool) -> None:
    """Produce at a rate and report the latencies, with builds beside it or without."""
    with workspaces.connect(workspace) as spark:
        data.write(spark, data.registrations(_DEVICES))
    if gold:
        workspaces.build(workspace)  # parses, and makes the tables
    builder = _Builder(workspace)
    with _ingesting(workspace):
        produce(workspace.home, rate, _WARM_UP_SECONDS)  # the first micro-batches compile
        with builder.building() if gold else nullcontext():
            version = workspace.sql("describe history bronze.bpm limit 1")[0]["version"]
            first = _ends(workspace)
            sent = produce(workspace.home, rate, seconds)
            within = " or ".join(
                f"(records.partition = {p} and records.offset >= {first[p]} "
                f"and records.offset < {end})"
                for p, end in _ends(workspace).items()
            )
            _until_in_bronze(workspace, sent, within)
        if gold:
            # What came last: one more build covers it.
            builder.build_once()
    found = {"bronze": _TO_BRONZE.format(version=version, sent=within)}
    if gold:
        values = ", ".join(f"({at:.3f}D, {version}L)" for at, version in builder.ends)
        found["gold"] = _TO_GOLD.format(builds=values, version=version, sent=within)
    results = []
    with workspaces.connect(workspace) as spark:
        for layer, latencies in found.items():
            row = spark.sql(_PERCENTILES.format(latencies=latencies)).collect()[0]
            if row.records != sent:
                raise Unequal(f"{row.records} of {sent} records are in {layer}")
            results.append(
                f"{layer} P50 {row.p50:.1f} s, P95 {row.p95:.1f} s, longest {row.longest:.1f} s"
            )
    name = f"produced → {'gold' if gold else 'bronze, no builds'}"
    size = f"{rate:,}/s for {seconds:.0f} s"
    report(name, size, "; ".join(results), builder.seconds)


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
def _ingesting(workspace: Workspace) -> Iterator[None]:
    """A continuous ingestion of `bpm` while the block runs."""
    command = [sys.executable, "-m", "lakehouse.cli", "ingest", "--continuous", "--feed", "bpm"]
    log = subprocess.DEVNULL
    process = subprocess.Popen(command, cwd=CHECKOUT, env=workspace.environment, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=120)


def _ends(workspace: Workspace) -> Mapping[int, int]:
    """The next offset of each partition."""
    return broker.describe(config_of(workspace.home), "bpm").latest


def _until_in_bronze(workspace: Workspace, records: int, within: str) -> None:
    query = (
        "select count(*) as rows from bronze.bpm as records "
        f"where records.source_file is null and ({within})"
    )
    deadline = time.monotonic() + 600
    while int(workspace.sql(query)[0]["rows"]) < records:
        if time.monotonic() > deadline:
            raise Unequal(f"bronze lacks some of {records} records after 10 minutes")
        time.sleep(0.5)


class _Builder:
    """Builds one after the other; notes when each ended and up to which commit of bronze."""

    def __init__(self, workspace: Workspace) -> None:
        self.seconds: Seconds = {}
        self.ends: list[tuple[float, int]] = []
        self._space = workspace

    def build_once(self) -> None:
        note(self.seconds, "build", workspaces.build(self._space))
        ended = datetime.now(UTC).timestamp()
        # The mark of a table: commit and its time.
        marks = self._space.sql("show tblproperties silver.stg_kafka__bpm")
        read = [row["value"] for row in marks if row["key"] == "build.read.bronze.bpm"]
        self.ends.append((ended, int(read[0].split()[0]) if read else -1))

    @contextmanager
    def building(self) -> Iterator[None]:
        """While the block runs, and to the end of the last build. Raises what a build raised."""
        stop = threading.Event()

        def build_on() -> None:
            while not stop.is_set():
                self.build_once()

        with ThreadPoolExecutor(1) as pool:
            builds = pool.submit(build_on)
            try:
                yield
            finally:
                stop.set()
            builds.result()
