"""The simulation: the same for a seed, plausible, and with everything that it promises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from lakehouse.envelopes import Envelope
from lakehouse.home import WorkspaceError
from lakehouse.simulator import places
from lakehouse.simulator.drops import make_drops
from lakehouse.simulator.members import Member
from lakehouse.simulator.output import write
from lakehouse.simulator.physiology import Exercise, Heart, heart_rates, reading_times
from lakehouse.simulator.plan import QUIRKS, make_plan, now_ms
from lakehouse.simulator.readings import Readings, readings_of
from lakehouse.simulator.settings import DAY_SECONDS, Settings, day_of
from lakehouse.simulator.stream import Simulation, Tally

SMALL = Settings(users=13, days=2, seed=4, interval=120)


def events(settings: Settings, parts: int = 1) -> list[Envelope]:
    simulation = Simulation(settings)
    return [
        event
        for part in range(parts)
        for block in simulation.blocks(part, parts, Tally())
        for event in block
    ]


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("dirty", [0.0, 0.05])
def test_the_same_options_write_the_same_bytes(tmp_path: Path, dirty: float) -> None:
    settings = Settings(users=3, days=1, seed=8, interval=300, dirty=dirty)
    write(Simulation(settings), tmp_path / "one")
    write(Simulation(settings), tmp_path / "two")
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


def test_another_seed_gives_other_events() -> None:
    other = Settings(users=13, days=2, seed=5, interval=120)
    assert events(SMALL) != events(other)


@pytest.mark.parametrize("dirty", [0.0, 0.1])
def test_the_number_of_processes_changes_no_event(dirty: float) -> None:
    settings = Settings(users=13, days=2, seed=4, interval=120, dirty=dirty)
    assert Counter(events(settings)) == Counter(events(settings, parts=3))


def test_more_members_leave_the_first_ones_readings_alone() -> None:
    few, many = Settings(users=13, seed=4), Settings(users=14, seed=4)
    day = few.start_s
    one = readings_of(few, make_plan(few)[5], day)
    two = readings_of(many, make_plan(many)[5], day)
    assert np.array_equal(one.bpm, two.bpm)
    assert np.array_equal(one.time_s, two.time_s)


def test_events_arrive_in_order() -> None:
    stamps = [event.timestamp or 0 for event in events(SMALL)]
    assert stamps == sorted(stamps)


def test_out_writes_into_a_new_folder_only(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(WorkspaceError, match="not empty"):
        write(Simulation(SMALL), tmp_path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"users": -1},
        {"users": 0},
        {"days": 0},
        {"seed": -1},
        {"dirty": 1.5},
        {"dirty": float("nan")},
        {"interval": 0},
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(WorkspaceError, match="--"):
        Settings(**wrong)


# Physiology.

HEART = Heart(resting=60, maximum=180, wakes_at=6.5, sleeps_at=22.5)
MIDNIGHT = 1_740_960_000  # 2025-03-03


def rates(
    start_h: float, end_h: float, exercises: Sequence[Exercise] = ()
) -> tuple[np.ndarray, np.ndarray]:
    times = np.arange(int(start_h * 3600), int(end_h * 3600), 5) + MIDNIGHT
    return times, heart_rates(HEART, times, exercises, np.random.default_rng(1))


def test_the_rate_is_lower_asleep_than_awake() -> None:
    asleep, awake = rates(1, 5)[1], rates(9, 17)[1]
    assert abs(np.median(asleep) - HEART.resting) < 4
    assert np.median(awake) - np.median(asleep) > 8


def test_exercise_ramps_up_and_recovers() -> None:
    start = MIDNIGHT + 18 * 3600
    times, bpm = rates(17, 21, [Exercise(start, start + 2400, 0.7)])

    def around(minute: float) -> float:
        near = np.abs(times - (start + minute * 60)) < 30
        return float(np.median(bpm[near]))

    before, plateau = around(-10), around(20)
    assert plateau - before > 50
    assert before < around(0.6) < plateau - 15, "the ramp takes a minute or two"
    # Two minutes after the end much has been recovered, but not all; an hour later all.
    assert plateau - around(42) > 25
    assert around(42) - around(100) > 5
    assert abs(around(100) - before) < 12


def test_neighbouring_readings_differ_by_little() -> None:
    _, bpm = rates(0, 24)
    steps = np.abs(np.diff(bpm))
    assert steps.max() <= 15
    assert 0.5 < steps.mean() < 4
    assert len(np.unique(bpm)) > 15


@pytest.mark.parametrize(("interval", "greatest"), [(1, 1), (5, 15), (8, 15), (15, 15), (60, 120)])
def test_gaps_between_readings(interval: float, greatest: int) -> None:
    times = reading_times(0, 500_000, interval, np.random.default_rng(3))
    gaps = np.diff(times)
    assert times[0] >= 0
    assert times[-1] < 500_000
    assert gaps.min() >= 1
    assert gaps.max() <= greatest
    assert abs(gaps.mean() - interval) < 0.05 * interval


@pytest.fixture(scope="module")
def day() -> tuple[Settings, list[Member], list[Readings]]:
    settings = Settings(users=24, days=1, seed=2)
    members = make_plan(settings)
    return settings, members, [readings_of(settings, m, settings.start_s) for m in members]


def test_rates_of_a_simulated_day_are_those_of_people(
    day: tuple[Settings, list[Member], list[Readings]],
) -> None:
    for member, readings in zip(day[1], day[2], strict=True):
        assert readings.bpm.min() >= 38
        assert readings.bpm.max() <= member.heart.maximum
        assert abs(np.percentile(readings.bpm, 10) - member.heart.resting) < 12
        assert 3_000 < len(readings) < 15_000


def test_devices_are_off_at_times_and_upload_late(
    day: tuple[Settings, list[Member], list[Readings]],
) -> None:
    settings, _, all_readings = day
    for member, readings in zip(day[1], all_readings, strict=True):
        times = np.unique(readings.time_s)
        first, after = places.days_of(settings, member.zone)
        assert np.diff(times).max() > 60, "a gap"
        assert times.min() >= first
        assert times.max() < after
    late = all_readings[0].arrives_ms - all_readings[0].time_s * 1000
    assert late.max() > 2 * 3600 * 1000
    assert np.median(late) < 4000


def test_one_reading_a_device_and_second(
    day: tuple[Settings, list[Member], list[Readings]],
) -> None:
    for readings in day[2]:
        keys = list(zip(readings.device.tolist(), readings.time_s.tolist(), strict=True))
        assert len(keys) == len(set(keys))


# What happens in a simulation.


def test_a_small_simulation_has_every_quirk() -> None:
    settings = Settings(users=len(QUIRKS), days=1, seed=11)
    members = make_plan(settings)
    by_name = dict(zip(QUIRKS, members, strict=True))

    swapped = by_name["swap"]
    old, new = (w.device_id for w in swapped.wears if not w.secondary)
    assert old != new
    owners = [(r.user_id, r.device_id) for m in members for r in m.registrations]
    assert len({user for user, device in owners if device == old}) == 2, "handed on"

    deleted = [c.update_type for c in by_name["delete"].changes]
    assert deleted[-2:] == ["delete", "new"]
    assert any(a.logout_s is None for a in by_name["open_visit"].logins)
    assert len(by_name["open_visit"].logins) == 1
    logouts = [r.logout_s for r in by_name["corrected_logout"].logins]
    assert logouts[0] is None
    assert (logouts[1] or 0) < (logouts[2] or 0)
    assert by_name["orphan_stop"].workouts[0].action == "stop"
    assert [w.action for w in by_name["double_start"].workouts[:2]] == ["start", "start"]
    assert len(by_name["never_stopped"].workouts) % 2 == 1
    start, stop = by_name["too_long"].workouts[:2]
    assert stop.at_ms - start.at_ms > 3 * 3600 * 1000
    assert by_name["bare_visit"].logins
    assert not by_name["bare_visit"].workouts
    late = by_name["late_registration"]
    assert late.registrations[0].at_s > late.wears[0].start_s
    assert len({r.device_id for r in by_name["two_devices"].registrations}) >= 2
    times = [c.at_ms for c in by_name["quick_changes"].changes]
    assert {11_000, 96_000} <= set(np.diff(times).tolist())


def test_sessions_count_from_one_for_each_member() -> None:
    for member in make_plan(Settings(users=30, days=20, seed=3)):
        sessions = [w.session_id for w in member.workouts]
        assert sorted(set(sessions)) == list(range(1, len(set(sessions)) + 1))


def local(at_s: float, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(at_s, zone)


def test_members_live_by_the_clock_of_their_state_and_train_near() -> None:
    """Across the change to daylight saving, in all of the seeds' zones."""
    settings = Settings(users=150, days=14, seed=3)
    zone_of_gym = {gym.gym_id: gym.zone for gym in places.gyms()}
    members = make_plan(settings)
    assert {m.zone for m in members} == set(zone_of_gym.values())
    hours: Counter[int] = Counter()
    at_home = 0
    for member in members:
        states = {c.profile.state for c in member.changes if c.profile} - {None}
        assert {places.zone_of(state) for state in states if state} <= {member.zone}
        for row in member.logins:
            hours[local(row.login_s, member.zone).hour] += 1
            at_home += zone_of_gym[row.gym] == member.zone
    assert sum(hours[h] for h in range(16, 20)) > 0.4 * hours.total()
    assert sum(hours[h] for h in (*range(5), *range(20, 24))) == 0
    assert at_home > 0.9 * hours.total()


def test_people_sleep_at_night(day: tuple[Settings, list[Member], list[Readings]]) -> None:
    for member, readings in zip(day[1], day[2], strict=True):
        if member.takes_off_at_night:
            continue
        clock = (readings.time_s + places.offset_of(day[0].first_day, member.zone)) % DAY_SECONDS
        night = readings.bpm[(clock > 2 * 3600) & (clock < 4 * 3600)]
        noon = readings.bpm[(clock > 11 * 3600) & (clock < 15 * 3600)]
        if len(night) and len(noon):  # had joined
            assert np.median(night) + 6 < np.median(noon)


# A long past at the price of a short one, as the demo has it.

LONG = Settings(
    users=13, days=4, seed=5, interval=45, earlier_interval=900,
    history=150, gym_only=60, gyms=1, until=18.7,
)  # fmt: skip


def test_earlier_days_are_coarse_but_for_workouts_and_a_half_hour_of_the_night() -> None:
    (member,) = [m for m in make_plan(LONG) if m.index == 8]  # with visits and no workouts
    first, last = (
        readings_of(LONG, member, LONG.start_s + n * DAY_SECONDS).time_s for n in (1, LONG.days - 1)
    )
    assert len(last) > 5 * len(first)
    clock = [local(at, member.zone) for at in first.tolist()]
    assert sum((at.hour, at.minute // 30) == (3, 0) for at in clock) > 20
    for other in make_plan(LONG):
        day = places.midnight(day_of(LONG.start_s), other.zone)
        times = readings_of(LONG, other, LONG.start_s).time_s
        for e in other.exercises:
            if day <= e.start_s and e.end_s < day + DAY_SECONDS and len(times):
                during = times[(times >= e.start_s) & (times < e.end_s)]
                worn = times[(times >= e.start_s - 1000) & (times < e.end_s + 1000)]
                assert len(during) > (e.end_s - e.start_s) / 90 or len(worn) == len(during) == 0


def test_a_history_is_one_of_visits_that_begin_rise_and_end() -> None:
    members = make_plan(LONG)
    opened = LONG.start_s - LONG.history * DAY_SECONDS
    visits = [(m.index, row.login_s) for m in members for row in m.logins if row.logout_s]
    assert min(at for _, at in visits) >= opened
    assert sum(at < LONG.start_s for _, at in visits) > 5 * sum(
        at > LONG.start_s for _, at in visits
    )
    assert {row.gym for m in members for row in m.logins} == {"1"}
    assert not any(m.workouts or m.wears for m in members if m.index >= LONG.users)
    first = {m.index: min((r.login_s for r in m.logins), default=0) for m in members}
    newest = {m.index: max((r.login_s for r in m.logins), default=0) for m in members}
    month = 30 * DAY_SECONDS
    assert sum(at > opened + month for at in first.values()) > len(members) / 3, "join later"
    assert sum(0 < at < LONG.start_s - month for at in newest.values()) > 5, "stopped coming"
    gaps = [
        np.diff(sorted({r.login_s for r in m.logins})).max()
        for m in members if len(m.logins) > 10
    ]  # fmt: skip
    assert any(gap > month for gap in gaps), "came back"


def test_nothing_has_arrived_after_the_end() -> None:
    simulation = Simulation(LONG)
    now = now_ms(LONG)
    assert now is not None
    assert local(now / 1000, places.gyms()[0].zone).hour == 18
    stamps = [e.timestamp or 0 for block in simulation.blocks(0, 1, Tally()) for e in block]
    assert now - 60_000 < max(stamps) <= now
    assert stamps == sorted(stamps)
    drops = make_drops(LONG, simulation.members, Tally())
    assert now - 3_600_000 < max(drop.written_ms for drop in drops) <= now
    open_now = {(r.mac_address, r.login_s) for m in simulation.members for r in m.logins} - {
        (r.mac_address, r.login_s) for m in simulation.members for r in m.logins if r.logout_s
    }
    assert len(open_now) > 2, "somebody is in the gym"


def test_a_month_has_all_sorts_of_visits() -> None:
    settings = Settings(users=60, days=30, seed=3)
    members = make_plan(settings)
    logins = [row for m in members for row in m.logins]
    visits = {(r.mac_address, r.login_s) for r in logins}
    closed = {(r.mac_address, r.login_s) for r in logins if r.logout_s}
    assert 0 < len(visits - closed) < 0.05 * len(visits)
    assert any(r.mac_address.isupper() for r in logins)
    assert len({r.gym for r in logins}) > 1
    events_ = [w for m in members for w in m.workouts]
    assert sum(w.arrives_ms - w.at_ms > 3_600_000 for w in events_) > 0, "uploaded late"
    assert all(r.login_s < (r.logout_s or 2**40) for r in logins)
    assert {m.user_id for m in members} == {str(10_001 + n) for n in range(60)}
    assert settings.end_s - settings.start_s == 30 * DAY_SECONDS
