"""Models and oracle agree on a simulated month, row by row."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.landed import GOLD, SILVER, Landed

from . import compare, compute


@pytest.fixture(scope="module")
def expected(landed_month: Landed) -> Mapping[str, list[dict[str, Any]]]:
    return compute(landed_month.records)


def test_the_month_holds_what_it_should(expected: Mapping[str, list[dict[str, Any]]]) -> None:
    """Else agreement would mean little."""
    assert len(expected["heart_rates"]) > 50_000
    assert len(expected["workout_bpm_summary"]) > 20
    assert len({row["reason"] for row in expected["rejected_records"]}) == 9
    assert {row["status"] for row in expected["workout_sessions"]} == {
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
