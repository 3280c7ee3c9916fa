"""`lakehouse rebuild`: silver, the snapshot and gold, made anew from bronze."""

from __future__ import annotations

import argparse
import subprocess
from typing import Any

from lakehouse import dbt
from lakehouse.commands import Subparsers
from lakehouse.home import CHECKOUT, Home, WorkspaceError


def register(subparsers: Subparsers) -> None:
    """Add the command to the parser of `lakehouse`."""
    parser = subparsers.add_parser(
        "rebuild",
        help="drop silver, the snapshot and gold and build them from bronze",
        description="`dbt build --full-refresh` leaves snapshots alone; this drops all that the "
        "project makes, nobody's own tables, and runs `dbt build`. Refused while bronze no longer "
        "holds its whole history.",
    )
    parser.add_argument("dbt_arguments", nargs="*", help="passed on to `dbt build` (behind --)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Drop and build; returns dbt's exit code."""
    from lakehouse.warehouse import connection

    home = Home.from_environment()
    with connection(home) as opened, opened.cursor() as cursor:
        refuse_if_trimmed(cursor)
        nodes = {
            file.stem
            for pattern in ("models/**/*.sql", "snapshots/*.yml", "seeds/**/*.csv")
            for file in CHECKOUT.glob(pattern)
        }
        for schema in ("gold", "silver"):
            _drop(cursor, schema, nodes)
    command = dbt.command("build", *args.dbt_arguments)
    return subprocess.run(command, env=dbt.environment(home), check=False).returncode


def _drop(cursor: Any, schema: str, nodes: set[str]) -> None:
    """Drop the tables and views of these nodes from a schema, whatever state they are in."""
    cursor.execute(f"create schema if not exists {schema}")
    cursor.execute(f"show views in {schema}")
    views = {row[1] for row in cursor.fetchall()}
    cursor.execute(f"show tables in {schema}")
    for name in sorted(nodes & {row[1] for row in cursor.fetchall()}):
        cursor.execute(f"drop {'view' if name in views else 'table'} {schema}.{name}")


def refuse_if_trimmed(cursor: Any) -> None:
    """Raises WorkspaceError if a bronze table holds fewer records than staging took from it."""
    from ingestion.persons import PLACES

    cursor.execute("create schema if not exists silver")
    cursor.execute("show tables in silver")
    built = {row[1] for row in cursor.fetchall()}
    for bronze, staging in ((place.feed, place.staging) for place in PLACES):
        if staging not in built:
            continue
        held, taken = _count(cursor, f"bronze.{bronze}"), _count(cursor, f"silver.{staging}")
        if held < taken:
            raise WorkspaceError(
                f"bronze.{bronze} has lost {taken - held} of the {taken} records that silver was "
                "built from, so a rebuild would lose what silver and gold know of them: restore "
                "bronze first."
            )


def _count(cursor: Any, table: str) -> int:
    cursor.execute(f"select count(*) from {table}")  # noqa: S608 - names from above
    return int(cursor.fetchone()[0])
