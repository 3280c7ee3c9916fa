"""The bronze tables: their columns, the writers, and what they say of their own past.

A micro-batch's rows and its number go into one Delta transaction.
"""

# ruff: noqa: S608  (the names in the statements are this module's own)
from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession, functions
from pyspark.sql.streaming.query import StreamingQuery

from ingestion.batches import WRITTEN
from ingestion.checkpoints import Commit
from ingestion.feeds import FILE_FEEDS, KAFKA_FEEDS, EnvelopeFeed, FileFeed
from ingestion.landing import Known
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
# How many commits back a writer that outlived its process may have written.
_LATELY = (50, 1000)
_FILE_STATISTICS = "source_file,source_modified_at,ingested_at,record_id,erased_at"

Columns = Mapping[str, tuple[str, str]]
Gaps = Mapping[int, tuple[int, int]]
"""Lost offsets by partition: the first, and the first after them."""


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
    """A Delta table of the bronze schema."""

    name: str
    comment: str
    columns: Columns
    statistics: str


BATCH_COLUMNS: Columns = {
    "feed": ("string", "Feed."),
    "query_id": ("string", "Id of the checkpoint's query."),
    "batch_id": ("bigint", "Number of the micro-batch in that query."),
    "started_at": ("timestamp", "Start of the micro-batch."),
    "seconds": ("double", "Its duration."),
    "rows": ("bigint", "Rows written."),
    "offsets": ("string", "From-to by partition, or positions in the file source's log."),
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
        "feed,topic,topic_id,topic_epoch,first_seen_at",
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
        "feed,source_file,source_version,scrubbed_version",
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
        ",".join(BATCH_COLUMNS),
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
        "feed,topic,topic_epoch,partition,from_offset,to_offset,accepted_at",
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
        columns = ", ".join(
            f"`{name}` {kind} comment {literal(comment)}"
            for name, (kind, comment) in table.columns.items()
        )
        spark.sql(
            f"create table if not exists {table_name(table.name, catalog)} ({columns}) using delta "
            f"comment '{table.comment}' tblproperties ('delta.enableChangeDataFeed' = 'true', "
            "'delta.enableInCommitTimestamps' = 'true', "
            f"'delta.dataSkippingStatsColumns' = '{table.statistics}')"
        )


def add_columns(spark: SparkSession, table: Table, name: str) -> None:
    """Add what a table of an older release lacks: columns (null in its rows), commit times."""
    if "source_version" not in table.columns:
        return
    lacking = table.columns.keys() - set(spark.table(name).columns)
    if lacking:
        times = "'delta.enableInCommitTimestamps' = 'true'"
        spark.sql(f"alter table {name} set tblproperties ({times})")
    for column in sorted(lacking):
        kind, comment = table.columns[column]
        spark.sql(f"alter table {name} add columns (`{column}` {kind} comment '{comment}')")


def start_writing(
    rows: DataFrame,
    *,
    table: str,
    name: str,
    writer_id: str,
    checkpoint: Path,
    continuous: bool,
    trigger_seconds: float,
) -> StreamingQuery:
    """Start the query that appends `rows` to `table` (a name from `table_name`).

    `writer_id` marks the query's commits in the table's history, for `last_commit`.
    Not continuous: it ends when it has read what was there at its start.
    """
    writer = (
        rows.observe(
            WRITTEN,
            functions.count(functions.lit(1)).alias("rows"),
            functions.max(functions.unix_micros("timestamp")).alias("newest"),
        )
        .writeStream.format("delta")
        .outputMode("append")
        .queryName(name)
        .option("checkpointLocation", str(checkpoint))
        .option("userMetadata", writer_id)
    )
    if continuous:
        writer = writer.trigger(processingTime=f"{int(trigger_seconds * 1000)} milliseconds")
    else:
        writer = writer.trigger(availableNow=True)
    return writer.toTable(table)


def last_commit(spark: SparkSession, table: str, writer_id: str) -> Commit | None:
    """The newest micro-batch that a writer committed, None if the history shows none.

    None, too, if the table was restored since: then its rows may be older than that.
    """
    for commit in _commits(spark, table, 50, 5000, None):
        if commit.operation == "RESTORE":
            return None
        if commit.operation == "STREAMING UPDATE" and commit.userMetadata == writer_id:
            return Commit(commit.parameters["queryId"], int(commit.parameters["epochId"]))
    return None


def _commits(spark: SparkSession, table: str, *limits: int | None) -> Iterator[Any]:
    """The table's history, the newest first, read up to each of these limits in turn.

    What is asked for is among the newest, unless other writers have been busy; all take long.
    """
    version = None
    for limit in limits:
        newest = f" limit {limit}" if limit else ""
        history = spark.sql(f"describe history {table}{newest}").selectExpr(
            *("version", "operation", "userMetadata"),
            *("operationParameters as parameters", "operationMetrics as metrics"),
        )
        for commit in sorted(history.collect(), key=lambda row: -row.version):
            if version is None or commit.version < version:
                version = commit.version
                yield commit


def next_number(spark: SparkSession, table: str, feed: str) -> int:
    """The number of the next batch that `append` writes for a feed.

    One more than that of its newest; if that is long past, milliseconds since 1970, which is more
    than any before: Delta remembers them, also after a RESTORE.
    """
    for commit in _commits(spark, table, *_LATELY):
        if (note := _note(commit)).get("feed") == feed and "batch" in note:
            return int(note["batch"]) + 1
    return time.time_ns() // 1_000_000


def append(
    rows: DataFrame, table: str, feed: str, number: int, check: Callable[[], None]
) -> int | None:
    """Append a feed's batch in one commit and return its rows; None if nothing was written, since
    the table has a batch of this number by now.

    So a writer that outlived its process, which Spark's server may carry on with, and its successor
    cannot both write: to the later one the table is not what it took it for. `check` is called
    before the commit; what it raises keeps the rows out.
    """
    token = uuid.uuid4().hex
    note = {"feed": feed, "batch": number, "id": token}
    check()
    (
        rows.write.format("delta")
        .mode("append")
        .option("userMetadata", json.dumps(note))
        .option("txnAppId", f"ingestion/{feed}")
        .option("txnVersion", str(number))
        .saveAsTable(table)
    )
    for commit in _commits(rows.sparkSession, table, *_LATELY):
        if (found := _note(commit)).get("feed") == feed:
            return int(commit.metrics["numOutputRows"]) if found.get("id") == token else None
    return None


def has_note(spark: SparkSession, table: str, note: str) -> bool:
    """Whether a commit of the table's history carries this note."""
    return any(commit.userMetadata == note for commit in _commits(spark, table, None))


def _note(commit: Any) -> dict[str, Any]:
    try:
        note = json.loads(commit.userMetadata or "")
    except ValueError:
        return {}
    return note if isinstance(note, dict) else {}


def known_files(spark: SparkSession, catalog: str, feed: FileFeed | EnvelopeFeed) -> Known:
    """The files of which bronze holds the rows, and those that erasure has made of them."""
    modified = "source_modified_at" if isinstance(feed, FileFeed) else "cast(null as timestamp)"
    rows = spark.sql(
        f"""
        select source_file, source_version, max(unix_millis({modified})) as modified
        from {table_name(feed.table, catalog)}
        where source_file is not null
        group by source_file, source_version
        union all
        select source_file, scrubbed_version, null
        from {table_name("scrubbed_files", catalog)}
        where feed = '{feed.name}'
        """
    ).collect()
    return Known(
        ((row.source_file, row.source_version) for row in rows if row.source_version),
        {row.source_file: row.modified for row in rows if not row.source_version},
    )


def next_offsets(spark: SparkSession, catalog: str, table: str, epoch: int) -> dict[int, int]:
    """First offset not read yet, by partition, as bronze and the accepted gaps know it."""
    rows = spark.sql(
        f"""
        select `partition`, max(next) as next
        from (
            select `partition`, `offset` + 1 as next from {table_name(table, catalog)}
            where topic_epoch = {epoch} and source_file is null
            union all
            select `partition`, to_offset from {table_name("ingestion_gaps", catalog)}
            where feed = '{table}' and topic_epoch = {epoch}
        )
        group by `partition`
        """
    )
    return {row.partition: row.next for row in rows.collect()}


@dataclass(frozen=True)
class KnownTopic:
    """What was read before under a feed's name."""

    topic: str
    topic_id: str
    epoch: int


def known_topics(spark: SparkSession, catalog: str) -> dict[str, KnownTopic]:
    """The newest incarnation of each feed's topic."""
    rows = spark.table(table_name("ingestion_topics", catalog)).collect()
    rows.sort(key=lambda row: row.topic_epoch)
    return {row.feed: KnownTopic(row.topic, row.topic_id, row.topic_epoch) for row in rows}


def record_topic(spark: SparkSession, catalog: str, feed: str, known: KnownTopic) -> None:
    """Remember a topic that is read from now on."""
    spark.sql(
        f"insert into {table_name('ingestion_topics', catalog)} "
        f"values ({literal(feed)}, {literal(known.topic)}, {literal(known.topic_id)}, "
        f"{known.epoch}, current_timestamp())"
    )


def record_gaps(
    spark: SparkSession, catalog: str, feed: str, topic: str, epoch: int, gaps: Gaps
) -> None:
    """Write accepted losses, so that they are seen and reading goes on behind them."""
    rows = ", ".join(
        f"({literal(feed)}, {literal(topic)}, {epoch}, {partition}, {start}, {end}, "
        "current_timestamp())"
        for partition, (start, end) in sorted(gaps.items())
    )
    target = table_name("ingestion_gaps", catalog)
    spark.sql(f"insert into {target} values {rows}")
