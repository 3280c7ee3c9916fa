"""The two laws: any order of arrival, and any number of builds, give the same tables."""

from __future__ import annotations

import json
import os
import re

import pytest

from tests.landed import Landed, differences_from_oracle, read
from tests.support import Workspace
from tests.worlds import corrections, sequence
from tests.worlds.world import world

pytestmark = pytest.mark.timeout(3600)

SEED = int(os.environ.get("WORLDS_SEED", "20260301"))
WORLDS = range(1, 26)
# Behind the first batch dbt dies, behind the second Spark does.
KILLS = sequence.KILLS[:2]
REPRODUCE = (
    f"reproduce with: WORLDS_SEED={SEED} .venv/bin/python -m pytest tests/worlds/test_worlds.py"
)


@pytest.fixture(scope="module")
def space(example_workspace: Workspace, landed_cases: Landed) -> Workspace:
    """The workspace with the worked example and the cases, on top of which all comes."""
    assert landed_cases.records
    return example_workspace


def test_any_order_with_builds_in_between_and_killed_gives_what_the_oracle_says(
    space: Workspace,
) -> None:
    worlds = [*(world(number, SEED) for number in WORLDS), corrections.before()]
    found = sequence.run(space, worlds, count=len(KILLS), seed=SEED, kills=KILLS)
    assert found == [], REPRODUCE


def built_tables(space: Workspace) -> list[str]:
    """Every table of silver and gold; views hold nothing."""
    found = []
    for schema in ("silver", "gold"):
        views = {row["viewName"] for row in space.sql(f"show views in {schema}")}
        names = {row["tableName"] for row in space.sql(f"show tables in {schema}")}
        found += [f"{schema}.{name}" for name in sorted(names - views)]
    return found


def test_a_build_with_nothing_new_writes_nothing(space: Workspace) -> None:
    def newest() -> dict[str, int]:
        return {
            table: space.sql(f"describe history {table} limit 1")[0]["version"]
            for table in built_tables(space)
        }

    before = newest()
    assert {"silver.stg_kafka__bpm", "silver.age_bands", "gold.member_activity"} <= {*before}
    sequence.build(space)
    assert newest() == before, REPRODUCE


def test_two_builds_at_once_and_late_records_that_make_rows_disappear(space: Workspace) -> None:
    def matching() -> dict[str, int]:
        return {
            table: space.sql(f"select count(*) as n from {table} where {condition}")[0]["n"]
            for table, condition in corrections.GONE.items()
        }

    assert [table for table, count in matching().items() if not count] == [], REPRODUCE
    sequence.land(space, corrections.after(), corrections.AFTER_HOUR)
    failed = sequence.build_twice_at_once(space)
    # Whoever commits second to a table fails, and says why.
    for output in failed:
        assert re.search("DELTA_|another build", output), f"{output}\n{REPRODUCE}"
    if len(failed) < 2:
        # One came to its end: what it made needs no further build.
        assert differences_from_oracle(read(space)) == [], REPRODUCE
    sequence.build(space)
    assert [table for table, count in matching().items() if count] == [], REPRODUCE
    assert differences_from_oracle(read(space)) == [], REPRODUCE


def test_records_once_rejected_are_taken_in_and_a_rebuild_gives_the_same_tables(
    space: Workspace,
) -> None:
    """A relaxed rule, and the way back by a rebuild under the old one."""
    before = sequence.content(space)
    taken = "select count(*) as n from silver.heart_rates where heart_rate_bpm = 221"
    assert space.sql(taken)[0]["n"] == 0, REPRODUCE
    relaxed = json.dumps({"max_heart_rate_bpm": 221})
    space.dbt(*sequence.BUILD, "--vars", relaxed)
    assert space.sql(taken)[0]["n"] > 0, REPRODUCE
    assert differences_from_oracle(read(space), max_heart_rate_bpm=221) == [], REPRODUCE
    # They are taken in once.
    once = sequence.content(space)
    space.dbt(*sequence.BUILD, "--vars", relaxed)
    assert sequence.content(space) == once, REPRODUCE
    assert sequence.rebuilt(space) == before, REPRODUCE
