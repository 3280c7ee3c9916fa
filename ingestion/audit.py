"""Are the offsets from Kafka complete and single, and does bronze end where the broker does?"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import SparkSession

from ingestion import broker, bronze, progress
from ingestion.config import Config
from ingestion.feeds import KAFKA_FEEDS


@dataclass(frozen=True)
class Line:
    """One partition of one incarnation of a topic. Offsets are inclusive; counts are of records.

    `missing`: holes between the first and the last offset, or before the first, that no accepted
    gap explains. `unread`: what the broker has beyond the last and the accepted gaps; None for an
    earlier incarnation. `another_topic`: the broker's is not the one that the rows came from, so
    its offsets say nothing of them.
    """

    feed: str
    epoch: int
    partition: int
    first: int
    last: int
    rows: int
    repeats: int
    missing: int
    accepted: int
    unread: int | None
    sparse: bool
    another_topic: bool = False

    @property
    def sound(self) -> bool:
        complete = self.sparse or not self.missing
        return complete and not self.repeats and not self.another_topic


def offsets_sql(table: str, catalog: str = "") -> str:
    """Per epoch and partition of a table's rows from Kafka: first, last, rows, repeats, missing.

    `tests/dbt/assert_kafka_offsets_complete.sql` asks the same of all tables.
    """
    return f"""
    with present as (
        select
            topic_epoch, `partition`, min(`offset`) as first, max(`offset`) as last,
            count(*) as rows, count(distinct `offset`) as offsets
        from {bronze.table_name(table, catalog)}
        where source_file is null
        group by topic_epoch, `partition`
    ),
    accepted as (
        select present.topic_epoch, present.`partition`, sum(
            greatest(0, least(gaps.to_offset, last + 1) - greatest(gaps.from_offset, first))
        ) as offsets
        from present
        join {bronze.table_name("ingestion_gaps", catalog)} as gaps
            on gaps.feed = '{table}' and gaps.topic_epoch = present.topic_epoch
            and gaps.`partition` = present.`partition`
        group by present.topic_epoch, present.`partition`
    )
    select
        present.topic_epoch, present.`partition`, first, last, rows,
        rows - present.offsets as repeats,
        coalesce(accepted.offsets, 0) as accepted,
        last - first + 1 - present.offsets - coalesce(accepted.offsets, 0) as missing
    from present
    left join accepted
        on accepted.topic_epoch = present.topic_epoch
        and accepted.`partition` = present.`partition`
    order by 1, 2
    """  # noqa: S608  (the names are this package's own)


def audit(spark: SparkSession, config: Config) -> list[Line]:
    """All partitions of all topics. Raises IngestionError if the broker does not answer."""
    known = progress.known_topics(spark, config.catalog)
    gaps = spark.table(bronze.table_name("ingestion_gaps", config.catalog)).collect()
    lines = []
    for feed in KAFKA_FEEDS:
        topic = broker.describe(config, config.topic_of(feed.name))
        rows = spark.sql(offsets_sql(feed.table, config.catalog)).collect()
        read = known.get(feed.name)
        accepted = {
            (gap.topic_epoch, gap.partition, gap.to_offset) for gap in gaps if gap.feed == feed.name
        }
        lines += lines_of(feed.name, rows, accepted, topic, read, feed.name in config.sparse_feeds)
    return lines


def lines_of(
    feed: str,
    rows: Sequence[Any],
    accepted: Collection[tuple[int, int, int]],
    topic: broker.Topic,
    known: progress.KnownTopic | None,
    sparse: bool,
) -> list[Line]:
    """Lines of a feed from the rows of `offsets_sql` and what the broker says.

    `accepted`: epoch, partition and end of each accepted gap.
    """
    newest = known.epoch if known else max((row.topic_epoch for row in rows), default=0)
    another = known is not None and (known.topic, known.topic_id) != (topic.name, topic.id)

    def unread(partition: int, following: int) -> int:
        ends = [end for epoch, p, end in accepted if (epoch, p) == (newest, partition)]
        return max(0, topic.latest.get(partition, 0) - max([following, *ends]))

    lines = []
    seen = set()
    for row in rows:
        current = row.topic_epoch == newest
        before = max(0, row.first - topic.earliest.get(row.partition, row.first))
        if current:
            seen.add(row.partition)
        lines.append(
            Line(
                feed=feed,
                epoch=row.topic_epoch,
                partition=row.partition,
                first=row.first,
                last=row["last"],
                rows=row.rows,
                repeats=row.repeats,
                # Records before the first row that the broker still has were passed over.
                missing=row.missing + (before if current and not another else 0),
                accepted=row.accepted,
                unread=unread(row.partition, row["last"] + 1) if current else None,
                sparse=sparse,
                another_topic=current and another,
            )
        )
    for partition in sorted(topic.latest.keys() - seen):
        start = topic.earliest[partition]
        left = unread(partition, start)
        lines.append(
            Line(feed, newest, partition, start, start - 1, 0, 0, 0, 0, left, sparse, another)
        )
    return lines
