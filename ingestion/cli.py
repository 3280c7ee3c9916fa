"""Command line: `python -m ingestion`, `fitbit-ingest`, and what `lakehouse ingest` hands on."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from ingestion.config import Config, load
from ingestion.feeds import (
    ENVELOPE_FEEDS,
    FEEDS,
    FILE_FEEDS,
    JDBC_FEEDS,
    KAFKA_FEEDS,
    Feed,
    IngestionError,
    select,
)
from ingestion.landing import Folder

log = logging.getLogger("ingestion")


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 if all went well. Raises SystemExit with 1 after a fault, 2 for wrong usage.

    It raises because Databricks, which calls it for a wheel task, takes any return for success.
    """
    parser = argparse.ArgumentParser(prog="fitbit-ingest", description=__doc__)
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings (TOML)")
    add_arguments(parser)
    args = parser.parse_args(arguments)
    try:
        config = load(os.environ, args.config)
    except IngestionError as error:
        print(error, file=sys.stderr)
        raise SystemExit(1) from None
    if code := ingest(config, args):
        raise SystemExit(code)
    return 0


def job() -> None:
    """Entry point of a Databricks wheel task, which heeds exceptions and no return value."""
    if code := main():
        raise SystemExit(code)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--continuous", action="store_true", help="go on until SIGTERM; else drain and end"
    )
    parser.add_argument(
        "--feed", action="append", metavar="NAME", choices=FEEDS, help="this feed only; may repeat"
    )
    parser.add_argument(
        "--accept-data-loss",
        action="store_true",
        help="go on though Kafka dropped records unread; the gap is recorded",
    )
    parser.add_argument(
        "--new-topic", action="store_true", help="read topics that were created anew, as new ones"
    )


def ingest(config: Config, args: argparse.Namespace) -> int:
    """Run the feeds; SIGTERM and SIGINT end them after the micro-batch. Returns the exit code."""
    # Spark's client takes a second to import: not for --help or a wrong setting.
    from ingestion.runner import run
    from ingestion.topics import RunOptions

    _log_to_stderr(config)
    stop = threading.Event()
    if threading.current_thread() is threading.main_thread():  # a platform may own it
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
    options = RunOptions(args.continuous, args.accept_data_loss, args.new_topic)
    started = time.monotonic()
    try:
        rows = run(config, feeds_of(config, args.feed, options.continuous), options, stop)
    except IngestionError as error:
        log.error("%s", error)
        return 1
    except Exception:
        log.exception("ingestion ended by an unexpected fault")
        return 1
    counts = " ".join(f"{name}={count}" for name, count in rows.items())
    log.info("done seconds=%.1f %s", time.monotonic() - started, counts)
    return 0


def feeds_of(config: Config, named: list[str] | None, continuous: bool) -> list[Feed]:
    """The feeds that were asked for; by default all that may have something to read."""
    names = named or list(config.feeds)
    if names:
        return select(names)
    # While it runs without an end, files may land anywhere.
    landed = [
        feed
        for feed in ENVELOPE_FEEDS
        if continuous or _has_files(Path(config.landing) / feed.folder)
    ]
    pulled = [feed for feed in JDBC_FEEDS if f"{feed.table}.table" in config.jdbc]
    return [*KAFKA_FEEDS, *FILE_FEEDS, *landed, *pulled]


def _has_files(folder: Path) -> bool:
    return folder.exists() and bool(Folder(folder).files())


class _Redacting(logging.Formatter):
    """Shows no secret, neither in messages nor in stack traces."""

    converter = time.gmtime  # type: ignore[assignment]  # as the standard library's documents it

    def __init__(self, config: Config) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
        self._config = config

    def format(self, record: logging.LogRecord) -> str:
        return self._config.redact(super().format(record))


def _log_to_stderr(config: Config) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Redacting(config))
    log.handlers = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False


if __name__ == "__main__":
    raise SystemExit(main())
