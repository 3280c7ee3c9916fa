"""The two laws: any order of arrival, and any number of builds, give the same tables."""

from __future__ import annotations

import json
import os
import re

import pytest

from tests.histories import corrections, sequence
from tests.histories.history import history
from tests.landed import Landed, differences_from_oracle, read
from tests.support import Workspace

pytestmark = pytest.mark.timeout(3600)

SEED = int(os.environ.get("HISTORIES_SEED", "20260301"))
HISTORIES = range(1, 26)
# Behind the first batch dbt dies, behind the second Spark does.
KILLS = sequence.KILLS[:2]
REPRODUCE = (
    f"reproduce with: HISTORIES_SEED={SEED} .venv/bin/pytest tests/histories/test_histories.py"
)


@pytest.fixture(scope="module")
def workspace(example_workspace: Workspace, landed_cases: Landed) -> Workspace:
    """The workspace with the worked example and the cases, on top of which all comes."""
    assert landed_cases.records
    return example_workspace


def test_any_order_with_builds_in_between_and_killed_gives_what_the_oracle_says(
    workspace: Workspace,
) -> None:
    histories = [*(history(number, SEED) for number in HISTORIES), corrections.before()]
    found = sequence.run(workspace, histories, count=len(KILLS), seed=SEED, kills=KILLS)
    assert found == [], REPRODUCE


def built_tables(workspace: Workspace) -> list[str]:
    """Every table of silver and gold; views hold nothing."""
    found = []
    for schema in ("silver", "gold"):
        views = {row["viewName"] for row in workspace.sql(f"show views in {schema}")}
        names = {row["tableName"] for row in workspace.sql(f"show tables in {schema}")}
        found += [f"{schema}.{name}" for name in sorted(names - views)]
    return found


def test_a_build_with_nothing_new_writes_nothing(workspace: Workspace) -> None:
    def newest() -> dict[str, int]:
        return {
            table: workspace.sql(f"describe history {table} limit 1")[0]["version"]
            for table in built_tables(workspace)
        }

    before = newest()
    assert {"silver.stg_kafka__bpm", "silver.age_bands", "gold.member_activity"} <= {*before}
    sequence.build(workspace)
    assert newest() == before, REPRODUCE


def test_two_builds_at_once_and_late_records_that_make_rows_disappear(workspace: Workspace) -> None:
    def matching() -> dict[str, int]:
        return {
            table: workspace.sql(f"select count(*) as n from {table} where {condition}")[0]["n"]
            for table, condition in corrections.GONE.items()
        }

    assert [table for table, count in matching().items() if not count] == [], REPRODUCE
    sequence.land(workspace, corrections.after(), corrections.AFTER_HOUR)
    failed = sequence.build_twice_at_once(workspace)
    # Whoever commits second to a table fails, and says why.
    for output in failed:
        assert re.search("DELTA_|another build", output), f"{output}\n{REPRODUCE}"
    if len(failed) < 2:
        # One came to its end: what it made needs no further build.
        assert differences_from_oracle(read(workspace)) == [], REPRODUCE
    sequence.build(workspace)
    assert [table for table, count in matching().items() if count] == [], REPRODUCE
    assert differences_from_oracle(read(workspace)) == [], REPRODUCE


def test_records_once_rejected_are_taken_in_and_a_rebuild_gives_the_same_tables(
    workspace: Workspace,
) -> None:
    """A relaxed rule, and the way back by a rebuild under the old one."""
    before = sequence.content(workspace)
    taken = "select count(*) as n from silver.heart_rates where heart_rate_bpm = 221"
    assert workspace.sql(taken)[0]["n"] == 0, REPRODUCE
    relaxed = json.dumps({"max_heart_rate_bpm": 221})
    workspace.dbt(*sequence.BUILD, "--vars", relaxed)
    assert workspace.sql(taken)[0]["n"] > 0, REPRODUCE
    assert differences_from_oracle(read(workspace), max_heart_rate_bpm=221) == [], REPRODUCE
    # They are taken in once.
    once = sequence.content(workspace)
    workspace.dbt(*sequence.BUILD, "--vars", relaxed)
    assert sequence.content(workspace) == once, REPRODUCE
    assert sequence.rebuilt(workspace) == before, REPRODUCE
