"""`lakehouse forget` on a workspace of its own: bronze by ingestion, silver and gold by dbt."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local import dbt
from local.home import CHECKOUT
from tests.cases.case import Case
from tests.erasure import world
from tests.erasure.search import found_in
from tests.landed import GOLD, SILVER, Landed, publish, read
from tests.oracle import compare, compute
from tests.support import Workspace, running

pytestmark = pytest.mark.drill

# Rejected records of the person are erased, too; the oracle erases what it can decode.
LAWFUL = [
    name
    for name in (*SILVER, *GOLD)
    if name not in ("records", "rejected_records", "feed_arrivals", "pipeline_health")
]


@dataclass(frozen=True)
class Story:
    """What the workspace held at each point, and what the commands said."""

    space: Workspace
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


def take_in(space: Workspace, case: Case, folder: Path) -> None:
    """Send a case's messages, land its files, ingest, and build."""
    publish(space.home, (case,))
    for file in case.files:
        path = folder / file.name
        path.write_bytes(file.content)
        space.run("land", file.feed, path)
    space.run("ingest")
    # With the tests of all tables, which must hold of what is left as well.
    space.dbt("build", *dbt.WITHOUT_UNIT_TESTS)


def state(space: Workspace) -> list[str]:
    """What an erasure would change."""
    return [
        str(space.sql(f"select count(*), count(erased_at) from bronze.{feed}"))
        for feed in ("user_info", "bpm", "workout", "registered_users", "gym_logins")
    ] + [str(space.sql("select * from bronze.suppression_list"))]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    ids = f"\n  {world.PERSON} \n"
    with pytest.MonkeyPatch.context() as patch:
        # The whole text of every statement is in the log: no id may be in any.
        patch.setenv("LAKEHOUSE_LOG_SQL", "1")
        with running(tmp_path_factory.mktemp("erasure")) as space:
            take_in(space, world.WORLD, tmp_path_factory.mktemp("world"))
            before = read(space)
            seen = found_in(space.home.root, world.TRACES, [space.home.kafka])
            refused = space.run("forget", stdin=ids + "nobody-there\n", check=False)
            after_refusal = state(space)
            space.run("forget", stdin=ids)
            erased = read(space)
            take_in(space, world.LATE, tmp_path_factory.mktemp("late"))
            late = read(space)
            content = space.run("audit", "--content").stdout
            logged = found_in(space.dbt_folder, world.TRACES) + found_in(
                space.home.logs, world.TRACES
            )
            # Again, and down to the last byte.
            space.run("forget", "--vacuum", stdin=ids)
            searched = [*world.TRACES, world.LATE_BAND, world.LATE_CARD]
            traces = (
                found_in(space.home.root, searched, [space.home.kafka]),
                [
                    trace
                    for folder in ("target", "logs")
                    for trace in found_in(CHECKOUT / folder, searched)
                ],
            )
            space.dbt("build", *dbt.WITHOUT_TESTS)
            vacuumed = space.run("audit", "--content").stdout
            space.run("rebuild", "--", *dbt.WITHOUT_TESTS)
            rebuilt = space.run("audit", "--content").stdout
            yield Story(
                *(space, before, seen, refused, after_refusal, erased, late, (content, vacuumed)),
                *(traces, (vacuumed, rebuilt), logged),
            )


def values(tables: Mapping[str, list[dict[str, Any]]]) -> str:
    return repr(tables)


def test_an_unknown_id_changes_nothing(story: Story) -> None:
    assert story.refused.returncode == 1
    assert "number 2 of the input" in story.refused.stderr
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
    traces = (*world.TRACES, world.LATE_BAND, world.LATE_CARD, "datetime.date(1987, 6, 5)")
    assert [trace for trace in traces if trace in shown] == []


@pytest.mark.parametrize("table", LAWFUL)
def test_all_others_are_as_the_rules_demand(story: Story, table: str) -> None:
    expected = compute(story.before.records, erased={world.PERSON})
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
    assert first == {
        "user_info": 9,
        "workout": 6,
        "bpm": 14,
        "registered_users": 3,
        "gym_logins": 2,
    }
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


def test_no_log_names_the_person(story: Story) -> None:
    assert story.logged == []


def test_no_byte_of_the_person_is_left(story: Story) -> None:
    assert story.traces == ([], [])


def test_bronze_keeps_positions(story: Story) -> None:
    assert story.space.run("audit").returncode == 0
    [row] = story.space.sql(
        "select count(*) as rows, count(erased_at) as erased, count(if(erased_at is null, null, "
        "coalesce(key, value))) as left_over, count(`offset`) as offsets from bronze.bpm"
    )
    assert row["erased"] == 32
    assert row["left_over"] == 0
    assert row["offsets"] == row["rows"]
