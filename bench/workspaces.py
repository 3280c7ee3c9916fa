"""Workspaces of the bench's own, and dbt on them with a stop watch."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from pyspark.sql import SparkSession

from ingestion import sessions
from lakehouse import dbt
from lakehouse.client import Workspace
from lakehouse.spark import FOR_LARGE_TABLES

T = TypeVar("T")

PATIENCE_SECONDS = 6 * 3600.0
"""A build of many readings may take hours; only a hang takes so long."""

AS_FOR_LARGE_TABLES = " ".join(
    # The collector aside.
    f"-D{name}={value}"
    for name, value in {**FOR_LARGE_TABLES, "spark.default.parallelism": "2"}.items()
)
"""Java options for a workspace that is empty when it starts and does not stay so: by its size then
(lakehouse/spark.py) what comes past the endpoint would be set up for small tables until it starts
again."""


@contextmanager
def opened(java_options: Callable[[Path], str] = lambda _: "") -> Iterator[Workspace]:
    """A workspace in a temporary folder; it stops also after a failure.

    `java_options` gives further options for Spark's JVM, from the folder, which exists by then.
    Options in LAKEHOUSE_JAVA_OPTIONS (`-Xmx6g` for more data) hold as well.
    """
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        root = Path(folder)
        with Workspace.running(root, java_options(root)) as workspace:
            yield workspace


def connect(workspace: Workspace) -> AbstractContextManager[SparkSession]:
    """A Spark Connect session of the workspace for the length of a block."""
    return sessions.session(workspace.home.connect_url)


def set_up_for_rows(spark: SparkSession) -> None:
    """Settings for statements on many rows, also in a workspace that is set up for small tables."""
    for name, value in FOR_LARGE_TABLES.items():
        spark.conf.set(name, value)


def in_turn(contenders: Sequence[T], turn: int) -> list[T]:
    """All of them, beginning with another one each turn."""
    at = turn % len(contenders)
    return [*contenders[at:], *contenders[:at]]


def stopwatch(action: Callable[[], object]) -> float:
    """Seconds that an action takes."""
    started = time.monotonic()
    action()
    return time.monotonic() - started


def build(workspace: Workspace, *arguments: str, tests: bool = False) -> float:
    """Seconds of a `dbt build`, from the start of dbt to its end. Raises if it fails."""
    # Unit tests look at the SQL, never at the data.
    options = dbt.WITHOUT_UNIT_TESTS if tests else dbt.WITHOUT_TESTS
    return stopwatch(lambda: workspace.dbt("build", *arguments, *options, timeout=PATIENCE_SECONDS))


def drop_built(workspace: Workspace) -> None:
    """Silver and gold empty again, as `lakehouse rebuild` leaves them before it builds."""
    for schema in ("gold", "silver"):
        workspace.sql(f"drop schema if exists {schema} cascade")
        workspace.sql(f"create schema {schema}")


def node_seconds(workspace: Workspace) -> Mapping[str, float]:
    """Seconds of each node of the last dbt command, by its name."""
    found = json.loads((workspace.dbt_folder / "target" / "run_results.json").read_text())
    return {r["unique_id"].split(".")[2]: r["execution_time"] for r in found["results"]}


def files_of(spark: SparkSession, table: str) -> list[str]:
    """Paths of the Parquet files that make up a Delta table's newest version."""
    return [unquote(urlsplit(uri).path) for uri in spark.table(table).inputFiles()]


def bytes_of(spark: SparkSession, table: str) -> int:
    """Size of a Delta table's newest version."""
    row = spark.sql(f"describe detail {table}").select("sizeInBytes").collect()[0]
    return int(row.sizeInBytes)
