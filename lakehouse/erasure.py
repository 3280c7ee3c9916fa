"""Erasure in a workspace: the steps of docs/erasure.md, in their order."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse import dbt, programs
from lakehouse.home import CHECKOUT, SCHEMAS, Home, WorkspaceError
from lakehouse.warehouse import spark_session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Progress = Callable[[str], None]
_VERSION = re.compile(r"\.?(\d{20})\.")


@contextmanager
def ingestion_stopped(home: Home) -> Iterator[None]:
    """Hold the leases of all feeds, so that nobody ingests. Raises WorkspaceError if someone does.

    Bronze is rewritten and its old files go: a stream that writes beside that could lose both.
    """
    from ingestion import sessions
    from ingestion.feeds import FEEDS
    from ingestion.lease import Lease, LeaseHeld

    with ExitStack() as stack:
        try:
            for feed in FEEDS:
                lease = stack.enter_context(Lease.acquire(home.leases, feed, 10))
                for orphan in lease.orphans:
                    sessions.stop_queries(home.connect_url, orphan)
                lease.forget_orphans()
        except LeaseHeld as error:
            raise WorkspaceError(str(error)) from None
        yield


def suppress(home: Home, ids: Mapping[str, int], tell: Progress) -> None:
    """Put persons (line of the input by id) on the suppression list.

    Raises WorkspaceError, and changes nothing, if no record of bronze names one of them.
    """
    from ingestion import erasure
    from ingestion.persons import NotBuilt

    with spark_session(home) as spark:
        try:
            erasure.forget(spark, ids)
        except NotBuilt:
            pass
        else:
            return
    tell("building silver and gold, since there are records that no build has read")
    _build(home)
    with spark_session(home) as spark:
        erasure.forget(spark, ids)


def take_out(home: Home, tell: Progress) -> None:
    """Take suppressed persons out of silver, snapshot and gold, and empty their bronze records."""
    from ingestion import erasure

    tell("building silver and gold without them")
    _build(home)
    tell("emptying their records in bronze")
    with spark_session(home) as spark:
        changed = erasure.blank(spark)
    if changed:  # so that a build after this has nothing to do
        tell("building silver and gold once more")
        _build(home)


def remove_traces(home: Home, tell: Progress) -> None:
    """Remove what is left of erased records in files: see docs/erasure.md for the list.

    Needs silver and gold to be built up to the newest commit of bronze. Restarts the workspace.
    """
    from ingestion.scrub import scrub
    from lakehouse import kafka_log, workspace

    with spark_session(home) as spark:
        tell("removing old files of the tables")
        versions = _vacuum(spark)
        tell("scrubbing landed files")
        scrub(spark, str(home.landing))
        for leftover in home.landing.rglob(".*.part"):  # of a `land` that was killed
            leftover.unlink(missing_ok=True)
        read = kafka_log.read_offsets(home, spark)
    # What was read up to a commit that goes now is read up to the newest one.
    _dbt(home, "run-operation", "renew_marks")
    tell("restarting the workspace, to clear its scratch space, its logs and Kafka's")
    workspace.down(home)
    for table, version in versions.items():
        _truncate(home.warehouse / table / "_delta_log", version)
    for folder, end in read.items():
        kafka_log.drop_before(folder, end)
    for folder in (
        *(home.logs, home.temporary, home.root / "docs", home.root / "dashboard"),
        *(CHECKOUT / "target", CHECKOUT / "logs"),
    ):
        shutil.rmtree(folder, ignore_errors=True)
    workspace.up(home)


def _build(home: Home) -> None:
    # What tests find is no reason to leave a person half erased; the next build runs them.
    _dbt(home, "build", *dbt.WITHOUT_TESTS)


def _dbt(home: Home, *arguments: str) -> None:
    advice = "run `lakehouse forget` again once that is mended, it goes on where it was"
    programs.run("dbt", dbt.command("--no-use-colors", *arguments), home, advice)


def _vacuum(spark: SparkSession) -> dict[str, int]:
    """Remove all files that the newest versions do not need, and make logs that can be cut there.

    Returns the version up to which each log can be cut, by the table's folder.
    """
    spark.conf.set("spark.databricks.delta.retentionDurationCheck.enabled", "false")
    tables = []
    for schema in SCHEMAS:
        views = {row.viewName for row in spark.sql(f"show views in {schema}").collect()}
        shown = spark.sql(f"show tables in {schema}").collect()
        tables += [(schema, row.tableName) for row in shown if row.tableName not in views]
    # Most of the time goes into waiting for small jobs, so several tables are under way at once.
    with ThreadPoolExecutor(4) as pool:
        versions = pool.map(lambda table: _shorten(spark, ".".join(table)), tables)
        folders = [f"{schema}.db/{name}" for schema, name in tables]
        return dict(zip(folders, versions, strict=True))


def _shorten(spark: SparkSession, table: str) -> int:
    """Vacuum a table and make a checkpoint; returns the version at or before which it is.

    A checkpoint is forced by a commit without data, which becomes the oldest one that is kept.
    """
    spark.sql(f"vacuum {table} retain 0 hours").collect()
    # With an interval of 1 each commit makes a checkpoint, this one or the next.
    spark.sql(f"alter table {table} set tblproperties ('delta.checkpointInterval' = '1')")
    spark.sql(f"alter table {table} unset tblproperties ('delta.checkpointInterval')")
    return int(spark.sql(f"describe history {table} limit 1").collect()[0].version)


def _truncate(log: Path, version: int) -> None:
    """Remove the entries of a Delta log before its newest checkpoint up to a version; no JVM may
    have it open. Later ones hold no rows, and marks of models lead to them."""
    checkpoints = [
        int(match[1])
        for path in log.glob("*.checkpoint*parquet")
        if (match := _VERSION.match(path.name)) and not path.name.startswith(".")
    ]
    oldest = max((number for number in checkpoints if number <= version), default=0)
    for path in log.iterdir():
        match = _VERSION.match(path.name)
        if match and int(match[1]) < oldest:
            path.unlink()
