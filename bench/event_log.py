"""What Spark read, from its event log: the scans of tables with their files, bytes and rows.

The log is one growing file of JSON lines; a build is what was written between two positions.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PREFIX = "org.apache.spark.sql.execution.ui."
_PLANS = (
    f"{_PREFIX}SparkListenerSQLExecutionStart",
    f"{_PREFIX}SparkListenerSQLAdaptiveExecutionUpdate",
)
_DRIVER_METRICS = f"{_PREFIX}SparkListenerDriverAccumUpdates"
_FILES, _BYTES, _ROWS = "number of files read", "size of files read", "number of output rows"
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


@dataclass(frozen=True)
class Scan:
    """One scan of a table by one statement: files that were opened, their size, rows they gave."""

    table: str
    files: int
    bytes: int
    rows: int


@dataclass(frozen=True)
class EventLog:
    """The log in a folder."""

    folder: Path

    def position(self) -> int:
        """Where the log ends once it has come to rest."""
        size = -1
        while True:
            found = self._path().stat().st_size
            if found == size:
                return size
            size = found
            time.sleep(1)

    def scans(self, start: int, end: int) -> list[Scan]:
        """The scans of tables by statements that began between two positions."""
        found: dict[int, tuple[str, int, int]] = {}
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
            Scan(table, *(values.get(number, 0) for number in (files, size, rows)))
            for files, (table, size, rows) in found.items()
        ]

    def bytes_read(self, start: int, end: int) -> int:
        """What tasks read of files, Delta's own log included: of the columns they needed."""
        metrics = ((event.get("Task Metrics") or {}) for event in self._events(start, end))
        return sum((one.get("Input Metrics") or {}).get("Bytes Read", 0) for one in metrics)

    def _events(self, start: int, end: int) -> Iterator[dict[str, Any]]:
        with self._path().open("rb") as stream:
            stream.seek(start)
            yield from map(json.loads, stream.read(end - start).splitlines())

    def _path(self) -> Path:
        return next(path for path in self.folder.iterdir() if not path.name.startswith("."))


def _scans_of(plan: dict[str, Any]) -> Iterator[tuple[int, tuple[str, int, int]]]:
    """Of each scan in a plan: accumulator of its files; table, accumulators of bytes and rows."""
    place = _TABLE.search(plan.get("metadata", {}).get("Location", ""))
    metrics = {one["name"]: one["accumulatorId"] for one in plan.get("metrics", ())}
    if place and _FILES in metrics:
        table = f"{place[1]}.{place[2]}"
        yield metrics[_FILES], (table, metrics.get(_BYTES, -1), metrics[_ROWS])
    for child in plan.get("children", ()):
        yield from _scans_of(child)
