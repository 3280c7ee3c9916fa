"""A full build of N readings from bronze, against other ways to make the same tables.

project      `dbt build` of every model, without tests, into dropped schemas
tutorials    a stream a table with a MERGE in foreachBatch (bench/tutorials.py), fewer tables
batch        one SQL script in the same Spark (bench/sql), the ten main tables
duckdb       the same script in DuckDB, over bronze's Parquet files

All read the same bronze in one run, turn by turn. The first round warms the JVM up and is not
counted, unless it is the only one; after each round the tables must hold the same facts. Zones are
in percent of HRmax, as the script has them.
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
from bench.results import Seconds, medians, note, ratio, report
from lakehouse.client import Workspace
from lakehouse.home import CHECKOUT

CONTENDERS = ("project", "tutorials", "batch", "duckdb")
_ZONES = ("--vars", "{zones: maximum}")


def measure(
    workspace: Workspace, size: data.Size, repeats: int, contenders: Sequence[str] = CONTENDERS
) -> None:
    """Run the rounds and report."""
    with workspaces.connect(workspace) as spark:
        bronze = {feed: workspaces.files_of(spark, f"bronze.{feed}") for feed in batch.FEEDS}
    files = workspace.home.root / "bronze.json"
    files.write_text(json.dumps(bronze))
    # DuckDB names the catalog after the file; `batch` is the script's schema.
    database = workspace.home.root / "tables.duckdb"
    ways: Mapping[str, Callable[[], float]] = {
        "project": partial(_project, workspace),
        "tutorials": partial(_tutorials, workspace),
        "batch": partial(_batch, workspace),
        "duckdb": partial(_duckdb, files, database),
    }
    chosen = [name for name in CONTENDERS if name in {"project", *contenders}]
    seconds: Seconds = {}
    for turn in range(repeats + 1):
        for name in workspaces.in_turn(chosen, turn):
            note(seconds, name, ways[name](), turn > 0 or repeats == 0)
        _check(workspace, database, chosen)
    middle = medians(seconds)
    project = middle["project"]
    result = [
        f"{ratio(middle['tutorials'], project)} as fast as tutorials"
        if name == "tutorials"
        else f"{ratio(project, middle[name])} the time of {name}"
        for name in chosen[1:]
    ]
    size_of = f"{size.readings:,} readings"
    report("full build", size_of, ", ".join(result), seconds)
    for table in ("bronze.bpm", "silver.stg_kafka__bpm", "silver.heart_rates"):
        with workspaces.connect(workspace) as spark:
            each = workspaces.bytes_of(spark, table) / size.readings
        print(f"  {table}: {each:.1f} bytes a reading", flush=True)


def _project(workspace: Workspace) -> float:
    workspaces.drop_built(workspace)
    return workspaces.build(workspace, *_ZONES)


def _tutorials(workspace: Workspace) -> float:
    with workspaces.connect(workspace) as spark:
        workspaces.set_up_for_rows(spark)
        spark.sql(f"drop schema if exists {tutorials.SCHEMA} cascade")
        folder = workspace.home.root / "tutorials" / str(time.monotonic_ns())
        return workspaces.stopwatch(lambda: tutorials.run(spark, folder))


def _batch(workspace: Workspace) -> float:
    with workspaces.connect(workspace) as spark:
        workspaces.set_up_for_rows(spark)
        spark.sql("drop schema if exists batch cascade")
        return workspaces.stopwatch(lambda: batch.run_in_spark(spark))


def _duckdb(bronze: Path, database: Path) -> float:
    command = [sys.executable, "-m", "bench.batch", str(bronze), str(database)]
    return workspaces.stopwatch(lambda: subprocess.run(command, cwd=CHECKOUT, check=True))


def _check(workspace: Workspace, database: Path, chosen: Sequence[str]) -> None:
    """Raises Unequal if a contender's facts are not the project's."""
    with workspaces.connect(workspace) as spark, duckdb.connect() as connection:
        if "duckdb" in chosen:
            connection.execute(f"attach '{database}' as file (read_only)")

        def files(table: str) -> str:
            return compare.parquet(workspaces.files_of(spark, table))

        for name in batch.TABLES:
            table = name.partition(".")[2]
            relations = {"project": files(name)}
            if "batch" in chosen:
                relations["batch"] = files(f"batch.{table}")
            if "duckdb" in chosen:
                relations["duckdb"] = f"file.batch.{table}"
            if len(relations) > 1:
                compare.check(connection, table, relations)
        if "tutorials" in chosen:
            for table, project, theirs in tutorials.comparisons(files):
                compare.check(connection, table, {"project": project, "tutorials": theirs})
