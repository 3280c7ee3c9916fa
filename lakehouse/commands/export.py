"""`lakehouse export`: all that is held of persons, for access requests."""

from __future__ import annotations

import argparse
import sys

from lakehouse.commands import Subparsers
from lakehouse.commands.forget import asked_ids
from lakehouse.home import Home


def register(subparsers: Subparsers) -> None:
    """Add the command to the parser of `lakehouse`."""
    parser = subparsers.add_parser(
        "export",
        help="write all that is held of the persons whose user ids come on standard input",
        description="Reads user ids from standard input as `forget` does, and writes every row of "
        "bronze, silver, the snapshot and gold that is about these persons to standard output, one "
        "a line, as JSON: user_id, table, row. A file that this is led to becomes its owner's "
        "alone. An id that no record names is refused, before the first row.",
    )
    parser.set_defaults(run=run)


def run(_: argparse.Namespace) -> int:
    """Write; raises WorkspaceError for an unknown id."""
    from ingestion import erasure
    from lakehouse import workspace
    from lakehouse.warehouse import spark_session

    home = Home.from_environment()
    workspace.require_up(home)
    ids = asked_ids()
    with spark_session(home) as spark:
        unread = erasure.export(spark, ids, sys.stdout)
    if unread:
        print(
            f"{unread} records wait for `dbt build` and were not looked at: build and export again "
            "if they matter.",
            file=sys.stderr,
        )
    return 0
