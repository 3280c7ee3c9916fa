"""Pulls a file feed's rows from a relational database instead: each version of a row once.

A pull reads the rows that may have changed, in one statement, and appends those whose content
bronze does not hold yet. With a `watermark` column these are the rows modified since the newest one
pulled; without, those of the last days by the feed's own time; and always those without a time.
Both reach back further than needed (ties, transactions that commit late): what is read twice is
left out by its `record_id`, a hash of its content. One Delta commit a pull: a connection lost
midway leaves nothing behind.

Rows that have gone from the database are noted in `bronze.source_deletes`, and stay in bronze.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession, functions
from pyspark.sql.types import (
    BinaryType,
    DataType,
    DateType,
    DoubleType,
    FloatType,
    StringType,
    TimestampNTZType,
    TimestampType,
)

from ingestion import bronze
from ingestion.config import Config
from ingestion.feeds import IngestionError, JdbcFeed
from ingestion.literals import literal

_DRIVERS = {
    "jdbc:sqlserver:": "com.microsoft.sqlserver.jdbc.SQLServerDriver",
    "jdbc:postgresql:": "org.postgresql.Driver",
}
_LOGIN_SECONDS = "30"
_SOCKET_UNITS = {"jdbc:sqlserver:": 1000, "jdbc:postgresql:": 1}
"""A second in the units of the driver's `socketTimeout`."""


@dataclass(frozen=True)
class Pull:
    """What a pull brought: rows appended, and rows found to be gone."""

    rows: int
    deletes: int


def pull(
    spark: SparkSession, config: Config, feed: JdbcFeed, check: Callable[[], None] = lambda: None
) -> Pull:
    """Append what is new. Raises IngestionError if the source lacks a column.

    `check` is called before each commit; what it raises keeps the rows out.
    """
    table = bronze.table_name(feed.table, config.catalog)
    name = config.jdbc[f"{feed.table}.table"]
    source = Source(spark.read.format("jdbc").options(**options(config, name)).load(), feed, name)
    held = spark.table(table).where(functions.col("source_file") == source.label)

    oldest = _start_of_window(held, feed, config.window_days(feed.table))
    watermark = config.jdbc.get(f"{feed.table}.watermark")
    if watermark:
        changed = source.modified_since(watermark, held, config.overlap_minutes(feed.table))
    else:
        changed = source.since(oldest)
    new = (
        source.bronze_rows(changed, watermark)
        .join(held.select("record_id"), "record_id", "left_anti")
        .dropDuplicates(["record_id"])
        .select(*spark.table(table).columns)
    )
    rows = _append(new, table, feed.name, check)

    deletes = bronze.table_name("source_deletes", config.catalog)
    gone = source.gone(held, oldest)
    noted = spark.table(deletes).where(functions.col("source_file") == source.label)
    unnoted = gone.join(noted.select("record_key"), "record_key", "left_anti").selectExpr(
        f"'{feed.table}' as feed",
        f"{literal(source.label)} as source_file",
        "record_key",
        "current_timestamp() as noticed_at",
    )
    return Pull(rows, _append(unnoted, deletes, feed.name, check))


def options(config: Config, table: str) -> dict[str, str]:
    """Options of Spark's JDBC source. The driver follows from the URL unless it is given.

    A database that hangs ends the pull, which is then tried again.
    """
    url = config.jdbc["url"]
    driver = config.jdbc.get("driver") or next(
        (name for prefix, name in _DRIVERS.items() if url.startswith(prefix)), ""
    )
    if not driver:
        raise IngestionError(
            "The JDBC URL is of no known database: give its 'driver' in [jdbc], or use "
            f"{' or '.join(_DRIVERS)}."
        )
    found = {"url": url, "dbtable": table, "driver": driver, "fetchsize": "5000"}
    found |= {key: config.jdbc[key] for key in ("user", "password") if key in config.jdbc}
    seconds = int(float(config.jdbc.get("timeout_seconds", 600)))
    found |= {"queryTimeout": str(seconds), "loginTimeout": _LOGIN_SECONDS}
    for prefix, unit in _SOCKET_UNITS.items():
        if url.startswith(prefix):  # a little later, so that the server's own answer comes first
            found["socketTimeout"] = str((seconds + 30) * unit)
    return found


class Source:
    """The source table. Its columns are found by name in any case."""

    def __init__(self, rows: DataFrame, feed: JdbcFeed, name: str) -> None:
        self.rows = rows
        self.feed = feed
        self.label = f"jdbc:{name}"
        names = [field.name.lower() for field in rows.schema.fields]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise IngestionError(
                f"Table {name} of feed {feed.name} has columns that differ in case alone "
                f"({', '.join(twice)}): give a view that names each once."
            )
        self._types = {
            field.name.lower(): (field.name, field.dataType) for field in rows.schema.fields
        }
        absent = [column for column in feed.columns if column not in self._types]
        if absent:
            raise IngestionError(
                f"Table {name} of feed {feed.name} has no column {', '.join(absent)}: give a view "
                "with these names."
            )

    def modified_since(self, watermark: str, held: DataFrame, overlap_minutes: float) -> DataFrame:
        """Rows modified since the newest one that bronze holds, less the overlap."""
        name, kind = self._types.get(watermark.lower(), (watermark, None))
        if kind is None or not _is_time(kind):
            raise IngestionError(f"Watermark {watermark} of {self.feed.name} is no date and time.")
        overlap = f"make_dt_interval(0, 0, 0, {overlap_minutes * 60:.3f})"
        (newest,) = held.selectExpr(f"max(source_modified_at) - {overlap}").collect()[0]
        column = functions.col(f"`{name}`")
        if newest is None:
            return self.rows
        return self.rows.where((column >= functions.lit(newest)) | column.isNull())

    def since(self, oldest: float | None) -> DataFrame:
        """Rows whose own time is not before `oldest` (seconds since 1970; None: all rows)."""
        if oldest is None:
            return self.rows
        return self.rows.where(self._since(oldest))

    def _since(self, oldest: float) -> str:
        """The condition; the database itself sees to it, but for times that are text."""
        name, kind = self._types[self.feed.time]
        at, bound = f"`{name}`", repr(oldest)
        if _is_time(kind):
            bound = f"timestamp_micros(bigint({oldest!r} * 1000000))"
        elif isinstance(kind, StringType):
            at = f"try_cast({at} as double)"
        return f"{at} >= {bound} or {at} is null"

    def bronze_rows(self, rows: DataFrame, watermark: str | None) -> DataFrame:
        """Rows as bronze has them."""
        everything = ", ".join(f"`{name}`" for name, _ in self._types.values())
        modified = f"cast(`{watermark}` as timestamp)" if watermark else "cast(null as timestamp)"
        return rows.selectExpr(
            f"to_json(struct({everything}), map('ignoreNullFields', 'false')) as raw",
            *(f"{self._text(column)} as {column}" for column in self.feed.columns),
            f"{literal(self.label)} as source_file",
            f"{modified} as source_modified_at",
            "current_timestamp() as ingested_at",
            "cast(null as timestamp) as erased_at",
            "cast(null as string) as source_version",
        ).selectExpr("*", "left(sha2(concat(source_file, '\\n', raw), 256), 32) as record_id")

    def gone(self, held: DataFrame, oldest: float | None) -> DataFrame:
        """`record_key` of rows since `oldest` that bronze holds and the source does not."""
        # Older releases have null where now there is the empty text.
        parts = ", ".join(f"nullif({column}, '') as {column}" for column in self.feed.key)
        key = f"to_json(struct({parts})) as record_key"
        recent = held.where(f"try_cast({self.feed.time} as double) >= {oldest or 0.0!r}")
        columns = (f"{self._text(column)} as {column}" for column in self.feed.key)
        present = self.since(oldest).selectExpr(*columns).selectExpr(key)
        return recent.selectExpr(key).distinct().join(present, "record_key", "left_anti")

    def _text(self, column: str) -> str:
        """A source column as text, null as the empty one: points in time as seconds since 1970,
        whole floating-point numbers as digits, bytes as hexadecimal digits.
        """
        name, kind = self._types[column]
        text = f"cast(`{name}` as string)"
        if _is_time(kind):
            seconds = f"unix_micros(cast(`{name}` as timestamp)) / cast(1000000 as decimal(7, 0))"
            text = f"cast(cast({seconds} as decimal(20, 6)) as string)"
        elif isinstance(kind, BinaryType):
            text = f"hex(`{name}`)"
        elif isinstance(kind, DoubleType | FloatType) and column != self.feed.time:
            # Spark writes an exponent from ten million on, which makes another id of it.
            digits = f"cast(cast(`{name}` as decimal(20, 0)) as string)"
            is_whole = f"`{name}` = floor(`{name}`) and abs(`{name}`) between 1e7 and 1e15"
            text = f"if({is_whole}, {digits}, {text})"
        return f"coalesce({text}, '')"


def _start_of_window(held: DataFrame, feed: JdbcFeed, days: float) -> float | None:
    """Some days before the newest time that bronze holds; None: bronze holds nothing yet.

    Times that lie ahead (milliseconds for seconds, say) do not move it: they would hide all others.
    """
    held = held.selectExpr(f"try_cast({feed.time} as double) as at").where("at <= unix_timestamp()")
    (oldest,) = held.selectExpr(f"max(at) - {days * 86400}").collect()[0]
    return None if oldest is None else float(oldest)


def _is_time(kind: DataType) -> bool:
    return isinstance(kind, TimestampType | TimestampNTZType | DateType)


def _append(rows: DataFrame, table: str, feed: str, check: Callable[[], None]) -> int:
    """Append rows and return how many; nothing: no commit."""
    rows = rows.localCheckpoint()  # the database is asked once, and what is counted is written
    if count := rows.count():
        check()
        note = json.dumps({"feed": feed})
        writer = rows.write.format("delta").mode("append").option("userMetadata", note)
        writer.saveAsTable(table)
    return count
