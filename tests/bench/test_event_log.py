"""Reading Spark's event log."""

from __future__ import annotations

import json
from pathlib import Path

from bench.event_log import EventLog, Scan

_SQL = "org.apache.spark.sql.execution.ui.SparkListener"


def _task(size: int, rows: int) -> dict[str, object]:
    return {
        "Event": "SparkListenerTaskEnd",
        "Task Info": {
            "Accumulables": [{"ID": 9, "Name": "number of output rows", "Update": str(rows)}]
        },
        "Task Metrics": {"Input Metrics": {"Bytes Read": size}},
    }


def test_reads_are_those_between_two_positions(tmp_path: Path) -> None:
    scan = {
        "metadata": {"Location": "TahoeLogFileIndex(1 paths)[file:/home/warehouse/silver.db/bpm]"},
        "metrics": [
            {"name": "number of files read", "accumulatorId": 7, "metricType": "sum"},
            {"name": "size of files read", "accumulatorId": 8, "metricType": "size"},
            {"name": "number of output rows", "accumulatorId": 9, "metricType": "sum"},
        ],
        "children": [],
    }
    start = {
        "Event": f"{_SQL}SQLExecutionStart",
        "sparkPlanInfo": {"metrics": [], "children": [scan]},
    }
    metrics = {"Event": f"{_SQL}DriverAccumUpdates", "accumUpdates": [[7, 3], [8, 500]]}
    path = tmp_path / "local-1.inprogress"
    path.write_text(json.dumps(_task(999, 999)) + "\n")
    log = EventLog(tmp_path)
    before = log.position()
    with path.open("a") as stream:
        for event in (start, metrics, _task(100, 10), _task(1, 2), {"Event": "Other"}):
            stream.write(json.dumps(event) + "\n")
    between = before, log.position()
    assert log.scans(*between) == [Scan("silver.bpm", files=3, bytes=500, rows=12)]
    assert log.bytes_read(*between) == 101
