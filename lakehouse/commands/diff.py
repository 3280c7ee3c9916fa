"""`lakehouse diff A B`: how the tables of two schemas or workspaces differ, without values."""

from __future__ import annotations

import argparse
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from lakehouse.commands import Subparsers
from lakehouse.home import Home


def register(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "diff",
        help="compare the tables of two schemas or workspaces (exit 1 if they differ)",
        description="Compares tables of the same name by their declared keys: rows that one side "
        "alone has, rows whose columns differ, and how many in each column. Shows no value. "
        "Tables without a key are compared as whole rows, views not at all.",
    )
    for name in ("a", "b"):
        parser.add_argument(
            name,
            metavar=name.upper(),
            help="the folder of a workspace (with a / in it), or schema or catalog.schema",
        )
    parser.add_argument("--markdown", action="store_true", help="write a table in Markdown")
    parser.add_argument(
        "--databricks",
        action="store_true",
        help="compare on the SQL warehouse that DATABRICKS_HOST, DATABRICKS_HTTP_PATH and "
        "DATABRICKS_TOKEN name, instead of the local one",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from lakehouse import diff

    with _connection(args.databricks) as opened, opened.cursor() as cursor:

        def side(name: str) -> diff.Side:
            return diff.of_home(Path(name)) if "/" in name else diff.of_schema(cursor, name)

        a, b = side(args.a), side(args.b)
        found = diff.differences(cursor, a, b)
    print("\n".join(diff.report(found, a, b, args.markdown)))
    return 0 if all(one.same for one in found) and a.tables.keys() == b.tables.keys() else 1


def _connection(databricks: bool) -> AbstractContextManager[Any]:
    from lakehouse.warehouse import connection, databricks_connection

    return databricks_connection() if databricks else connection(Home.from_environment())
