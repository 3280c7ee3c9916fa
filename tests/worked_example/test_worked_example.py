"""docs/worked-example.md through Kafka, files, bronze and dbt: every row of every table."""

import pytest

from tests.landed import Landed
from tests.oracle.compare import assert_same

from .example import GOLD, SILVER, counted, expected


@pytest.mark.parametrize("table", [*SILVER, *GOLD])
def test_rows(landed_example: Landed, table: str) -> None:
    assert_same(expected(table), landed_example.tables[table], table)


def test_rejected_records(landed_example: Landed) -> None:
    found = landed_example.tables["rejected_records"]
    assert counted(found, "feed", "reason") == counted(
        expected("rejected_records"), "feed", "reason"
    )


def test_pipeline_health(landed_example: Landed) -> None:
    # A run over midnight has two days of arrival: counts are added, the newest taken.
    found = landed_example.tables["pipeline_health"]
    for row in expected("pipeline_health"):
        own = [health for health in found if health["feed"] == row["feed"]]
        for name in ("received", "accepted", "rejected", "erased", "logouts_ignored", "late"):
            assert sum(health[name] for health in own) == row[name], (row["feed"], name)
        newest = max(health["newest_event_at"] for health in own)
        assert newest.strftime("%Y-%m-%d %H:%M:%S") == row["newest_event_at"]
