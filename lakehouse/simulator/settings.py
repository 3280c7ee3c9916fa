"""What a simulation is asked for, and where its randomness comes from."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import TypeVar

import numpy as np

from lakehouse.home import WorkspaceError

_T = TypeVar("_T")

DAY_SECONDS = 86_400
# Fixed, so that the same command gives the same events on any day; in the past of every clock
# that is right, since events of the future are rejected.
DEFAULT_START = date(2025, 3, 3)


@dataclass(frozen=True)
class Settings:
    """A simulation: `users` members over `days` days of their own clocks from `start`.

    `interval` is the mean of the seconds between two readings, `dirty` the rate of odd and bad
    records (0 to 1), `bpm` a file of real heart rates whose wearer joins as one more member.

    For a long past at the price of a short one: `earlier_interval` is the mean on all days but the
    last, outside of workouts and half an hour of the night; `history` are days before `start` of
    which there are gym visits alone, of a chain that opened with the first of them; `gym_only`
    members more come to the gyms and send no heart rates. `gyms` takes the first of the seed's.
    `until` is the hour of the last day at which it all ends: what comes later has not happened yet.
    """

    users: int = 20
    days: int = 1
    seed: int = 0
    dirty: float = 0.0
    interval: float = 8.0
    start: date | None = None
    bpm: Path | None = None
    earlier_interval: float | None = None
    history: int = 0
    gym_only: int = 0
    gyms: int | None = None
    until: float | None = None

    def __post_init__(self) -> None:
        for wrong, text in (
            (self.users < 0, "--users is 0 or more"),
            (self.users == 0 and self.bpm is None, "--users 0 needs a --bpm file"),
            (self.users > 80_000, "--users is 80000 at most"),
            (self.days < 1, "--days is 1 or more"),
            (self.seed < 0, "--seed is 0 or more"),
            (not 0 <= self.dirty <= 1, "--dirty is a rate from 0 to 1"),
            (not 1 <= self.interval <= 3600, "--interval is from 1 to 3600 seconds"),
        ):
            if wrong:
                raise WorkspaceError(f"{text}.")

    @property
    def first_day(self) -> date:
        """The first of the simulated days."""
        return self.start or DEFAULT_START

    @property
    def start_s(self) -> int:
        """Midnight UTC of the first day: names it, as multiples of a day do the others."""
        return day_start(self.first_day)

    @property
    def end_s(self) -> int:
        """The same of the day after the last."""
        return self.start_s + self.days * DAY_SECONDS

    def is_coarse(self, day_s: int) -> bool:
        """Whether a day has but few readings."""
        return self.earlier_interval is not None and day_s < self.end_s - DAY_SECONDS

    def random(self, purpose: str, *numbers: int) -> np.random.Generator:
        """An own stream for each purpose, so that one more draw here changes nothing there."""
        return np.random.default_rng([self.seed, zlib.crc32(purpose.encode()), *numbers])


def pick(choices: Sequence[_T], random: np.random.Generator) -> _T:
    """One of them, each as likely."""
    return choices[int(random.integers(len(choices)))]


@cache
def day_of(day_s: int) -> date:
    """The date that a midnight UTC names."""
    return datetime.fromtimestamp(day_s, UTC).date()


def day_start(day: date) -> int:
    """Midnight UTC of a date in epoch seconds."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
