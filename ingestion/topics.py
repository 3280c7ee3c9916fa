"""Where a Kafka feed goes on: whether its topic is the one read before, and from which offsets.

The table, the checkpoint and the broker are asked, in this order of trust. What they do not agree
on stops the feed until the operator says what is meant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from ingestion import broker, bronze, checkpoints, sources
from ingestion.config import Config
from ingestion.feeds import IngestionError, KafkaFeed


@dataclass(frozen=True)
class Wishes:
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
        self, config: Config, feed: KafkaFeed, checkpoint: Path, known: bronze.KnownTopic | None
    ) -> None:
        self._config = config
        self._feed = feed
        self._checkpoint = checkpoint
        self._known = known

    def start(self, spark: SparkSession, wishes: Wishes) -> Start | None:
        """Where to go on; None if a drain has nothing to read. Raises IngestionError if records
        are lost or the topic is another one, and the operator has not said that it is meant.
        """
        topic = broker.describe(self._config, self._config.topic_of(self._feed.name))
        known = self._known
        if known is None:
            known = self._begin_epoch(spark, topic)
        elif (known.topic, known.topic_id) != (topic.name, topic.id):
            if not wishes.new_topic:
                raise IngestionError(_created_anew(self._feed.name, topic.name, topic.id, known))
            known = self._begin_epoch(spark, topic)
        catalog, feed, epoch = self._config.catalog, self._feed.name, known.epoch
        writer_id = f"{feed}/{epoch}"
        last = bronze.last_commit(spark, bronze.table_name(self._feed.table, catalog), writer_id)
        state = checkpoints.trusted(self._checkpoint, last)
        # A trusted checkpoint knows where to go on: no need to read the table.
        resume = state.unread(last) if state else {}
        if not resume:
            resume = bronze.next_offsets(spark, catalog, self._feed.table, epoch)
        if ahead := {p: at for p, at in resume.items() if at > topic.latest.get(p, 0)}:
            if not wishes.new_topic:
                raise IngestionError(_ends_before(feed, topic, ahead))
            self._begin_epoch(spark, topic)
            return self.start(spark, wishes)
        if gaps := _gaps(topic, resume):
            if not wishes.accept_data_loss:
                raise IngestionError(_expired(feed, gaps))
            # In this order: ended in between, the next start finds the same gaps, once.
            checkpoints.set_aside(self._checkpoint, "a loss was accepted")
            bronze.record_gaps(spark, catalog, feed, topic.name, epoch, gaps)
            resume = bronze.next_offsets(spark, catalog, self._feed.table, epoch)
        elif state and state.has_reached(topic.latest) and not wishes.continuous:
            return None
        first = {**topic.earliest, **resume}
        return Start(
            rows=sources.kafka_stream(spark, self._config, topic, epoch=epoch, start=resume),
            writer_id=writer_id,
            first=first,
            goal={p: end for p, end in topic.latest.items() if end > first.get(p, 0)},
        )

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

    def _begin_epoch(self, spark: SparkSession, topic: broker.Topic) -> bronze.KnownTopic:
        catalog, feed = self._config.catalog, self._feed.name
        if self._known:
            checkpoints.set_aside(self._checkpoint, "another topic is read from now on")
        epoch = self._known.epoch + 1 if self._known else 0
        # What was gone before the first look was never there to be read; what goes later was.
        if gone := {p: (0, first) for p, first in topic.earliest.items() if first}:
            bronze.record_gaps(spark, catalog, feed, topic.name, epoch, gone)
        self._known = known = bronze.KnownTopic(topic.name, topic.id, epoch)
        bronze.record_topic(spark, catalog, feed, known)
        return known


def _gaps(topic: broker.Topic, resume: Mapping[int, int]) -> bronze.Gaps:
    """Offsets that the broker no longer has, though they were not read.

    Of a partition that nothing is known of, all: what the topic lacked at first is known.
    """
    return {
        p: (at, first) for p, first in topic.earliest.items() if (at := resume.get(p, 0)) < first
    }


def _created_anew(feed: str, name: str, topic_id: str, known: bronze.KnownTopic) -> str:
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


def _expired(feed: str, gaps: bronze.Gaps) -> str:
    parts = ", ".join(f"partition {p}: {a} to {b - 1}" for p, (a, b) in sorted(gaps.items()))
    return (
        f"Feed {feed}: Kafka dropped records that were not read ({parts}). To go on without them, "
        "start once with --accept-data-loss: the gap is recorded in bronze.ingestion_gaps."
    )
