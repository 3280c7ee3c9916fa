"""Where a Kafka feed goes on: whether its topic is the one read before, and from which offsets.

The table, the checkpoint and the broker are asked, in this order of trust. What they do not agree
on stops the feed until the operator says what is meant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from ingestion import broker, bronze, checkpoints, commits, progress, sources
from ingestion.config import Config
from ingestion.feeds import IngestionError, KafkaFeed

_PAGE_RECORDS, _PAGE_BYTES = 5_000, 8 * 2**20


@dataclass(frozen=True)
class RunOptions:
    """What the operator asked for on the command line."""

    continuous: bool = False
    accept_data_loss: bool = False
    new_topic: bool = False


@dataclass(frozen=True)
class Start:
    """A stream and where it begins (`first`) and, for a drain, must end (`goal`), by partition."""

    rows: DataFrame
    writer_id: str
    first: Mapping[int, int]
    goal: Mapping[int, int]


class TopicReader:
    """The topic of a feed. `known`: the one read before, None if none was."""

    def __init__(
        self, config: Config, feed: KafkaFeed, checkpoint: Path, known: progress.KnownTopic | None
    ) -> None:
        self._config = config
        self._feed = feed
        self._checkpoint = checkpoint
        self._known = known

    def start(self, spark: SparkSession, options: RunOptions, most: int) -> Start | None:
        """Where to go on, with at most so many records in a micro-batch; None if a drain has
        nothing to read. Raises IngestionError if records are lost or the topic is another one, and
        the operator has not said that it is meant.
        """
        topic = broker.describe(self._config, self._config.topic_of(self._feed.name))
        known = self._known
        if known is None:
            known = self._begin_epoch(spark, topic)
        elif (known.topic, known.topic_id) != (topic.name, topic.id):
            if not options.new_topic:
                raise IngestionError(_created_anew(self._feed.name, topic.name, topic.id, known))
            known = self._begin_epoch(spark, topic)
        catalog, feed, epoch = self._config.catalog, self._feed.name, known.epoch
        writer_id = f"{feed}/{epoch}"
        last = commits.last_commit(spark, bronze.table_name(self._feed.table, catalog), writer_id)
        state = checkpoints.trusted(self._checkpoint, last)
        # A trusted checkpoint knows where to go on: no need to read the table.
        resume = state.unread(last) if state else {}
        if not resume:
            resume = progress.next_offsets(spark, catalog, self._feed.table, epoch)
        if state and state.lacks(last) and _size({**topic.earliest, **resume}, state.end) > most:
            # Spark would repeat it as it was planned, however often that does not end well.
            checkpoints.set_aside(self._checkpoint, "its unfinished micro-batch is cut in pieces")
            state = None
        if ahead := {p: at for p, at in resume.items() if at > topic.latest.get(p, 0)}:
            if not options.new_topic:
                raise IngestionError(_ends_before(feed, topic, ahead))
            self._begin_epoch(spark, topic)
            return self.start(spark, options, most)
        if gaps := _gaps(topic, resume):
            if not options.accept_data_loss:
                raise IngestionError(_expired(feed, gaps))
            # In this order: ended in between, the next start finds the same gaps, once.
            checkpoints.set_aside(self._checkpoint, "a loss was accepted")
            progress.record_gaps(spark, catalog, feed, topic.name, epoch, gaps)
            resume = progress.next_offsets(spark, catalog, self._feed.table, epoch)
        elif state and state.has_reached(topic.latest) and not options.continuous:
            return None
        first = {**topic.earliest, **resume}
        return Start(
            rows=sources.kafka_stream(
                spark, self._config, topic, epoch=epoch, start=resume, most=most
            ),
            writer_id=writer_id,
            first=first,
            goal={p: end for p, end in topic.latest.items() if end > first.get(p, 0)},
        )

    def pass_odd_times(self, spark: SparkSession, check: Callable[[], None]) -> int:
        """Take records into bronze whose time is beyond what Spark's Kafka source can convert,
        with those before them; returns how many. Their `timestamp` is null.

        The feed's query then starts behind them, from bronze. `check` is called before each commit.
        """
        topic = broker.describe(self._config, self._config.topic_of(self._feed.name))
        assert self._known is not None
        catalog, feed, epoch = self._config.catalog, self._feed.name, self._known.epoch
        checkpoints.set_aside(self._checkpoint, "records with odd times are taken without Spark")
        table = bronze.table_name(self._feed.table, catalog)
        number = commits.next_number(spark, table, feed)
        resume = progress.next_offsets(spark, catalog, self._feed.table, epoch)
        taken = 0
        for partition, end in topic.latest.items():
            at = resume.get(partition, topic.earliest[partition])
            for page in _odd_pages(self._config, topic.name, partition, range(at, end)):
                first = page[0].offset
                rows = sources.fetched_rows(spark, page, epoch)
                if first > at:
                    span = range(at, first)
                    before = sources.kafka_batch(
                        *(spark, self._config, topic), epoch=epoch, partition=partition, span=span
                    )
                    rows = rows.unionByName(before)
                written = commits.append(rows, table, feed, number, check)
                if written is None:  # another writer was there first: look again
                    return taken
                taken += written
                number += 1
                at = page[-1].offset + 1
        return taken

    def check_same(self) -> None:
        """Raise IngestionError if the topic was created anew while its query ran."""
        known = self._known
        if known is None or not known.topic_id:
            return
        try:
            found = broker.topic_id(self._config, known.topic)
        except IngestionError:  # the query rides it out, or fails by itself
            return
        if found != known.topic_id:
            raise IngestionError(_created_anew(self._feed.name, known.topic, found, known))

    def _begin_epoch(self, spark: SparkSession, topic: broker.Topic) -> progress.KnownTopic:
        catalog, feed = self._config.catalog, self._feed.name
        if self._known:
            checkpoints.set_aside(self._checkpoint, "another topic is read from now on")
        epoch = self._known.epoch + 1 if self._known else 0
        # What was gone before the first look was never there to be read; what goes later was.
        if gone := {p: (0, first) for p, first in topic.earliest.items() if first}:
            progress.record_gaps(spark, catalog, feed, topic.name, epoch, gone)
        self._known = known = progress.KnownTopic(topic.name, topic.id, epoch)
        progress.record_topic(spark, catalog, feed, known)
        return known


def _size(start: Mapping[int, int], end: Mapping[int, int]) -> int:
    return sum(max(0, last - start.get(partition, 0)) for partition, last in end.items())


def _odd_pages(
    config: Config, topic: str, partition: int, span: range
) -> Iterator[list[broker.Record]]:
    """Records of a partition with an odd time among them, in pages of so many or so many bytes.

    A page begins with the first odd one after the page before, and has no more than that if none
    follows closely.
    """
    page: list[broker.Record] = []
    size = last_odd = 0
    for record in broker.records(config, topic, partition, span):
        is_odd = record.timestamp is None
        if not page and not is_odd:
            continue
        page.append(record)
        size += len(record.key or b"") + len(record.value or b"") + 100
        if is_odd:
            last_odd = len(page)
        if len(page) == _PAGE_RECORDS or size > _PAGE_BYTES:
            yield page[:last_odd]
            page, size, last_odd = [], 0, 0
    if page:
        yield page[:last_odd]


def _gaps(topic: broker.Topic, resume: Mapping[int, int]) -> progress.Gaps:
    """Offsets that the broker no longer has, though they were not read.

    Of a partition that nothing is known of, all: what the topic lacked at first is known.
    """
    return {
        p: (at, first) for p, first in topic.earliest.items() if (at := resume.get(p, 0)) < first
    }


def _created_anew(feed: str, name: str, topic_id: str, known: progress.KnownTopic) -> str:
    return (
        f"Topic {name} of feed {feed} is not the one read before, but was created anew (its id is "
        f"{topic_id or 'unknown'}, was {known.topic_id} of {known.topic}). If that is meant, start "
        "once with --new-topic: it is read from its first record on."
    )


def _ends_before(feed: str, topic: broker.Topic, ahead: Mapping[int, int]) -> str:
    parts = ", ".join(
        f"partition {p}: read to {at}, ends at {topic.latest.get(p, 0)}"
        for p, at in sorted(ahead.items())
    )
    return (
        f"Feed {feed}: topic {topic.name} ends before what was read of it ({parts}): it was "
        "created anew, or its broker lost records. If that is meant, start once with --new-topic: "
        "it is read from its first record on."
    )


def _expired(feed: str, gaps: progress.Gaps) -> str:
    parts = ", ".join(f"partition {p}: {a} to {b - 1}" for p, (a, b) in sorted(gaps.items()))
    return (
        f"Feed {feed}: Kafka dropped records that were not read ({parts}). To go on without them, "
        "start once with --accept-data-loss: the gap is recorded in bronze.ingestion_gaps."
    )
