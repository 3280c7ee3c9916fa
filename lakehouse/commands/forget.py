"""`lakehouse forget`: erase persons from bronze, silver, the snapshot and gold."""

from __future__ import annotations

import argparse
import sys

from lakehouse.commands import Subparsers
from lakehouse.home import Home, WorkspaceError

_OUTSIDE = """Not erased, since it lies outside of what this command reaches:
  - Kafka, where others run it: records stay until the topics' retention ends, or
    `kafka-delete-records` removes them;
  - the source: databases and extracts still hold the person, and would send the rows again
    (they would stay out: the suppression list knows them);
  - backups and copies of this workspace, results that were exported, and what lies elsewhere."""
_OLD_FILES = """  - old versions of tables, landed files, Kafka's files, all logs and artifacts:
    `lakehouse forget --vacuum`, without ids or with them, removes what is left of the person."""


def register(subparsers: Subparsers) -> None:
    """Add the command to the parser of `lakehouse`."""
    parser = subparsers.add_parser(
        "forget",
        help="erase the persons whose user ids come on standard input",
        description="Reads user ids from standard input, one a line (as a JSON string where one "
        'cannot be typed: "a\\u0000b"), and erases these persons '
        "from bronze, silver, the snapshot and gold; events that still arrive stay out. May be "
        "run again, also after an interruption. With no ids it completes earlier erasures: it "
        "empties in bronze what has arrived of erased persons since. Ingestion must be stopped.",
    )
    parser.add_argument(
        "--vacuum",
        action="store_true",
        help="also remove old versions of all tables, their lines in landed files, what bronze has "
        "read of Kafka, all logs, and dbt's artifacts; restarts the workspace",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Erase; raises WorkspaceError for an unknown id (then nothing has changed)."""
    from lakehouse import erasure, workspace

    home = Home.from_environment()
    workspace.require_up(home)
    ids = asked_ids()

    def tell(what: str) -> None:
        print(what, file=sys.stderr)

    with erasure.ingestion_stopped(home):
        if ids:
            erasure.suppress(home, ids, tell)
        erasure.take_out(home, tell)
        if args.vacuum:
            erasure.remove_traces(home, tell)
    print(f"{len(ids)} persons erased." if ids else "Earlier erasures are complete.")
    print(_OUTSIDE if args.vacuum else f"{_OUTSIDE}\n{_OLD_FILES}")
    return 0


def asked_ids() -> dict[str, int]:
    """The ids on standard input, with the number of their line. Raises WorkspaceError."""
    from ingestion.erasure import asked
    from ingestion.feeds import IngestionError

    if sys.stdin.isatty():
        print("User ids, one a line, then Ctrl-D:", file=sys.stderr)
    try:
        return asked(sys.stdin.buffer)
    except IngestionError as error:
        raise WorkspaceError(str(error)) from None
