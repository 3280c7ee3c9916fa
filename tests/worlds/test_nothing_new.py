"""What is up to date is not built; what is not, for whatever reason, is."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import dbt
from local.home import CHECKOUT
from tests.landed import Landed
from tests.support import Workspace, copy_project

pytestmark = pytest.mark.timeout(1800)

NOTHING_NEW = "NOTHING NEW"


@pytest.fixture(scope="module")
def space(example_workspace: Workspace, landed_cases: Landed) -> Iterator[Workspace]:
    """A workspace with tables in it, as the project builds them, also behind these tests."""
    assert landed_cases.records
    example_workspace.dbt("build", *dbt.WITHOUT_TESTS)
    yield example_workspace
    example_workspace.dbt("build", *dbt.WITHOUT_TESTS)


def built(target: Path) -> set[str]:
    """The nodes that the last command really built. All must have succeeded."""
    results = json.loads((target / "run_results.json").read_text())["results"]
    nodes = [r for r in results if r["unique_id"].split(".")[0] in ("model", "seed", "snapshot")]
    assert nodes
    assert all(r["status"] == "success" for r in nodes)
    return {r["unique_id"].split(".")[2] for r in nodes if r["message"] != NOTHING_NEW}


def build(space: Workspace, *arguments: str) -> set[str]:
    """Nodes that a build of the project really built."""
    space.dbt("build", *dbt.WITHOUT_TESTS, *arguments)
    return built(space.dbt_folder / "target")


def test_what_somebody_wrote_to_or_dropped_is_made_anew(space: Workspace) -> None:
    written = {"silver.age_bands", "gold.member_activity", "silver.user_bins"}
    before = {table: space.sql(f"select * from {table} order by 1, 2") for table in written}
    assert all(before.values())
    days = space.sql("select count(*) as days from gold.dates")
    assert build(space) == set()
    space.sql("delete from silver.age_bands where from_age >= 30")
    space.sql("update gold.member_activity set logins = -1")
    space.sql("drop table silver.user_bins")
    space.sql("create or replace view gold.dates as select date '2026-01-01' as date_day")
    # Its input has been written to, and comes out as it was.
    assert build(space) == {"age_bands", "member_activity", "user_bins", "dates"}
    for table, rows in before.items():
        assert space.sql(f"select * from {table} order by 1, 2") == rows, table
    assert space.sql("select count(*) as days from gold.dates") == days
    assert build(space) == set()


def test_a_variable_reaches_the_tables_that_it_is_in(space: Workspace) -> None:
    names = ("as_of_dates", "user_bins", "member_activity", "dates", "pipeline_health")
    assert build(space, "-s", *names) == set()
    variables = json.dumps({"as_of_date": "2026-02-14"})
    assert build(space, "-s", *names, "--vars", variables) == {
        *("as_of_dates", "user_bins", "member_activity"),
    }
    found = space.sql("select distinct cast(as_of_date as string) as day from silver.user_bins")
    assert found == [{"day": "2026-02-14"}]
    assert build(space, "-s", *names) == {"as_of_dates", "user_bins", "member_activity"}


def test_a_changed_comment_seed_or_column_is_built(space: Workspace, tmp_path: Path) -> None:
    names = ("heart_rates", "gym_visits", "age_bands", "user_bins", "heart_rate_zones")
    copy_project(tmp_path)
    # The first command on a copy: nothing but the folder is another.
    space.dbt_on(tmp_path, "build", *dbt.WITHOUT_TESTS, "-s", *names)
    assert built(tmp_path / "target") == set()

    properties = tmp_path / "models/silver/heart_rates.yml"
    text = properties.read_text()
    assert "doc('device_id')" in text
    properties.write_text(text.replace("{{ doc('device_id') }}", "Which device.", 1))
    bands = tmp_path / "seeds/age_bands.csv"
    bands.write_text(bands.read_text() + "101 and up,101,\n")
    space.dbt_on(tmp_path, "build", *dbt.WITHOUT_TESTS, "-s", *names)
    assert built(tmp_path / "target") == {"heart_rates", "age_bands", "user_bins"}
    comments = {row["col_name"]: row["comment"] for row in space.sql("describe silver.heart_rates")}
    assert comments["device_id"] == "Which device."
    added = "select count(*) as n from silver.age_bands where from_age = 101"
    assert space.sql(added) == [{"n": 1}]
    # And back.
    assert build(space, "-s", *names) == {"heart_rates", "age_bands", "user_bins"}
    assert space.sql(added) == [{"n": 0}]


def test_a_program_that_parses_once_sees_what_is_new_at_each_command(space: Workspace) -> None:
    counted = "select count(*) as n from silver.stg_kafka__bpm"
    before = space.sql(counted)[0]["n"]
    select = ("build", "-s", "stg_kafka__bpm", *dbt.WITHOUT_TESTS)
    again = "insert into bronze.bpm select * from bronze.bpm limit 1"
    folder = space.dbt_folder
    done = subprocess.run(
        dbt.in_one_process(
            [
                select,
                ("run-operation", "run_query", "--args", json.dumps({"sql": again})),
                select,
            ],
            *("--target-path", str(folder / "target"), "--log-path", str(folder / "logs")),
        ),
        cwd=CHECKOUT,
        env=space.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert space.sql(counted)[0]["n"] == before + 1
