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
    from ingestion import sessions
    from ingestion.care import care, states
    from ingestion.feeds import IngestionError
    from local.home import WorkspaceError

    try:
        with sessions.session(Home.from_environment().connect_url) as spark:
            # VACUUM lists folders with this many tasks: by default 10,000, for a cluster.
            spark.conf.set("spark.sql.sources.parallelPartitionDiscovery.parallelism", "4")
            compacted = care(spark)
            for state in states(spark):
                print(f"{state.table:<18} {state.files:>6} files {state.size_bytes:>12} bytes")
    except IngestionError as error:
        raise WorkspaceError(str(error)) from error
    print(f"{compacted} tables compacted")
    return 0
