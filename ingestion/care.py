"""Care of the bronze tables: few large files for many small ones, and old files removed.

Both are safe beside a running stream: OPTIMIZE rewrites without changing data, and VACUUM leaves
alone what is younger than the retention. 30 days is also how long Delta keeps its log, so models
that read the change feed can be that long behind.
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
        return self.files >= MANY_FILES and self.size_bytes / self.files < SMALL_BYTES


def states(spark: SparkSession, catalog: str = "") -> list[State]:
    """How many files each bronze table has. Reads no data."""
    found = []
    for table in bronze.TABLES:
        name = bronze.table_name(table.name, catalog)
        detail = spark.sql(f"describe detail {name}").collect()[0]
        found.append(State(table.name, detail.numFiles, detail.sizeInBytes))
    return found


def care(spark: SparkSession, catalog: str = "", retention_hours: int = RETENTION_HOURS) -> int:
    """Compact tables of many small files and vacuum all; returns how many were compacted.

    Delta refuses a retention of less than a week, unless told that nobody reads.
    """
    compacted = 0
    for state in states(spark, catalog):
        name = bronze.table_name(state.table, catalog)
        if state.needs_optimize:
            spark.sql(f"optimize {name}").collect()
            compacted += 1
        spark.sql(f"vacuum {name} retain {retention_hours} hours").collect()
    return compacted
