"""`lakehouse land FEED FILE…`"""

from __future__ import annotations

import argparse
from pathlib import Path

from lakehouse.commands import Subparsers
from lakehouse.home import Home, WorkspaceError
from lakehouse.landing import FEEDS, land, landed_name


def register(subparsers: Subparsers) -> None:
    """Add the command to the parser of `lakehouse`."""
    parser = subparsers.add_parser(
        "land",
        help="put files into a feed's landing folder",
        description="Copies files into landing/<feed>/ of the workspace, each under a unique name "
        "and visible only when it is whole. Ingestion reads it with its next run. A topic's name "
        "is for files of Kafka Connect's file sink.",
    )
    parser.add_argument("feed", choices=FEEDS, metavar="FEED", help=", ".join(FEEDS))
    parser.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help=".csv, .ndjson, .jsonl or .json, each also with .gz",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Land all files or, if one of them cannot be, none."""
    home = Home.from_environment()
    for path in args.files:
        if not path.is_file():
            raise WorkspaceError(f"{path}: that is no file.")
        landed_name(path.name)
    for path in args.files:
        print(land(home, args.feed, path))
    return 0
