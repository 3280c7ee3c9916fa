"""What Spark read, from its event log: bytes and rows of tasks, files of scans.

The log is one growing file of JSON lines; a build is what was written between two positions.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_PREFIX = "org.apache.spark.sql.execution.ui."
_PLANS = (
    f"{_PREFIX}SparkListenerSQLExecutionStart",
    f"{_PREFIX}SparkListenerSQLAdaptiveExecutionUpdate",
)
_DRIVER_METRICS = f"{_PREFIX}SparkListenerDriverAccumUpdates"
_FILES, _FILE_BYTES = "number of files read", "size of files read"


def java_options(folder: Path) -> str:
    """Options that make Spark's JVM write its event log to `folder`, which this makes."""
    folder.mkdir()
    settings = {
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": f"file:{folder}",
        "spark.eventLog.rolling.enabled": "false",
        "spark.eventLog.compress": "false",
    }
    return " ".join(f"-D{key}={value}" for key, value in settings.items())


@dataclass
class Read:
    """What some statements read, Delta's own log included."""

    files: int = 0
    """Files of all scans, as planned; a file that two scans read counts twice."""
    file_bytes: int = 0
    """Size of those files."""
    input_bytes: int = 0
    """Bytes that tasks read of them: of the columns they needed."""
    input_rows: int = 0
    tasks: int = 0


@dataclass
class EventLog:
    """The log in a folder."""

    folder: Path
    _names: dict[int, str] = field(default_factory=dict)

    def position(self) -> int:
        """Where the log ends once it has come to rest."""
        size = -1
        while True:
            found = self._path().stat().st_size
            if found == size:
                return size
            size = found
            time.sleep(1)

    def read(self, start: int, end: int) -> Read:
        """What was read between two positions."""
        total = Read()
        with self._path().open("rb") as stream:
            stream.seek(start)
            for line in stream.read(end - start).splitlines():
                self._add(total, json.loads(line))
        return total

    def _path(self) -> Path:
        return next(path for path in self.folder.iterdir() if not path.name.startswith("."))

    def _add(self, total: Read, event: dict[str, Any]) -> None:
        kind = event["Event"]
        if kind in _PLANS:
            self._note(event["sparkPlanInfo"])
        elif kind == _DRIVER_METRICS:
            for number, value in event["accumUpdates"]:
                if self._names.get(number) == _FILES:
                    total.files += value
                elif self._names.get(number) == _FILE_BYTES:
                    total.file_bytes += value
        elif kind == "SparkListenerTaskEnd":
            metrics = (event.get("Task Metrics") or {}).get("Input Metrics") or {}
            total.input_bytes += metrics.get("Bytes Read", 0)
            total.input_rows += metrics.get("Records Read", 0)
            total.tasks += 1

    def _note(self, plan: dict[str, Any]) -> None:
        """Remember which accumulators of a plan count files."""
        for metric in plan.get("metrics", ()):
            if metric["name"] in (_FILES, _FILE_BYTES):
                self._names[metric["accumulatorId"]] = metric["name"]
        for child in plan.get("children", ()):
            self._note(child)
