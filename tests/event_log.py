"""What statements read of Delta tables, from Spark's event log.

`options(folder)` has the JVM write the log; `scans(folder)` reads it while Spark runs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PREFIX = "org.apache.spark.sql.execution.ui."
_TABLE = re.compile(r"/(\w+)\.db/(\w+)\]?")


@dataclass(frozen=True)
class Scan:
    """One scan of a table by one statement: files and bytes that were opened, rows they gave."""

    statement: int
    table: str
    files: int
    size_bytes: int
    rows: int


def options(folder: Path) -> str:
    """Options of the JVM, for LAKEHOUSE_JAVA_OPTIONS."""
    settings = {
        "enabled": "true",
        "dir": folder.as_uri(),
        "compress": "false",
        "rolling.enabled": "false",
    }
    return " ".join(f"-Dspark.eventLog.{name}={value}" for name, value in settings.items())


def scans(folder: Path) -> list[Scan]:
    """All scans so far, in the order of their statements."""
    plans: dict[int, list[Mapping[str, Any]]] = {}
    values: dict[int, int] = {}
    for event in _events(folder):
        kind = event["Event"].removeprefix(_PREFIX)
        if kind in ("SparkListenerSQLExecutionStart", "SparkListenerSQLAdaptiveExecutionUpdate"):
            plans.setdefault(event["executionId"], []).append(event["sparkPlanInfo"])
        elif kind == "SparkListenerDriverAccumUpdates":
            values.update(dict(event["accumUpdates"]))
        elif kind == "SparkListenerTaskEnd":
            for made in event["Task Info"]["Accumulables"]:
                if made.get("Name") == "number of output rows":
                    values[made["ID"]] = values.get(made["ID"], 0) + int(made["Update"])
    found = {}
    for statement, trees in plans.items():
        for node in (node for tree in trees for node in _nodes(tree)):
            place = _TABLE.search(node.get("metadata", {}).get("Location", ""))
            metrics = {one["name"]: one["accumulatorId"] for one in node["metrics"]}
            if place and "number of files read" in metrics:
                # Plans that adapt name their scans again: they are known by their accumulators.
                found[metrics["number of files read"]] = Scan(
                    statement,
                    f"{place[1]}.{place[2]}",
                    values.get(metrics["number of files read"], 0),
                    values.get(metrics["size of files read"], 0),
                    values.get(metrics["number of output rows"], 0),
                )
    return sorted(found.values(), key=lambda scan: scan.statement)


def _events(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.iterdir()):
        for line in path.read_text("utf-8").splitlines():
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                continue  # the last line, half written


def _nodes(tree: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield tree
    for child in tree["children"]:
        yield from _nodes(child)
