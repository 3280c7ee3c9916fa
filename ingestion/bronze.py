"""The bronze tables: names, columns and comments, and how they are made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession

from ingestion.feeds import FILE_FEEDS, KAFKA_FEEDS
from ingestion.literals import literal

SCHEMA = "bronze"

_ARRIVAL = {
    "ingested_at": ("timestamp", "Start of the micro-batch that wrote the row, UTC."),
    "record_id": ("string", "Stable id of a row from a file or JDBC; null from Kafka."),
    "erased_at": ("timestamp", "When erasure emptied the row; null otherwise."),
}
_VERSION = (
    "string",
    "Which content of the file: its bytes, a hyphen, and when it was last changed, in nanoseconds "
    "since 1970. Null if not from a file, and in rows of older releases.",
)
_KAFKA_COLUMNS = {
    "key": ("binary", "Record key as it came."),
    "value": ("binary", "Record value as it came; null is a tombstone."),
    "headers": ("array<struct<key: string, value: binary>>", "Record headers as they came."),
    "topic": ("string", "Topic."),
    "partition": ("int", "Partition of the topic."),
    "offset": ("bigint", "Offset in the partition; in rows from files it identifies nothing."),
    "timestamp": ("timestamp", "Kafka's time of the record."),
    "topic_epoch": ("int", "0 for the topic first seen, 1 more each time it was created anew."),
    "source_file": ("string", "File below the landing folder; null from Kafka."),
    **_ARRIVAL,
    "source_version": _VERSION,
}
# Delta keeps minimum and maximum of columns in its log, where erasure does not reach: none of
# columns that may hold personal data.
_KAFKA_STATISTICS = "topic,partition,offset,timestamp,topic_epoch,source_file,ingested_at"
_FILE_STATISTICS = "source_file,source_modified_at,ingested_at,record_id,erased_at"

Columns = Mapping[str, tuple[str, str]]
"""Type and comment by name."""
_COMMIT_TIMES = "'delta.enableInCommitTimestamps' = 'true'"


def _file_columns(source: Iterable[str]) -> Columns:
    return {
        "raw": ("string", "The line as it came, or the JDBC row as JSON."),
        **dict.fromkeys(
            source, ("string", "Source column; empty if there is none, null in malformed lines.")
        ),
        "source_file": ("string", "File below the landing folder, or the JDBC source."),
        "source_modified_at": ("timestamp", "When the file was last modified."),
        **_ARRIVAL,
        "source_version": _VERSION,
    }


@dataclass(frozen=True)
class Table:
    """A Delta table of the bronze schema. `statistics`: of which columns, None: of all."""

    name: str
    comment: str
    columns: Columns
    statistics: str | None = None


BATCH_COLUMNS: Columns = {
    "feed": ("string", "Feed."),
    "query_id": ("string", "Id of the checkpoint's query."),
    "batch_id": ("bigint", "Number of the micro-batch in that query."),
    "started_at": ("timestamp", "Start of the micro-batch."),
    "seconds": ("double", "Its duration."),
    "rows": ("bigint", "Rows written."),
    "offsets": ("string", "From-to by partition, or the number of files."),
    "lag_records": ("bigint", "Records that the broker had and the query had not read."),
    "newest_record_at": ("timestamp", "Newest time of a record, by Kafka or its file."),
}

TABLES = (
    *(
        Table(
            feed.table,
            f"Records of topic {feed.name}, as they came.",
            _KAFKA_COLUMNS,
            _KAFKA_STATISTICS,
        )
        for feed in KAFKA_FEEDS
    ),
    *(
        Table(
            feed.table,
            f"Rows of {feed.name}, as they came.",
            _file_columns(feed.columns),
            _FILE_STATISTICS,
        )
        for feed in FILE_FEEDS
    ),
    Table(
        "ingestion_topics",
        "Identity of each topic over time: a topic created anew gets the next epoch.",
        {
            "feed": ("string", "Feed."),
            "topic": ("string", "Topic name."),
            "topic_id": ("string", "The broker's id of the topic; empty where it gives none."),
            "topic_epoch": ("int", "Epoch of the rows read from it."),
            "first_seen_at": ("timestamp", "When ingestion first met it."),
        },
    ),
    Table(
        "source_deletes",
        "Rows that are in bronze and have gone from the database they were pulled from.",
        {
            "feed": ("string", "Feed."),
            "source_file": ("string", "The database table, as in the feed's bronze table."),
            "record_key": ("string", "Key of the row, as JSON."),
            "noticed_at": ("timestamp", "When a pull first missed it."),
        },
        "feed,source_file,noticed_at",
    ),
    Table(
        "scrubbed_files",
        "Landed files that erasure has taken lines out of: they stay known and are not read again.",
        {
            "feed": ("string", "Feed."),
            "source_file": ("string", "File below the landing folder."),
            "source_version": ("string", "The content that its rows in bronze came from."),
            "scrubbed_version": ("string", "What lies there now."),
        },
    ),
    Table(
        "erasure_key",
        "Key of the hashes that remember erased persons: one row, made by the first erasure.",
        {
            "inner_pad": ("binary", "HMAC's key, padded to a block, xor 0x36."),
            "outer_pad": ("binary", "The same xor 0x5c."),
            "made_at": ("timestamp", "When the key was made."),
        },
        "made_at",
    ),
    Table(
        "suppression_list",
        "Persons who were erased and stay out, as keyed hashes.",
        {
            "user_hash": ("string", "Keyed hash of the user id."),
            "requested_at": ("timestamp", "When the erasure was asked for."),
        },
        "requested_at",
    ),
    Table(
        "erased_registrations",
        "Registrations of erased persons as keyed hashes: they bound what was recorded by a device "
        "or a MAC address while it was theirs.",
        {
            "user_hash": ("string", "Keyed hash of the user id."),
            "device_hash": ("string", "Keyed hash of the device id."),
            "mac_hash": ("string", "Keyed hash of the MAC address."),
            "registered_at": ("timestamp", "Time of the registration."),
        },
        "registered_at",
    ),
    Table(
        "ingestion_batches",
        "What ingestion did: one row a micro-batch.",
        BATCH_COLUMNS,
    ),
    Table(
        "ingestion_gaps",
        "Offsets that expired unread: given up with --accept-data-loss, or gone before the topic "
        "was first met.",
        {
            "feed": ("string", "Feed."),
            "topic": ("string", "Topic name."),
            "topic_epoch": ("int", "Epoch of the topic."),
            "partition": ("int", "Partition."),
            "from_offset": ("bigint", "First offset that is lost."),
            "to_offset": ("bigint", "First offset after the gap."),
            "accepted_at": ("timestamp", "When the loss was accepted, or the topic first met."),
        },
    ),
)


def table_name(name: str, catalog: str | None = None, schema: str = SCHEMA) -> str:
    """Qualified name of a table, of bronze unless told otherwise, quoted for SQL."""
    parts = (catalog, schema, name) if catalog else (schema, name)
    return ".".join(f"`{part}`" for part in parts)


def create_tables(spark: SparkSession, catalog: str | None = None) -> None:
    """Create the schema and the tables that are not there. Safe to repeat and to run twice at once.

    Change data feed is on from the first version, since models read bronze by commit versions.
    """
    schema = f"`{catalog}`.`{SCHEMA}`" if catalog else f"`{SCHEMA}`"
    present: set[str] = set()
    try:
        present = {row.tableName for row in spark.sql(f"show tables in {schema}").collect()}
    except AnalysisException:
        spark.sql(f"create schema if not exists {schema}")
    for table in TABLES:
        if table.name in present:
            add_columns(spark, table, table_name(table.name, catalog))
            continue
        statistics = ",".join(table.columns) if table.statistics is None else table.statistics
        spark.sql(
            f"create table if not exists {table_name(table.name, catalog)} "
            f"({_ddl(table.columns)}) using delta comment {literal(table.comment)} "
            f"tblproperties ('delta.enableChangeDataFeed' = 'true', {_COMMIT_TIMES}, "
            f"'delta.dataSkippingStatsColumns' = '{statistics}')"
        )


def _ddl(columns: Columns) -> str:
    return ", ".join(
        f"`{name}` {kind} comment {literal(comment)}" for name, (kind, comment) in columns.items()
    )


def add_columns(spark: SparkSession, table: Table, name: str) -> None:
    """Add what a table of an older release lacks: columns (null in its rows), commit times."""
    if "source_version" not in table.columns:
        return
    lacking = table.columns.keys() - set(spark.table(name).columns)
    if lacking:
        spark.sql(f"alter table {name} set tblproperties ({_COMMIT_TIMES})")
    for column in sorted(lacking):
        spark.sql(f"alter table {name} add columns ({_ddl({column: table.columns[column]})})")
