"""The same tables as one batch script, in Spark and in DuckDB (bench/sql).

    python -m bench.batch bronze.json out.duckdb

runs it in DuckDB over the files of bronze that the JSON names; a process of its own, so that its
memory is its own.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:  # DuckDB's time is not to include its import
    from pyspark.sql import SparkSession

_SQL = Path(__file__).parent / "sql"
FEEDS = ("user_info", "bpm", "workout", "registered_users", "gym_logins")
TABLES = (
    *("silver.device_registrations", "silver.user_profile_history", "silver.heart_rates"),
    *("silver.gym_visits", "silver.workout_sessions", "silver.workout_heart_rates"),
    *("gold.workout_bpm_summary", "gold.gym_summary"),
    *("gold.hourly_heart_rates", "gold.daily_heart_rates"),
)
"""The tables that it makes in a schema of its own, as the project names them."""


def statements(dialect: str) -> list[str]:
    """The script's statements in order, for `spark` or `duckdb`."""
    text = (_SQL / f"events_{dialect}.sql").read_text() + (_SQL / "tables.sql").read_text()
    return [part for part in text.split(";\n") if part.strip()]


def run_in_spark(spark: SparkSession) -> None:
    """Make every table of the schema `batch` anew."""
    spark.sql("create schema if not exists batch")
    for statement in statements("spark"):
        spark.sql(statement).collect()


def run_in_duckdb(bronze: Mapping[str, Sequence[str]], database: Path) -> None:
    """Make every table in a new database file; `bronze` names the Parquet files of each feed."""
    database.unlink(missing_ok=True)
    with duckdb.connect(str(database)) as connection:
        connection.execute("create schema batch; create schema bronze")
        for feed, files in bronze.items():
            connection.execute(f"create view bronze.{feed} as from read_parquet({list(files)!r})")
        run_script(connection)


def run_script(connection: duckdb.DuckDBPyConnection) -> None:
    """The script on a connection that has bronze's tables and the schema `batch`."""
    for statement in statements("duckdb"):
        connection.execute(statement)


if __name__ == "__main__":
    run_in_duckdb(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
