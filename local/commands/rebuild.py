"""`lakehouse rebuild`: silver, the snapshot and gold, made anew from bronze."""

from __future__ import annotations

import argparse
import subprocess
from typing import TYPE_CHECKING, Any

from local import dbt
from local.home import Home, WorkspaceError

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

# Set on a bronze table by whoever deletes old records from it.
TRIMMED = "fitbit.trimmed_before"
_BRONZE = ("user_info", "bpm", "workout", "registered_users", "gym_logins")


def register(subparsers: Subparsers) -> None:
    """Add the command to the parser of `lakehouse`."""
    parser = subparsers.add_parser(
        "rebuild",
        help="drop silver, the snapshot and gold and build them from bronze",
        description="`dbt build --full-refresh` leaves snapshots alone; this drops both schemas "
        "and runs `dbt build`. Refused while bronze no longer holds its whole history.",
    )
    parser.add_argument("dbt_arguments", nargs="*", help="passed on to `dbt build` (behind --)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Drop and build; returns dbt's exit code."""
    from local.warehouse import connection

    home = Home.from_environment()
    with connection(home) as opened, opened.cursor() as cursor:
        refuse_if_trimmed(cursor)
        for schema in ("gold", "silver"):
            cursor.execute(f"drop schema if exists {schema} cascade")
            cursor.execute(f"create schema {schema}")
    command = dbt.command("build", *args.dbt_arguments)
    return subprocess.run(command, env=dbt.environment(home), check=False).returncode


def refuse_if_trimmed(cursor: Any) -> None:
    """Raises WorkspaceError if a bronze table has lost records to retention."""
    for table in _BRONZE:
        cursor.execute(f"show tblproperties bronze.{table}")
        trimmed = dict(map(tuple, cursor.fetchall())).get(TRIMMED)
        if trimmed:
            raise WorkspaceError(
                f"bronze.{table} holds nothing from before {trimmed} any more, so a rebuild would "
                "lose what silver and gold know of that time; restore bronze first."
            )
