"""`lakehouse maintain`: compact bronze's small files and remove old ones, also beside a stream."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from local.home import Home

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def register(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "maintain", help="compact bronze's small files and remove files older than 30 days"
    )
    parser.set_defaults(run=run)


def run(_: argparse.Namespace) -> int:
    from ingestion.care import care, states
    from local.warehouse import spark_session

    with spark_session(Home.from_environment()) as spark:
        compacted = care(spark)
        for state in states(spark):
            print(f"{state.table:<18} {state.files:>6} files {state.size_bytes:>12} bytes")
    print(f"{compacted} tables compacted")
    return 0
