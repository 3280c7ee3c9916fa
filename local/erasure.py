"""Erasure in a workspace: the steps of docs/erasure.md, in their order."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from local import dbt
from local.home import CHECKOUT, SCHEMAS, Home, WorkspaceError
from local.warehouse import spark_session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Progress = Callable[[str], None]
_SHOWN_OF_A_FAULT = 20
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


def suppress(home: Home, ids: Sequence[str]) -> list[int]:
    """Put persons on the suppression list.

    Returns the numbers (from 1) of ids that bronze does not know: if any, nothing was done.
    """
    from ingestion import bronze, erasure

    with spark_session(home) as spark:
        bronze.create_tables(spark)
        hasher = erasure.hasher(spark)
    hashes = [hasher.user(user_id) for user_id in ids]
    listed = ", ".join(f'"{one}"' for one in hashes)
    done = _dbt(home, "run-operation", "forget", "--args", f"{{persons: [{listed}]}}")
    unknown = re.search(r"no record of: ([0-9a-f ]+)", done.stdout)
    if unknown:
        absent = set(unknown[1].split())
        return [number for number, one in enumerate(hashes, 1) if one in absent]
    _must_succeed(done)
    return []


def take_out(home: Home, tell: Progress) -> None:
    """Take suppressed persons out of silver, snapshot and gold, then empty their bronze records."""
    tell("building silver and gold without them")
    # What tests find is no reason to leave a person half erased; the next build runs them.
    _must_succeed(_dbt(home, "build", *dbt.WITHOUT_TESTS))
    tell("emptying their records in bronze")
    _must_succeed(_dbt(home, "run-operation", "blank_erased"))


def remove_traces(home: Home, tell: Progress) -> None:
    """Remove what is left of erased records in files: see docs/erasure.md for the list.

    Needs silver and gold to be built up to the newest commit of bronze. Restarts the workspace.
    """
    from ingestion import erasure
    from local import workspace

    with spark_session(home) as spark:
        tell("removing old files of the tables")
        _vacuum(spark)
        tell("scrubbing landed files")
        erasure.scrub(spark, str(home.landing))
    # What was read up to a commit that goes now is read up to the newest one.
    _must_succeed(_dbt(home, "run-operation", "renew_marks"))
    tell("restarting the workspace, to clear its scratch space and logs")
    workspace.down(home)
    for log in sorted(home.warehouse.glob("*.db/*/_delta_log")):
        _truncate(log)
    for folder in (
        *(home.logs, home.temporary, home.root / "docs", home.root / "dashboard"),
        *(CHECKOUT / "target", CHECKOUT / "logs"),
    ):
        shutil.rmtree(folder, ignore_errors=True)
    workspace.up(home)


def _dbt(home: Home, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        dbt.command("--no-use-colors", *arguments),
        env=dbt.environment(home),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )


def _must_succeed(done: subprocess.CompletedProcess[str]) -> None:
    if done.returncode != 0:
        end = "\n".join(done.stdout.splitlines()[-_SHOWN_OF_A_FAULT:])
        raise WorkspaceError(
            f"dbt ended with {done.returncode}; run `lakehouse forget` again once that is mended, "
            f"it goes on where it was:\n{end}"
        )


def _vacuum(spark: SparkSession) -> None:
    """Remove all files that the newest versions do not need, and make logs that can be cut there.

    A checkpoint is forced by a commit without data, which becomes the oldest one that is kept.
    """
    spark.conf.set("spark.databricks.delta.retentionDurationCheck.enabled", "false")
    tables = []
    for schema in SCHEMAS:
        views = {row.viewName for row in spark.sql(f"show views in {schema}").collect()}
        shown = spark.sql(f"show tables in {schema}").collect()
        tables += [f"{schema}.{row.tableName}" for row in shown if row.tableName not in views]
    # Most of the time goes into waiting for small jobs, so several tables are under way at once.
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda table: _shorten(spark, table), tables))


def _shorten(spark: SparkSession, table: str) -> None:
    """Vacuum a table and make a checkpoint."""
    spark.sql(f"vacuum {table} retain 0 hours").collect()
    # With an interval of 1 each commit makes a checkpoint, this one or the next.
    spark.sql(f"alter table {table} set tblproperties ('delta.checkpointInterval' = '1')")
    spark.sql(f"alter table {table} unset tblproperties ('delta.checkpointInterval')")


def _truncate(log: Path) -> None:
    """Remove the entries of a Delta log before its newest checkpoint; no JVM may have it open."""
    checkpoints = [
        int(match[1])
        for path in log.glob("*.checkpoint*parquet")
        if (match := _VERSION.match(path.name)) and not path.name.startswith(".")
    ]
    if not checkpoints:
        return
    for path in log.iterdir():
        match = _VERSION.match(path.name)
        if match and int(match[1]) < max(checkpoints):
            path.unlink()
