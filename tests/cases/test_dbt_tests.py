"""dbt's tests that no build of ours ever fails, on rows that must fail them.

They are rendered here and asked of the SQL endpoint, so that no table has to be broken for them.
"""

from __future__ import annotations

from typing import Any

import jinja2
import pytest
import yaml

from lakehouse.home import CHECKOUT
from tests.support import Workspace


def table_rules(rows: str, **arguments: Any) -> str:
    """The query of the generic test over a query's rows."""
    source = (CHECKOUT / "macros" / "table_rules.sql").read_text()
    macro = source.replace("{% test ", "{% macro ").replace("endtest", "endmacro")
    module: Any = jinja2.Environment().from_string(macro).module
    return str(module.table_rules(f"({rows})", **arguments))


def few_records_are_rejected(rows: str) -> str:
    """The query of the test over these rows of pipeline_health, under the project's vars."""
    project = yaml.safe_load((CHECKOUT / "dbt_project.yml").read_text())
    source = CHECKOUT / "tests" / "dbt" / "assert_few_records_are_rejected.sql"
    template = jinja2.Environment().from_string(source.read_text())
    return template.render(ref=lambda _: f"({rows})", var=project["vars"].__getitem__)


GOOD = "select * from values (1, 'a', 5), (1, 'b', 5), (2, 'a', 7) as t (id, part, size)"
RULES = {"size_is_odd": "size % 2 = 1", "part_is_short": "length(part) = 1"}


@pytest.mark.parametrize(
    ("rows", "broken"),
    [
        (GOOD, {}),
        (f"{GOOD} union all select 1, 'a', 9", {"id_part_is_unique": 1}),
        (f"{GOOD} union all select 3, 'c', 8", {"size_is_odd": 1}),
        # A rule that comes to null does not hold.
        (f"{GOOD} union all select 3, 'c', null", {"size_is_odd": 1}),
        (
            f"{GOOD} union all select 3, null, 1 union all select 3, null, 2",
            {
                "part_is_not_null": 2,
                "size_is_odd": 1,
                "part_is_short": 2,
                "id_part_is_unique": 1,
            },
        ),
    ],
)
def test_table_rules_names_each_broken_rule(
    workspace: Workspace, rows: str, broken: dict[str, int]
) -> None:
    query = table_rules(rows, unique=["id", "part"], not_null=["id", "part"], rules=RULES)
    assert {row["rule"]: row["broken_rows"] for row in workspace.sql(query)} == broken


def test_a_day_of_which_most_is_rejected_fails(workspace: Workspace) -> None:
    rows = (
        "select * from values ('bpm', date'2026-03-01', 1000, 501), ('bpm', date'2026-03-02', "
        "1000, 500), ('workout', date'2026-03-01', 999, 999), ('user_info', date'2026-03-01', "
        "5000, 5000) as t (feed, arrival_date, received, rejected)"
    )
    found = workspace.sql(few_records_are_rejected(rows))
    assert sorted(row["feed"] for row in found) == ["bpm", "user_info"]
