"""`lakehouse forget` on a workspace of its own: bronze by ingestion, silver and gold by dbt."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from lakehouse import dbt
from lakehouse.home import CHECKOUT
from tests.cases.case import mac
from tests.erasure import world
from tests.erasure.search import found_in
from tests.erasure.test_bronze import IDS, land, land_world
from tests.histories.test_nothing_new import build
from tests.landed import GOLD, SILVER, Landed, read
from tests.oracle import compare, compute
from tests.support import Workspace, running

pytestmark = pytest.mark.drill

# Rejected records of the person are erased, too; the oracle erases what it can decode.
LAWFUL = [
    name
    for name in (*SILVER, *GOLD)
    if name not in ("records", "rejected_records", "feed_arrivals", "pipeline_health")
]


# An export lists what is held, so tables alone.
VIEWS = ("profile_versions", "user_bins", "member_day_zones")


@dataclass(frozen=True)
class Story:
    """What the workspace held at each point, and what the commands said."""

    workspace: Workspace
    before: Landed
    seen: list[str]
    refused: subprocess.CompletedProcess[str]
    after_refusal: list[str]
    erased: Landed
    late: Landed
    content: tuple[str, str]
    traces: tuple[list[str], list[str]]
    rebuilt: tuple[str, str]
    logged: list[str]
    idle: list[set[str]]
    exported: str


def state(workspace: Workspace) -> list[str]:
    """What an erasure would change."""
    return [
        str(workspace.sql(f"select count(*), count(erased_at) from bronze.{feed}"))
        for feed in ("user_info", "bpm", "workout", "registered_users", "gym_logins")
    ] + [str(workspace.sql("select * from bronze.suppression_list"))]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with pytest.MonkeyPatch.context() as patch:
        # The whole text of every statement is in the log: no id may be in any.
        patch.setenv("LAKEHOUSE_LOG_SQL", "1")
        with running(tmp_path_factory.mktemp("erasure")) as workspace:
            land_world(workspace, tmp_path_factory.mktemp("world"))
            # With the tests of all tables, which must hold of what is left as well.
            workspace.dbt("build", *dbt.WITHOUT_UNIT_TESTS)
            before = read(workspace)
            seen = found_in(workspace.home.root, world.TRACES)
            exported = workspace.run("export", stdin=IDS).stdout
            refused = workspace.run("forget", stdin=IDS + "nobody-there\n", check=False)
            after_refusal = state(workspace)
            workspace.run("forget", stdin=IDS)
            idle = [build(workspace)]
            erased = read(workspace)
            land(workspace, world.LATE, tmp_path_factory.mktemp("late"))
            workspace.dbt("build", *dbt.WITHOUT_UNIT_TESTS)
            late = read(workspace)
            content = workspace.run("audit", "--content").stdout
            logged = found_in(workspace.dbt_folder, world.TRACES) + found_in(
                workspace.home.logs, world.TRACES
            )
            # Again, and down to the last byte.
            workspace.run("forget", "--vacuum", stdin=IDS, timeout=1800)
            searched = [*world.TRACES, world.LATE_BAND, mac(world.LATE_CARD)]
            traces = (
                found_in(workspace.home.root, searched),
                [
                    trace
                    for folder in ("target", "logs")
                    for trace in found_in(CHECKOUT / folder, searched)
                ],
            )
            idle.append(build(workspace))
            vacuumed = workspace.run("audit", "--content").stdout
            workspace.run("rebuild", "--", *dbt.WITHOUT_TESTS, timeout=1800)
            rebuilt = workspace.run("audit", "--content").stdout
            yield Story(
                *(
                    workspace,
                    before,
                    seen,
                    refused,
                    after_refusal,
                    erased,
                    late,
                    (content, vacuumed),
                ),
                *(traces, (vacuumed, rebuilt), logged, idle, exported),
            )


def values(tables: Mapping[str, list[dict[str, Any]]]) -> str:
    return repr(tables)


def test_an_unknown_id_changes_nothing(story: Story) -> None:
    assert story.refused.returncode == 1
    assert f"on line {len(IDS.splitlines()) + 1} of the input" in story.refused.stderr
    assert "Traceback" not in story.refused.stderr
    assert all("count(erased_at)': 0" in line for line in story.after_refusal[:-1])
    assert story.after_refusal[-1] == "[]"


def test_the_person_was_everywhere(story: Story) -> None:
    """And is found wherever it hides: what follows means something."""
    for trace in world.TRACES:
        assert [line for line in story.seen if line.endswith(f": {trace}")], trace
    for place in (".parquet: ", ".json: ", ".csv: ", ".gz: "):
        assert [line for line in story.seen if place in line], place
    assert [line for line in story.seen if "/_delta_log/" in line]


@pytest.mark.parametrize("moment", ["erased", "late"])
def test_the_person_is_in_no_table(story: Story, moment: str) -> None:
    shown = values(getattr(story, moment).tables)
    traces = (
        *world.TRACES,
        world.LATE_BAND,
        mac(world.LATE_CARD),
        "datetime.date(1987, 6, 5)",
    )
    assert [trace for trace in traces if trace in shown] == []


@pytest.mark.parametrize("table", LAWFUL)
def test_all_others_are_as_the_rules_demand(story: Story, table: str) -> None:
    expected = compute(story.before.records, erased={world.PERSON, world.ODD})
    assert compare(expected[table], story.erased.tables[table], table) == []


def test_the_next_owner_inherits_nothing(story: Story) -> None:
    def owned(landed: Landed) -> set[tuple[str, Any]]:
        return {
            (row["user_id"], row["measured_at"])
            for row in landed.tables["heart_rates"]
            if row["device_id"] == world.BAND
        }

    mine = {at for user, at in owned(story.before) if user == world.PERSON}
    assert mine
    assert {at for _, at in owned(story.erased)} == {at for _, at in owned(story.before)} - mine
    # Late readings of the person's time stay out; those of the next owner's are his.
    added = owned(story.late) - owned(story.erased)
    assert {user for user, _ in added} == {world.AFTER}
    assert len(added) == 6


def test_late_records_count_as_erased(story: Story) -> None:
    def erased(landed: Landed) -> dict[str, int]:
        counts: dict[str, int] = {}
        for row in landed.tables["feed_arrivals"]:
            if row["erased"]:
                counts[row["feed"]] = counts.get(row["feed"], 0) + row["erased"]
        return counts

    first, then = erased(story.erased), erased(story.late)
    assert first == world.ERASED_RECORDS
    assert {feed: then[feed] - first[feed] for feed in then} == {
        "user_info": 1,
        "workout": 2,
        "bpm": 18,
        "registered_users": 1,
        "gym_logins": 2,
    }


def test_a_rebuild_gives_the_same(story: Story) -> None:
    assert story.rebuilt[0] == story.rebuilt[1]


def test_erasing_again_changes_nothing(story: Story) -> None:
    assert story.content[0] == story.content[1]


def test_after_it_a_build_has_nothing_to_do(story: Story) -> None:
    """Also behind `--vacuum`, which cuts the logs that marks lead to."""
    assert story.idle == [set(), set()]


def test_an_export_has_the_rows_that_the_rules_give_the_persons(story: Story) -> None:
    rows: dict[str, int] = {}
    for line in story.exported.splitlines():
        _, _, table = json.loads(line)["table"].partition(".")
        rows[table] = rows.get(table, 0) + 1
    expected = compute(story.before.records)
    assert sum("user_id" in (expected[name] or [{}])[0] for name in LAWFUL) > 8
    for name in LAWFUL:
        theirs = [row for row in expected[name] if row.get("user_id") in world.ERASED]
        if name not in VIEWS:
            assert rows.get(name, 0) == len(theirs), name


def test_no_log_names_the_person(story: Story) -> None:
    assert story.logged == []


def test_no_byte_of_the_person_is_left(story: Story) -> None:
    assert story.traces == ([], [])


def test_bronze_keeps_positions(story: Story) -> None:
    assert story.workspace.run("audit").returncode == 0
    [row] = story.workspace.sql(
        "select count(*) as rows, count(erased_at) as erased, count(if(erased_at is null, null, "
        "coalesce(key, value))) as left_over, count(coalesce(record_id, string(`offset`)))"
        " as places from bronze.bpm"
    )
    assert row["erased"] == world.ERASED_RECORDS["bpm"] + 18
    assert row["left_over"] == 0
    assert row["places"] == row["rows"]
