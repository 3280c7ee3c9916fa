"""Edits of the project, and accidents to its tables: one plain build is right after each."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lakehouse import dbt
from tests.support import Workspace, copy_project

NOTHING_NEW = "NOTHING NEW"


@dataclass(frozen=True)
class Edit:
    """What somebody changes: texts in files (path, before, after) or variables.

    `reaches`: the nodes whose own code it touches; nothing but these and what reads them may be
    written.
    """

    name: str
    reaches: tuple[str, ...]
    texts: tuple[tuple[str, str, str], ...] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)


_VISITS = ("models/silver/gym_visits.sql", "models/silver/gym_visits.yml")
_CHANGES = ("models/silver/user_profile_changes.sql", "models/silver/user_profile_changes.yml")
_LOGOUT = """      - name: logout_at
        data_type: timestamp
        description: "{{ doc('logout_at') }}"
"""
_ZIP = """      - name: zip_code
        data_type: string
        description: "{{ doc('zip_code') }}"
"""

EDITS = (
    Edit(
        "a model's SQL",
        ("heart_rates",),
        (
            (
                "models/silver/heart_rates.sql",
                "min(heart_rate_bpm) as heart_rate_bpm",
                "max(heart_rate_bpm) as heart_rate_bpm",
            ),
        ),
    ),
    Edit(
        "a macro of expressions",
        ("hourly_heart_rates", "workout_bpm_summary", "member_months"),
        (("macros/rules.sql", "decimal(20, 10))) as double)", "decimal(20, 10))) + 1 as double)"),),
    ),
    Edit(
        "the formula of HRmax",
        ("daily_heart_rates", "workout_bpm_summary", "member_day_zones"),
        variables={"hr_max_formula": "tanaka"},
    ),
    Edit(
        "what a heart rate may be",
        ("stg_kafka__bpm",),
        variables={"min_heart_rate_bpm": 20, "max_heart_rate_bpm": 221},
    ),
    Edit(
        "a seed's row",
        ("age_bands",),
        (("seeds/age_bands.csv", "95+,95,", "95+,95,101\n101 and up,101,"),),
    ),
    Edit(
        "a column that comes",
        ("gym_visits",),
        (
            (
                _VISITS[0],
                "        visits.logout_at\n    from",
                "        visits.logout_at,\n        visits.logout_at is null as is_open\n    from",
            ),
            (
                _VISITS[1],
                _LOGOUT,
                _LOGOUT
                + "      - name: is_open\n        data_type: boolean\n        description: Open.\n",
            ),
        ),
    ),
    Edit(
        "a column of another type",
        ("hourly_heart_rates",),
        (
            (
                "models/gold/hourly_heart_rates.sql",
                "count(*) as num_readings,",
                "cast(count(*) as int) as num_readings,",
            ),
            (
                "models/gold/hourly_heart_rates.yml",
                "- name: num_readings\n        data_type: bigint",
                "- name: num_readings\n        data_type: int",
            ),
        ),
    ),
    Edit(
        "a column that goes, of the snapshot too",
        ("user_profile_changes", "user_profile_history", "user_profiles"),
        (
            (_CHANGES[0], "        zip_code,\n", ""),
            (_CHANGES[0], "city, state, zip_code\n", "city, state\n"),
            (_CHANGES[1], _ZIP, ""),
            ("snapshots/user_profile_history.yml", "        - zip_code\n", ""),
            ("models/silver/user_profiles.sql", "        zip_code,\n", ""),
            ("models/silver/user_profiles.yml", _ZIP, ""),
        ),
    ),
    Edit(
        "a comment",
        ("heart_rates",),
        (("models/silver/heart_rates.yml", "{{ doc('device_id') }}", "Which device."),),
    ),
)  # fmt: skip


def project(folder: Path, edit: Edit | None = None) -> Path:
    """A copy of the project, edited."""
    copy_project(folder)
    for path, before, after in edit.texts if edit else ():
        text = (folder / path).read_text()
        assert before in text, (path, before)
        (folder / path).write_text(text.replace(before, after))
    return folder


def variables(edit: Edit) -> tuple[str, ...]:
    """dbt's options for the variables of an edit."""
    return ("--vars", json.dumps(dict(edit.variables))) if edit.variables else ()


def build(workspace: Workspace, edited: Path, edit: Edit) -> set[str]:
    """Build the edited project; the nodes that were built, which must be those it reaches."""
    workspace.dbt_on(edited, "build", *dbt.WITHOUT_TESTS, *variables(edit))
    results = json.loads((edited / "target/run_results.json").read_text())["results"]
    nodes = [r for r in results if r["unique_id"].split(".")[0] in ("model", "seed", "snapshot")]
    found = {r["unique_id"] for r in nodes if r["message"] != NOTHING_NEW}
    manifest = json.loads((edited / "target/manifest.json").read_text())
    reached: set[str] = set()
    todo = [name for name in manifest["child_map"] if name.split(".")[-1] in edit.reaches]
    while todo:
        name = todo.pop()
        if name not in reached:
            reached.add(name)
            todo += manifest["child_map"][name]
    assert found <= reached, found - reached
    return {name.split(".")[-1] for name in found}


def from_nothing(workspace: Workspace, edited: Path, edit: Edit) -> list[str]:
    """What differs from a build from nothing of the same bronze, in schemas of its own."""
    settings = edited / "dbt_project.yml"
    as_is = settings.read_text()
    try:
        text = as_is
        for schema in ("silver", "gold"):
            text = text.replace(f"+schema: {schema}", f"+schema: nothing_{schema}")
        settings.write_text(text)
        workspace.dbt_on(edited, "build", *dbt.WITHOUT_TESTS, *variables(edit))
        told = []
        for schema in ("silver", "gold"):
            done = workspace.run("diff", schema, f"nothing_{schema}", check=False)
            told += [] if done.returncode == 0 else [done.stdout + done.stderr]
        return told
    finally:
        settings.write_text(as_is)
        for schema in ("silver", "gold"):
            workspace.sql(f"drop schema if exists nothing_{schema} cascade")


def full_refresh(workspace: Workspace) -> None:
    workspace.dbt("build", *dbt.WITHOUT_TESTS, "--full-refresh", "-s", "heart_rates")


def drop(workspace: Workspace) -> None:
    workspace.sql("drop table silver.gym_visits")
    workspace.sql("drop table gold.daily_heart_rates")
    workspace.sql("drop view silver.records")


def restore(workspace: Workspace) -> None:
    """Tables as they were some commits ago; their marks go back with them."""
    for table in ("silver.heart_rates", "silver.user_profile_history", "gold.gym_summary"):
        newest = workspace.sql(f"describe history {table} limit 1")[0]["version"]
        workspace.sql(f"restore table {table} to version as of {max(newest - 3, 0)}")


def another_table(workspace: Workspace) -> None:
    """A table in the place of another, as after a repair by hand."""
    workspace.sql(
        "create table silver.workout_sessions_copy as select * from silver.workout_sessions"
    )
    workspace.sql("drop table silver.workout_sessions")
    workspace.sql(
        "create table silver.workout_sessions as select * from silver.workout_sessions_copy"
    )
    workspace.sql("drop table silver.workout_sessions_copy")


def vacuum(workspace: Workspace) -> None:
    """The change feed of what has changed since the last build is gone."""
    table = "silver.stg_kafka__bpm"
    workspace.dbt("build", *dbt.WITHOUT_TESTS, "-s", "stg_kafka__bpm")
    retention = "delta.deletedFileRetentionDuration"
    workspace.sql(f"alter table {table} set tblproperties ('{retention}' = 'interval 0 hours')")
    workspace.sql(f"vacuum {table}")
    workspace.sql(f"alter table {table} unset tblproperties ('{retention}')")


def clock(workspace: Workspace) -> None:
    """Arrivals told by a clock ten years behind, when every event lay ahead; then put right."""
    readings = "select count(*) as n from silver.heart_rates"
    [before] = workspace.sql(readings)
    ahead, behind = ("--from", "2025-01-01", "--to", "2035-01-01"), ("--from", "2014-01-01")
    workspace.run("clock", *ahead, "--shift=-3653d")
    workspace.dbt("build", *dbt.WITHOUT_TESTS)
    [wrong] = workspace.sql(readings)
    assert wrong["n"] < before["n"]
    workspace.run("clock", *behind, "--to", "2025-01-01", "--shift", "3653d")


ACCIDENTS: tuple[Callable[[Workspace], None], ...] = (
    *(full_refresh, drop, restore, another_table, vacuum, clock),
)
