"""`lakehouse dashboard`: the AI/BI dashboard as a file that any browser opens."""

from __future__ import annotations

import argparse
import datetime
import webbrowser
from pathlib import Path

from lakehouse.commands import Subparsers
from lakehouse.home import Home, WorkspaceError


def register(subparsers: Subparsers) -> None:
    """Add the command to the parser of `lakehouse`."""
    parser = subparsers.add_parser(
        "dashboard",
        help="write the dashboard as one HTML file",
        description="Runs the SQL of dashboards/fitbit.lvdash.json on the SQL endpoint and writes "
        "one HTML file that needs no server and no network. None of its rows is about fewer than 5 "
        "members. Heart rates through a member's day are personal data and go to a file of their "
        "own, .members.html at its end.",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="where to write it; without it, dashboard/fitbit.html in the workspace's folder",
    )
    parser.add_argument(
        "--members",
        nargs="+",
        default=[],
        metavar="ID",
        help="members whose days to write to the file beside it: personal data",
    )
    parser.add_argument("--open", action="store_true", help="open what was written in the browser")
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing: check the definition, with its SQL, against gold",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the pages, or check the definition; returns an exit code."""
    home = Home.from_environment()
    if args.check:
        return check(home)
    out = args.out or default_path(home)
    written = write(home, out.expanduser().absolute(), args.members)
    for path in written:
        print(path)
    if args.open:
        for path in written:
            webbrowser.open(path.as_uri())
    return 0


def default_path(home: Home) -> Path:
    """Where the dashboard goes if nobody says where."""
    return home.root / "dashboard" / "fitbit.html"


def write(home: Home, out: Path, members: list[str]) -> list[Path]:
    """Write the dashboard, and the members' file if there are members; returns the paths.

    Raises WorkspaceError if gold is not there, or does not know one of the members.
    """
    from databricks.sql import Error

    from lakehouse.dashboard import members as member_pages
    from lakehouse.dashboard import page, render
    from lakehouse.dashboard.definition import Definition
    from lakehouse.dashboard.sources import endpoint
    from lakehouse.jars import cache_folder

    definition = Definition.read()
    now = datetime.datetime.now(datetime.UTC)
    cache = cache_folder()
    beside = out.with_name(f"{out.stem}.members.html")
    try:
        with endpoint(home) as source:
            tables = render.read(definition, source)
            chosen = member_pages.read(source, members) if members else None
    except Error as error:
        raise _explained(error) from error
    try:
        if chosen is not None:
            text = member_pages.render(chosen, cache=cache, written_at=now)
            page.write(beside, text)
        text = render.render(
            definition,
            tables,
            cache=cache,
            members_file=beside.name if chosen is not None else None,
            written_at=now,
        )
        page.write(out, text)
    except OSError as error:
        raise WorkspaceError(f"{error.filename or out} cannot be written: {error.strerror}.") from (
            error
        )
    return [out, beside] if chosen is not None else [out]


def check(home: Home) -> int:
    """Print what the linter finds; 1 if it finds something."""
    from databricks.sql import Error

    from lakehouse.dashboard import lint
    from lakehouse.dashboard.definition import Definition
    from lakehouse.dashboard.sources import endpoint

    definition = Definition.read()
    columns: dict[str, list[str]] = {}
    findings: list[str] = []
    with endpoint(home) as source:
        for dataset in definition.datasets:
            try:
                columns[dataset.name] = list(source.query(f"{dataset.sql}\nLIMIT 0").columns)
            except Error as error:
                text = str(error).splitlines()[0]
                findings.append(f"dataset {dataset.name}: its SQL does not run: {text}")
    findings += lint.check(definition.raw, columns)
    for finding in findings:
        print(finding)
    if not findings:
        print("The definition has no faults.")
    return 1 if findings else 0


def _explained(error: Exception) -> WorkspaceError:
    text = str(error)
    if "TABLE_OR_VIEW_NOT_FOUND" in text or "SCHEMA_NOT_FOUND" in text:
        return WorkspaceError(
            "gold is not built yet, or is older than this dashboard: run `dbt build`, then again."
        )
    return WorkspaceError(f"the dashboard's SQL failed: {text.splitlines()[0]}")
