"""Corrects `ingested_at` where the clock of the ingesting host was wrong.

A record is rejected for good if its event lies a day or more after its arrival: a host whose clock
is behind rejects what is right, one that is ahead accepts what is not. Nothing but the operator
knows by how much it was wrong, so that is what is given; the rows stay as they are otherwise, and
the history of each table keeps what was done. `bronze.ingestion_batches` is left as it was written:
it shows what the clock said then.
"""

# ruff: noqa: S608  (the names in the statements are this package's own)
from __future__ import annotations

import argparse
import json
import logging
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ingestion.config import Config, load
from ingestion.feeds import FEEDS, FILE_FEEDS, KAFKA_FEEDS, IngestionError
from ingestion.lease import held
from ingestion.literals import literal

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

log = logging.getLogger(__name__)

_NOTE = "spark.databricks.delta.commitInfo.userMetadata"
_SHIFT = re.compile(r"([+-]?)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)


@dataclass(frozen=True)
class Correction:
    """Arrivals in [`start`, `end`), as the wrong clock told them, happened `shift` later."""

    start: datetime
    end: datetime
    shift: timedelta

    def check(self) -> None:
        """Raise IngestionError unless it can be meant."""
        if not self.shift:
            raise IngestionError("A shift of nothing corrects nothing: give one, such as 2d3h.")
        if self.start >= self.end:
            raise IngestionError("--from lies after --to, or is the same: give the earlier first.")

    @property
    def note(self) -> str:
        return json.dumps(
            {
                "clock": {
                    "from": self.start.isoformat(),
                    "to": self.end.isoformat(),
                    "seconds": self.shift.total_seconds(),
                }
            }
        )


def correct(
    spark: SparkSession, catalog: str, correction: Correction, *, dry_run: bool
) -> dict[str, int]:
    """Correct the arrivals of all feeds; returns rows by table. Once: what a table's history shows
    as done is not done again.

    Raises IngestionError, before anything is changed, if a row would then have arrived in the
    future. Nobody may ingest meanwhile.
    """
    from ingestion import bronze, commits  # Spark's client takes a second to import

    rows = {}
    for feed in (*KAFKA_FEEDS, *FILE_FEEDS):
        table = bronze.table_name(feed.table, catalog)
        if commits.has_note(spark, table, correction.note):
            log.info("%s is corrected already", feed.table)
            continue
        count, late = spark.sql(
            f"select count(*), count_if(ingested_at + {_interval(correction)} > "
            f"current_timestamp()) from {table} where {_window(correction)}"
        ).collect()[0]
        if late:
            raise IngestionError(
                f"{late} rows of {feed.table} would have arrived in the future: is the shift "
                "right, and is this machine's clock right by now? Nothing was changed."
            )
        rows[feed.table] = count
    if dry_run:
        return rows
    try:
        spark.conf.set(_NOTE, correction.note)
        for name, count in rows.items():
            if count:
                spark.sql(
                    f"update {bronze.table_name(name, catalog)} "
                    f"set ingested_at = ingested_at + {_interval(correction)} "
                    f"where {_window(correction)}"
                )
    finally:
        spark.conf.unset(_NOTE)
    return rows


def _window(correction: Correction) -> str:
    start, end = literal(correction.start), literal(correction.end)
    return f"ingested_at >= {start} and ingested_at < {end}"


def _interval(correction: Correction) -> str:
    return f"make_dt_interval(0, 0, 0, {correction.shift.total_seconds():.0f})"


def shift_of(text: str) -> timedelta:
    """`2d3h`, `-45m`, `90s`. Raises ValueError for anything else."""
    found = _SHIFT.fullmatch(text.replace(" ", ""))
    if found is None or not any(found.groups()[1:]):
        raise ValueError(text)
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups()[1:])
    shift = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    return -shift if found[1] == "-" else shift


def moment_of(text: str) -> datetime:
    """ISO 8601, in UTC unless it says otherwise. Raises ValueError for anything else."""
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    for name, dest, what in (("--from", "start", "first"), ("--to", "end", "end of the")):
        parser.add_argument(
            name,
            dest=dest,
            type=moment_of,
            required=True,
            metavar="TIME",
            help=f"{what} wrong ingested_at, as it stands in bronze (ISO 8601, UTC)",
        )
    parser.add_argument(
        "--shift",
        type=shift_of,
        required=True,
        metavar="TIME",
        help="how far the clock was behind, such as 2d3h; with a minus how far it was ahead "
        "(--shift=-45m)",
    )
    parser.add_argument("--dry-run", action="store_true", help="count the rows, change nothing")


def run(config: Config, args: argparse.Namespace) -> int:
    """Correct and tell; returns the exit code."""
    from ingestion import bronze, sessions

    correction = Correction(args.start, args.end, args.shift)
    try:
        correction.check()
        with (
            held(config, list(FEEDS)),
            sessions.session(config.spark_remote) as spark,
        ):
            bronze.create_tables(spark, config.catalog or None)
            rows = correct(spark, config.catalog, correction, dry_run=args.dry_run)
    except IngestionError as error:
        print(error, file=sys.stderr)
        return 1
    counts = ", ".join(f"{name} {count:,}" for name, count in rows.items())
    print(f"{counts or 'nothing'} {'would be' if args.dry_run else 'was'} corrected")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0, or 1 after a fault that is told in one sentence."""
    parser = argparse.ArgumentParser(prog="python -m ingestion.clock", description=__doc__)
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings (TOML)")
    add_arguments(parser)
    args = parser.parse_args(arguments)
    try:
        return run(load(os.environ, args.config), args)
    except IngestionError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
