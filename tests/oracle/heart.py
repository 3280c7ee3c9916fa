"""Gold of heart rates from silver: hours, days, workouts and zones, in integers and fractions."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from .clocks import MINUTE, Zones, day_begins, hour_at, local_date, local_time
from .decode import MICROS
from .gold import minutes
from .silver import HOUR, ProfileHistory, Row, Timeline, age_and_band

#: User, workout, session and start.
SessionKey = tuple[str, str, str, int]
ZONES = ("out_of_range", "fat_burn", "cardio", "peak")
#: Where fat burn, cardio and peak begin, in percent of what the zones are shares of.
ZONE_EDGES = {"reserve": (40, 60, 85), "maximum": (50, 70, 85)}

HRMAX: Mapping[str, Callable[[int], Fraction]] = {
    "fox": lambda age: Fraction(220 - age),
    "tanaka": lambda age: 208 - Fraction(7, 10) * age,
}


@dataclass(frozen=True)
class Rules:
    """The variables that zones depend on."""

    hr_max: str = "fox"
    zones: str = "reserve"


@dataclass(frozen=True)
class Day:
    """What a day says of rest: microseconds covered and the published estimate."""

    covered: int
    resting: Decimal | None


@dataclass(frozen=True)
class Bounds:
    """HRmax, what zones are shares of, and the lower bounds of fat burn, cardio and peak."""

    hr_max: Fraction
    basis: str
    edges: tuple[Fraction, ...]

    def zone(self, bpm: Any) -> int:
        # Readings are compared as DOUBLE.
        return bisect_right([float(edge) for edge in self.edges], float(bpm))


def bounds(age: int | None, day: Day | None, rules: Rules) -> Bounds | None:
    """Without an age none."""
    if age is None:
        return None
    hr_max = HRMAX[rules.hr_max](age)
    rest, basis = Fraction(0), "maximum"
    if (
        rules.zones == "reserve"
        and day is not None
        and day.resting is not None
        and day.covered >= 240 * MINUTE
        and day.resting <= 100
        and hr_max - Fraction(day.resting) >= 30
    ):
        rest, basis = Fraction(day.resting), "reserve"
    edges = tuple(rest + Fraction(edge, 100) * (hr_max - rest) for edge in ZONE_EDGES[basis])
    return Bounds(hr_max, basis, edges)


def bound_columns(found: Bounds | None) -> Row:
    return {
        f"{zone}_from_bpm": None if found is None else found.edges[i]
        for i, zone in enumerate(ZONES[1:])
    }


def _statistics(bpm: list[Any]) -> tuple[Any, Fraction, Any]:
    # Means are of heart rates with 10 decimals: a double of 100.005 is a little less.
    total = sum(round(Fraction(rate) * 10**10) for rate in bpm)
    return min(bpm), Fraction(total, 10**10 * len(bpm)), max(bpm)


def _standing(line: Timeline, i: int, end: int) -> int:
    return max(0, min(line.stands[i], end - line.times[i]))


def _zone_micros(standing: Iterable[tuple[Any, int]], found: Bounds | None) -> list[int] | None:
    """Microseconds by zone of pairs (bpm, microseconds)."""
    if found is None:
        return None
    total = [0] * len(ZONES)
    for bpm, micros in standing:
        total[found.zone(bpm)] += micros
    return total


def _zone_columns(total: list[int] | None) -> Row:
    return {
        f"{zone}_minutes": None if total is None else minutes(total[i])
        for i, zone in enumerate(ZONES)
    }


def _recovery(line: Timeline, ended_at: int) -> Any:
    """Last reading at or before the end minus the one nearest to end + 60 s, within 10 s."""

    def at_index(i: int) -> Any:
        # At one instant with several devices the least device id counts.
        while i > 0 and line.times[i - 1] == line.times[i]:
            i -= 1
        return line.bpm[i]

    before = bisect_right(line.times, ended_at) - 1
    if before < 0:
        return None
    target = ended_at + 60 * MICROS
    near = [
        (abs(line.times[i] - target), line.times[i], i)
        for i in line.between(target - 10 * MICROS - 1, target + 10 * MICROS)
    ]
    if not near:
        return None
    return at_index(before) - at_index(min(near)[2])


def gyms_by_session(session_visits: Iterable[Row]) -> dict[SessionKey, str]:
    return {
        (row["user_id"], row["workout_id"], row["session_id"], row["started_at"]): row["gym_id"]
        for row in session_visits
    }


def workout_bpm_summary_rows(
    sessions: Iterable[Row],
    lines: Mapping[str, Timeline],
    history: ProfileHistory,
    zones: Zones,
    days: Mapping[tuple[str, date], Day],
    gyms: Mapping[SessionKey, str],
    rules: Rules,
) -> list[Row]:
    rows = []
    for session in sessions:
        user_id, start, end = session["user_id"], session["started_at"], session["ended_at"]
        line = lines.get(user_id)
        if session["status"] != "completed" or line is None:
            continue
        indexes = line.between(start, end)
        if not indexes:
            continue
        key = (user_id, session["workout_id"], session["session_id"], start)
        workout_date = local_date(start, zones.member(user_id))
        age, _ = age_and_band(history.as_of(user_id, start), workout_date)
        found = bounds(age, days.get((user_id, workout_date)), rules)
        lowest, mean, highest = _statistics([line.bpm[i] for i in indexes])
        standing = [(line.bpm[i], _standing(line, i, end)) for i in indexes]
        rows.append(
            {
                "user_id": user_id,
                "workout_id": session["workout_id"],
                "session_id": session["session_id"],
                "gym_id": gyms.get(key),
                "workout_date": workout_date,
                "started_at": start,
                "ended_at": end,
                "age": age,
                **history.member(user_id, start, workout_date),
                "min_bpm": lowest,
                "avg_bpm": mean,
                "max_bpm": highest,
                "num_recordings": len(indexes),
                "zone_basis": None if found is None else found.basis,
                **bound_columns(found),
                **_zone_columns(_zone_micros(standing, found)),
                "heart_rate_recovery_bpm": _recovery(line, end),
            }
        )
    return rows


def _cut(at: int, micros: int, period: Callable[[int], Hashable]) -> int:
    """What is left of [at, at + micros) in the period of its first instant."""
    own = period(at)
    if micros == 0 or period(at + micros - 1) == own:
        return micros
    inside, outside = 0, micros - 1
    while outside - inside > 1:
        middle = (inside + outside) // 2
        if period(at + middle) == own:
            inside = middle
        else:
            outside = middle
    return outside


def _periods(line: Timeline, period: Callable[[int], Hashable]) -> dict[Any, list[int]]:
    """Indexes of the readings of each period."""
    found: dict[Any, list[int]] = defaultdict(list)
    for i, at in enumerate(line.times):
        found[period(at)].append(i)
    return found


def hourly_heart_rate_rows(lines: Mapping[str, Timeline], zones: Zones) -> list[Row]:
    rows = []
    for user_id, line in lines.items():
        zone = zones.member(user_id)

        def hour(at: int, zone: str = zone) -> int:
            return hour_at(at, zone)

        for start, indexes in _periods(line, hour).items():
            lowest, mean, highest = _statistics([line.bpm[i] for i in indexes])
            clock = local_time(start, zone)
            rows.append(
                {
                    "user_id": user_id,
                    "hour_at": start,
                    "date": clock.date(),
                    "local_hour": clock.hour,
                    "min_bpm": lowest,
                    "avg_bpm": mean,
                    "max_bpm": highest,
                    "num_readings": len(indexes),
                    "covered_minutes": minutes(
                        sum(_cut(line.times[i], line.stands[i], hour) for i in indexes)
                    ),
                }
            )
    return rows


def _half_up(value: Fraction) -> Decimal:
    """With 2 decimals, halves up; heart rates are above 0."""
    return Decimal((value * 200 + 1).__floor__() // 2).scaleb(-2)


def _resting(line: Timeline, standing: Mapping[int, int], zone: str) -> Decimal | None:
    """The lowest mean of a half hour of the clock that readings cover for 10 minutes or more."""
    halves: dict[int, list[int]] = defaultdict(list)
    for i in standing:
        clock = local_time(line.times[i], zone)
        into = (clock.minute % 30) * MINUTE + clock.second * MICROS + clock.microsecond
        halves[line.times[i] - into].append(i)
    means = [
        _statistics([line.bpm[i] for i in own])[1]
        for start, own in halves.items()
        if sum(min(standing[i], start + HOUR // 2 - line.times[i]) for i in own) >= 10 * MINUTE
    ]
    return _half_up(min(means)) if means else None


def daily_heart_rate_rows(
    lines: Mapping[str, Timeline], history: ProfileHistory, zones: Zones, rules: Rules
) -> tuple[list[Row], dict[tuple[str, date], Day]]:
    """The rows, and what each day says of rest."""
    rows = []
    days: dict[tuple[str, date], Day] = {}
    for user_id, line in lines.items():
        zone = zones.member(user_id)

        def day_of(at: int, zone: str = zone) -> date:
            return local_date(at, zone)

        for on, indexes in _periods(line, day_of).items():
            start = day_begins(on, zone)
            standing = {i: _cut(line.times[i], line.stands[i], day_of) for i in indexes}
            day = Day(sum(standing.values()), _resting(line, standing, zone))
            days[user_id, on] = day
            age, _ = age_and_band(history.as_of(user_id, start), on)
            found = bounds(age, day, rules)
            total = _zone_micros([(line.bpm[i], stands) for i, stands in standing.items()], found)
            lowest, mean, highest = _statistics([line.bpm[i] for i in indexes])
            rows.append(
                {
                    "user_id": user_id,
                    "date": on,
                    **history.member(user_id, start, on),
                    "min_bpm": lowest,
                    "avg_bpm": mean,
                    "max_bpm": highest,
                    "num_readings": len(indexes),
                    "resting_bpm_estimate": day.resting,
                    "zone_basis": None if found is None else found.basis,
                    "is_well_covered": day.covered >= 240 * MINUTE,
                    "covered_minutes": minutes(day.covered),
                    **_zone_columns(total),
                    "active_zone_minutes": None
                    if total is None
                    else minutes(total[1] + 2 * (total[2] + total[3])),
                }
            )
    return rows, days


def member_day_zone_rows(
    days: Mapping[tuple[str, date], Day], history: ProfileHistory, zones: Zones, rules: Rules
) -> list[Row]:
    """A view of silver: age, HRmax and the lower bounds of the zones on each member's day."""
    rows = []
    for (user_id, on), day in days.items():
        profile = history.as_of(user_id, day_begins(on, zones.member(user_id)))
        age, _ = age_and_band(profile, on)
        found = bounds(age, day, rules)
        rows.append(
            {
                "user_id": user_id,
                "date": on,
                "age": age,
                "max_heart_rate_bpm": None if found is None else found.hr_max,
                "resting_bpm_estimate": day.resting,
                **bound_columns(found),
            }
        )
    return rows
