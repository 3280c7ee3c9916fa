"""`lakehouse maintain`: compact small files and remove old ones; bronze's also beside a stream."""

from __future__ import annotations

import argparse

from lakehouse.commands import Subparsers
from lakehouse.home import SCHEMAS, Home

_LEAST_DAYS, _DAYS = 7, 30


def register(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "maintain", help="compact small files and remove files older than 30 days"
    )
    parser.add_argument(
        "--schema",
        action="append",
        choices=SCHEMAS,
        help="tables of this schema (default: bronze); silver and gold only while no build runs",
    )
    parser.add_argument(
        "--files", type=int, default=32, metavar="N", help="compact tables of N or more small files"
    )
    parser.add_argument(
        "--days",
        type=int,
        default=_DAYS,
        help="keep files that a version of so many days ago needs (%(default)s, at least 7)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from ingestion.maintenance import maintain, states
    from lakehouse.warehouse import spark_session

    hours = max(_LEAST_DAYS, args.days) * 24  # Delta itself refuses less
    compacted = 0
    with spark_session(Home.from_environment()) as spark:
        for schema in args.schema or ("bronze",):
            compacted += maintain(spark, "", hours, schema=schema, many_files=args.files)
            for state in states(spark, schema=schema):
                shown = state.table if schema == "bronze" else f"{schema}.{state.table}"
                print(f"{shown:<18} {state.files:>6} files {state.size_bytes:>12} bytes")
    print(f"{compacted} tables compacted")
    return 0
