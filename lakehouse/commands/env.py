"""`lakehouse env`: shell exports that lead other programs to this workspace, secrets among them."""

from __future__ import annotations

import argparse
import shlex

from lakehouse import kafka
from lakehouse.commands import Subparsers
from lakehouse.home import Home


def register(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "env", help='print the workspace\'s variables for `eval "$(lakehouse env)"`'
    )
    parser.set_defaults(run=run)


def run(_: argparse.Namespace) -> int:
    home = Home.from_environment()
    variables = {
        **home.environment(),
        "LAKEHOUSE_TOKEN": home.token,
        "LAKEHOUSE_KAFKA_BOOTSTRAP": home.kafka_bootstrap,
        "LAKEHOUSE_KAFKA_USER": kafka.USER,
        "LAKEHOUSE_KAFKA_PASSWORD": home.token,
        "LAKEHOUSE_KAFKA_PROPERTIES": str(kafka.client_file(home)),
    }
    for name, value in variables.items():
        print(f"export {name}={shlex.quote(value)}")
    return 0
