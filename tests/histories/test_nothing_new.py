"""What is up to date is not built; what is not, for whatever reason, is."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lakehouse import dbt
from lakehouse.home import CHECKOUT
from tests.landed import Landed, differences_from_oracle, read
from tests.oracle.clocks import seed
from tests.support import Workspace, copy_project

pytestmark = pytest.mark.timeout(1800)

NOTHING_NEW = "NOTHING NEW"


@pytest.fixture(scope="module")
def workspace(example_workspace: Workspace, landed_cases: Landed) -> Iterator[Workspace]:
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


def build(workspace: Workspace, *arguments: str) -> set[str]:
    """Nodes that a build of the project really built."""
    workspace.dbt("build", *dbt.WITHOUT_TESTS, *arguments)
    return built(workspace.dbt_folder / "target")


def newest(workspace: Workspace, table: str) -> int:
    """The number of a table's newest commit."""
    return int(workspace.sql(f"describe history {table} limit 1")[0]["version"])


def test_what_somebody_dropped_is_made_anew(workspace: Workspace) -> None:
    dropped = ("silver.user_bins", "gold.member_activity")
    before = {table: workspace.sql(f"select * from {table} order by 1") for table in dropped}
    assert all(before.values())
    assert build(workspace) == set()
    workspace.sql("drop view silver.user_bins")
    workspace.sql("drop table gold.member_activity")
    assert build(workspace) == {"user_bins", "member_activity", "member_cohorts"}
    for table, rows in before.items():
        assert workspace.sql(f"select * from {table} order by 1") == rows, table
    assert build(workspace) == set()


def test_a_variable_reaches_the_tables_that_it_is_in(workspace: Workspace) -> None:
    names = ("user_bins", "member_activity", "pipeline_health")
    assert build(workspace, "-s", *names) == set()
    variables = json.dumps({"as_of_date": "2026-02-14"})
    assert build(workspace, "-s", *names, "--vars", variables) == {"member_activity"}
    found = workspace.sql("select distinct cast(as_of_date as string) as day from silver.user_bins")
    assert found == [{"day": "2026-02-14"}]
    assert build(workspace, "-s", *names) == {"member_activity"}


def test_what_the_first_edition_built_is_taken_over(workspace: Workspace) -> None:
    """Its tables have other columns and marks; those of models that are gone go."""
    for statement in (
        "create table silver.record_outcomes tblproperties ('fitbit.input.x' = '1') "
        "as select 1 as n",
        "create view silver.member_ages tblproperties ('fitbit.definition' = 'x') as select 1 n",
        "create table silver.member_access as select '1' as user_id",
    ):
        workspace.sql(statement)
    taken_over = ("silver.stg_kafka__bpm", "silver.heart_rates", "gold.daily_heart_rates")
    rows = {table: workspace.sql(f"select count(*) as n from {table}") for table in taken_over}
    for table in taken_over:
        workspace.sql(
            f"alter table {table} unset tblproperties if exists ('build.code', 'build.look')"
        )
        workspace.sql(f"alter table {table} set tblproperties ('fitbit.input.bronze.bpm' = '1')")
        workspace.sql(f"alter table {table} add columns (built_by string)")
    output = workspace.dbt("build", *dbt.WITHOUT_TESTS).stdout
    for gone in ("record_outcomes", "member_ages"):
        assert f"Dropped silver.{gone}: no model of this project makes it" in output
    for table in taken_over:
        assert workspace.sql(f"select count(*) as n from {table}") == rows[table]
        assert "built_by" not in workspace.sql(f"select * from {table} limit 1")[0]
        kept = {row["key"] for row in workspace.sql(f"show tblproperties {table}")}
        assert {"build.code", "build.look"} <= kept
        assert not any(name.startswith("fitbit.") for name in kept)
    assert workspace.sql("select count(*) as n from silver.member_access") == [{"n": 1}]
    workspace.sql("drop table silver.member_access")
    assert build(workspace) == set()


def test_a_changed_comment_seed_or_column_is_built(workspace: Workspace, tmp_path: Path) -> None:
    names = ("heart_rates", "gym_visits", "age_bands", "member_activity", "heart_rate_zones")
    copy_project(tmp_path)
    # Nothing but the folder is another; a table made anew counts its commits from 0.
    workspace.sql("drop table silver.age_bands")
    workspace.dbt_on(tmp_path, "build", *dbt.WITHOUT_TESTS, "-s", *names)
    assert built(tmp_path / "target") == {"age_bands", "member_activity"}

    before = newest(workspace, "silver.age_bands")
    properties = tmp_path / "models/silver/heart_rates.yml"
    text = properties.read_text()
    assert "doc('device_id')" in text
    properties.write_text(text.replace("{{ doc('device_id') }}", "Which device.", 1))
    bands = tmp_path / "seeds/age_bands.csv"
    bands.write_text(bands.read_text().replace("95+,95,", "95+,95,101") + "101 and up,101,\n")
    workspace.sql("drop table silver.age_bands")
    workspace.dbt_on(tmp_path, "build", *dbt.WITHOUT_TESTS, "-s", *names)
    assert built(tmp_path / "target") == {"heart_rates", "age_bands", "member_activity"}
    assert newest(workspace, "silver.age_bands") == before
    comments = {
        row["col_name"]: row["comment"] for row in workspace.sql("describe silver.heart_rates")
    }
    assert comments["device_id"] == "Which device."
    added = "select count(*) as n from silver.age_bands where from_age = 101"
    assert workspace.sql(added) == [{"n": 1}]
    # And back.
    assert build(workspace, "-s", *names) == {"heart_rates", "age_bands", "member_activity"}
    assert workspace.sql(added) == [{"n": 0}]


def test_a_changed_zone_redates_the_history(workspace: Workspace, tmp_path: Path) -> None:
    """Of gyms by the seed, of members by the seed and the variable; and back."""
    copy_project(tmp_path)
    gyms = tmp_path / "seeds/gym_locations.csv"
    gyms.write_text(gyms.read_text().replace("America/New_York", "Asia/Kolkata"))
    states = tmp_path / "seeds/state_time_zones.csv"
    states.write_text("state,time_zone\nCA,Asia/Tokyo\n")
    dates = "select mac_address, login_at, visit_date from gold.gym_summary order by all"
    before = workspace.sql(dates)
    default = {"default_time_zone": "America/Sao_Paulo"}
    workspace.dbt_on(tmp_path, "build", *dbt.WITHOUT_TESTS, "--vars", json.dumps(default))
    changed = {
        "gym_locations": [
            {**row, "time_zone": str(row["time_zone"]).replace("America/New_York", "Asia/Kolkata")}
            for row in seed("gym_locations")
        ],
        "state_time_zones": {"CA": "Asia/Tokyo"},
    }
    assert differences_from_oracle(read(workspace), **default, **changed) == []
    assert workspace.sql(dates) != before
    workspace.dbt("build", *dbt.WITHOUT_TESTS)
    assert differences_from_oracle(read(workspace)) == []
    assert workspace.sql(dates) == before
    assert build(workspace) == set()


def test_a_program_that_parses_once_sees_what_is_new_at_each_command(workspace: Workspace) -> None:
    counted = "select count(*) as n from silver.stg_kafka__bpm"
    before = workspace.sql(counted)[0]["n"]
    select = ("build", "-s", "stg_kafka__bpm", *dbt.WITHOUT_TESTS)
    again = (
        "insert into bronze.bpm by name"
        " select * except (record_id), concat(record_id, '-again') as record_id"
        " from bronze.bpm where record_id is not null order by record_id limit 1"
    )
    folder = workspace.dbt_folder
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
        env=workspace.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert workspace.sql(counted)[0]["n"] == before + 1


def test_with_defer_inputs_are_looked_up_where_they_lie(
    workspace: Workspace, tmp_path: Path
) -> None:
    """As a pull request's build in a catalog of its own, which holds what it changes alone."""
    workspace.dbt("parse")
    state = workspace.dbt_folder / "target"
    copy_project(tmp_path / "project")
    project = tmp_path / "project/dbt_project.yml"
    project.write_text(project.read_text().replace("+schema: silver", "+schema: pr_silver"))
    select = ("build", "-s", "user_bins", "--defer", "--state", str(state), *dbt.WITHOUT_TESTS)
    try:
        for expected in ({"user_bins"}, set()):
            workspace.dbt_on(tmp_path / "project", *select)
            assert built(tmp_path / "project/target") == expected
        columns = "user_id, age_band, gender, city, state, as_of_date"
        theirs = f"select {columns} from pr_silver.user_bins order by user_id"
        assert workspace.sql(theirs) == workspace.sql(theirs.replace("pr_silver", "silver"))
    finally:
        workspace.sql("drop schema if exists pr_silver cascade")
