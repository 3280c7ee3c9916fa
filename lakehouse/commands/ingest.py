"""`lakehouse ingest`: runs `ingestion` on the workspace."""

from __future__ import annotations

import argparse
import os
import sys

from ingestion import cli
from ingestion.config import Config, load
from ingestion.feeds import IngestionError
from lakehouse import kafka
from lakehouse.commands import Subparsers
from lakehouse.home import Home
from lakehouse.workspace import require_own


def register(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "ingest", help="take what is in Kafka and the landing folders into bronze"
    )
    cli.add_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    try:
        config = load_config()
    except IngestionError as error:
        print(error, file=sys.stderr)
        return 1
    return cli.ingest(config, args)


def load_config() -> Config:
    """Settings from the environment, on top of those of this workspace.

    Raises IngestionError for a wrong setting, WorkspaceError if another workspace answers here.
    """
    home = Home.from_environment()
    require_own(home, "spark")
    return load(os.environ, base=config_of(home))


def config_of(home: Home) -> Config:
    """Settings that lead ingestion to a workspace."""
    return Config(
        landing=str(home.landing),
        checkpoints=str(home.checkpoints),
        leases=str(home.leases),
        spark_remote=home.connect_url,
        metrics_port=home.metrics_port,
        kafka=kafka.client_settings(home),
    )
