"""`lakehouse demo`, whole: what it shows is there, and adds up."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.dashboard import pictures
from tests.support import Workspace

pytestmark = [pytest.mark.drill, pytest.mark.timeout(3600)]


def _table(output: str, title: str) -> list[list[str]]:
    """Cells of the rows below a title: names, a rule, then rows up to an empty line."""
    _, _, found = output.partition(f"{title}\n")
    names, rule, *rows = found.partition("\n\n")[0].splitlines()
    assert names
    assert set(rule) == {"-", " "}
    return [row.split() for row in rows]


# Their rows are about arrival, or are read from the records as they stand.
_OF_ARRIVAL = ("feed_arrivals", "pipeline_health")


def _versions(workspace: Workspace) -> dict[str, int]:
    """The newest commit of each fact's table."""
    found = {}
    for schema in ("silver", "gold"):
        tables = workspace.sql(
            "select table_name as name from system.information_schema.tables"
            f" where table_schema = '{schema}' and table_type <> 'VIEW'"
        )
        for name in (row["name"] for row in tables):
            if not name.startswith("stg_") and name not in _OF_ARRIVAL:
                [newest] = workspace.sql(f"describe history {schema}.{name} limit 1")
                found[f"{schema}.{name}"] = newest["version"]
    return found


def test_the_demo(fresh_workspace: Callable[[], Workspace], tmp_path: Path) -> None:
    workspace = fresh_workspace()
    done = workspace.run("demo", timeout=1500)
    shown = done.stdout
    for table in ("gold.workout_bpm_summary", "gold.gym_summary"):
        rows = _table(shown, next(line for line in shown.splitlines() if table in line))
        assert rows, table
    outcomes = _table(shown, "What became of each feed's records (gold.pipeline_health)")
    assert {feed for feed, *_ in outcomes} == {
        *("bpm", "gym_logins", "registered_users", "user_info", "workout")
    }
    for feed, *counts in outcomes:
        received, *parts = map(int, counts)
        assert received == sum(parts) > 0
        held = workspace.sql(f"select count(*) as n from bronze.{feed}")
        assert held == [{"n": received}], feed
    rejected = _table(shown, "Rejected by reason (silver.rejected_records)")
    assert sum(int(row[1]) for row in rejected) == sum(int(row[3]) for row in outcomes)
    steps = shown.partition("Seconds by step\n")[2].partition("\n\n")[0].splitlines()
    assert [line.rsplit(maxsplit=1)[0].strip() for line in steps] == [
        "start the workspace",
        "publish and land a month",
        "ingest into bronze",
        "dbt build",
        "read the results",
        "write the dashboard",
        "write the docs",
        "in all",
    ]
    pages = [Path(line.strip()) for line in shown.splitlines() if line.endswith(".html")]
    assert len(pages) == 6
    assert all(page.stat().st_size > 1_000 for page in pages)
    # README's pictures show what every demo shows.
    committed = json.loads((pictures.FOLDER / pictures.NUMBERS).read_text())
    taken = pictures.write(workspace.home, tmp_path)
    assert taken.keys() == committed.keys()
    for name, each in taken.items():
        for part in ("begins with", "all rows"):
            assert each[part] == committed[name][part], name
    facts = _versions(workspace)
    workspace.run("demo", timeout=1500)
    assert _versions(workspace) == facts
