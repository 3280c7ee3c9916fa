"""`lakehouse clock`: corrects when records arrived, where this machine's clock was wrong."""

from __future__ import annotations

import argparse
import sys

from ingestion import clock
from ingestion.feeds import IngestionError
from lakehouse.commands import Subparsers


def register(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "clock",
        help="correct the arrival of records that came while this machine's clock was wrong",
        description="Moves ingested_at of the rows in bronze that arrived between two times as the "
        "wrong clock told them. The next dbt build judges these records anew. Nobody may ingest "
        "meanwhile. What was done is in the tables' histories, and is not done twice.",
    )
    clock.add_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from lakehouse.commands.ingest import load_config

    try:
        return clock.run(load_config(), args)
    except IngestionError as error:
        print(error, file=sys.stderr)
        return 1
