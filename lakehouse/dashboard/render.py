"""The dashboard page: runs the definition's datasets and puts rows and definition in one file."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from pathlib import Path

from lakehouse.dashboard import expressions, page
from lakehouse.dashboard.definition import CANVAS, CUSTOM, Definition, Json, is_personal
from lakehouse.dashboard.sources import Source, Table, plain

TITLE = "Fitbit lakehouse"

# What a page, or a dataset that the others of its page do not fill, needs to show something.
NEEDS = {
    "how-full": "It needs gym logins: a day on which 5 members or more came to a gym.",
    "who-stays": "It needs gym logins, and a whole calendar month of them for cohorts.",
    "how-they-train": "It needs heart rates or workouts of 5 members or more in the last 56 days.",
    "pipeline": "It needs one record of any feed.",
    "cohorts": "Needs a whole calendar month after the first visit of 5 members or more",
    "months": "Needs a whole calendar month with 5 new members or more",
    "at_risk": "Fewer than 5 members, or a history under 112 days",
    "unowned": "None",
    "rejections": "None",
}


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
    newest = max(
        (str(plain(d)) for t in tables.values() if "date" in t.columns for d in t.column("date")),
        default=None,
    )
    about = [
        f"visits up to {datetime.date.fromisoformat(newest):%-d %B %Y}" if newest else "",
        f"written {written_at:%Y-%m-%d %H:%M} UTC" if written_at else "",
    ]
    body = page.filled(
        "dashboard.html", TITLE=TITLE, ABOUT=", ".join(part for part in about if part)
    )
    compiled = compile_definition(definition)
    return page.assemble(
        title=TITLE,
        body=body,
        styles=["common.css", "dashboard.css"],
        scripts=[
            "elements.js",
            "query.js",
            "charts.js",
            "filters.js",
            "widgets.js",
            "dashboard.js",
        ],
        payloads={
            "definition": (
                "application/json",
                page.as_json({**compiled, "membersFile": members_file}),
            ),
            "data": ("application/json", page.as_json(as_columns(tables))),
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
    trees = {
        name: {measure: expressions.parse(text) for measure, text in each.items()}
        for name, each in measures.items()
    }
    return {
        "pages": pages,
        "palette": theme["visualizationColors"],
        "needs": NEEDS,
        "measures": trees,
    }


def _compiled(item: Json, measures: Mapping[str, Mapping[str, str]]) -> Json:
    queries = []
    for query in item["widget"].get("queries", []):
        body = query["query"]
        fields = []
        for field in body["fields"]:
            tree = expressions.parse(field["expression"], measures.get(body["datasetName"]))
            aggregates = expressions.is_aggregate(tree)
            fields.append({"name": field["name"], "tree": tree, "aggregates": aggregates})
        queries.append({**query, "query": {**body, "fields": fields}})
    spec = item["widget"]["spec"]
    if spec["widgetType"] == CUSTOM:
        spec = {**spec, "vegaLite": json.loads(spec["jsonSpec"]["spec"])}
        del spec["jsonSpec"]
    return {**item, "widget": {**item["widget"], "spec": spec, "queries": queries}}


def as_columns(tables: Mapping[str, Table]) -> dict[str, Json]:
    """Columns as JSON."""
    return {
        name: {
            "columns": list(table.columns),
            "values": [[plain(value) for value in values] for values in table.values],
        }
        for name, table in tables.items()
    }
