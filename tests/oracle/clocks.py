"""Local clocks: whose zone is which, and what a clock in it shows (microseconds in and out)."""

import csv
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from .decode import MICROS
from .silver import HOUR, ProfileHistory, Row

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SEEDS = Path(__file__).parents[2] / "seeds"
MINUTE = 60 * MICROS

_zone = cache(ZoneInfo)


def local_time(at: int, zone: str) -> datetime:
    """What a clock in the zone shows."""
    return (_EPOCH + timedelta(microseconds=at)).astimezone(_zone(zone))


def local_date(at: int, zone: str) -> date:
    return local_time(at, zone).date()


def hour_at(at: int, zone: str) -> int:
    """The instant minus minutes, seconds and fraction of the local clock."""
    clock = local_time(at, zone)
    return at - clock.minute * MINUTE - clock.second * MICROS - clock.microsecond


@cache
def day_begins(day: date, zone: str) -> int:
    """The first instant whose local date it is."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    # No zone is more than 26 hours off, and none changes its clock within a minute.
    first = int(midnight.timestamp()) * MICROS - 26 * HOUR
    for at in range(first, first + 52 * HOUR, MINUTE):
        if local_date(at, zone) == day:
            return at
    raise ValueError(f"{day} is left out in {zone}")


def seed(name: str) -> list[dict[str, str | None]]:
    """Rows of a seed; empty cells are null."""
    with (_SEEDS / f"{name}.csv").open(newline="") as file:
        return [{key: value or None for key, value in row.items()} for row in csv.DictReader(file)]


class Zones:
    """The zones of members and gyms, by the seeds or the rows that are given."""

    def __init__(
        self,
        history: ProfileHistory,
        *,
        default: str = "UTC",
        gyms: Iterable[Mapping[str, Any]] | None = None,
        states: Mapping[str, str] | None = None,
    ) -> None:
        if states is None:
            states = {str(r["state"]): str(r["time_zone"]) for r in seed("state_time_zones")}
        self.default = default
        self._members = {}
        for user_id, versions in history.versions.items():
            newest = dict(versions[-1].row())
            state = (newest["state"] or "").strip().upper()
            self._members[user_id] = states.get(state, default)
        self._gyms = {
            str(r["gym_id"]): r for r in (seed("gym_locations") if gyms is None else gyms)
        }

    def member(self, user_id: str) -> str:
        return self._members.get(user_id, self.default)

    def gym(self, gym_id: str) -> str:
        return str(self._gyms[gym_id]["time_zone"]) if gym_id in self._gyms else self.default

    def member_rows(self) -> list[Row]:
        return [{"user_id": user, "time_zone": zone} for user, zone in self._members.items()]

    def gym_rows(self, seen: Iterable[str]) -> list[Row]:
        rows = []
        for gym_id in {*self._gyms, *seen}:
            known = self._gyms.get(gym_id, {})
            capacity = known.get("capacity")
            rows.append(
                {
                    "gym_id": gym_id,
                    "gym_name": known.get("gym_name") or gym_id,
                    "time_zone": self.gym(gym_id),
                    "capacity": None if capacity is None else int(capacity),
                }
            )
        return rows
