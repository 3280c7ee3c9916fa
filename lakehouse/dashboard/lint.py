"""Checks the dashboard definition offline: what Databricks or the page would stumble over.

Each rule yields texts `where: what`. `columns`, by dataset, come from running the datasets' SQL;
without them the rules on columns are left out.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from lakehouse.dashboard import expressions
from lakehouse.dashboard.definition import (
    CANVAS,
    CUSTOM,
    FEED_TABLES,
    GLOBAL_FILTERS,
    LEAST_MEMBERS,
    MANAGERS_PAGES,
    MANAGERS_TABLES,
    PERSONAL_PREFIX,
    Definition,
    Json,
    dataset_names,
    is_personal,
)

GRID_COLUMNS = 12

# Kinds of widget that the page draws, with the version of specification that Databricks writes.
VERSIONS: Mapping[str, int] = {
    "counter": 2,
    "table": 2,
    "pivot": 3,
    "bar": 3,
    "line": 3,
    "scatter": 3,
    "heatmap": 3,
    CUSTOM: 1,
    "filter-single-select": 2,
    "filter-multi-select": 2,
    "filter-date-range-picker": 2,
}
ENCODINGS: Mapping[str, Collection[str]] = {
    "counter": ("value",),
    "table": ("columns",),
    "pivot": ("rows", "columns", "cell"),
    "bar": ("x", "y"),
    "line": ("x", "y"),
    "scatter": ("x", "y"),
    "heatmap": ("x", "y", "color"),
    CUSTOM: ("fields",),
}
# What a specification may hold; the page draws nothing else.
_PARTS = {"version", "widgetType", "encodings", "frame", "annotations", "selection"}
_CUSTOM_PARTS = {"version", "widgetType", "encodings", "frame", "jsonSpec", "data"}
_SCALES = ("quantitative", "temporal", "categorical")
_OPERATORS = (">=", ">", "<=", "<", "=")
# What a number counts or measures; one of these words stands in each widget's title.
_UNITS = re.compile(
    r"\b(bpm|min|minutes|hours?|visits?|logins|members?|workouts?|records|UTC)\b|%", re.I
)
_TABLE = re.compile(r"\b(?:FROM|JOIN)\s+([`\w.]+)", re.I)
_GUARD = re.compile(r"\bHAVING COUNT\(DISTINCT user_id\) >= (\d+)\s*$", re.I)
# Aggregates that show one row's value, or all of them.
_SINGLE = re.compile(
    r"\b(MIN|MAX|MIN_BY|MAX_BY|FIRST|LAST|ANY_VALUE|MODE|MEDIAN|PERCENTILE\w*|ARRAY_AGG|COLLECT_\w+)\(",
    re.I,
)
_IDS = {"user_id", "mac_address", "device_id", "workout_id", "session_id"}
# Filters that reach every dataset which has the column.
_FILTERED = ("gym", "who", "arrival_date", "feed")


def check(
    raw: Json,
    columns: Mapping[str, Sequence[str]] | None = None,
    tables: Collection[str] | None = None,
) -> list[str]:
    """All findings, in the order of the file; empty when there is nothing to say.

    `tables` are the names that datasets may read.
    """
    return [
        *_datasets(raw, columns, tables),
        *_pages(raw),
        *(
            finding
            for page, widget in Definition(raw).widgets()
            for finding in _widget(raw, page, widget, columns)
        ),
        *_reach_of_filters(raw, columns),
    ]


def _datasets(
    raw: Json, columns: Mapping[str, Sequence[str]] | None, tables: Collection[str] | None
) -> Iterator[str]:
    names = [each["name"] for each in raw["datasets"]]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"dataset {name}: the name occurs twice"
    used = set[str]().union(*map(dataset_names, raw["pages"]))
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
        yield from _small_groups(each, at, columns)


def _tables(dataset: Json) -> set[str]:
    return {name.strip("`") for name in _TABLE.findall("".join(dataset["queryLines"]))}


def _small_groups(
    dataset: Json, at: str, columns: Mapping[str, Sequence[str]] | None
) -> Iterator[str]:
    """Each row is of tables that hide small groups, or an aggregate of 5 members or more."""
    if dataset["name"].startswith(PERSONAL_PREFIX):
        return
    if _tables(dataset) <= MANAGERS_TABLES | FEED_TABLES:
        return
    sql = "".join(dataset["queryLines"])
    guard = _GUARD.search(sql)
    outer = _outside_of_brackets(sql)
    if not guard or int(guard.group(1)) < LEAST_MEMBERS or re.search(r"\bUNION\b", outer, re.I):
        yield f"{at}: has rows about fewer than {LEAST_MEMBERS} members"
    for function in sorted(set(_SINGLE.findall(outer))):
        yield f"{at}: {function} shows a value of one member"
    for column in sorted(_IDS & set((columns or {}).get(dataset["name"], ()))):
        yield f"{at}: shows {column}"


def _outside_of_brackets(sql: str) -> str:
    """The outermost SELECT, without what is in brackets."""
    depth, kept = 0, []
    for sign in sql:
        depth -= sign == ")"
        if depth == 0:
            kept.append(sign)
        depth += sign == "("
    return "".join(kept)


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
    names = [w["name"] for _, w in Definition(raw).widgets()]
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
        if at in MANAGERS_PAGES:
            for dataset in raw["datasets"]:
                if dataset["name"] in dataset_names(page):
                    for table in sorted(_tables(dataset) - MANAGERS_TABLES):
                        yield f"{at}: its readers may not read {table} (dataset {dataset['name']})"


def _widget(
    raw: Json,
    page: Json,
    widget: Json,
    columns: Mapping[str, Sequence[str]] | None,
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
    if spec.get("version") != VERSIONS[kind]:
        yield f"{at}: {kind} has version {spec.get('version')}, known is {VERSIONS[kind]}"
    missing = [each for each in ENCODINGS.get(kind, ()) if each not in spec["encodings"]]
    for encoding in missing:
        yield f"{at}: no encoding {encoding}"
    for part in sorted(set(spec) - (_CUSTOM_PARTS if kind == CUSTOM else _PARTS)):
        yield f"{at}: {part} is not drawn"
    frame = spec.get("frame", {})
    title = frame.get("title", "")
    if not title or not frame.get("showTitle"):
        yield f"{at}: no title"
    is_filter = kind.startswith("filter-")
    if is_filter != (page["pageType"] == GLOBAL_FILTERS) and page["pageType"] == GLOBAL_FILTERS:
        yield f"{at}: a page of filters holds filters only"
    named = [title] + [
        str(encoding.get("displayName", ""))
        for encoding in spec["encodings"].values()
        if isinstance(encoding, dict) and "quantitative" in encoding.get("scale", {}).values()
    ]
    if not is_filter and not _UNITS.search(" ".join(named)):
        yield f"{at}: no unit in the title {title!r}"
    if not missing:
        yield from _parts(spec, kind, at)
    if not is_filter:
        for name, encoding in spec["encodings"].items():
            if name in ("x", "y") and encoding.get("scale", {}).get("type") not in _SCALES:
                yield f"{at}: {name} has no scale.type"
    yield from _queries(raw, page, widget, at, columns)


def _parts(spec: Json, kind: str, at: str) -> Iterator[str]:
    """What a kind of widget has beside its encodings."""
    encodings = spec["encodings"]
    if kind == "counter":
        for name in ("value", "target"):
            if name in encodings and not {"displayName", "format"} <= set(encodings[name]):
                yield f"{at}: {name} has no displayName or no format"
    if kind == "pivot":
        for field in encodings["cell"]["fields"]:
            if field.get("style", {}).get("type") != "color-scale":
                yield f"{at}: the cells have no colour scale"
    if kind == "table":
        for column in encodings["columns"]:
            for rule in column.get("style", {}).get("rules", []):
                condition = rule["condition"]
                if condition["operator"] not in _OPERATORS:
                    yield f"{at}: operator {condition['operator']} is not known"
                if not isinstance(condition["operand"]["value"], str):
                    yield f"{at}: a condition's value is no text"
    for note in spec.get("annotations", []):
        place = note["encodings"].get("x", {})
        known = note["type"] == "vertical-line" and place.get("dataType") in ("INTEGER", "DECIMAL")
        if kind != "bar" or not known or not isinstance(place.get("dataValue"), str):
            yield f"{at}: an annotation is a vertical-line at a number, as text, on a bar chart"
    if kind == CUSTOM:
        yield from _custom(spec, at)


def _custom(spec: Json, at: str) -> Iterator[str]:
    """A custom visualization is Vega-Lite as text, over the fields that it lists."""
    json_spec = spec["jsonSpec"]
    try:
        vega_lite = json.loads(json_spec["spec"])
    except (TypeError, ValueError):
        yield f"{at}: jsonSpec.spec is no text of JSON"
        return
    if json_spec.get("type") != "vega-lite" or spec.get("data") != {"queryName": "main_query"}:
        yield f"{at}: the type is not vega-lite, or the data are not of main_query"
    if vega_lite.get("data") != {"name": "databricks_query"}:
        yield f"{at}: the data are not databricks_query"
    if "facet" not in vega_lite and vega_lite.get("width") != "container":
        yield f"{at}: the width is not that of the container"
    known = {field["fieldName"] for field in spec["encodings"]["fields"]}
    named = [node for node in _nodes(vega_lite) if isinstance(node, dict)]
    known |= {node["as"] for node in named if isinstance(node.get("as"), str)}
    used = {node["field"] for node in named if isinstance(node.get("field"), str)}
    used |= set(re.findall(r"\bdatum\.(\w+)", json_spec["spec"]))
    for field in sorted(used - known):
        yield f"{at}: {field!r} is not among its fields"
    for field in sorted(known - used):
        yield f"{at}: {field!r} is not used"
    if any({"url", "href"} & set(node) for node in named):
        yield f"{at}: reaches for an address"


def _nodes(value: object) -> Iterator[object]:
    yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        yield from _nodes(each)


def _queries(
    raw: Json,
    page: Json,
    widget: Json,
    at: str,
    columns: Mapping[str, Sequence[str]] | None,
) -> Iterator[str]:
    spec = widget["spec"]
    is_filter = spec["widgetType"].startswith("filter-")
    fields_of = [field for q in widget.get("queries", []) for field in q["query"]["fields"]]
    if is_filter and any(field["expression"] == "`who`" for field in fields_of):
        usual = spec.get("selection", {}).get("defaultSelection")
        if spec["widgetType"] != "filter-single-select" or not usual:
            yield f"{at}: who overlap, so that one of them is chosen, and one from the start"
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
    for name, query_name in _field_names(spec["encodings"]):
        if query_name is not None and query_name not in fields:
            yield f"{at}: there is no query {query_name}"
        elif name not in set().union(
            *([fields[query_name]] if query_name is not None else fields.values())
        ):
            yield f"{at}: fieldName {name!r} is no field of the query"


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
    for _, widget in Definition(raw).widgets():
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
