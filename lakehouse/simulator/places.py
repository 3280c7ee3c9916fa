"""Where members live and train, and when it is midnight there: zones as the project's seeds say."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from zoneinfo import ZoneInfo

from lakehouse.home import CHECKOUT
from lakehouse.simulator import names
from lakehouse.simulator.settings import Settings, day_of

_SEEDS = CHECKOUT / "seeds"
City = tuple[str, str, int, int]


@dataclass(frozen=True)
class Gym:
    """A gym of the seed."""

    gym_id: str
    zone: ZoneInfo


@cache
def gyms() -> tuple[Gym, ...]:
    """In the order of the seed."""
    return tuple(Gym(r["gym_id"], ZoneInfo(r["time_zone"])) for r in _rows("gym_locations"))


def gyms_of(settings: Settings) -> tuple[Gym, ...]:
    """The gyms of a simulation."""
    return gyms()[: settings.gyms]


@cache
def zone_of(state: str) -> ZoneInfo:
    """The zone of most people of a state."""
    zones = {row["state"]: row["time_zone"] for row in _rows("state_time_zones")}
    return ZoneInfo(zones[state])


def cities_near(gyms_: tuple[Gym, ...]) -> tuple[City, ...]:
    """Cities whose clocks are those of a gym: nobody trains by another clock than at home."""
    zones = {gym.zone.key for gym in gyms_}
    return tuple(city for city in names.CITIES if zone_of(city[1]).key in zones)


@cache
def midnight(day: date, zone: ZoneInfo) -> int:
    """When a day begins, in epoch seconds."""
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())


def days_of(settings: Settings, zone: ZoneInfo) -> tuple[int, int]:
    """First second of the simulated days and first one after them, by the clock of a zone."""
    return midnight(settings.first_day, zone), midnight(day_of(settings.end_s), zone)


@cache
def offset_of(day: date, zone: ZoneInfo) -> int:
    """Seconds by which clocks are ahead of UTC at noon: most of the day, also where it changes."""
    offset = datetime(day.year, day.month, day.day, 12, tzinfo=zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds())


def _rows(seed: str) -> list[dict[str, str]]:
    with (_SEEDS / f"{seed}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
