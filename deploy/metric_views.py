"""Unity Catalog metric views of the semantic models: one definition, for MetricFlow and for AI/BI.

    python -m deploy.metric_views      writes deploy/governance/metric_views.sql

Databricks alone has metric views, and what would be stored of them locally could not be queried, so
they are SQL that the transformation job runs. A metric whose measures lie in two tables has none.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
FILE = ROOT / "deploy" / "governance" / "metric_views.sql"
_AGGREGATES = {
    "sum": "SUM({})",
    "count_distinct": "COUNT(DISTINCT {})",
    "average": "AVG({})",
    "median": "MEDIAN({})",
    "sum_boolean": "COUNT_IF({})",
}
_HEAD = """\
-- Written by `python -m deploy.metric_views` from models/semantic_models.yml. Parameter: catalog.
declare or replace variable statement string;
"""


def views(root: Path = ROOT) -> dict[str, dict[str, Any]]:
    """The definition of each metric view by name; `{catalog}` stands for the catalog."""
    given = yaml.safe_load((root / "models" / "semantic_models.yml").read_text())
    return {
        f"{one['name']}_metrics": _view(one, given["metrics"]) for one in given["semantic_models"]
    }


def _view(model: dict[str, Any], metrics: list[dict[str, Any]]) -> dict[str, Any]:
    (table,) = re.findall(r"ref\('(\w+)'\)", model["model"])
    held = {one["name"]: one for one in model["measures"]}
    measures = []
    for metric in metrics:
        if expression := _measure(metric, held):
            measures.append(
                {"name": metric["name"], "expr": expression, "comment": metric["description"]}
            )
    return {
        "version": 1.1,
        "source": f"`{{catalog}}`.gold.{table}",
        "comment": model["description"],
        "dimensions": [
            {
                "name": one["name"],
                "expr": one.get("expr", one["name"]),
                "comment": one["description"],
            }
            for one in model["dimensions"]
        ],
        "measures": measures,
    }


def _measure(metric: dict[str, Any], held: dict[str, dict[str, Any]]) -> str | None:
    """SQL of a metric by the measures of a table, which may name each other; None by others."""
    given = metric["type_params"]
    if metric["type"] == "simple":
        measure = held.get(given["measure"])
        if measure is None:
            return None
        return _AGGREGATES[measure["agg"]].format(measure.get("expr", measure["name"]))
    if metric["type"] == "ratio":
        names, expression = [given["numerator"], given["denominator"]], "{} / nullif({}, 0)"
        expression = expression.format(*names)
    else:
        names, expression = [one["name"] for one in given["metrics"]], given["expr"]
    if not held.keys() >= set(names):
        return None
    return re.sub(rf"\b({'|'.join(names)})\b", r"MEASURE(\1)", expression)


def sql(root: Path = ROOT) -> str:
    """The statements that make them, for a SQL task with the parameter `catalog`."""
    made = [_HEAD]
    for name, definition in views(root).items():
        text = yaml.safe_dump(definition, sort_keys=False, width=1000)
        text = text.replace("\\", "\\\\").replace("'", "\\'")
        view = f"create or replace view `{{catalog}}`.gold.{name} with metrics language yaml"
        made.append(
            f"\nset variable statement = replace(\n    '{view} as $$\n{text}$$',\n"
            "    '{catalog}', :catalog\n);\nexecute immediate statement;\n"
        )
    return "".join(made)


if __name__ == "__main__":
    FILE.write_text(sql())
    sys.stdout.write(f"{FILE}\n")
