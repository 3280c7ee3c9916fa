"""What can be seen of a run: Prometheus metrics and the table `bronze.ingestion_batches`."""

from __future__ import annotations

import logging
import threading
from datetime import datetime
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server
from pyspark.sql import SparkSession

from ingestion import bronze
from ingestion.batches import Batch
from ingestion.feeds import IngestionError

log = logging.getLogger(__name__)

_KEPT = 10_000


class Telemetry:
    """Takes in what happens, from the threads of all feeds; shows it and writes it down."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._rows = self._counter("rows", "Rows written.")
        self._batches = self._counter("batches", "Micro-batches written.")
        self._restarts = self._counter("restarts", "Restarts of the query after a fault.")
        self._up = self._gauge("up", "1 while the feed's query runs.")
        self._seconds = self._gauge("batch_seconds", "Duration of the newest micro-batch.")
        self._rate = self._gauge("rows_per_second", "Rows per second of the newest micro-batch.")
        self._arrival = self._gauge(
            "newest_arrival_timestamp_seconds", "Start of the newest micro-batch."
        )
        self._event = self._gauge(
            "newest_record_timestamp_seconds", "Newest time of a record, by Kafka or its file."
        )
        self._lag = self._gauge("lag_records", "Records not read yet.", "partition")
        self._unwritten: list[Batch] = []
        self._lock = threading.Lock()

    def _counter(self, name: str, text: str) -> Counter:
        return Counter(f"fitbit_ingest_{name}", text, ["feed"], registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"fitbit_ingest_{name}", text, ["feed", *labels], registry=self.registry)

    def serve(self, port: int) -> None:
        """Answer scrapes on the loopback. Raises IngestionError if the port is taken."""
        try:
            start_http_server(port, "127.0.0.1", self.registry)
        except OSError as error:
            raise IngestionError(
                f"Port {port} for metrics is taken: set another metrics_port, or 0 for none."
            ) from error
        log.info("metrics on http://127.0.0.1:%d/metrics", port)

    def up(self, feed: str, running: bool) -> None:
        self._up.labels(feed).set(running)

    def restart(self, feed: str) -> None:
        self._restarts.labels(feed).inc()

    def lag(self, feed: str, by_partition: dict[str, int]) -> None:
        for partition, records in by_partition.items():
            self._lag.labels(feed, partition).set(records)

    def batch(self, batch: Batch) -> None:
        self._rows.labels(batch.feed).inc(batch.rows)
        self._batches.labels(batch.feed).inc()
        self._seconds.labels(batch.feed).set(batch.seconds)
        self._rate.labels(batch.feed).set(batch.rows / max(batch.seconds, 0.001))
        self._arrival.labels(batch.feed).set(batch.started_at.timestamp())
        if batch.newest_record_at is not None:
            self._event.labels(batch.feed).set(batch.newest_record_at.timestamp())
        with self._lock:
            self._unwritten = [*self._unwritten, batch][-_KEPT:]

    def write(self, spark: SparkSession, catalog: str) -> None:
        """Append the micro-batches since the last call to the table; after a fault at the next."""
        with self._lock:
            batches, self._unwritten = self._unwritten, []
        if not batches:
            return
        try:
            columns = {column: kind for column, (kind, _) in bronze.BATCH_COLUMNS.items()}
            schema = ", ".join(f"`{column}` {kind}" for column, kind in columns.items())
            rows = spark.createDataFrame([_row(batch) for batch in batches], schema)
            rows.write.mode("append").insertInto(bronze.table_name("ingestion_batches", catalog))
        except BaseException:
            with self._lock:
                self._unwritten = [*batches, *self._unwritten][-_KEPT:]
            raise

    def pending(self) -> bool:
        """Whether there are micro-batches to write down."""
        return bool(self._unwritten)


def _row(batch: Batch) -> tuple[Any, ...]:
    values: dict[str, str | int | float | datetime | None] = {
        "feed": batch.feed,
        "query_id": batch.query_id,
        "batch_id": batch.number,
        "started_at": batch.started_at,
        "seconds": batch.seconds,
        "rows": batch.rows,
        "offsets": batch.offsets,
        "lag_records": sum(batch.lag.values()),
        "newest_record_at": batch.newest_record_at,
    }
    return tuple(values[column] for column in bronze.BATCH_COLUMNS)
