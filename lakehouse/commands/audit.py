"""`lakehouse audit`: are bronze's offsets complete and single; what do silver and gold contain?"""

from __future__ import annotations

import argparse
import sys

from lakehouse.commands import Subparsers
from lakehouse.home import Home


def register(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "audit",
        help="compare bronze with Kafka's offsets and the landing folders (exit 1 if records are "
        "missing or twice, or files cannot be read)",
    )
    parser.add_argument(
        "--content",
        action="store_true",
        help="instead: rows and an order-free hash of every table of silver and gold",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    return _content() if args.content else _offsets()


def _content() -> int:
    from lakehouse.content import contents
    from lakehouse.warehouse import connection

    with connection(Home.from_environment()) as opened, opened.cursor() as cursor:
        for content in contents(cursor):
            print(f"{content.hash}  {content.rows:>10}  {content.table}")
    return 0


def _offsets() -> int:
    from ingestion import sessions
    from ingestion.audit import audit
    from ingestion.feeds import IngestionError
    from ingestion.filereader import waiting
    from lakehouse.commands.ingest import load_config

    try:
        config = load_config()
        with sessions.session(config.spark_remote) as spark:
            lines = audit(spark, config)
            files = waiting(spark, config)
    except IngestionError as error:
        print(f"lakehouse: {error}", file=sys.stderr)
        return 1
    shown = "feed epoch partition first last rows repeats missing accepted unread"
    columns = shown.split()
    print("  ".join(f"{column:>9}" for column in columns))
    for line in lines:
        cells = (getattr(line, column) for column in columns)
        mark = "" if line.sound else "  <-- not sound"
        mark += " (the broker has another topic now)" if line.another_topic else ""
        print("  ".join(f"{'-' if c is None else c:>9}" for c in cells) + mark)
    unsound = sum(not line.sound for line in lines)
    unread = sum(line.unread or 0 for line in lines)
    for one in files:
        print(f"files not read yet, {one}")
    print(f"{unsound} partitions not sound, {unread} records not read yet")
    return 1 if unsound or any(one.unreadable for one in files) else 0
