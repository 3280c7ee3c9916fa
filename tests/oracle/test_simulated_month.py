"""Models and oracle agree on a simulated month, row by row."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from tests.landed import GOLD, SILVER, Landed

from . import compare, compute
from .decode import REASONS

pytestmark = pytest.mark.drill


@pytest.fixture(scope="module")
def expected(landed_month: Landed) -> Mapping[str, list[dict[str, Any]]]:
    return compute(landed_month.records)


def test_the_month_holds_what_it_should(landed_month: Landed, landed_cases: Landed) -> None:
    """Else agreement would mean little. What was there before the month does not count."""

    def added(table: str, column: str) -> Counter[Any]:
        month, before = landed_month.tables[table], landed_cases.tables[table]
        return Counter(row[column] for row in month) - Counter(row[column] for row in before)

    assert added("heart_rates", "user_id").total() > 50_000
    assert added("workout_bpm_summary", "user_id").total() > 20
    assert set(added("rejected_records", "reason")) == set(REASONS)
    assert set(added("workout_sessions", "status")) == {
        "completed",
        "open",
        "orphan_stop",
        "too_long",
    }


@pytest.mark.parametrize("table", [*SILVER, *GOLD])
def test_rows(
    landed_month: Landed, expected: Mapping[str, list[dict[str, Any]]], table: str
) -> None:
    assert compare(expected[table], landed_month.tables[table], table) == []
