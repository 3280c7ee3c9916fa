"""The feeds' lines of `lakehouse status`: who ingests, the newest micro-batch, lag, small files."""

from __future__ import annotations

import os
import re
import urllib.request
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ingestion.feeds import KAFKA_FEEDS, IngestionError
from lakehouse.home import Home

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def lines(home: Home) -> list[str]:
    """Lines for people, of a workspace that is up."""
    from pyspark.sql import functions

    from ingestion import bronze, lease, sessions
    from ingestion.filereader import waiting
    from ingestion.maintenance import states
    from lakehouse.commands.ingest import config_of

    owners = {
        record.feed: record
        for path in home.leases.glob("*.json")
        if (record := lease.read(path)) is not None and not record.revoked
    }
    with sessions.session(home.connect_url) as spark:
        batches = (
            spark.table(bronze.table_name("ingestion_batches"))
            .groupBy("feed")
            .agg(
                functions.expr("max(started_at)").alias("at"),
                functions.expr("sum(rows)").alias("rows"),
                functions.expr("max_by(rows, started_at)").alias("newest_rows"),
                functions.expr("max_by(seconds, started_at)").alias("seconds"),
                functions.expr("max(newest_record_at)").alias("event"),
            )
            .collect()
        )
        files = states(spark)
        unread = waiting(spark, config_of(home))
        lag = _lag(home, spark)
    newest = {row.feed: row for row in batches}
    restarts = _restarts(home) if owners else {}
    found = [
        f"{'feed':<22} {'ingested by':<13} {'restarts':>8} {'rows':>10} {'batch s':>8} "
        f"{'rows/s':>8}  {'newest arrival (UTC)':<19}  newest record"
    ]
    for feed in sorted({*newest, *owners}):
        owner = f"process {owners[feed].pid}" if feed in owners else "-"
        cells = f"{feed:<22} {owner:<13} {restarts.get(feed, '-'):>8}"
        if row := newest.get(feed):
            rate = row.newest_rows / max(row.seconds, 0.001)
            event = f"{row.event:%F %T}" if row.event else "-"
            cells += f" {row.rows:>10} {row.seconds:>8.2f} {rate:>8.0f}  {row.at:%F %T}  {event}"
        found.append(cells)
    found.append("not read yet, by partition: " + ", ".join(lag))
    found += [f"files not read yet, {one}" for one in unread]
    many = [f"{s.table} {s.files}" for s in files if s.needs_optimize]
    found.append(
        f"small files: {', '.join(many) or 'none'}"
        + (" (run `lakehouse maintain`)" if many else "")
    )
    return found


def _lag(home: Home, spark: SparkSession) -> list[str]:
    """What the broker has beyond each feed's checkpoint, or bronze where there is none, asked
    now: also while nobody ingests."""
    from ingestion import broker, checkpoints, progress
    from ingestion.config import load
    from lakehouse.commands.ingest import config_of

    found = []
    known = progress.known_topics(spark, "")
    for feed in KAFKA_FEEDS:
        try:
            config = load(os.environ, base=config_of(home))
            topic = broker.describe(config, config.topic_of(feed.name))
            state = checkpoints.read(home.checkpoints / feed.name)
        except (IngestionError, checkpoints.Damaged):
            found.append(f"{feed.name} unknown")
            continue
        read = state.end if state else {}
        if not read and feed.name in known:
            read = progress.next_offsets(spark, "", feed.table, known[feed.name].epoch)
        lag = (f"{p}:{max(0, end - read.get(p, 0))}" for p, end in sorted(topic.latest.items()))
        found.append(f"{feed.name} {' '.join(lag)}")
    return found


def _restarts(home: Home) -> Mapping[str, str]:
    """Restarts by feed, as the metrics of a continuous run tell; nothing if there is none."""
    try:
        url = f"http://127.0.0.1:{home.metrics_port}/metrics"
        with urllib.request.urlopen(url, timeout=2) as answer:
            return restarts_of(answer.read().decode())
    except OSError:
        return {}


def restarts_of(metrics: str) -> dict[str, str]:
    """Restarts by feed, of those that run, from the text of the metrics."""
    running = dict.fromkeys(re.findall(r'fitbit_ingest_up\{feed="(\w+)"\} 1', metrics), "0")
    counted = re.findall(r'fitbit_ingest_restarts_total\{feed="(\w+)"\} (\d+)', metrics)
    return {**running, **dict(counted)}
