"""What Spark read, from its event log: bytes and rows of tasks, files and rows of scans.

The log is one growing file of JSON lines; a build is what was written between two positions.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
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
_ROWS = "number of output rows"
_TABLE = re.compile(r"/(\w+)\.db/(\w+)\]?")


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


@dataclass(frozen=True)
class Scan:
    """One scan of a table by one statement: files that were opened, rows that they gave."""

    table: str
    files: int
    rows: int


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
        for event in self._events(start, end):
            self._add(total, event)
        return total

    def scans(self, start: int, end: int) -> list[Scan]:
        """The scans of tables by statements that began between two positions."""
        found: dict[int, tuple[str, int]] = {}
        values: dict[int, int] = {}
        for event in self._events(start, end):
            kind = event["Event"]
            if kind in _PLANS:
                # Plans that adapt name their scans again: they are known by their accumulators.
                found.update(_scans_of(event["sparkPlanInfo"]))
            elif kind == _DRIVER_METRICS:
                values.update(event["accumUpdates"])
            elif kind == "SparkListenerTaskEnd":
                for made in event["Task Info"]["Accumulables"]:
                    if made.get("Name") == _ROWS:
                        values[made["ID"]] = values.get(made["ID"], 0) + int(made["Update"])
        return [
            Scan(table, values.get(files, 0), values.get(rows, 0))
            for files, (table, rows) in found.items()
        ]

    def _events(self, start: int, end: int) -> Iterator[dict[str, Any]]:
        with self._path().open("rb") as stream:
            stream.seek(start)
            yield from map(json.loads, stream.read(end - start).splitlines())

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


def _scans_of(plan: dict[str, Any]) -> Iterator[tuple[int, tuple[str, int]]]:
    """Of each scan of a table in a plan: accumulator of its files; the table, that of its rows."""
    place = _TABLE.search(plan.get("metadata", {}).get("Location", ""))
    metrics = {one["name"]: one["accumulatorId"] for one in plan.get("metrics", ())}
    if place and _FILES in metrics:
        yield metrics[_FILES], (f"{place[1]}.{place[2]}", metrics[_ROWS])
    for child in plan.get("children", ()):
        yield from _scans_of(child)
