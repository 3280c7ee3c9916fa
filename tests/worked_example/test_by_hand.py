"""The rows derived by hand are those of the oracle."""

import pytest

from ..oracle import compute
from ..oracle.compare import assert_same, compare
from .example import GOLD, SILVER, counted, expected, records

TABLES = compute(records("2024-03-02T06:00:00+00:00"))


@pytest.mark.parametrize("table", [*SILVER, *GOLD])
def test_rows(table: str) -> None:
    assert_same(expected(table), TABLES[table], table)


@pytest.mark.parametrize("table", GOLD)
def test_every_column_is_derived(table: str) -> None:
    derived = {name for row in expected(table) for name in row}
    assert derived == {name for row in TABLES[table] for name in row}


def test_lineage() -> None:
    rejected = counted(TABLES["rejected_records"], "feed", "reason")
    assert rejected == counted(expected("rejected_records"), "feed", "reason")
    day = [{**row, "arrival_date": "2024-03-02"} for row in expected("pipeline_health")]
    assert compare(day, TABLES["pipeline_health"], "pipeline_health") == []
