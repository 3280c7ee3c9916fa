"""Heart-rate readings of one member on one day of the member's clock, as arrays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Self

import numpy as np
import numpy.typing as npt

from lakehouse.simulator import places
from lakehouse.simulator.members import Member, Wear
from lakehouse.simulator.physiology import Exercise, Integers, heart_rates, reading_times
from lakehouse.simulator.settings import DAY_SECONDS, Settings, day_of
from lakehouse.simulator.wearer import Wearer

_HOUR = 3600

Booleans = npt.NDArray[np.bool_]
_LATE_UPLOAD_RATE = 0.06
_NEXT_DAYS_UPLOAD_RATE = 0.01


@dataclass(frozen=True)
class Readings:
    """Columns of equal length, ascending in `arrives_ms`, the time at which Kafka gets them."""

    arrives_ms: Integers
    time_s: Integers
    bpm: Integers
    device: Integers

    def __len__(self) -> int:
        return len(self.time_s)

    def pick(self, rows: Integers | Booleans) -> Self:
        """Some of the rows."""
        return type(self)(
            self.arrives_ms[rows], self.time_s[rows], self.bpm[rows], self.device[rows]
        )

    @classmethod
    def concatenate(cls, parts: Iterable[Readings]) -> Readings:
        """All rows of the parts, in order of arrival."""
        parts = [*parts, _EMPTY]
        whole = cls(
            np.concatenate([p.arrives_ms for p in parts]),
            np.concatenate([p.time_s for p in parts]),
            np.concatenate([p.bpm for p in parts]),
            np.concatenate([p.device for p in parts]),
        )
        return whole.pick(np.argsort(whole.arrives_ms, kind="stable"))


_NONE = np.empty(0, dtype=np.int64)
_EMPTY = Readings(_NONE, _NONE, _NONE, _NONE)


def readings_of(settings: Settings, member: Member, day_s: int) -> Readings:
    """The readings taken on the date that `day_s` names, whenever they arrive.

    The member's day begins as UTC's does, or later: members are in America, or in UTC.
    """
    if isinstance(member, Wearer):
        return _real(member, day_s)
    if not settings.start_s <= day_s < settings.end_s:
        return _EMPTY
    random = settings.random("readings", member.index, day_s // DAY_SECONDS)
    day = day_of(day_s)
    midnight = places.midnight(day, member.zone)
    after = places.midnight(day + timedelta(days=1), member.zone)
    takes_off = _gaps(member, midnight, random)
    columns: list[tuple[Integers, int]] = []
    for wear in member.wears:
        start, end = max(wear.start_s, midnight), min(wear.end_s, after)
        for a, b, interval in _spans(settings, member, wear, day_s, midnight):
            a, b = max(start, a), min(end, b)
            if a < b:
                times = reading_times(a, b, interval, random)
                if not wear.secondary:
                    times = times[~_within(times, takes_off)]
                columns.append((times, int(wear.device_id)))
    if not columns:
        return _EMPTY
    times = np.concatenate([t for t, _ in columns])
    devices = np.concatenate([np.full(len(t), d, dtype=np.int64) for t, d in columns])
    # A device has one reading a second; spans of two workouts of one device may overlap.
    order = np.lexsort((devices, times))
    times, devices = times[order], devices[order]
    again = np.zeros(len(times), dtype=np.bool_)
    again[1:] = (np.diff(times) == 0) & (np.diff(devices) == 0)
    times, devices = times[~again], devices[~again]
    ahead = places.offset_of(day, member.zone)
    efforts = [
        replace(e, start_s=e.start_s + ahead, end_s=e.end_s + ahead)
        for e in _efforts(member, midnight, random)
    ]
    bpm = heart_rates(member.heart, times + ahead, efforts, random)
    arrives = times * 1000 + random.integers(150, 3000, len(times))
    for device in np.unique(devices).tolist():
        _delay(settings, member, midnight, device, times, devices, arrives, random)
    return Readings.concatenate([Readings(arrives, times, bpm, devices)])


def _spans(
    settings: Settings, member: Member, wear: Wear, day_s: int, midnight: int
) -> list[tuple[int, int, float]]:
    """When a worn device measures, and the seconds between two readings then."""
    fine = settings.interval
    exercises = [(e.start_s - 120, e.end_s + 300, fine) for e in member.exercises]
    if wear.secondary:
        return exercises
    if settings.earlier_interval is None or not settings.is_coarse(day_s):
        return [(wear.start_s, wear.end_s, fine)]
    night = midnight + 3 * _HOUR
    return [
        (wear.start_s, wear.end_s, settings.earlier_interval),
        (night, night + _HOUR // 2, fine),
        *exercises,
    ]


def _efforts(member: Member, day_s: int, random: np.random.Generator) -> list[Exercise]:
    """Workouts that can be felt on this day, and a few walks."""
    near = [
        e
        for e in member.exercises
        if day_s - 2 * _HOUR < e.end_s and e.start_s < day_s + DAY_SECONDS
    ]
    for _ in range(int(random.poisson(4))):
        start = day_s + int(random.uniform(member.heart.wakes_at, 21) * _HOUR)
        length = int(random.uniform(240, 1500))
        near.append(Exercise(start, start + length, float(random.uniform(0.1, 0.28))))
    return near


def _gaps(member: Member, day_s: int, random: np.random.Generator) -> list[tuple[int, int]]:
    """When the wrist is bare: charging, some nights, a shower or a lost contact."""
    charging = day_s + int(random.uniform(8, 22) * _HOUR)
    gaps = [(charging, charging + int(random.uniform(30, 100) * 60))]
    for _ in range(int(random.poisson(1.5))):
        start = day_s + int(random.uniform(6, 23) * _HOUR)
        gaps.append((start, start + int(random.uniform(60, 1500))))
    if member.takes_off_at_night:
        gaps.append((day_s, day_s + int(member.heart.wakes_at * _HOUR)))
        gaps.append((day_s + int(member.heart.sleeps_at * _HOUR), day_s + DAY_SECONDS))
    # Nobody charges the device in the middle of a workout.
    return [
        (a, b) for a, b in gaps if not any(a < e.end_s and e.start_s < b for e in member.exercises)
    ]


def _within(times: Integers, spans: list[tuple[int, int]]) -> Booleans:
    inside = np.zeros(len(times), dtype=np.bool_)
    for start, end in spans:
        inside |= (times >= start) & (times < end)
    return inside


def _delay(
    settings: Settings,
    member: Member,
    day_s: int,
    device: int,
    times: Integers,
    devices: Integers,
    arrives: Integers,
    random: np.random.Generator,
) -> None:
    """Now and then a device is out of reach for hours, or for days, and uploads all at once."""
    draw = random.random()
    first_of_all = member.index == 0 and day_of(day_s) == settings.first_day
    if draw < _NEXT_DAYS_UPLOAD_RATE and not first_of_all:
        start, end = day_s, day_s + DAY_SECONDS
        uploaded = end + int(random.uniform(1, 60) * _HOUR)
    elif draw < _NEXT_DAYS_UPLOAD_RATE + _LATE_UPLOAD_RATE or first_of_all:
        start = day_s + int(random.uniform(0, 16) * _HOUR)
        uploaded = end = start + int(random.uniform(2, 10) * _HOUR)
    else:
        return
    rows = (devices == device) & (times >= start) & (times < end)
    arrives[rows] = uploaded * 1000 + np.arange(int(rows.sum()), dtype=np.int64) * 2


def _real(wearer: Wearer, day_s: int) -> Readings:
    first, last = np.searchsorted(wearer.times_s, [day_s, day_s + DAY_SECONDS])
    times = wearer.times_s[first:last]
    device = np.full(len(times), int(wearer.device_id), dtype=np.int64)
    return Readings.concatenate(
        [Readings(times * 1000 + 900, times, wearer.bpm[first:last], device)]
    )
