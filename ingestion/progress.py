"""How far the feeds have been read, as bronze knows it: files, topics, offsets and gaps."""

# ruff: noqa: S608  (the names in the statements are bronze's own)
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import SparkSession

from ingestion.bronze import table_name
from ingestion.feeds import EnvelopeFeed, FileFeed
from ingestion.landing import Known
from ingestion.literals import literal

Gaps = Mapping[int, tuple[int, int]]
"""Lost offsets by partition: the first, and the first after them."""


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
