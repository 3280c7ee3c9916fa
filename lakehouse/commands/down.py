"""`lakehouse down`: stop the workspace; its data stays."""

from __future__ import annotations

import argparse
import sys

from lakehouse.commands import Subparsers
from lakehouse.home import Home


def register(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser("down", help="stop the workspace; its data stays")
    parser.set_defaults(run=run)


def run(_: argparse.Namespace) -> int:
    from lakehouse import workspace

    home = Home.from_environment()
    stopped = workspace.down(home, lambda what: print(what, file=sys.stderr))
    print(f"The workspace in {home.root} is down." if stopped else "Nothing was running.")
    return 0
