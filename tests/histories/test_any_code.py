"""Any code: after any edit, and any accident to a table, one plain build of the product is right.

The mechanism alone is tried on a toy in `tests/incremental`.
"""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from lakehouse import dbt
from lakehouse.home import Home
from tests.histories import edits, sequence
from tests.landed import Landed, differences_from_oracle, read
from tests.support import Workspace, free_base_port

pytestmark = [pytest.mark.drill, pytest.mark.timeout(7200)]

SEED = random.randrange(10**6)
DAYS, BATCHES = 5, 6


@pytest.fixture(scope="module")
def workspace(example_workspace: Workspace, landed_cases: Landed) -> Workspace:
    """A workspace with the worked example and the cases, as the project builds them."""
    assert landed_cases.records
    example_workspace.dbt(*sequence.BUILD)
    return example_workspace


@pytest.fixture
def content(workspace: Workspace) -> Iterator[list[str]]:
    """What the tables hold; they must hold it again behind the test."""
    before = sequence.content(workspace)
    yield before
    workspace.dbt(*sequence.BUILD)
    assert sequence.content(workspace) == before


@pytest.mark.parametrize("edit", edits.EDITS, ids=lambda edit: edit.name)
def test_after_an_edit(
    workspace: Workspace, content: list[str], tmp_path: Path, edit: edits.Edit
) -> None:
    project = edits.project(tmp_path / "project", edit)
    assert edits.build(workspace, project, edit) >= set(edit.reaches) - {"member_day_zones"}
    assert edits.from_nothing(workspace, project, edit) == []


@pytest.mark.parametrize("accident", edits.ACCIDENTS, ids=lambda one: one.__name__)
def test_after_an_accident(
    workspace: Workspace, content: list[str], accident: Callable[[Workspace], None]
) -> None:
    accident(workspace)
    workspace.dbt(*sequence.BUILD)
    assert sequence.content(workspace) == content


def test_an_edit_that_died_between_rows_and_mark_and_was_taken_back(
    workspace: Workspace, content: list[str], tmp_path: Path
) -> None:
    edit = edits.EDITS[0]
    project = edits.project(tmp_path / "project", edit)
    log = project / "logs/dbt.log"
    command = [*workspace.dbt_command(*sequence.BUILD)]
    command += ["--project-dir", str(project), "--profiles-dir", str(project)]
    command += ["--target-path", str(project / "target"), "--log-path", str(log.parent)]
    sequence.killed(
        workspace,
        command,
        log,
        sequence.Kill("dbt", "alter table `lakehouse`.`silver`.`heart_rates` set tblproperties"),
    )
    workspace.dbt(*sequence.BUILD)
    assert sequence.content(workspace) == content


def test_empty_is_refused_for_what_is_there(workspace: Workspace, content: list[str]) -> None:
    done = workspace.dbt("build", *dbt.WITHOUT_TESTS, "--empty", check=False)
    assert done.returncode == 1
    assert "which is there" in done.stdout
    assert sequence.content(workspace) == content


def test_a_pull_request_that_clones(
    workspace: Workspace, content: list[str], tmp_path: Path
) -> None:
    workspace.dbt("compile")
    state = workspace.dbt_folder / "target"
    project = edits.project(tmp_path / "project", edits.EDITS[0])
    settings = project / "dbt_project.yml"
    text = settings.read_text()
    for schema in ("silver", "gold"):
        text = text.replace(f"+schema: {schema}", f"+schema: pr_{schema}")
    settings.write_text(text)
    try:
        workspace.dbt_on(project, "clone", "--state", str(state))
        workspace.dbt_on(project, "build", *dbt.WITHOUT_TESTS)
        # The same edit built on the tables themselves.
        own = edits.project(tmp_path / "own", edits.EDITS[0])
        edits.build(workspace, own, edits.EDITS[0])
        for schema in ("silver", "gold"):
            done = workspace.run("diff", schema, f"pr_{schema}", check=False)
            assert done.returncode == 0, done.stdout
    finally:
        for schema in ("silver", "gold"):
            workspace.sql(f"drop schema if exists pr_{schema} cascade")


def test_a_home_that_was_copied(workspace: Workspace, content: list[str], tmp_path: Path) -> None:
    """By `cp -r`, which gives the files new times."""
    workspace.run("down")
    copy = Workspace(Home(tmp_path / "copy", free_base_port()))
    subprocess.run(["cp", "-r", str(workspace.home.root), str(copy.home.root)], check=True)
    shutil.rmtree(copy.home.run, ignore_errors=True)
    try:
        copy.run("up")
        done = copy.dbt(*sequence.BUILD)
        assert "NEW:" not in done.stdout and "WHOLE:" not in done.stdout, done.stdout
        assert sequence.content(copy) == content
    finally:
        copy.run("down")
        workspace.run("up")


def test_a_month_with_edits_and_accidents_between_its_batches(
    workspace: Workspace, tmp_path: Path
) -> None:
    rng = random.Random(f"{SEED}/edits")
    happened = []
    for number in range(BATCHES):
        start = date(2026, 5, 1) + timedelta(days=number * DAYS)
        workspace.run(
            *("simulate", "--users", "5", "--days", str(DAYS), "--seed", str(number)),
            *("--start", start.isoformat(), "--interval", "180", "--dirty", "0.02"),
        )
        workspace.run("ingest")
        edit, accident = rng.choice(edits.EDITS), rng.choice(edits.ACCIDENTS)
        happened.append((edit.name, accident.__name__))
        edits.project(tmp_path / f"p{number}", edit)
        edited = tmp_path / f"p{number}"
        workspace.dbt_on(edited, "build", *dbt.WITHOUT_TESTS, *edits.variables(edit))
        accident(workspace)
    workspace.dbt(*sequence.BUILD)
    assert differences_from_oracle(read(workspace)) == [], (SEED, happened)
