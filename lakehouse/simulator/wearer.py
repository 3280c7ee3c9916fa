"""The wearer of real heart rates: a member whose workouts and visits fit what was measured.

The people of the public data are anonymous; name, address and birth date are invented.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

import numpy as np

from lakehouse.heart_rate_files import read_heart_rates
from lakehouse.home import WorkspaceError
from lakehouse.simulator import places
from lakehouse.simulator.members import (
    Change,
    LoginRow,
    Member,
    Profile,
    Registration,
    Wear,
    WorkoutEvent,
)
from lakehouse.simulator.physiology import Exercise, Heart, Integers
from lakehouse.simulator.settings import DAY_SECONDS, Settings

USER_ID, DEVICE_ID, MAC_ADDRESS = "900000", "900001", "02:f1:7b:17:00:01"
BORN, _STATE = date(1979, 6, 24), "CA"

# An episode: minutes whose median is high, with breaks of a few minutes, long enough to be meant.
_ELEVATED_ABOVE_RESTING = 42
_LEAST_ELEVATED = 100
_LONGEST_BREAK_MINUTES = 6
_SHORTEST_MINUTES = 10
_LONGEST_MINUTES = 170
# Episodes that are close together belong to one visit.
_SAME_VISIT_MINUTES = 40


@dataclass
class Wearer(Member):
    """A member with measured readings instead of simulated ones; ascending in time."""

    device_id: str = DEVICE_ID
    times_s: Integers = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    bpm: Integers = field(default_factory=lambda: np.empty(0, dtype=np.int64))


def first_day(path: Path) -> date:
    """Date of the first reading. Raises WorkspaceError if there is none."""
    times = read_heart_rates(path).times_s
    if not len(times):
        raise WorkspaceError(f"{path}: there is no reading in the file.")
    return datetime.fromtimestamp(int(times.min()), UTC).date()


def make_wearer(settings: Settings, path: Path) -> Wearer:
    """Profile, device, registration, workouts and visits around the readings of a file."""
    # The clock of the wrist is that of the state.
    zone = places.zone_of(_STATE)
    real = read_heart_rates(path, zone)
    if not len(real.times_s):
        raise WorkspaceError(f"{path}: there is no reading in the file.")
    order = np.argsort(real.times_s, kind="stable")
    times, bpm = real.times_s[order], real.bpm[order]
    # The id in the file is the wearer's own, if it can be one.
    user_id = real.wearer if real.wearer and real.wearer.isdigit() else USER_ID
    start, end = int(times[0]), int(times[-1]) + 1
    resting = float(np.percentile(bpm, 5))
    wearer = Wearer(
        index=settings.users + settings.gym_only,
        user_id=user_id,
        zone=zone,
        heart=Heart(resting, float(bpm.max()), 6.5, 22.5),
        takes_off_at_night=False,
        times_s=times,
        bpm=bpm,
        wears=[Wear(DEVICE_ID, start, end)],
    )
    random = settings.random("wearer")
    joined = start - 40 * DAY_SECONDS
    home = ("12 Maple Ave", "Sacramento", _STATE, 95816)
    profile = Profile("Robin", "Sample", BORN, "F", "F", *home)
    wearer.changes.append(Change(user_id, "new", joined * 1000, joined * 1000 + 700, profile))
    wearer.registrations.append(
        Registration(user_id, DEVICE_ID, MAC_ADDRESS, joined + 600, (joined + 900) * 1000)
    )
    spans = episodes(times, bpm, resting)
    _workouts(wearer, spans, random)
    _visits(wearer, spans, random)
    return wearer


def episodes(times: Integers, bpm: Integers, resting: float) -> list[tuple[int, int]]:
    """Spans [start, end) in whole minutes (epoch seconds) in which the rate stays elevated."""
    minutes, first = np.unique(times // 60, return_index=True)
    medians = np.array([np.median(part) for part in np.split(bpm, first[1:])])
    threshold = max(_LEAST_ELEVATED, resting + _ELEVATED_ABOVE_RESTING)
    high = minutes[medians >= threshold]
    if not len(high):
        return []
    breaks = np.flatnonzero(np.diff(high) > _LONGEST_BREAK_MINUTES) + 1
    spans = []
    for run in np.split(high, breaks):
        start, end = int(run[0]), int(run[-1]) + 1
        if end - start >= _SHORTEST_MINUTES and len(run) >= _SHORTEST_MINUTES * 0.7:
            spans.append((start * 60, min(end, start + _LONGEST_MINUTES) * 60))
    return spans


def _workouts(wearer: Wearer, spans: list[tuple[int, int]], random: np.random.Generator) -> None:
    for session, (start, end) in enumerate(spans, start=1):
        workout = 1 + int(random.integers(12))
        wearer.exercises.append(Exercise(start, end, 0.6))
        presses: dict[Literal["start", "stop"], int] = {"start": start, "stop": end}
        for action, second in presses.items():
            at_ms = second * 1000 + int(random.integers(1000))
            wearer.workouts.append(
                WorkoutEvent(wearer.user_id, workout, session, action, at_ms, at_ms + 800)
            )


def _visits(wearer: Wearer, spans: list[tuple[int, int]], random: np.random.Generator) -> None:
    """Two of three groups of episodes are visits, the rest is exercise outdoors."""
    groups: list[list[tuple[int, int]]] = []
    for span in spans:
        if groups and span[0] - groups[-1][-1][1] <= _SAME_VISIT_MINUTES * 60:
            groups[-1].append(span)
        else:
            groups.append([span])
    for number, group in enumerate(groups):
        if number % 3 == 2:
            continue
        login = group[0][0] - int(random.uniform(240, 720))
        logout = group[-1][1] + int(random.uniform(240, 900))
        row = LoginRow(MAC_ADDRESS, "1", login, None, (login + 30) * 1000)
        wearer.logins.append(row)
        wearer.logins.append(LoginRow(MAC_ADDRESS, "1", login, logout, (logout + 30) * 1000))
