"""Commits of bronze's tables, each with its batch's number, and what the history tells of them."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from ingestion.checkpoints import Commit

# How many commits back a writer that outlived its process may have written.
_LATELY = (50, 1000)


def last_commit(spark: SparkSession, table: str, writer_id: str) -> Commit | None:
    """The newest micro-batch that a writer committed, None if the history shows none.

    None, too, if the table was restored since: then its rows may be older than that.
    """
    for commit in _commits(spark, table, 50, 5000, None):
        if commit.operation == "RESTORE":
            return None
        if commit.operation == "STREAMING UPDATE" and commit.userMetadata == writer_id:
            return Commit(commit.parameters["queryId"], int(commit.parameters["epochId"]))
    return None


def _commits(spark: SparkSession, table: str, *limits: int | None) -> Iterator[Any]:
    """The table's history, the newest first, read up to each of these limits in turn.

    What is asked for is among the newest, unless other writers have been busy; all take long.
    """
    version = None
    for limit in limits:
        newest = f" limit {limit}" if limit else ""
        history = spark.sql(f"describe history {table}{newest}").selectExpr(
            *("version", "operation", "userMetadata"),
            *("operationParameters as parameters", "operationMetrics as metrics"),
        )
        for commit in sorted(history.collect(), key=lambda row: -row.version):
            if version is None or commit.version < version:
                version = commit.version
                yield commit


def next_number(spark: SparkSession, table: str, feed: str) -> int:
    """The number of the next batch that `append` writes for a feed.

    One more than that of its newest; if that is long past, milliseconds since 1970, which is more
    than any before: Delta remembers them, also after a RESTORE.
    """
    for commit in _commits(spark, table, *_LATELY):
        if (note := _note(commit)).get("feed") == feed and "batch" in note:
            return int(note["batch"]) + 1
    return time.time_ns() // 1_000_000


def append(
    rows: DataFrame, table: str, feed: str, number: int, check: Callable[[], None]
) -> int | None:
    """Append a feed's batch in one commit and return its rows; None if nothing was written, since
    the table has a batch of this number by now.

    So a writer that outlived its process, which Spark's server may carry on with, and its successor
    cannot both write: to the later one the table is not what it took it for. `check` is called
    before the commit; what it raises keeps the rows out.
    """
    token = uuid.uuid4().hex
    note = {"feed": feed, "batch": number, "id": token}
    check()
    (
        rows.write.format("delta")
        .mode("append")
        .option("userMetadata", json.dumps(note))
        .option("txnAppId", f"ingestion/{feed}")
        .option("txnVersion", str(number))
        .saveAsTable(table)
    )
    for commit in _commits(rows.sparkSession, table, *_LATELY):
        if (found := _note(commit)).get("feed") == feed:
            return int(commit.metrics["numOutputRows"]) if found.get("id") == token else None
    return None


def has_note(spark: SparkSession, table: str, note: str) -> bool:
    """Whether a commit of the table's history carries this note."""
    return any(commit.userMetadata == note for commit in _commits(spark, table, None))


def _note(commit: Any) -> dict[str, Any]:
    try:
        note = json.loads(commit.userMetadata or "")
    except ValueError:
        return {}
    return note if isinstance(note, dict) else {}
