"""Measures ingestion on a workspace that is up: latency and memory in flow, rows/s of a drain.

    python -m bench.ingestion latency --rate 5000 --seconds 600
    python -m bench.ingestion drain --records 1000000

Records go to the topic `bpm` of the workspace that LAKEHOUSE_HOME names: use one of its own.
Latency is from the producer's time stamp to the end of the micro-batch that made the row visible.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
from kafka import KafkaProducer

from ingestion import broker, sessions, sources
from ingestion.config import Config
from local import processes
from local.commands.ingest import config_of
from local.home import Home

_PERCENTILES = """
select
    count(*) as records,
    percentile(latency, 0.5) as p50, percentile(latency, 0.95) as p95, max(latency) as longest
from (
    select
        unix_millis(batches.started_at) / 1000 + batches.seconds
        - unix_millis(records.timestamp) / 1000 as latency
    from bronze.bpm as records
    join bronze.ingestion_batches as batches
        on batches.feed = 'bpm' and batches.started_at = records.ingested_at
    where records.source_file is null and records.timestamp >= timestamp_millis({since})
)
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    latency = commands.add_parser("latency")
    latency.add_argument("--rate", type=int, default=5000, help="records a second")
    latency.add_argument("--seconds", type=float, default=60)
    latency.add_argument("--beside", nargs="+", default=[], help="a command to repeat meanwhile")
    drain = commands.add_parser("drain")
    drain.add_argument("--records", type=int, default=1_000_000)
    args = parser.parse_args()
    home = Home.from_environment()
    if args.command == "latency":
        measure_latency(home, args.rate, args.seconds, args.beside)
    else:
        measure_drain(home, args.records)
    return 0


def measure_latency(home: Home, rate: int, seconds: float, beside: list[str]) -> None:
    memory: list[tuple[int, int]] = []
    with ingesting() as process:
        produce(home, rate, 20, rate)  # the first micro-batches compile
        since = int(time.time() * 1000)
        end = time.monotonic() + seconds
        other: subprocess.Popen[bytes] | None = None
        while time.monotonic() < end:
            produce(home, rate, min(10.0, end - time.monotonic()), rate)
            memory.append(_memory(home, process.pid))
            if beside and (other is None or other.poll() is not None):
                other = subprocess.Popen(beside, stdout=subprocess.DEVNULL)
        if other is not None:
            other.wait()
        time.sleep(5)
    with sessions.session(home.connect_url) as spark:
        row = spark.sql(_PERCENTILES.format(since=since)).collect()[0]
    print(f"records {row.records}, {row.records / seconds:.0f}/s")
    print(f"latency P50 {row.p50:.2f} s, P95 {row.p95:.2f} s, longest {row.longest:.2f} s")
    for at, (client, server) in enumerate(memory):
        if at in (0, len(memory) // 2, len(memory) - 1):
            print(f"memory after {10 * (at + 1)} s: process {client} MiB, Spark {server} MiB")


def measure_drain(home: Home, records: int) -> None:
    produce(home, records, records, None)
    config = config_of(home)
    bare = _bare(home, config, records)
    started = time.monotonic()
    command = [sys.executable, "-m", "local.cli", "ingest", "--feed", "bpm"]
    subprocess.run(command, check=True)
    whole = time.monotonic() - started
    print(f"{records} records: bare Kafka to noop {bare:.0f}/s, ingest {records / whole:.0f}/s")


def _bare(home: Home, config: Config, records: int) -> float:
    """Rows/s of Spark reading the newest records and dropping them."""
    topic = broker.describe(config, "bpm")
    start = {p: end - records // len(topic.latest) for p, end in topic.latest.items()}
    with sessions.session(home.connect_url) as spark:
        stream = sources.kafka_stream(spark, config, topic, epoch=0, start=start)
        writer = stream.writeStream.format("noop").trigger(availableNow=True)
        folder = home.temporary / f"bare-{time.time_ns()}"
        started = time.monotonic()
        writer.option("checkpointLocation", str(folder)).start().awaitTermination()
        return records / (time.monotonic() - started)


def produce(home: Home, rate: int, amount: float, pace: int | None) -> None:
    """Send records: `amount` seconds at a pace, or without one that many records at once."""
    producer = KafkaProducer(
        bootstrap_servers=home.kafka_bootstrap, acks="all", linger_ms=20, batch_size=1 << 18
    )
    try:
        total = int(amount * rate) if pace else int(amount)
        started = time.monotonic()
        for number in range(total):
            if pace and number % 100 == 0:
                time.sleep(max(0.0, started + number / pace - time.monotonic()))
            value = b'{"device_id": %d, "time": %d, "heartrate": 70}'
            producer.send("bpm", value % (number % 500, time.time()), key=b"%d" % (number % 500))
        producer.flush()
    finally:
        producer.close()


@contextmanager
def ingesting() -> Iterator[Any]:
    command = [sys.executable, "-m", "local.cli", "ingest", "--continuous", "--feed", "bpm"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _memory(home: Home, pid: int) -> tuple[int, int]:
    """MiB resident: the ingest process, the Spark JVM."""
    spark = processes.find(home, "spark")
    client = psutil.Process(pid).memory_info().rss
    return client >> 20, (spark.memory_bytes() if spark else 0) >> 20


if __name__ == "__main__":
    sys.exit(main())
