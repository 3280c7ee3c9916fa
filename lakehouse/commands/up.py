"""`lakehouse up`: start the workspace, or what of it does not run."""

from __future__ import annotations

import argparse
import sys
import time

from lakehouse.commands import Subparsers
from lakehouse.home import Home


def register(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "up", help="start Kafka, Spark and the SQL endpoint; harmless if they run"
    )
    parser.set_defaults(run=run)


def run(_: argparse.Namespace) -> int:
    from lakehouse import workspace

    home = Home.from_environment()
    begin = time.monotonic()

    def tell(what: str) -> None:
        print(f"{time.monotonic() - begin:6.1f} s  {what}", file=sys.stderr)

    workspace.up(home, tell)
    print(
        f"The workspace in {home.root} is up: SQL {home.endpoint_url}, "
        f"Kafka {home.kafka_bootstrap}."
    )
    return 0
