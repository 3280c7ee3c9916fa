"""Spark's progress reports in this package's terms."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from prometheus_client import generate_latest

from ingestion.batches import batch_of, lag_of
from ingestion.telemetry import Telemetry
from lakehouse.commands._feeds_status import restarts_of

_MICROS = 1577836800_250000


def report(observed: dict[str, Any] | None, **source: Any) -> dict[str, Any]:
    return {
        "id": "q",
        "batchId": 3,
        "timestamp": "2026-01-01T00:00:00.500Z",
        "batchDuration": 1500,
        "sources": [{"numInputRows": 30, "startOffset": None, **source}],
        "observedMetrics": {} if observed is None else {"written": observed},
    }


KAFKA = report(
    {"values": [30, _MICROS], "schema": {}},
    startOffset=json.dumps({"bpm": {"0": 5}}),
    endOffset=json.dumps({"bpm": {"1": 20, "0": 15, "10": 1}}),
    latestOffset=json.dumps({"bpm": {"0": 40, "1": 20, "10": 1}}),
)


def test_a_kafka_batch() -> None:
    batch = batch_of("bpm", KAFKA, {1: 10})
    assert batch is not None
    assert str(batch) == "feed=bpm batch=3 rows=30 offsets=0:5-15,1:10-20,10:0-1 seconds=1.50"
    assert batch.started_at == datetime(2026, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC)
    assert batch.newest_record_at == datetime(2020, 1, 1, 0, 0, 0, 250_000, tzinfo=UTC)
    assert batch.lag == lag_of(KAFKA) == {"0": 25, "1": 0, "10": 0}


def test_what_is_observed_counts_in_both_spellings_of_spark() -> None:
    for observed in ({"values": [700, None], "schema": {}}, {"rows": 700, "newest": None}):
        batch = batch_of("bpm", {**KAFKA, "observedMetrics": {"written": observed}})
        assert batch is not None
        assert (batch.rows, batch.newest_record_at) == (700, None)


def test_a_trigger_without_data_is_no_batch() -> None:
    assert batch_of("bpm", report(None, numInputRows=0, endOffset=None)) is None


def test_metrics() -> None:
    telemetry = Telemetry()
    batch = batch_of("bpm", KAFKA)
    assert batch is not None
    telemetry.up("bpm", True)
    telemetry.batch(batch)
    telemetry.batch(batch)
    telemetry.lag("bpm", lag_of(KAFKA))
    telemetry.restart("bpm")
    text = generate_latest(telemetry.registry).decode()
    for line in (
        'fitbit_ingest_rows_total{feed="bpm"} 60.0',
        'fitbit_ingest_batches_total{feed="bpm"} 2.0',
        'fitbit_ingest_batch_seconds{feed="bpm"} 1.5',
        'fitbit_ingest_rows_per_second{feed="bpm"} 20.0',
        'fitbit_ingest_lag_records{feed="bpm",partition="0"} 25.0',
        'fitbit_ingest_newest_record_timestamp_seconds{feed="bpm"} 1.57783680025e+09',
        'fitbit_ingest_restarts_total{feed="bpm"} 1.0',
        'fitbit_ingest_up{feed="bpm"} 1.0',
    ):
        assert line in text
    assert telemetry.pending()
    telemetry.up("workout", True)
    text = generate_latest(telemetry.registry).decode()
    assert restarts_of(text) == {"bpm": "1", "workout": "0"}
