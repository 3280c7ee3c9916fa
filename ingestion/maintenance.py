"""Maintenance of the tables: few large files for many small ones, and old files removed.

Both are safe beside a running stream: OPTIMIZE rewrites without changing data, and VACUUM leaves
alone what is younger than the retention. 30 days is also how long Delta keeps its log, so models
that read the change feed can be that long behind. A merge, though, may be in conflict with
OPTIMIZE: tables of other schemas than bronze are for when no build runs.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import SparkSession

from ingestion import bronze

SMALL_BYTES = 32 * 1024 * 1024
MANY_FILES = 32
RETENTION_HOURS = 30 * 24


@dataclass(frozen=True)
class State:
    """Files of the newest version of a table."""

    table: str
    files: int
    size_bytes: int

    @property
    def needs_optimize(self) -> bool:
        return self.has_many(MANY_FILES)

    def has_many(self, files: int) -> bool:
        return self.files >= files and self.size_bytes / self.files < SMALL_BYTES


def states(spark: SparkSession, catalog: str = "", schema: str = bronze.SCHEMA) -> list[State]:
    """How many files each table of a schema has. Reads no data."""
    if schema == bronze.SCHEMA:
        names = [table.name for table in bronze.TABLES]
    else:
        within = f"{catalog}.{schema}" if catalog else schema
        tables = spark.catalog.listTables(within)
        names = sorted(table.name for table in tables if table.tableType == "MANAGED")
    found = []
    for name in names:
        table = bronze.table_name(name, catalog, schema)
        detail = spark.sql(f"describe detail {table}").collect()[0]
        found.append(State(name, detail.numFiles, detail.sizeInBytes))
    return found


def maintain(
    spark: SparkSession,
    catalog: str = "",
    retention_hours: int = RETENTION_HOURS,
    *,
    schema: str = bronze.SCHEMA,
    many_files: int = MANY_FILES,
) -> int:
    """Compact tables of many small files and vacuum all; returns how many were compacted.

    Delta refuses a retention of less than a week, unless told that nobody reads.
    """
    # Locally files are kept small for other statements: they would stay many.
    spark.conf.set("spark.sql.files.maxRecordsPerFile", "0")
    compacted = 0
    for state in states(spark, catalog, schema):
        name = bronze.table_name(state.table, catalog, schema)
        if state.has_many(many_files):
            spark.sql(f"optimize {name}").collect()
            compacted += 1
        spark.sql(f"vacuum {name} retain {retention_hours} hours").collect()
    return compacted
