"""What a widget must show, computed by SQL: the oracle of the page's own arithmetic."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from lakehouse.dashboard import expressions
from lakehouse.dashboard.definition import Definition, Json
from lakehouse.dashboard.sources import Source, plain

Row = dict[str, Any]


def expected(
    definition: Definition,
    source: Source,
    widget: Json,
    filters: Mapping[str, str] | None = None,
    *,
    without: str | None = None,
) -> list[Row]:
    """Rows of a widget: its expressions, as SQL, over its dataset's SQL.

    filters: SQL conditions by column; those on columns that the dataset lacks do not apply.
    without: a field that is left out.
    """
    query = widget["queries"][0]["query"]
    dataset = next(each for each in definition.datasets if each.name == query["datasetName"])
    known = source.query(f"SELECT * FROM ({dataset.sql}) LIMIT 0").columns

    def expand(text: str) -> str:
        return re.sub(r"MEASURE\(`(\w+)`\)", lambda m: f"({dataset.measures[m.group(1)]})", text)

    fields = [field for field in query["fields"] if field["name"] != without]
    selected = ", ".join(f"{expand(f['expression'])} AS c{n}" for n, f in enumerate(fields))
    conditions = [c for column, c in (filters or {}).items() if column in known]
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    aggregated = query["disaggregated"] or len(measures(definition, widget)) == len(fields)
    group = "" if aggregated else " GROUP BY ALL"
    table = source.query(f"SELECT {selected} FROM ({dataset.sql}) dataset{where}{group}")
    names = [field["name"] for field in fields]
    return [dict(zip(names, row.values(), strict=True)) for row in table.rows()]


def measures(definition: Definition, widget: Json) -> set[str]:
    """Names of a widget's fields that aggregate."""
    query = widget["queries"][0]["query"]
    dataset = next(each for each in definition.datasets if each.name == query["datasetName"])
    return {
        field["name"]
        for field in query["fields"]
        if expressions.is_aggregate(expressions.parse(field["expression"], dataset.measures))
    }


def same(shown: Sequence[Row], wanted: Sequence[Row], values: set[str]) -> list[str]:
    """Differences between two sets of rows, doubles at 1e-9; `values` are what is measured."""
    one, two = _keyed(shown, values), _keyed(wanted, values)
    found = [f"not shown: {key}" for key in two.keys() - one.keys()]
    found += [f"shown too much: {key}" for key in one.keys() - two.keys()]
    for key in one.keys() & two.keys():
        for name, value in two[key].items():
            if not _equal(one[key][name], value):
                found.append(f"{key} {name}: {one[key][name]} is shown, {value} is right")
    return found


def _equal(one: Any, two: Any) -> bool:
    if isinstance(one, (int, float)) and isinstance(two, (int, float)):
        return math.isclose(one, two, rel_tol=1e-9, abs_tol=1e-12)
    return bool(one == two)


def _keyed(rows: Sequence[Row], values: set[str]) -> dict[tuple[Any, ...], Row]:
    """Rows by what is no measure."""
    return {
        tuple(_text(plain(value)) for name, value in row.items() if name not in values): {
            name: plain(value) for name, value in row.items() if name in values
        }
        for row in rows
    }


def _text(value: Any) -> str:
    return f"{value:.9g}" if isinstance(value, (int, float)) else str(value)
