"""What Spark reports of a micro-batch, in the terms of this package."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

WRITTEN = "written"
"""Name of the observed metrics: rows, and the newest time of a record in microseconds."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Batch:
    """A finished micro-batch; its text is the log line.

    `offsets` are from-to by partition, `to` not included; of files, how many there were.
    `lag`: records not read yet, by partition.
    """

    feed: str
    query_id: str
    number: int
    rows: int
    offsets: str
    seconds: float
    started_at: datetime
    newest_record_at: datetime | None = None
    lag: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        return (
            f"feed={self.feed} batch={self.number} rows={self.rows} offsets={self.offsets} "
            f"seconds={self.seconds:.2f}"
        )


def batch_of(
    feed: str, progress: Mapping[str, Any], first: Mapping[int, int] | None = None
) -> Batch | None:
    """The micro-batch in a progress report; None if there was nothing to do.

    `first`: where a new query started, by partition, which its first report does not say.
    """
    source = progress["sources"][0]
    if not source["numInputRows"]:
        return None
    rows, newest = _observed(progress)
    return Batch(
        feed=feed,
        query_id=progress["id"],
        number=progress["batchId"],
        rows=source["numInputRows"] if rows is None else rows,
        offsets=_offsets(source["startOffset"], source["endOffset"], first or {}),
        seconds=progress["batchDuration"] / 1000,
        started_at=datetime.fromisoformat(progress["timestamp"]),
        newest_record_at=None if newest is None else _EPOCH + timedelta(microseconds=newest),
        lag=lag_of(progress),
    )


def lag_of(progress: Mapping[str, Any]) -> dict[str, int]:
    """Records that the broker has and the query has not read, by partition."""
    source = progress["sources"][0]
    read, there = _decoded(source["endOffset"]), _decoded(source.get("latestOffset"))
    return {
        p: max(0, int(end) - int(read.get(topic, {}).get(p, 0)))
        for topic, latest in there.items()
        for p, end in latest.items()
    }


def _observed(progress: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """Rows and newest time. Spark Connect and classic Spark spell a row differently."""
    metrics = progress.get("observedMetrics", {}).get(WRITTEN)
    if not metrics:
        return None, None
    if "values" in metrics:
        rows, newest = metrics["values"]
    else:
        rows, newest = metrics["rows"], metrics.get("newest")
    return rows, newest


def _decoded(offset: Any) -> dict[str, Any]:
    value = json.loads(offset) if isinstance(offset, str) else offset
    return value if isinstance(value, dict) else {}


def _offsets(start: Any, end: Any, first: Mapping[int, int]) -> str:
    """Such as `0:12-30,1:7-9`."""
    before, after = _decoded(start), _decoded(end)
    return ",".join(
        f"{p}:{before.get(topic, {}).get(p, first.get(int(p), 0))}-{ends[p]}"
        for topic, ends in after.items()
        for p in sorted(ends, key=int)
    )
