"""Runs the feeds side by side, each by its own way of reading, restarted with bounded back-off."""

from __future__ import annotations

import itertools
import logging
import re
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from ingestion import bronze, jdbc, progress, sessions
from ingestion.batches import Batch
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
from ingestion.streaming import TopicStream
from ingestion.telemetry import Telemetry
from ingestion.topics import RunOptions

log = logging.getLogger(__name__)

_LONGEST_PAUSE_POWER = 6  # of 2 seconds
_WRITE_SECONDS = 30.0
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
_SPARK_GONE = re.compile(r"StatusCode\.UNAVAILABLE|RETRIES_EXCEEDED|INVALID_HANDLE", re.IGNORECASE)


def run(
    config: Config, feeds: list[Feed], options: RunOptions, stop: threading.Event
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
            known = progress.known_topics(spark, config.catalog)
        telemetry = Telemetry()
        if options.continuous and config.metrics_port:
            telemetry.serve(config.metrics_port)
        pool = stack.enter_context(ThreadPoolExecutor(len(feeds), "feed"))
        runs = [
            FeedRun(config, feed, lease, known.get(feed.name), options, stop, telemetry)
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


@dataclass
class FeedRun:
    """One feed from its start to its end, with restarts. `rows` counts what it wrote.

    `known`: the topic that was read before, None if none was.
    """

    config: Config
    feed: Feed
    lease: Lease
    known: progress.KnownTopic | None
    options: RunOptions
    stop: threading.Event
    telemetry: Telemetry
    rows: int = 0
    restarts: int = 0
    failures: int = 0  # in a row
    stream: TopicStream | None = None

    def __post_init__(self) -> None:
        if isinstance(self.feed, KafkaFeed):
            self.stream = TopicStream(
                *(self.config, self.feed, self.lease, self.known, self.options, self.stop),
                *(self.telemetry, self._note),
            )

    def run(self) -> None:
        """Raises IngestionError if the feed cannot go on."""
        try:
            with sessions.session(self.config.spark_remote, self.lease.session_id) as spark:
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
            self.lease.give_back()

    def _attempt(self, spark: SparkSession) -> bool:
        """One start of the query; False if it failed and may be started again, after a pause."""
        try:
            self.lease.check()  # another process may have the checkpoint by now
            if self.stream is not None:
                return self.stream.run(spark)
            if isinstance(self.feed, JdbcFeed):
                self._pull(spark, self.feed)
            elif isinstance(self.feed, FileFeed | EnvelopeFeed):
                self._read_files(spark, self.feed)
            return True
        except Unreachable as error:
            # At the first start it is more likely a wrong setting than a broker that restarts.
            if self.stream is None or not self.stream.has_run:
                raise
            return self._pause(str(error))
        except PySparkException as error:
            reason = self.config.redact(_first_line(error))
            if _SPARK_GONE.search(f"{type(error).__name__} {error}"):
                raise IngestionError(
                    f"Feed {self.feed.name} lost its Spark session ({reason}): start Spark again "
                    "if it is down, then ingestion; it resumes where it was."
                ) from None
            if self.stream is not None and _ODD_TIME.search(str(error)):
                taken = self.stream.topic.pass_odd_times(spark, self.lease.check)
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
            self.telemetry.up(self.feed.name, False)

    def _pause(self, reason: str) -> bool:
        """Wait before the next start, longer each time; True if asked to stop meanwhile.

        Raises IngestionError if it has been started again often enough.
        """
        self.failures += 1
        if self.stream is not None:
            self.stream.is_first = True
        if self.options.continuous:
            enough = self.failures >= self.config.max_failures
        else:
            enough = self.restarts >= self.config.max_restarts
        if enough:
            raise IngestionError(self._cannot_go_on(reason))
        self.restarts += 1
        self.telemetry.restart(self.feed.name)
        pause = 2.0 ** min(self.failures, _LONGEST_PAUSE_POWER)
        log.warning("feed=%s restart=%d in=%.0fs: %s", self.feed.name, self.restarts, pause, reason)
        return self.stop.wait(pause)

    def _cannot_go_on(self, reason: str) -> str:
        if _OF_CHECKPOINT.search(reason):
            hint = (
                f"If its checkpoint {Path(self.config.checkpoints) / self.feed.name} is damaged, "
                "remove that folder: the feed resumes from bronze, without loss or repeats."
            )
        else:
            hint = "Mend that and start ingestion again: the feed resumes where it was."
        return f"Feed {self.feed.name} cannot go on: {reason}. {hint}"

    def _note(self, batches: Iterable[Batch]) -> None:
        """Micro-batches that went well; none, where there was nothing to read."""
        self.failures = 0
        for batch in batches:
            self.rows += batch.rows
            log.info("%s", batch)
            self.telemetry.batch(batch)

    def _pull(self, spark: SparkSession, feed: JdbcFeed) -> None:
        """Pull once or, with `continuous`, again and again."""
        if f"{feed.table}.table" not in self.config.jdbc:
            raise IngestionError(f"Feed {feed.name} needs '{feed.table}.table' in [jdbc].")
        interval = float(self.config.jdbc.get("interval_seconds", 300))
        for number in itertools.count():
            started_at, started = datetime.now(UTC), time.monotonic()
            self.telemetry.up(feed.name, True)
            found = jdbc.pull(spark, self.config, feed, self.lease.check)
            seconds = time.monotonic() - started
            self.rows += found.rows
            self.failures = 0
            log.info(
                "feed=%s rows=%d deletes=%d seconds=%.2f",
                *(feed.name, found.rows, found.deletes, seconds),
            )
            self.telemetry.batch(
                Batch(
                    *(feed.name, self.lease.session_id, number, found.rows, "", seconds),
                    started_at=started_at,
                )
            )
            if not self.options.continuous or self.stop.wait(interval):
                return

    def _read_files(self, spark: SparkSession, feed: FileFeed | EnvelopeFeed) -> None:
        """Read the files that bronze does not hold; with `continuous`, again and again."""
        reader = FileReader(
            *(spark, self.config, feed, self.lease.check), continuous=self.options.continuous
        )
        self.telemetry.up(feed.name, True)
        for number in itertools.count():
            started_at, started = datetime.now(UTC), time.monotonic()
            found = reader.read_some()
            if found is None:
                self._note([])
                if not self.options.continuous:
                    break
                if self.stop.wait(self.config.trigger_seconds):
                    return
                continue
            batch = Batch(
                *(feed.name, self.lease.session_id, number, found.rows),
                offsets=f"files:{found.files}",
                seconds=time.monotonic() - started,
                started_at=started_at,
                newest_record_at=found.newest,
            )
            self._note([batch])
            if self.stop.is_set():
                return
        reader.check_all_read()


def _first_line(error: Exception) -> str:
    """What went wrong, without stack traces and plans."""
    text = str(error).strip()
    cause = re.findall(r"(?:Caused by|org\.apache\.kafka[\w.]*Exception): ?([^\n]+)", text)
    first = text.splitlines()[0] if text else ""
    parts = [type(error).__name__, first[:300], *(c[:200] for c in cause[-1:] if c not in first)]
    return ": ".join(part for part in parts if part)
