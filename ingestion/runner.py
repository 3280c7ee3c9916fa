"""Runs the feeds: one streaming query each, side by side, restarted with bounded back-off."""

from __future__ import annotations

import itertools
import json
import logging
import re
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from ingestion import bronze, checkpoints, jdbc, sessions
from ingestion.batches import Batch, batch_of, lag_of
from ingestion.config import Config
from ingestion.feeds import (
    EnvelopeFeed,
    Feed,
    FileFeed,
    IngestionError,
    JdbcFeed,
    KafkaFeed,
    Unreachable,
)
from ingestion.filereader import FileReader
from ingestion.lease import Lease, held
from ingestion.telemetry import Telemetry
from ingestion.topics import TopicReader, Wishes

log = logging.getLogger(__name__)

_POLL_SECONDS = 1
_LONGEST_PAUSE_POWER = 6  # of 2 seconds
_WRITE_SECONDS = 30.0
# How often a continuous feed asks whether its topic is still the same one.
_TOPIC_SECONDS = 10.0
# When asked to stop, the end of a micro-batch is awaited for so long. Then it is interrupted: that
# costs its repetition, no more.
_STOP_SECONDS = 120.0
_QUERY_SETTINGS = {
    # The log line needs the newest only; all of them cross the wire at each poll.
    "spark.sql.streaming.numRecentProgressUpdates": "20",
    # One plan for many rows: generated code pays, also where a server does without it for the sake
    # of many short statements. It doubled the rate of a drain.
    "spark.sql.codegen.wholeStage": "true",
    "spark.sql.codegen.factoryMode": "FALLBACK",
}
# Starting again does not mend these.
_FATAL = re.compile(
    r"(?i:authentication)|Login failed|Authorization|SslHandshake|DATA_LOSS"
    r"|data may have been lost|OffsetOutOfRange|AnalysisException|IllegalArgument"
    r"|SCHEMA_MISMATCH|ConcurrentQuery"
    r"|ChecksumException|Failed to read log file|[Bb]atch \d+ doesn't exist"
)
# Kafka's time of a record, in milliseconds, does not fit into microseconds.
_ODD_TIME = re.compile(r"ArithmeticException|long overflow", re.IGNORECASE)
_OF_CHECKPOINT = re.compile(
    r"ChecksumException|Failed to read log file|[Bb]atch \d+ doesn't exist|checkpoint|/offsets/"
)
# The first micro-batch after a start: however short a life the process has, it gets on.
_FIRST_OFFSETS = 50_000
_SPARK_GONE = re.compile(r"StatusCode\.UNAVAILABLE|RETRIES_EXCEEDED|INVALID_HANDLE", re.IGNORECASE)


def run(
    config: Config,
    feeds: list[Feed],
    wishes: Wishes,
    stop: threading.Event,
) -> dict[str, int]:
    """Ingest until all is drained, or with `continuous` until `stop` is set: then after the batch.

    Returns rows by feed. Raises LeaseHeld at once if another process has one of the feeds. A feed
    that cannot go on gives its lease back and is logged; the others go on. At their end
    IngestionError tells which it was.
    """
    with ExitStack() as stack:
        leases = stack.enter_context(held(config, [feed.name for feed in feeds]))
        with sessions.session(config.spark_remote) as spark:
            bronze.create_tables(spark, config.catalog or None)
            known = bronze.known_topics(spark, config.catalog)
        telemetry = Telemetry()
        if wishes.continuous and config.metrics_port:
            telemetry.serve(config.metrics_port)
        pool = stack.enter_context(ThreadPoolExecutor(len(feeds), "feed"))
        runs = [
            FeedRun(config, feed, lease, known.get(feed.name), wishes, stop, telemetry)
            for feed, lease in zip(feeds, leases, strict=True)
        ]
        futures = [pool.submit(feed_run.run) for feed_run in runs]
        while wait(futures, _WRITE_SECONDS).not_done:
            _write(config, telemetry)
        _write(config, telemetry)
        failures = [error for future in futures if (error := future.exception()) is not None]
    for error in failures:
        if not isinstance(error, IngestionError):
            raise error
    if failures:
        raise IngestionError("\n".join(str(error) for error in failures))
    return {feed_run.feed.name: feed_run.rows for feed_run in runs}


def _write(config: Config, telemetry: Telemetry) -> None:
    if not telemetry.pending():
        return
    try:
        with sessions.session(config.spark_remote) as spark:
            telemetry.write(spark, config.catalog)
    except Exception as error:  # whatever it is, the feeds go on, and say themselves what they lack
        log.warning("batches not written down yet: %s", config.redact(_first_line(error)))


class FeedRun:
    """One feed's query from its start to its end, with restarts. `rows` counts what it wrote."""

    def __init__(
        self,
        config: Config,
        feed: Feed,
        lease: Lease,
        known: bronze.KnownTopic | None,
        wishes: Wishes,
        stop: threading.Event,
        telemetry: Telemetry,
    ) -> None:
        self.feed = feed
        self.rows = 0
        self.restarts = 0
        self._config = config
        self._lease = lease
        self._started = False
        self._failures = 0  # in a row
        self._is_first = True  # the next micro-batch is the first after a start
        self._ends_early = False  # the query is to end after it
        self._first: Mapping[int, int] = {}  # offsets at the start, for the log
        self._goal: Mapping[int, int] = {}  # offsets that a drain must reach
        self._wishes = wishes
        self._stop = stop
        self._telemetry = telemetry
        self._checkpoint = Path(config.checkpoints) / feed.name
        self._topic: TopicReader | None = None
        if isinstance(feed, KafkaFeed):
            self._topic = TopicReader(config, feed, self._checkpoint, known)
        self._table = bronze.table_name(feed.table, config.catalog)

    def run(self) -> None:
        """Raises IngestionError if the feed cannot go on."""
        try:
            with sessions.session(self._config.spark_remote, self._lease.session_id) as spark:
                for setting, value in _QUERY_SETTINGS.items():
                    spark.conf.set(setting, value)
                while not self._attempt(spark):
                    pass
        except IngestionError as error:
            # At once: with `continuous` the others may go on for weeks.
            log.error("feed=%s ended: %s", self.feed.name, error)
            raise
        except BaseException:
            log.exception("feed=%s ended by an unexpected fault", self.feed.name)
            raise
        finally:
            self._lease.give_back()

    def _attempt(self, spark: SparkSession) -> bool:
        """One start of the query; False if it failed and may be started again, after a pause."""
        try:
            self._check_lease()  # another process may have the checkpoint by now
            if isinstance(self.feed, JdbcFeed):
                self._pull(spark, self.feed)
                return True
            if isinstance(self.feed, FileFeed | EnvelopeFeed):
                self._read_files(spark, self.feed)
                return True
            query = self._start(spark)
            if query is None:
                return True
            self._started = True
            # They are meant for what was found now, not for what a later restart may meet.
            self._wishes = replace(self._wishes, accept_data_loss=False, new_topic=False)
            self._telemetry.up(self.feed.name, True)
            return self._follow(query)
        except Unreachable as error:
            # At the first start it is more likely a wrong setting than a broker that restarts.
            if not self._started:
                raise
            return self._pause(str(error))
        except PySparkException as error:
            reason = self._config.redact(_first_line(error))
            if _SPARK_GONE.search(f"{type(error).__name__} {error}"):
                raise IngestionError(
                    f"Feed {self.feed.name} lost its Spark session ({reason}): start Spark again "
                    "if it is down, then ingestion; it resumes where it was."
                ) from None
            if self._topic is not None and _ODD_TIME.search(str(error)):
                taken = self._topic.pass_odd_times(spark, self._check_lease)
                if taken:
                    self.rows += taken
                    log.warning(
                        "feed=%s rows=%d with records whose Kafka time no timestamp holds: it is "
                        "null in bronze",
                        *(self.feed.name, taken),
                    )
                    return False
            if _FATAL.search(str(error)):
                raise IngestionError(self._cannot_go_on(reason)) from None
            return self._pause(reason)
        finally:
            self._telemetry.up(self.feed.name, False)

    def _pause(self, reason: str) -> bool:
        """Wait before the next start, longer each time; True if asked to stop meanwhile.

        Raises IngestionError if it has been started again often enough.
        """
        self._failures += 1
        self._is_first = True
        if self._wishes.continuous:
            enough = self._failures >= self._config.max_failures
        else:
            enough = self.restarts >= self._config.max_restarts
        if enough:
            raise IngestionError(self._cannot_go_on(reason))
        self.restarts += 1
        self._telemetry.restart(self.feed.name)
        pause = 2.0 ** min(self._failures, _LONGEST_PAUSE_POWER)
        log.warning("feed=%s restart=%d in=%.0fs: %s", self.feed.name, self.restarts, pause, reason)
        return self._stop.wait(pause)

    def _cannot_go_on(self, reason: str) -> str:
        if _OF_CHECKPOINT.search(reason):
            hint = (
                f"If its checkpoint {self._checkpoint} is damaged, remove that folder: the feed "
                "resumes from bronze, without loss or repeats."
            )
        else:
            hint = "Mend that and start ingestion again: the feed resumes where it was."
        return f"Feed {self.feed.name} cannot go on: {reason}. {hint}"

    def _pull(self, spark: SparkSession, feed: JdbcFeed) -> None:
        """Pull once or, with `continuous`, again and again."""
        if f"{feed.table}.table" not in self._config.jdbc:
            raise IngestionError(f"Feed {feed.name} needs '{feed.table}.table' in [jdbc].")
        interval = float(self._config.jdbc.get("interval_seconds", 300))
        for number in itertools.count():
            started_at, started = datetime.now(UTC), time.monotonic()
            self._telemetry.up(feed.name, True)
            found = jdbc.pull(spark, self._config, feed, self._check_lease)
            seconds = time.monotonic() - started
            self.rows += found.rows
            self._failures = 0
            log.info(
                "feed=%s rows=%d deletes=%d seconds=%.2f",
                *(feed.name, found.rows, found.deletes, seconds),
            )
            self._telemetry.batch(
                Batch(
                    *(feed.name, self._lease.session_id, number, found.rows, "", seconds),
                    started_at=started_at,
                )
            )
            if not self._wishes.continuous or self._stop.wait(interval):
                return

    def _read_files(self, spark: SparkSession, feed: FileFeed | EnvelopeFeed) -> None:
        """Read the files that bronze does not hold; with `continuous`, again and again."""
        reader = FileReader(
            *(spark, self._config, feed, self._check_lease), continuous=self._wishes.continuous
        )
        self._telemetry.up(feed.name, True)
        for number in itertools.count():
            started_at, started = datetime.now(UTC), time.monotonic()
            found = reader.read_some()
            self._failures = 0
            if found is not None:
                self.rows += found.rows
                batch = Batch(
                    *(feed.name, self._lease.session_id, number, found.rows),
                    offsets=f"files:{found.files}",
                    seconds=time.monotonic() - started,
                    started_at=started_at,
                    newest_record_at=found.newest,
                )
                log.info("%s", batch)
                self._telemetry.batch(batch)
            elif not self._wishes.continuous:
                break
            if self._stop.wait(self._config.trigger_seconds if found is None else 0):
                return
        reader.check_all_read()

    def _check_lease(self) -> None:
        """Raise IngestionError if another process may have the feed by now."""
        if self._lease.is_lost():
            raise IngestionError(
                f"Feed {self.feed.name}: the lease was revoked, since its heartbeat stood still "
                "(was the machine suspended?). Start ingestion again; it resumes where it was."
            )

    def _start(self, spark: SparkSession) -> StreamingQuery | None:
        """Start the query from where bronze ends; None if a drain has nothing to read."""
        assert self._topic is not None
        most = self._config.max_offsets_per_trigger
        first = min(most, _FIRST_OFFSETS) if self._is_first else most
        start = self._topic.start(spark, self._wishes, first)
        if start is None:
            return None
        self._is_first = False
        unread = sum(end - start.first.get(p, 0) for p, end in start.goal.items())
        self._ends_early = first < most and unread > first
        self._first, self._goal = start.first, start.goal
        return bronze.start_writing(
            start.rows,
            table=self._table,
            name=self.feed.name,
            writer_id=start.writer_id,
            checkpoint=self._checkpoint,
            continuous=self._wishes.continuous,
            trigger_seconds=self._config.trigger_seconds,
        )

    def _follow(self, query: StreamingQuery) -> bool:
        """Report micro-batches until the query ends, or has been asked to; False if it is to be
        started again."""
        reported, looked = -1, time.monotonic()
        while not query.awaitTermination(_POLL_SECONDS):
            reported = self._report(query, reported)
            if self._ends_early and reported >= 0 and not self._stop.is_set():
                query.stop()
                return False
            if self._lease.is_lost():
                query.stop()
                break
            if self._stop.is_set():
                self._finish_batch(query, reported)
                query.stop()
                break
            if self._wishes.continuous and time.monotonic() - looked > _TOPIC_SECONDS:
                looked = time.monotonic()
                try:
                    self._check_topic()
                except IngestionError:
                    query.stop()
                    raise
        self._report(query, reported)
        self._check_lease()
        if self._stop.is_set():
            return True
        self._check_topic()
        if self._wishes.continuous or not checkpoints.has_reached(self._checkpoint, self._goal):
            raise IngestionError(
                f"Feed {self.feed.name}: the query was stopped from outside before it had read "
                "all. Start ingestion again; it resumes where it was."
            )
        return True

    def _check_topic(self) -> None:
        if self._topic is not None:
            self._topic.check_same()

    def _report(self, query: StreamingQuery, reported: int) -> int:
        """Log micro-batches newer than `reported`; returns the newest one."""
        newest = query.lastProgress
        if newest is None:
            return reported
        self._failures = 0  # a trigger went well, even if there was nothing to read
        self._telemetry.lag(self.feed.name, lag_of(json.loads(newest.json)))
        if newest.batchId <= reported:
            return reported
        for progress in query.recentProgress:
            batch = batch_of(self.feed.name, json.loads(progress.json), self._first)
            if batch is not None and batch.number > reported:
                reported = batch.number
                self.rows += batch.rows
                log.info("%s", batch)
                self._telemetry.batch(batch)
        return reported

    def _finish_batch(self, query: StreamingQuery, reported: int) -> None:
        end = time.monotonic() + _STOP_SECONDS
        while query.isActive and query.status["isTriggerActive"] and time.monotonic() < end:
            if _newest(query) > reported:
                return
            time.sleep(0.1)


def _newest(query: StreamingQuery) -> int:
    progress = query.lastProgress
    return -1 if progress is None else int(progress.batchId)


def _first_line(error: Exception) -> str:
    """What went wrong, without stack traces and plans."""
    text = str(error).strip()
    cause = re.findall(r"(?:Caused by|org\.apache\.kafka[\w.]*Exception): ?([^\n]+)", text)
    first = text.splitlines()[0] if text else ""
    parts = [type(error).__name__, first[:300], *(c[:200] for c in cause[-1:] if c not in first)]
    return ": ".join(part for part in parts if part)
