"""The demo: its steps, its results, and what it says when a step fails."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from lakehouse.commands import demo
from lakehouse.home import Home, WorkspaceError
from lakehouse.simulator.drops import make_drops
from lakehouse.simulator.stream import Simulation, Tally
from lakehouse.simulator.wearer import Wearer
from tests.landed import Landed
from tests.support import Workspace


@pytest.fixture
def home(tmp_path: Path) -> Home:
    found = Home(tmp_path / "home", 20000)
    found.create()
    return found


def test_a_step_keeps_its_seconds_and_output(home: Home) -> None:
    steps = demo.Steps(home.logs)
    script = "import os; print(os.environ['LAKEHOUSE_PORT']); print('PASS=3')"
    output = steps.command("say", [sys.executable, "-c", script], home, "say.log")
    assert output.split() == ["20000", "PASS=3"]
    assert (home.logs / "say.log").read_text() == output
    assert steps.seconds["say"] > 0


def test_a_failing_step_ends_the_demo_with_its_last_lines(home: Home) -> None:
    steps = demo.Steps(home.logs)
    script = "import sys; [print('line', n) for n in range(99)]; sys.exit(3)"
    with pytest.raises(WorkspaceError, match="ended with 3") as fault:
        steps.command("fail", [sys.executable, "-c", script], home, "fail.log")
    assert "line 98" in str(fault.value)
    assert "line 7\n" not in str(fault.value)
    assert str(home.logs / "fail.log") in str(fault.value)
    assert "fail" not in steps.seconds


def test_the_demo_ends_in_the_evening_of_the_samples_last_day_and_stays_small() -> None:
    settings = demo.settings()
    simulation = Simulation(settings)
    *others, wearer = simulation.members
    assert isinstance(wearer, Wearer)
    newest = datetime.fromtimestamp(int(wearer.times_s[-1]), wearer.zone)
    assert newest.date() == demo.START + timedelta(days=demo.DAYS - 1)
    assert newest.hour > demo.UNTIL
    assert {*demo.OTHERS} <= {member.user_id for member in others[: demo.MEMBERS]}
    # The demo's seconds follow from the number of records.
    tally = Tally()
    for _ in simulation.blocks(0, 1, tally):
        pass
    make_drops(settings, simulation.members, tally)
    assert tally.sent.total() < 270_000
    visits = {(r.mac_address, r.login_s) for m in others for r in m.logins}
    assert len(visits) > 10_000


def test_results_of_a_built_lakehouse(
    example_workspace: Workspace, landed_example: Landed, capsys: pytest.CaptureFixture[str]
) -> None:
    """The worked example stands for the demo's own day: the queries are the same."""
    demo._results(example_workspace.home)
    shown = capsys.readouterr().out
    assert landed_example.tables["gym_summary"]
    for part in (
        "gold.workout_bpm_summary",
        "gold.gym_summary",
        "silver.heart_rates",
        "bronze.bpm",
        "rejected",
        "reason",
    ):
        assert part in shown
    assert "stg_" not in shown
