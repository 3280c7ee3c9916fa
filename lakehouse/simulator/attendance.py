"""How often a member comes to the gym as time goes by: who stays, fades, stops and returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from lakehouse.simulator.settings import DAY_SECONDS, Settings

# Monday to Sunday; the mean is 1.
_WEEKDAYS = (1.2, 1.15, 1.1, 1.05, 0.9, 0.85, 0.75)
_MEAN_DAYS_OF_INTEREST = 60
_LOYAL, _RETURNING, _FADING = 0.35, 0.4, 0.15


@dataclass(frozen=True)
class Habit:
    """Chance of a visit on a usual day, and the spans (epoch seconds) with a share of it left."""

    visits_a_day: float
    spans: Sequence[tuple[float, float, float]] = ()

    def chance(self, at_s: int, day: date) -> float:
        """Chance of a visit on a day that begins at `at_s`."""
        left = min((share for a, b, share in self.spans if a <= at_s < b), default=1.0)
        return self.visits_a_day * _WEEKDAYS[day.weekday()] * left


def make_habit(settings: Settings, index: int, joined: int, end: int) -> Habit:
    """The habit of a member who joined at `joined`; it changes only where there is a history."""
    random = settings.random("habit", index)
    visits_a_day = float(random.choice([0.1, 0.3, 0.5, 0.7]))
    if not settings.history:
        return Habit(visits_a_day)
    if index < settings.users:
        # Who shares heart rates is keen.
        return Habit(max(visits_a_day, 0.4))
    spans = []
    if random.random() >= _LOYAL:
        stops = joined + (5 + random.exponential(_MEAN_DAYS_OF_INTEREST)) * DAY_SECONDS
        back = stops + random.uniform(30, 90) * DAY_SECONDS
        spans.append((stops, back if random.random() < _RETURNING else float(end), 0.0))
    if random.random() < _FADING:
        spans.append((end - random.uniform(26, 34) * DAY_SECONDS, float(end), 0.15))
    return Habit(visits_a_day, tuple(spans))
