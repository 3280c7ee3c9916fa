"""Reading Spark's event log."""

from __future__ import annotations

import json
from pathlib import Path

from bench.event_log import EventLog, Read

_SQL = "org.apache.spark.sql.execution.ui.SparkListener"


def _task(size: int, rows: int) -> dict[str, object]:
    metrics = {"Input Metrics": {"Bytes Read": size, "Records Read": rows}}
    return {"Event": "SparkListenerTaskEnd", "Task Metrics": metrics}


def test_reads_are_those_between_two_positions(tmp_path: Path) -> None:
    scan = {
        "metrics": [
            {"name": "number of files read", "accumulatorId": 7, "metricType": "sum"},
            {"name": "size of files read", "accumulatorId": 8, "metricType": "size"},
            {"name": "metadata time", "accumulatorId": 9, "metricType": "timing"},
        ],
        "children": [],
    }
    start = {
        "Event": f"{_SQL}SQLExecutionStart",
        "sparkPlanInfo": {"metrics": [], "children": [scan]},
    }
    metrics = {"Event": f"{_SQL}DriverAccumUpdates", "accumUpdates": [[7, 3], [8, 500], [9, 1]]}
    path = tmp_path / "local-1.inprogress"
    path.write_text(json.dumps(_task(999, 999)) + "\n")
    log = EventLog(tmp_path)
    before = log.position()
    with path.open("a") as stream:
        for event in (start, metrics, _task(100, 10), _task(1, 2), {"Event": "Other"}):
            stream.write(json.dumps(event) + "\n")
    expected = Read(files=3, file_bytes=500, input_bytes=101, input_rows=12, tasks=2)
    assert log.read(before, log.position()) == expected
