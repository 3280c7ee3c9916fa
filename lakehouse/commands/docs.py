"""`lakehouse docs`: dbt's documentation, lineage, freshness and runs as files without a server."""

from __future__ import annotations

import argparse
import html
import json
import shutil
import sys
import webbrowser
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from lakehouse import dbt, programs
from lakehouse.commands import Subparsers
from lakehouse.home import CHECKOUT, Home, WorkspaceError
from lakehouse.workspace import require_own

_ADVICE = "the workspace must be up"
_ENTITIES = CHECKOUT / "docs" / "images" / "entities.svg"
_STATES = {"pass": "fresh", "warn": "late", "error": "too late"}
_RUNS = """
    select
        max(started_at) as started_at,
        max(command) as command,
        max(run_seconds) as run_seconds,
        count_if(status = 'success') as built,
        count_if(status = 'nothing new') as unchanged,
        count_if(status = 'pass') as passed,
        concat_ws(', ', array_sort(collect_list(
            if(status in ('success', 'nothing new', 'pass'), null, concat(node, ' (', status, ')'))
        ))) as others
    from ops.runs
    group by run_id
    order by started_at desc
    limit 100
"""
_ARRIVALS = """
    select arrival_date, feed, received, rejected, late, newest_arrival_at, newest_event_at
    from gold.pipeline_health
    where arrival_date > (select max(arrival_date) from gold.pipeline_health) - 28
    order by arrival_date desc, feed
"""


def register(subparsers: Subparsers) -> None:
    """Add the command to the parser of `lakehouse`."""
    parser = subparsers.add_parser(
        "docs",
        help="write dbt's documentation and the column lineage as files",
        description="Runs `dbt docs generate` and dbt-colibri (without telemetry) on the "
        "workspace, which must be up, and writes index.html, lineage.html (column by column), "
        "freshness.html (of the sources, now and by day) and runs.html (of dbt).",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="where to write them; without it, docs/ in the workspace's folder",
    )
    parser.add_argument("--open", action="store_true", help="open index.html in the browser")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the files and print their paths."""
    home = Home.from_environment()
    out = (args.out or default_folder(home)).expanduser().absolute()
    written = write(home, out)
    for path in written:
        print(path)
    if args.open:
        webbrowser.open(written[0].as_uri())
    return 0


def default_folder(home: Home) -> Path:
    """Where the pages go if nobody says where."""
    return home.root / "docs"


def write(home: Home, out: Path) -> list[Path]:
    """Write the pages to a folder; returns their paths, the one to begin with first.

    dbt's artifacts stay beside them, in artifacts/. Raises WorkspaceError if a program fails.
    """
    from lakehouse.warehouse import connection

    require_own(home, "endpoint")
    artifacts, lineage = out / "artifacts", out / "artifacts" / "lineage"
    # The SQL and the lineage are those of whole models, not of what an incremental run adds to
    # them; of dbt's commands only `compile` can be asked for them. It writes the manifest anew.
    documented = dbt.in_one_process(
        [
            ["source", "freshness"],
            ["docs", "generate", "--no-compile"],
            ["compile", "--full-refresh"],
        ],
        *("--target-path", str(artifacts), "--log-path", str(home.logs / "docs")),
        "--no-use-colors",
    )
    programs.run("dbt", documented, home, _ADVICE)
    colibri = [
        *(str(Path(sys.executable).with_name("colibri")), "generate", "--disable-telemetry"),
        *("--manifest", str(artifacts / "manifest.json")),
        *("--catalog", str(artifacts / "catalog.json"), "--output-dir", str(lineage)),
    ]
    silent = {"DISABLE_COLIBRI_TELEMETRY": "1", "DO_NOT_TRACK": "1"}
    programs.run("colibri", colibri, home, _ADVICE, **silent)
    try:
        (out / "index.html").write_text(_static_page(artifacts), encoding="utf-8")
        shutil.copyfile(lineage / "index.html", out / "lineage.html")
        shutil.copyfile(_ENTITIES, out / _ENTITIES.name)
        sources = json.loads((artifacts / "sources.json").read_text(encoding="utf-8"))
        with connection(home) as opened, opened.cursor() as cursor:
            runs = _rows(cursor, "ops.runs", _RUNS)
            arrivals = _rows(cursor, "gold.pipeline_health", _ARRIVALS)
        (out / "freshness.html").write_text(_freshness(sources, arrivals), encoding="utf-8")
        (out / "runs.html").write_text(_runs(runs), encoding="utf-8")
    except OSError as error:
        raise WorkspaceError(f"{error.filename}: {error.strerror}.") from error
    return [out / name for name in ("index.html", "lineage.html", "freshness.html", "runs.html")]


def _static_page(artifacts: Path) -> str:
    """What `dbt docs generate --static` writes, of the artifacts as they are now."""
    page = (artifacts / "index.html").read_text(encoding="utf-8")
    for name in ("manifest.json", "catalog.json"):
        place = f'"{name.upper()} INLINE DATA"'
        if place not in page:
            raise WorkspaceError(f"dbt's page has no place for {name}: is it a newer dbt?")
        page = page.replace(place, (artifacts / name).read_text(encoding="utf-8"))
    return page


def _rows(cursor: Any, table: str, query: str) -> list[list[str]]:
    """What a query of a table gives, as text; nothing as long as the table is not there."""
    cursor.execute(
        "select 1 from system.information_schema.tables"
        " where concat(table_schema, '.', table_name) = :table",
        {"table": table},
    )
    if not cursor.fetchall():
        return []
    cursor.execute(query)
    return [[_text(value) for value in row] for row in cursor.fetchall()]


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return f"{value:.1f}" if isinstance(value, float) else "–" if value is None else str(value)


def _freshness(sources: dict[str, Any], arrivals: list[list[str]]) -> str:
    """A page of what `dbt source freshness` found, and what arrived on the last days."""
    now = ("Source", "Newest arrival (UTC)", "Hours ago", "Late after", "Too late after", "State")
    days = ("Day (UTC)", "Feed", "Received", "Rejected", "Late", "Newest arrival", "Newest event")
    return _page(
        "Freshness of the sources",
        f"As of {sources['metadata']['generated_at'][:16].replace('T', ' ')} UTC.",
        _table(now, sorted(_source(each) for each in sources["results"])),
        "<h2>By day of arrival</h2>",
        _table(days, arrivals),
    )


def _runs(runs: list[list[str]]) -> str:
    """A page of what dbt did."""
    heads = ("Start (UTC)", "Command", "Seconds", "Built", "Unchanged", "Passed", "Not passed")
    return _page(
        "Runs of dbt",
        "The last 100 that changed something or failed (ops.runs, a row per node and test).",
        _table(heads, runs),
    )


def _page(title: str, note: str, *parts: str) -> str:
    from lakehouse.dashboard.page import asset

    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title}</title><style>{asset('common.css')}</style><script>"
        "if (matchMedia('(prefers-color-scheme: dark)').matches)"
        " document.documentElement.dataset.theme = 'dark'</script></head>"
        f"<body><main><h1>{title}</h1><p>{html.escape(note)}"
        ' <a href="index.html">Models and columns</a></p>'
        f"{''.join(parts)}</main></body></html>\n"
    )


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = ["".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in rows]
    return (
        '<div class="widget"><div class="table"><table><thead><tr>'
        + "".join(f"<th>{head}</th>" for head in heads)
        + "</tr></thead><tbody>"
        + "".join(f"<tr>{row}</tr>" for row in cells)
        + "</tbody></table></div></div>"
    )


def _source(result: dict[str, Any]) -> list[str]:
    """Cells of a source; one without a row has neither arrival nor state."""
    name = ".".join(result["unique_id"].split(".")[-2:])
    criteria = result.get("criteria") or {}
    limits = [
        f"{limit['count']} {limit['period']}s" if limit else "–"
        for limit in (criteria.get("warn_after"), criteria.get("error_after"))
    ]
    if "max_loaded_at" not in result or result["max_loaded_at"] is None:
        return [name, "none yet", "–", *limits, "no rows"]
    arrived = result["max_loaded_at"][:16].replace("T", " ")
    hours = f"{result['max_loaded_at_time_ago_in_s'] / 3600:.1f}"
    return [name, arrived, hours, *limits, _STATES.get(result["status"], result["status"])]
