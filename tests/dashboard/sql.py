"""What a widget must show, computed by SQL: the oracle of the page's own arithmetic."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from local.dashboard.definition import Definition, Json
from local.dashboard.sources import Source, plain

Row = dict[str, Any]


def expected(
    definition: Definition, source: Source, widget: Json, filters: Mapping[str, str] | None = None
) -> list[Row]:
    """Rows of a widget: its expressions, as SQL, over its dataset's SQL.

    filters: SQL conditions by column; those on columns that the dataset lacks do not apply.
    """
    query = widget["queries"][0]["query"]
    dataset = next(each for each in definition.datasets if each.name == query["datasetName"])
    known = source.query(f"SELECT * FROM ({dataset.sql}) LIMIT 0").columns

    def expand(text: str) -> str:
        return re.sub(r"MEASURE\(`(\w+)`\)", lambda m: f"({dataset.measures[m.group(1)]})", text)

    fields = query["fields"]
    selected = ", ".join(f"{expand(f['expression'])} AS c{n}" for n, f in enumerate(fields))
    conditions = [c for column, c in (filters or {}).items() if column in known]
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    aggregates = [
        bool(re.search(r"MEASURE|SUM|COUNT|MAX|MIN|AVG", f["expression"])) for f in fields
    ]
    group = "" if all(aggregates) else " GROUP BY ALL"
    table = source.query(f"SELECT {selected} FROM ({dataset.sql}) dataset{where}{group}")
    names = [field["name"] for field in fields]
    return [dict(zip(names, row.values(), strict=True)) for row in table.rows()]


def same(shown: Sequence[Row], wanted: Sequence[Row]) -> list[str]:
    """Differences between two sets of rows, doubles at 1e-9; rows without values do not count."""
    one, two = _keyed(shown), _keyed(wanted)
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


def _keyed(rows: Sequence[Row]) -> dict[tuple[Any, ...], Row]:
    """Rows by what is no measure; without those that show nothing."""
    keyed = {}
    for row in rows:
        cells = {name: _cell(name, value) for name, value in row.items() if name != "__hidden"}
        values = {n: v for n, v in cells.items() if "(" in n}
        if any(value is not None for value in values.values()):
            keyed[tuple(str(v) for n, v in cells.items() if "(" not in n)] = values
    return keyed


def _cell(name: str, value: Any) -> Any:
    shown = plain(value)
    # DATE_TRUNC gives a timestamp; the page shows its date.
    return shown[:10] if name == "week" and isinstance(shown, str) else shown
