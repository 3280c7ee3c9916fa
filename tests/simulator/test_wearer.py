"""The member who is made around real heart rates; their files are in test_heart_rate_forms.py."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from lakehouse.heart_rate_files import read_heart_rates
from lakehouse.home import CHECKOUT
from lakehouse.simulator.settings import Settings
from lakehouse.simulator.stream import Simulation, Tally
from lakehouse.simulator.wearer import Wearer, episodes, first_day, make_wearer

SAMPLE = CHECKOUT / "samples" / "heartrate_seconds_2016-04-26.csv.gz"


def test_the_sample_is_one_day() -> None:
    assert len(read_heart_rates(SAMPLE).bpm) == 5586
    assert first_day(SAMPLE) == date(2016, 4, 26)


def test_episodes_are_the_elevated_stretches() -> None:
    minutes = np.full(120, 70)
    minutes[20:50] = 140
    minutes[30:33] = 95  # a break
    minutes[80:85] = 150  # too short
    times = np.arange(120 * 6, dtype=np.int64) * 10
    bpm = np.repeat(minutes, 6).astype(np.int64)
    assert episodes(times, bpm, 60) == [(20 * 60, 50 * 60)]
    assert episodes(times, np.full(720, 70, dtype=np.int64), 60) == []


def test_a_wearers_workouts_and_visits_fit_the_heart_rates() -> None:
    wearer = make_wearer(Settings(), SAMPLE)
    assert wearer.user_id == "2022484408"
    assert wearer.changes[0].at_ms < wearer.registrations[0].at_s * 1000 < wearer.times_s[0] * 1000
    assert wearer.exercises
    for exercise in wearer.exercises:
        during = (wearer.times_s >= exercise.start_s) & (wearer.times_s < exercise.end_s)
        assert np.median(wearer.bpm[during]) > np.median(wearer.bpm) + 20
    visits = [(r.login_s, r.logout_s) for r in wearer.logins if r.logout_s]
    inside = [e for e in wearer.exercises
              if any(a < e.start_s and e.end_s < b for a, b in visits)]  # fmt: skip
    assert visits
    assert inside
    assert [w.action for w in wearer.workouts] == ["start", "stop"] * len(wearer.exercises)


@pytest.mark.parametrize("users", [0, 2])
def test_all_real_readings_are_published_with_the_members(users: int) -> None:
    settings = Settings(users=users, bpm=SAMPLE, interval=600)
    simulation = Simulation(replace(settings, start=first_day(SAMPLE)))
    tally = Tally()
    events = [e for block in simulation.blocks(0, 1, tally) for e in block]
    wearer = simulation.members[-1]
    assert isinstance(wearer, Wearer)
    assert sum(e.topic == "bpm" and e.key == wearer.device_id for e in events) == 5586
    assert tally.sent.total() == len(events)
    assert {e.key for e in events if e.topic == "user_info"} >= {"2022484408"}


def test_a_wearer_alone_can_be_dirty() -> None:
    simulation = Simulation(Settings(users=0, bpm=SAMPLE, dirty=0.01))
    tally = Tally()
    assert sum(len(block) for block in simulation.blocks(0, 1, tally)) > 5586
    assert any(name.startswith("bpm.heartrate_") for name in tally.dirt)
