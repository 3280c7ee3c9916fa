"""The dashboard page: runs the definition's datasets and puts rows and definition in one file."""

from __future__ import annotations

import datetime
import html
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.dashboard import expressions, page
from local.dashboard.definition import CANVAS, MEMBER_COLUMNS, Definition, Json, is_personal
from local.dashboard.sources import Source, Table, plain

TITLE = "Fitbit lakehouse"


def read(definition: Definition, source: Source) -> dict[str, Table]:
    """Rows of every dataset that the page holds: all but those of one member."""
    return {
        dataset.name: source.query(dataset.sql)
        for dataset in definition.datasets
        if not dataset.is_personal
    }


def render(
    definition: Definition,
    tables: Mapping[str, Table],
    *,
    cache: Path,
    members_file: str | None = None,
    written_at: datetime.datetime | None = None,
) -> str:
    """The page. members_file: relative name of the members' own file, to point to."""
    as_of = max(
        (str(plain(d)) for t in tables.values() if "date" in t.columns for d in t.column("date")),
        default=None,
    )
    about = [
        f"newest event {as_of}" if as_of else "no events yet",
        f"written {written_at:%Y-%m-%d %H:%M}" if written_at else "",
    ]
    body = page.asset("dashboard.html")
    for name, text in {
        "TITLE": TITLE,
        "ABOUT": ", ".join(part for part in about if part) + " (UTC)",
    }.items():
        body = body.replace(f"%{name}%", html.escape(text))
    compiled = compile_definition(definition)
    return page.assemble(
        title=TITLE,
        body=body,
        styles=["common.css", "dashboard.css"],
        scripts=["elements.js", "query.js", "charts.js", "filters.js", "dashboard.js"],
        payloads={
            "definition": (
                "application/json",
                page.as_json({**compiled, "membersFile": members_file}),
            ),
            "data": ("application/json", page.as_json(without_ids(tables))),
        },
        cache=cache,
    )


def compile_definition(definition: Definition) -> Json:
    """What the page needs of the definition, with its expressions parsed.

    Raises expressions.ExpressionError for an expression that the page cannot evaluate.
    """
    measures = {dataset.name: dataset.measures for dataset in definition.datasets}
    pages: list[Json] = []
    for each in definition.pages:
        personal = is_personal(each)
        layout = [
            item if "spec" not in item["widget"] else _compiled(item, measures)
            for item in each["layout"]
            if not personal or "spec" not in item["widget"]
        ]
        kind = each.get("pageType", CANVAS)
        pages.append({**each, "pageType": kind, "layout": layout, "personal": personal})
    theme = definition.raw.get("uiSettings", {}).get("theme", {})
    return {"pages": pages, "palette": theme["visualizationColors"]}


def _compiled(item: Json, measures: Mapping[str, Mapping[str, str]]) -> Json:
    queries = []
    for query in item["widget"].get("queries", []):
        body = query["query"]
        fields = []
        for field in body["fields"]:
            tree = expressions.parse(field["expression"], measures.get(body["datasetName"]))
            fields.append(
                {
                    "name": field["name"],
                    "tree": tree,
                    "aggregates": expressions.is_aggregate(tree),
                    "least": max(expressions.least_members(tree, c) for c in MEMBER_COLUMNS),
                }
            )
        queries.append({**query, "query": {**body, "fields": fields}})
    return {**item, "widget": {**item["widget"], "queries": queries}}


def without_ids(tables: Mapping[str, Table]) -> dict[str, Json]:
    """Columns as JSON; members are numbers drawn anew for each page, the same in all datasets."""
    members = {
        value
        for table in tables.values()
        for name in MEMBER_COLUMNS
        if name in table.columns
        for value in table.column(name)
        if value is not None
    }
    numbers = list(range(1, len(members) + 1))
    random.SystemRandom().shuffle(numbers)
    drawn: dict[Any, Any] = {None: None, **dict(zip(members, numbers, strict=True))}
    return {
        name: {
            "columns": list(table.columns),
            "values": [
                [drawn[value] if column in MEMBER_COLUMNS else plain(value) for value in values]
                for column, values in zip(table.columns, table.values, strict=True)
            ],
        }
        for name, table in tables.items()
    }
