"""Heart rates of one wearer: a level by the clock, slow drift, effort, recovery and noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lakehouse.simulator.settings import DAY_SECONDS

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

# Effort builds up and fades exponentially. Recovery is at first fast (the vagus nerve), then slow.
_ONSET_SECONDS = 75.0
_FAST_RECOVERY_SECONDS = 70.0
_SLOW_RECOVERY_SECONDS = 700.0
_SLOW_SHARE = 0.25
_RECOVERED_AFTER_SECONDS = 3600
_KNOT_SECONDS = 240
# A healthy reading never leaves the range that the contract calls valid (30 to 220, ends included).
LEAST_BPM, GREATEST_BPM = 38, 215


@dataclass(frozen=True)
class Heart:
    """One person's heart: rates in beats a minute, hours of the UTC day."""

    resting: float
    maximum: float
    wakes_at: float
    sleeps_at: float


@dataclass(frozen=True)
class Exercise:
    """Effort from `start_s` to `end_s`, as a share of the heart-rate reserve (0 to 1)."""

    start_s: int
    end_s: int
    intensity: float


def reading_times(
    start_s: int, end_s: int, interval: float, random: np.random.Generator
) -> Integers:
    """Whole seconds in [start_s, end_s). Up to a mean of 15 s the gaps are 1 to 15 s, beyond it
    1 to twice the mean."""
    count = int((end_s - start_s) / interval * 1.25) + 20
    if interval <= 15:
        gaps = 1 + random.binomial(14, (interval - 1) / 14, count)
    else:
        gaps = random.integers(1, int(2 * interval), count)
    times = start_s + np.cumsum(gaps) - 1
    return np.asarray(times[times < end_s], dtype=np.int64)


def awake_share(heart: Heart, times_s: Integers) -> Floats:
    """0 asleep, 1 awake, with half an hour between."""
    hour = (times_s % DAY_SECONDS) / 3600
    # Hours since waking on a 24 h circle, and the length of the waking day on it.
    since = (hour - heart.wakes_at) % 24
    length = (heart.sleeps_at - heart.wakes_at) % 24
    rising = np.clip(since / 0.5, 0, 1)
    falling = np.clip((length - since) / 0.5, 0, 1)
    return np.asarray(np.minimum(rising, falling), dtype=np.float64)


def heart_rates(
    heart: Heart,
    times_s: Integers,
    exercises: Sequence[Exercise],
    random: np.random.Generator,
) -> Integers:
    """Beats a minute at ascending times; shape of `times_s`."""
    if not len(times_s):
        return np.empty(0, dtype=np.int64)
    awake = awake_share(heart, times_s)
    hour = (times_s % DAY_SECONDS) / 3600
    reserve = heart.maximum - heart.resting
    level = heart.resting + awake * (13 + 4 * np.sin((hour - 10) / 24 * 2 * np.pi))
    knots = np.arange(times_s[0], times_s[-1] + 2 * _KNOT_SECONDS, _KNOT_SECONDS)
    drift = np.interp(times_s, knots, random.normal(0, 1, len(knots)))
    level = level + drift * (1.2 + 3.3 * awake)
    effort = np.zeros(len(times_s))
    for exercise in exercises:
        np.maximum(effort, _effort(exercise, times_s), out=effort)
    # Little is left of a person's own drift near the limit.
    rate = level + effort * reserve * np.clip((heart.maximum - level) / reserve, 0.2, 1.0)
    rate = rate + random.normal(0, 1.3, len(times_s))
    bounded = np.clip(np.rint(rate), LEAST_BPM, min(heart.maximum, GREATEST_BPM))
    return np.asarray(bounded, dtype=np.int64)


def _effort(exercise: Exercise, times_s: Integers) -> Floats:
    """Share of the reserve in use: ramp, intervals of some minutes, then recovery."""
    effort = np.zeros(len(times_s))
    first, end, last = np.searchsorted(
        times_s,
        [exercise.start_s, exercise.end_s, exercise.end_s + _RECOVERED_AFTER_SECONDS],
    )
    since = (times_s[first:end] - exercise.start_s).astype(np.float64)
    waves = 1 + 0.08 * np.sin(2 * np.pi * since / 260)
    effort[first:end] = exercise.intensity * waves * (1 - np.exp(-since / _ONSET_SECONDS))
    length = exercise.end_s - exercise.start_s
    at_end = exercise.intensity * (1 - np.exp(-length / _ONSET_SECONDS))
    after = (times_s[end:last] - exercise.end_s).astype(np.float64)
    effort[end:last] = at_end * (
        (1 - _SLOW_SHARE) * np.exp(-after / _FAST_RECOVERY_SECONDS)
        + _SLOW_SHARE * np.exp(-after / _SLOW_RECOVERY_SECONDS)
    )
    return effort
