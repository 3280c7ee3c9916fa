"""The streaming query of a topic: started, followed to its end, its micro-batches reported."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import InitVar, dataclass, field, replace
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession, functions
from pyspark.sql.streaming.query import StreamingQuery

from ingestion import bronze, checkpoints
from ingestion.batches import WRITTEN, Batch, batch_of, lag_of
from ingestion.config import Config
from ingestion.feeds import IngestionError, KafkaFeed
from ingestion.lease import Lease
from ingestion.progress import KnownTopic
from ingestion.telemetry import Telemetry
from ingestion.topics import RunOptions, TopicReader

log = logging.getLogger(__name__)

_POLL_SECONDS = 1
# How often a continuous feed asks whether its topic is still the same one.
_TOPIC_SECONDS = 10.0
# When asked to stop, the end of a micro-batch is awaited for so long. Then it is interrupted: that
# costs its repetition, no more.
_STOP_SECONDS = 120.0
# The first micro-batch after a start: however short a life the process has, it gets on.
_FIRST_OFFSETS = 50_000


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
    """Start the query that appends `rows` to `table` (a name from `bronze.table_name`).

    `writer_id` marks the query's commits in the table's history, for `commits.last_commit`.
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


@dataclass
class TopicStream:
    """A feed's query, which may be started again and again.

    `known`: the topic that was read before, None if none was. `went_well` gets the micro-batches
    of each look at a query that runs, none where there was nothing to read.
    """

    config: Config
    feed: KafkaFeed
    lease: Lease
    known: InitVar[KnownTopic | None]
    options: RunOptions
    stop: threading.Event
    telemetry: Telemetry
    went_well: Callable[[list[Batch]], None]
    has_run: bool = False
    is_first: bool = True  # the next micro-batch is the first after a start
    _ends_early: bool = False  # the query is to end after it
    _first: Mapping[int, int] = field(default_factory=dict)  # offsets at the start, for the log
    _goal: Mapping[int, int] = field(default_factory=dict)  # offsets that a drain must reach

    def __post_init__(self, known: KnownTopic | None) -> None:
        self.checkpoint = Path(self.config.checkpoints) / self.feed.name
        self.topic = TopicReader(self.config, self.feed, self.checkpoint, known)

    def run(self, spark: SparkSession) -> bool:
        """From where bronze ends to the query's end; False if it is to be started again.

        Raises IngestionError if records are lost, the topic is another one, or the query ended
        before it had read all.
        """
        query = self._start(spark)
        if query is None:  # a drain has nothing to read
            return True
        self.has_run = True
        # They are meant for what was found now, not for what a later restart may meet.
        self.options = replace(self.options, accept_data_loss=False, new_topic=False)
        self.telemetry.up(self.feed.name, True)
        return self._follow(query)

    def _start(self, spark: SparkSession) -> StreamingQuery | None:
        most = self.config.max_offsets_per_trigger
        first = min(most, _FIRST_OFFSETS) if self.is_first else most
        start = self.topic.start(spark, self.options, first)
        if start is None:
            return None
        self.is_first = False
        unread = sum(end - start.first.get(p, 0) for p, end in start.goal.items())
        self._ends_early = first < most and unread > first
        self._first, self._goal = start.first, start.goal
        return start_writing(
            start.rows,
            table=bronze.table_name(self.feed.table, self.config.catalog),
            name=self.feed.name,
            writer_id=start.writer_id,
            checkpoint=self.checkpoint,
            continuous=self.options.continuous,
            trigger_seconds=self.config.trigger_seconds,
        )

    def _follow(self, query: StreamingQuery) -> bool:
        """Report micro-batches until the query ends, or has been asked to."""
        reported, looked = -1, time.monotonic()
        while not query.awaitTermination(_POLL_SECONDS):
            reported = self._report(query, reported)
            if self._ends_early and reported >= 0 and not self.stop.is_set():
                query.stop()
                return False
            if self.lease.is_lost():
                query.stop()
                break
            if self.stop.is_set():
                _finish_batch(query, reported)
                query.stop()
                break
            if self.options.continuous and time.monotonic() - looked > _TOPIC_SECONDS:
                looked = time.monotonic()
                try:
                    self.topic.check_same()
                except IngestionError:
                    query.stop()
                    raise
        self._report(query, reported)
        self.lease.check()
        if self.stop.is_set():
            return True
        self.topic.check_same()
        if self.options.continuous or not checkpoints.has_reached(self.checkpoint, self._goal):
            raise IngestionError(
                f"Feed {self.feed.name}: the query was stopped from outside before it had read "
                "all. Start ingestion again; it resumes where it was."
            )
        return True

    def _report(self, query: StreamingQuery, reported: int) -> int:
        """Tell of micro-batches newer than `reported`; returns the newest one."""
        newest = query.lastProgress
        if newest is None:
            return reported
        self.telemetry.lag(self.feed.name, lag_of(json.loads(newest.json)))
        batches = []
        if newest.batchId > reported:
            for progress in query.recentProgress:
                batch = batch_of(self.feed.name, json.loads(progress.json), self._first)
                if batch is not None and batch.number > reported:
                    reported = batch.number
                    batches.append(batch)
        self.went_well(batches)
        return reported


def _finish_batch(query: StreamingQuery, reported: int) -> None:
    end = time.monotonic() + _STOP_SECONDS
    while query.isActive and query.status["isTriggerActive"] and time.monotonic() < end:
        newest = query.lastProgress
        if newest is not None and int(newest.batchId) > reported:
            return
        time.sleep(0.1)
