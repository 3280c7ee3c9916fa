"""Visits and workouts of a member, day by day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Literal

import numpy as np

from lakehouse.simulator import places
from lakehouse.simulator.attendance import Habit
from lakehouse.simulator.members import LoginRow, Member, WorkoutEvent
from lakehouse.simulator.physiology import Exercise
from lakehouse.simulator.settings import DAY_SECONDS, Settings, day_of, pick

_HOUR = 3600
# What is unusual about a visit, and how often.
_RATES = {
    "open_visit": 0.01,
    "corrected_logout": 0.03,
    "bare_visit": 0.2,
    "orphan_stop": 0.01,
    "double_start": 0.01,
    "never_stopped": 0.01,
    "too_long": 0.01,
}


def add_activities(
    settings: Settings,
    member: Member,
    present: Sequence[tuple[int, int]],
    quirks: frozenset[str],
    habit: Habit,
) -> None:
    """Visits and workouts day by day."""
    random = settings.random("activities", member.index)
    gyms, own_gym = places.gyms_of(settings), _own_gym(settings, member)
    session = 0
    due = set(quirks)
    for day_s in range(settings.start_s, settings.end_s, DAY_SECONDS):
        midnight = day_s - places.offset_of(day_of(day_s), member.zone)
        visit = random.random() < habit.chance(midnight, day_of(day_s)) or bool(due & _RATES.keys())
        outside = random.random() < 0.15
        if not visit and not outside:
            continue
        login = midnight + _comes_at(random)
        length = int(random.uniform(35, 130) * 60)
        # Nothing of a visit lies outside of the time that the member is one.
        if not any(a <= login and login + length < b for a, b in present):
            continue
        odd = _draw(random, due)
        if not visit:
            session = _workout(member, login, length, session, odd, random)
            continue
        if "bare_visit" not in odd:
            done = login + int(random.uniform(180, 900))
            while done + 900 < login + length:
                span = int(random.uniform(600, min(4500, login + length - done - 60)))
                session = _workout(member, done, span, session, odd, random)
                odd -= {"orphan_stop", "double_start", "never_stopped", "too_long"}
                done += span + int(random.uniform(120, 900))
                if random.random() < 0.5:
                    break
        gym = own_gym if random.random() < 0.9 else pick(gyms, random)
        _visit(member, gym.gym_id, login, login + length, odd, random)


def add_earlier_visits(settings: Settings, member: Member, joined: int, habit: Habit) -> None:
    """Visits of the days before those that are simulated whole, each with its logout."""
    random = settings.random("before", member.index)
    gyms, own_gym = places.gyms_of(settings), _own_gym(settings, member)
    opened = settings.start_s - settings.history * DAY_SECONDS
    first = max(opened, joined - joined % DAY_SECONDS)
    for day_s in range(first, settings.start_s, DAY_SECONDS):
        midnight = day_s - places.offset_of(day_of(day_s), member.zone)
        if random.random() >= habit.chance(midnight, day_of(day_s)):
            continue
        login = midnight + _comes_at(random)
        logout = login + int(random.uniform(35, 130) * 60)
        if login >= joined:
            # The reader's table is extracted at night.
            night = places.midnight(day_of(day_s) + timedelta(days=1), member.zone) + 4 * _HOUR
            gym = own_gym if random.random() < 0.9 else pick(gyms, random)
            mac = member.registrations[0].mac_address
            member.logins.append(LoginRow(mac, gym.gym_id, login, logout, night * 1000))


def _comes_at(random: np.random.Generator) -> int:
    """Seconds after midnight: before work, at noon, and most of all after work."""
    part = random.random()
    usual = 7.2 if part < 0.25 else 12.3 if part < 0.45 else 17.7
    return int(min(max(usual + random.normal(0, 1.1), 5), 19.5) * _HOUR)


def _own_gym(settings: Settings, member: Member) -> places.Gym:
    """The gym that the member goes to nine times of ten: one by the same clock."""
    gyms = places.gyms_of(settings)
    near = [gym for gym in gyms if gym.zone == member.zone]
    return pick(near or gyms, settings.random("gym", member.index))


def _mac_at(member: Member, at_s: int) -> str:
    """The MAC of the device on the wrist, which logs its wearer in."""
    worn = [w for w in member.wears if not w.secondary and w.start_s <= at_s]
    device = worn[-1].device_id if worn else member.registrations[0].device_id
    return next(r.mac_address for r in member.registrations if r.device_id == device)


def _draw(random: np.random.Generator, due: set[str]) -> set[str]:
    """What is unusual about this visit: the quirk that is due, else by the rates."""
    if due & _RATES.keys():
        # One after the other, since they exclude each other in part.
        quirk = min(due & _RATES.keys())
        due.discard(quirk)
        return {quirk}
    return {name for name, rate in _RATES.items() if random.random() < rate}


def _visit(
    member: Member,
    gym: str,
    login: int,
    logout: int,
    odd: set[str],
    random: np.random.Generator,
) -> None:
    mac = _mac_at(member, login)
    mac = mac.upper() if member.index % 4 == 3 else mac  # what this member's reader writes
    seconds = random.integers(2, 120, 3)
    row = LoginRow(mac, gym, login, None, (login + int(seconds[0])) * 1000)
    member.logins.append(row)
    if "open_visit" in odd:
        return
    early = logout - int(random.uniform(120, 900)) if "corrected_logout" in odd else logout
    arrives = (logout + int(seconds[1])) * 1000
    member.logins.append(replace(row, logout_s=max(early, login + 60), arrives_ms=arrives))
    if early != logout:
        later = arrives + int(random.uniform(5, 20) * _HOUR * 1000)
        member.logins.append(replace(row, logout_s=logout, arrives_ms=later))


def _workout(
    member: Member,
    start_s: int,
    length_s: int,
    session: int,
    odd: set[str],
    random: np.random.Generator,
) -> int:
    """One session with its effort; gives the number of the session."""
    session += 1
    workout = 1 + int(random.integers(12))
    member.exercises.append(
        Exercise(start_s, start_s + length_s, float(np.clip(random.normal(0.62, 0.12), 0.3, 0.92)))
    )
    start_ms = start_s * 1000 + int(random.integers(1000))
    stop_ms = (start_s + length_s) * 1000 + int(random.integers(1000))
    if "too_long" in odd:
        stop_ms = start_ms + int(random.uniform(3.2, 4.5) * _HOUR * 1000)
    presses: list[tuple[Literal["start", "stop"], int]] = [("start", start_ms), ("stop", stop_ms)]
    if "orphan_stop" in odd:
        presses = presses[1:]
    elif "never_stopped" in odd:
        presses = presses[:1]
    elif "double_start" in odd:
        presses.insert(1, ("start", start_ms + int(random.uniform(2, 90) * 1000)))
    # A phone without a network sends later, sometimes the stop before the start.
    offline = int(random.uniform(1, 10) * _HOUR * 1000) if random.random() < 0.04 else 0
    for action, at_ms in presses:
        delay = int(random.uniform(150, 2500)) + offline
        member.workouts.append(
            WorkoutEvent(member.user_id, workout, session, action, at_ms, at_ms + delay)
        )
        offline = offline // 3
    return session
