"""Checks the dashboard definition offline: what Databricks or the page would stumble over.

Each rule yields texts `where: what`. `columns`, by dataset, come from running the datasets' SQL;
without them the rules on columns are left out.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from local.dashboard import expressions
from local.dashboard.definition import (
    CANVAS,
    GLOBAL_FILTERS,
    LEAST_MEMBERS,
    MEMBER_COLUMNS,
    PERSONAL_PREFIX,
    Json,
    is_personal,
)

GRID_COLUMNS = 12

# Versions of widget specifications that Databricks is known to write.
VERSIONS: Mapping[str, Collection[int]] = {
    "counter": (2,),
    "table": (1, 2),
    "bar": (3,),
    "line": (3,),
    "area": (3,),
    "pie": (3,),
    "scatter": (3,),
    "heatmap": (3,),
    "filter-single-select": (2,),
    "filter-multi-select": (2,),
    "filter-date-range-picker": (2,),
}
ENCODINGS: Mapping[str, Collection[str]] = {
    "counter": ("value",),
    "table": ("columns",),
    "bar": ("x", "y"),
    "line": ("x", "y"),
    "area": ("x", "y"),
    "scatter": ("x", "y"),
    "heatmap": ("x", "y", "color"),
    "pie": ("angle", "color"),
}
_SCALES = ("quantitative", "temporal", "categorical")
# What a number counts or measures; one of these words stands in each widget's title.
_UNITS = re.compile(
    r"\b(bpm|min|minutes|hours?|visits?|logins|members?|workouts?|records|UTC)\b|%", re.I
)
_TABLE = re.compile(r"\b(?:FROM|JOIN)\s+([`\w.]+)", re.I)
# Filters that reach every dataset which has the column.
_FILTERED = ("date", "gym", "age_band", "city", "gender", "arrival_date", "feed")
_METRIC = re.compile(r"Metric: (\w+)")


def check(
    raw: Json,
    columns: Mapping[str, Sequence[str]] | None = None,
    metrics: Collection[str] | None = None,
    tables: Collection[str] | None = None,
) -> list[str]:
    """All findings, in the order of the file; empty when there is nothing to say.

    `tables` are the names that datasets may read, `metrics` those that counters may name.
    """
    return [
        *_datasets(raw, columns, tables),
        *_pages(raw),
        *(
            finding
            for page, widget in _widgets(raw)
            for finding in _widget(raw, page, widget, columns, metrics)
        ),
        *_reach_of_filters(raw, columns),
    ]


def _widgets(raw: Json) -> Iterator[tuple[Json, Json]]:
    for page in raw["pages"]:
        for item in page["layout"]:
            yield page, item["widget"]


def _datasets(
    raw: Json, columns: Mapping[str, Sequence[str]] | None, tables: Collection[str] | None
) -> Iterator[str]:
    names = [each["name"] for each in raw["datasets"]]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"dataset {name}: the name occurs twice"
    used = {q["query"]["datasetName"] for _, w in _widgets(raw) for q in w.get("queries", [])}
    for each in raw["datasets"]:
        at = f"dataset {each['name']}"
        lines = each.get("queryLines")
        if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
            yield f"{at}: queryLines is no list of lines"
            continue
        if each["name"] not in used:
            yield f"{at}: no widget uses it"
        for one, two in itertools.pairwise(lines):
            if not one[-1:].isspace() and not two[:1].isspace():
                yield f"{at}: two lines join without a space: …{one[-15:]}{two[:15]}…"
        sql = "".join(lines)
        if ";" in sql:
            yield f"{at}: more than one statement, or a semicolon"
        for table in _TABLE.findall(sql):
            if "." in table:
                yield f"{at}: {table} is qualified; catalog and schema come from the bundle"
            elif tables is not None and table.strip("`") not in tables:
                yield f"{at}: there is no table {table}"
        yield from _measures(each, at, columns)


def _measures(dataset: Json, at: str, columns: Mapping[str, Sequence[str]] | None) -> Iterator[str]:
    known = None if columns is None else columns.get(dataset["name"])
    for measure in dataset.get("columns", []):
        name = measure["displayName"]
        try:
            tree = expressions.parse(measure["expression"])
        except expressions.ExpressionError as error:
            yield f"{at}, measure {name}: {error}"
            continue
        if not expressions.is_aggregate(tree):
            yield f"{at}, measure {name}: it aggregates nothing"
        if known is not None:
            for column in sorted(expressions.columns(tree) - set(known)):
                yield f"{at}, measure {name}: the SQL gives no column {column}"
            if name in known:
                yield f"{at}, measure {name}: a column of the SQL has that name"


def _pages(raw: Json) -> Iterator[str]:
    names = [w["name"] for _, w in _widgets(raw)]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"widget {name}: the name occurs twice"
    for name in names:
        if not re.fullmatch(r"[\w-]{1,60}", name):
            yield f"widget {name}: the name has other signs than letters, digits, - and _"
    for page in raw["pages"]:
        at = page["name"]
        if page.get("pageType") not in (CANVAS, GLOBAL_FILTERS):
            yield f"{at}: pageType is {page.get('pageType')}"
        if page.get("layoutVersion") != "GRID_V1":
            yield f"{at}: layoutVersion is {page.get('layoutVersion')}"
        taken: dict[tuple[int, int], str] = {}
        for item in page["layout"]:
            name, place = item["widget"]["name"], item["position"]
            x, y, width, height = (place[key] for key in ("x", "y", "width", "height"))
            if width < 1 or height < 1 or x < 0 or y < 0 or x + width > GRID_COLUMNS:
                yield f"{at}/{name}: outside the grid of {GRID_COLUMNS} columns"
            cells = list(itertools.product(range(x, x + width), range(y, y + height)))
            for other in sorted({taken[cell] for cell in cells if cell in taken}):
                yield f"{at}/{name}: overlaps {other}"
            taken.update(dict.fromkeys(cells, name))


def _widget(
    raw: Json,
    page: Json,
    widget: Json,
    columns: Mapping[str, Sequence[str]] | None,
    metrics: Collection[str] | None,
) -> Iterator[str]:
    at = f"{page['name']}/{widget['name']}"
    if "spec" not in widget:
        if not widget.get("multilineTextboxSpec", {}).get("lines"):
            yield f"{at}: neither a specification nor text"
        return
    spec = widget["spec"]
    kind = spec.get("widgetType", "")
    if kind not in VERSIONS:
        yield f"{at}: unknown widgetType {kind}"
        return
    if spec.get("version") not in VERSIONS[kind]:
        yield f"{at}: {kind} has version {spec.get('version')}, known are {VERSIONS[kind]}"
    for encoding in ENCODINGS.get(kind, ()):
        if encoding not in spec["encodings"]:
            yield f"{at}: no encoding {encoding}"
    frame = spec.get("frame", {})
    title = frame.get("title", "")
    if not title or not frame.get("showTitle"):
        yield f"{at}: no title"
    is_filter = kind.startswith("filter-")
    if is_filter != (page["pageType"] == GLOBAL_FILTERS) and page["pageType"] == GLOBAL_FILTERS:
        yield f"{at}: a page of filters holds filters only"
    axes = [a for a in _axes(spec["encodings"]) if "quantitative" in a.get("scale", {}).values()]
    if not is_filter and not _UNITS.search(" ".join([title, *map(_axis_title, axes)])):
        yield f"{at}: no unit in the title {title!r}"
    if kind == "counter":
        named = _METRIC.search(frame.get("description", ""))
        if not named:
            yield f"{at}: the description names no metric"
        elif metrics is not None and named.group(1) not in metrics:
            yield f"{at}: there is no metric {named.group(1)}"
    if not is_filter:
        for name, encoding in spec["encodings"].items():
            if name in ("x", "y", "angle") and _scale(encoding) not in _SCALES:
                yield f"{at}: {name} has no scale.type"
    yield from _queries(raw, page, widget, at, columns)


def _axes(encodings: Json) -> list[Json]:
    return [value for value in encodings.values() if isinstance(value, dict)]


def _axis_title(encoding: Json) -> str:
    return str(encoding.get("displayName", ""))


def _scale(encoding: Json) -> str | None:
    kind: str | None = encoding.get("scale", {}).get("type")
    return kind


def _queries(
    raw: Json,
    page: Json,
    widget: Json,
    at: str,
    columns: Mapping[str, Sequence[str]] | None,
) -> Iterator[str]:
    spec = widget["spec"]
    is_filter = spec["widgetType"].startswith("filter-")
    datasets = {each["name"]: each for each in raw["datasets"]}
    fields: dict[str, set[str]] = {}
    if not widget.get("queries"):
        yield f"{at}: no query"
    for query in widget.get("queries", []):
        body = query["query"]
        fields[query["name"]] = {field["name"] for field in body["fields"]}
        dataset = datasets.get(body["datasetName"])
        if dataset is None:
            yield f"{at}: there is no dataset {body['datasetName']}"
            continue
        if body["datasetName"].startswith(PERSONAL_PREFIX) != is_personal(page):
            yield f"{at}: a page of one member's data shows nothing else, and no other page does"
        if is_filter and body.get("disaggregated"):
            yield f"{at}: a filter's query must not be disaggregated"
        measures = {m["displayName"]: m["expression"] for m in dataset.get("columns", [])}
        known = None if columns is None else columns.get(dataset["name"])
        for field in body["fields"]:
            try:
                tree = expressions.parse(field["expression"], measures)
            except expressions.ExpressionError as error:
                yield f"{at}: {error}"
                continue
            aggregates = expressions.is_aggregate(tree)
            if aggregates and body.get("disaggregated"):
                yield f"{at}: {field['name']} aggregates in a disaggregated query"
            for column in sorted(expressions.columns(tree) - set(known or ())):
                if known is not None:
                    yield f"{at}: {dataset['name']} has no column {column}"
            yield from _suppression(at, field, tree, dataset, known)
        if body.get("disaggregated") and known and set(known) & set(MEMBER_COLUMNS):
            yield f"{at}: shows single rows of {dataset['name']}, which are of members"
    for name, query_name in _field_names(spec["encodings"]):
        if query_name is not None and query_name not in fields:
            yield f"{at}: there is no query {query_name}"
        elif name not in set().union(
            *([fields[query_name]] if query_name is not None else fields.values())
        ):
            yield f"{at}: fieldName {name!r} is no field of the query"


def _suppression(
    at: str, field: Json, tree: expressions.Tree, dataset: Json, known: Sequence[str] | None
) -> Iterator[str]:
    """Small groups are not shown, by measures that count their members after all filters."""
    if dataset["name"].startswith(PERSONAL_PREFIX):
        return
    # Without the SQL's columns, its text tells whether a member is in there.
    text = "".join(dataset["queryLines"])
    counted = [c for c in MEMBER_COLUMNS if c in (known or re.findall(r"AS (\w+)", text))]
    if not counted:
        return
    if not expressions.is_aggregate(tree):
        if expressions.columns(tree) & set(MEMBER_COLUMNS):
            yield f"{at}: {field['name']} shows members one by one"
    elif max(expressions.least_members(tree, column) for column in counted) < LEAST_MEMBERS:
        yield f"{at}: {field['name']} is shown for groups of fewer than {LEAST_MEMBERS} members"


def _field_names(encoding: object) -> Iterator[tuple[str, str | None]]:
    if isinstance(encoding, dict):
        if "fieldName" in encoding:
            yield encoding["fieldName"], encoding.get("queryName")
        for value in encoding.values():
            yield from _field_names(value)
    elif isinstance(encoding, list):
        for value in encoding:
            yield from _field_names(value)


def _reach_of_filters(raw: Json, columns: Mapping[str, Sequence[str]] | None) -> Iterator[str]:
    """A filter that misses a dataset with its column would show numbers that do not fit."""
    if columns is None:
        return
    reached: dict[str, set[str]] = {}
    for _, widget in _widgets(raw):
        if widget.get("spec", {}).get("widgetType", "").startswith("filter-"):
            for query in widget["queries"]:
                for field in query["query"]["fields"]:
                    name = field["expression"].strip("`")
                    reached.setdefault(name, set()).add(query["query"]["datasetName"])
    for column in _FILTERED:
        if column not in reached:
            yield f"filters: there is none for {column}"
            continue
        for dataset, names in columns.items():
            personal = dataset.startswith(PERSONAL_PREFIX) and column != "date"
            if column in names and dataset not in reached[column] and not personal:
                yield f"filters: {column} does not reach dataset {dataset}"
