"""A full build of N readings from bronze, against other ways to make the same tables.

project      `dbt build` of every model, without tests, into dropped schemas; once more with tests,
             unless there is one round only
tutorials    a stream a table with a MERGE in foreachBatch (bench/tutorials.py), fewer tables
batch        one SQL script in the same Spark (bench/sql), the ten main tables
duckdb       the same script in DuckDB, over bronze's Parquet files

All read the same bronze in one run, turn by turn. The first round warms the JVM up and is not
counted, unless it is the only one; after each round the tables must be equal.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import duckdb

from bench import batch, compare, data, tutorials, workspaces
from bench.memory import PeakMemory
from bench.results import store
from local.home import CHECKOUT
from tests.support import Workspace

CONTENDERS = ("project", "tutorials", "batch", "duckdb")
_PROJECT_SCHEMAS = {
    **dict.fromkeys(batch.TABLES[:7], "silver"),
    **dict.fromkeys(batch.TABLES[7:], "gold"),
}


def measure(
    space: Workspace, size: data.Size, repeats: int, contenders: Sequence[str] = CONTENDERS
) -> None:
    """Run the rounds and store the result as case `<readings>`."""
    with workspaces.connect(space) as spark:
        bronze = {feed: workspaces.files_of(spark, f"bronze.{feed}") for feed in batch.FEEDS}
    files = space.home.root / "bronze.json"
    files.write_text(json.dumps(bronze))
    # DuckDB names the catalog after the file; `batch` is the script's schema.
    database = space.home.root / "tables.duckdb"
    stages: dict[str, float] = {}
    ways: Mapping[str, Callable[[], float]] = {
        "project": partial(_project, space),
        "tutorials": partial(_tutorials, space, stages),
        "batch": partial(_batch, space),
        "duckdb": partial(_duckdb, files, database),
    }
    chosen = [name for name in CONTENDERS if name in {"project", *contenders}]
    seconds: dict[str, list[float]] = {}
    rows: Mapping[str, int] = {}
    with PeakMemory(space) as memory:
        for turn in range(repeats + 1):
            for name in workspaces.in_turn(chosen, turn):
                taken = ways[name]()
                counts = turn > 0 or repeats == 0
                seconds.setdefault(name if counts else f"{name}_first", []).append(taken)
                print(f"  round {turn}: {name} {taken:.1f} s", flush=True)
            rows = _check(space, database, chosen)
        if repeats:
            seconds["project_with_tests"] = [_project(space, tests=True)]
    store(
        "build",
        f"{size.readings}",
        seconds=seconds,
        facts={
            "readings": size.readings,
            "members": size.members,
            "rows": dict(rows),
            "tutorials_seconds": stages,
            **_bytes(space),
        },
        memory_mib=memory.peaks,
    )


def _project(space: Workspace, *, tests: bool = False) -> float:
    workspaces.drop_built(space)
    return workspaces.build(space, tests=tests)


def _tutorials(space: Workspace, stages: dict[str, float]) -> float:
    with workspaces.connect(space) as spark:
        workspaces.set_up_for_rows(spark)
        spark.sql(f"drop schema if exists {tutorials.SCHEMA} cascade")
        folder = space.home.root / "tutorials" / str(time.monotonic_ns())
        return workspaces.stopwatch(lambda: stages.update(tutorials.run(spark, folder)))


def _batch(space: Workspace) -> float:
    with workspaces.connect(space) as spark:
        workspaces.set_up_for_rows(spark)
        spark.sql("drop schema if exists batch cascade")
        return workspaces.stopwatch(lambda: batch.run_in_spark(spark))


def _duckdb(bronze: Path, database: Path) -> float:
    command = [sys.executable, "-m", "bench.batch", str(bronze), str(database)]
    return workspaces.stopwatch(lambda: subprocess.run(command, cwd=CHECKOUT, check=True))


def _check(space: Workspace, database: Path, chosen: Sequence[str]) -> dict[str, int]:
    """Rows by table; raises Unequal if a contender's table is not the project's."""
    rows: dict[str, int] = {}
    with workspaces.connect(space) as spark, duckdb.connect() as connection:
        if "duckdb" in chosen:
            connection.execute(f"attach '{database}' as file (read_only)")

        def files(table: str) -> str:
            return compare.parquet(workspaces.files_of(spark, table))

        for table in batch.TABLES:
            relations = {"project": files(f"{_PROJECT_SCHEMAS[table]}.{table}")}
            if "batch" in chosen:
                relations["batch"] = files(f"batch.{table}")
            if "duckdb" in chosen:
                relations["duckdb"] = f"file.batch.{table}"
            # Without another contender, the project's own lineage columns must not matter.
            rows[table] = (
                compare.check(connection, table, relations)
                if len(relations) > 1
                else compare.check(connection, table, relations, columns=["user_id"])
            )
        if "tutorials" in chosen:
            for table, project, theirs in tutorials.comparisons(files):
                sides = {"project": project, "tutorials": theirs}
                rows[f"{table} (tutorials)"] = compare.check(connection, table, sides)
    return rows


def _bytes(space: Workspace) -> dict[str, int]:
    """Bytes in Delta tables per layer, for what a reading costs to keep."""
    found = {}
    with workspaces.connect(space) as spark:
        for schema in ("bronze", "silver", "gold"):
            views = {row.viewName for row in spark.sql(f"show views in {schema}").collect()}
            tables = {row.tableName for row in spark.sql(f"show tables in {schema}").collect()}
            tables -= views
            found[f"{schema}_bytes"] = sum(
                workspaces.bytes_of(spark, f"{schema}.{table}") for table in tables
            )
        for name in ("bronze.bpm", "silver.stg_kafka__bpm", "silver.heart_rates"):
            found[f"{name}_bytes"] = workspaces.bytes_of(spark, name)
    return found
