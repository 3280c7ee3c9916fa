"""`lakehouse env`: shell exports that lead other programs to this workspace."""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING

from local.home import Home

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def register(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "env", help='print the workspace\'s variables for `eval "$(lakehouse env)"`'
    )
    parser.set_defaults(run=run)


def run(_: argparse.Namespace) -> int:
    for name, value in Home.from_environment().environment().items():
        print(f"export {name}={shlex.quote(value)}")
    return 0
