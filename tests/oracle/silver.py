"""Silver from typed events (DESIGN section 5).

Every function takes whole collections of events and returns rows (or the indexes that gold
needs), whatever the order of its input.
"""

import json
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from .decode import (
    MICROS,
    Login,
    ProfileChange,
    Reading,
    Registration,
    WorkoutEvent,
    utc_date,
    whole_years,
)

Row = dict[str, Any]

# What stands for "from the beginning" and "until now" in profile_versions.
_BEGINNING = -2_208_988_800 * MICROS
_END = 253_402_214_400 * MICROS

PROFILE_FIELDS = (
    "date_of_birth",
    "sex",
    "gender",
    "first_name",
    "last_name",
    "street_address",
    "city",
    "state",
    "zip_code",
)
#: What facts carry of a profile, beside the age band.
TRAITS = ("sex", "gender", "city", "state")
HOUR = 3600 * MICROS

#: One copy of a profile change: the content and where its first appearance stands.
Position = tuple[int, int, int]


class Ownership:
    """The two timelines of device_registrations."""

    def __init__(self, registrations: Iterable[Registration]) -> None:
        at_time: dict[tuple[str, str], dict[int, str]] = defaultdict(dict)
        for event in registrations:
            for kind, identifier in (
                ("device", event.device_id),
                ("mac", event.mac_address),
            ):
                owners = at_time[kind, identifier]
                owners[event.at] = max(owners.get(event.at, event.user_id), event.user_id)
        self._starts: dict[tuple[str, str], list[int]] = {}
        self._users: dict[tuple[str, str], list[str]] = {}
        for key, owners in at_time.items():
            starts: list[int] = []
            users: list[str] = []
            for at in sorted(owners):
                if not users or users[-1] != owners[at]:
                    starts.append(at)
                    users.append(owners[at])
            self._starts[key] = starts
            self._users[key] = users

    def owner(self, kind: str, identifier: str, at: int) -> str | None:
        starts = self._starts.get((kind, identifier))
        if starts is None:
            return None
        # The first interval begins at minus infinity.
        return self._users[kind, identifier][max(bisect_right(starts, at) - 1, 0)]

    def rows(self) -> list[Row]:
        rows = []
        for (kind, identifier), users in self._users.items():
            starts = self._starts[kind, identifier]
            for i, user in enumerate(users):
                rows.append(
                    {
                        "kind": kind,
                        "identifier": identifier,
                        "user_id": user,
                        "registered_at": starts[i],
                        "owned_from": None if i == 0 else starts[i],
                        "owned_to": starts[i + 1] if i + 1 < len(users) else None,
                    }
                )
        return rows


def _json_text(change: ProfileChange) -> str:
    values = {name: getattr(change, name) for name in ("update_type", *PROFILE_FIELDS)}
    known = {name: str(value) for name, value in values.items() if value is not None}
    return json.dumps(known, ensure_ascii=False, separators=(",", ":"))


def winning_changes(
    first_seen: Mapping[ProfileChange, Position | None],
) -> dict[tuple[str, int], ProfileChange]:
    """The change that stands per (user, time): the later first appearance.

    One that never had a place in Kafka comes before all that have; then the JSON text decides.
    """
    best: dict[tuple[str, int], tuple[tuple[Any, ...], ProfileChange]] = {}
    for change, position in first_seen.items():
        rank = (position is not None, position or (), _json_text(change))
        key = (change.user_id, change.changed_at)
        if key not in best or best[key][0] < rank:
            best[key] = (rank, change)
    return {key: change for key, (_, change) in best.items()}


@dataclass(frozen=True, slots=True)
class Version:
    """One row of user_profile_history."""

    user_id: str
    profile: tuple[Any, ...]
    valid_from: int
    valid_to: int | None

    def row(self) -> Row:
        return {
            "user_id": self.user_id,
            **dict(zip(PROFILE_FIELDS, self.profile, strict=True)),
            "valid_from": self.valid_from,
            "valid_to": self.valid_to,
            "is_current": self.valid_to is None,
        }


class ProfileHistory:
    """SCD2 over the whole log at once."""

    def __init__(self, changes: Mapping[tuple[str, int], ProfileChange]) -> None:
        self.versions: dict[str, list[Version]] = {}
        by_user: dict[str, list[ProfileChange]] = defaultdict(list)
        for (user_id, _), change in sorted(changes.items()):
            by_user[user_id].append(change)
        for user_id, log in by_user.items():
            versions: list[Version] = []
            profile: tuple[Any, ...] | None = None
            since = 0
            for change in log:
                new: tuple[Any, ...] | None = None
                if change.update_type != "delete":
                    new = tuple(getattr(change, field) for field in PROFILE_FIELDS)
                if new == profile:
                    continue
                if profile is not None:
                    versions.append(Version(user_id, profile, since, change.changed_at))
                profile, since = new, change.changed_at
            if profile is not None:
                versions.append(Version(user_id, profile, since, None))
            if versions:
                self.versions[user_id] = versions

    def as_of(self, user_id: str | None, at: int) -> Row | None:
        """The profile in force, the earliest one before it; None without one or once deleted."""
        versions = self.versions.get(user_id or "")
        if not versions:
            return None
        i = max(bisect_right([v.valid_from for v in versions], at) - 1, 0)
        version = versions[i]
        if version.valid_to is not None and version.valid_to <= at:
            return None
        return dict(zip(PROFILE_FIELDS, version.profile, strict=True))

    def in_force(self) -> list[Row]:
        """Rows of profile_versions: what facts take, the first version before all that happens."""
        return [
            {
                "user_id": version.user_id,
                **{
                    name: value
                    for name, value in zip(PROFILE_FIELDS, version.profile, strict=True)
                    if name in ("date_of_birth", *TRAITS)
                },
                "in_force_from": _BEGINNING if i == 0 else version.valid_from,
                "in_force_to": _END if version.valid_to is None else version.valid_to,
            }
            for versions in self.versions.values()
            for i, version in enumerate(versions)
        ]

    def member(self, user_id: str | None, at: int, on: date) -> Row:
        """Columns that facts carry: the profile in force, and the age band on a date."""
        profile = self.as_of(user_id, at)
        return {
            "age_band": age_and_band(profile, on)[1],
            **{name: (profile or {}).get(name) for name in TRAITS},
        }

    def current(self) -> list[Row]:
        rows = []
        for versions in self.versions.values():
            last = versions[-1]
            if last.valid_to is None:
                profile = dict(zip(PROFILE_FIELDS, last.profile, strict=True))
                rows.append({"user_id": last.user_id, **profile, "valid_from": last.valid_from})
        return rows


def age_and_band(profile: Row | None, on: date) -> tuple[int | None, str]:
    """Age in whole years on a date, and its band (lower edge included)."""
    born = profile["date_of_birth"] if profile else None
    if born is None or born > on:
        return None, "invalid age"
    age = whole_years(born, on)
    if age < 18:
        return age, "under 18"
    if age < 25:
        return age, "18-25"
    if age >= 95:
        return age, "95+"
    lower = 25 + (age - 25) // 10 * 10
    return age, f"{lower}-{lower + 10}"


def heart_rate_rows(readings: Iterable[Reading], ownership: Ownership) -> list[Row]:
    values: dict[tuple[str, int], set[Any]] = defaultdict(set)
    for reading in readings:
        values[reading.device_id, reading.measured_at].add(reading.bpm)
    return [
        {
            "device_id": device_id,
            "measured_at": at,
            "heart_rate_bpm": min(bpm),
            "num_values": len({float(value) for value in bpm}),
            "user_id": ownership.owner("device", device_id, at),
        }
        for (device_id, at), bpm in values.items()
    ]


def visit_rows(logins: Iterable[Login], ownership: Ownership) -> list[Row]:
    logouts: dict[tuple[str, str, int], int | None] = {}
    for event in logins:
        key = (event.mac_address, event.gym_id, event.login_at)
        known = logouts.get(key)
        if known is None or (event.logout_at is not None and event.logout_at > known):
            logouts[key] = event.logout_at
    return [
        {
            "mac_address": mac,
            "gym_id": gym,
            "login_at": login_at,
            "logout_at": logout_at,
            "user_id": ownership.owner("mac", mac, login_at),
        }
        for (mac, gym, login_at), logout_at in logouts.items()
    ]


def session_rows(events: Iterable[WorkoutEvent], max_session_hours: float) -> list[Row]:
    by_key: dict[tuple[str, str, str], set[tuple[int, bool]]] = defaultdict(set)
    for event in events:
        # False sorts first: a stop stands before a start of the same instant.
        by_key[event.user_id, event.workout_id, event.session_id].add(
            (event.at, event.action == "start")
        )
    rows = []
    for (user_id, workout_id, session_id), distinct in by_key.items():
        ordered = sorted(distinct)
        for before, this, after in zip(
            [None, *ordered], ordered, [*ordered[1:], None], strict=False
        ):
            at, is_start = this
            if is_start:
                started_at = at
                ended_at = after[0] if after is not None and not after[1] else None
                if ended_at is None:
                    status = "open"
                elif ended_at - at >= max_session_hours * HOUR:
                    status = "too_long"
                else:
                    status = "completed"
            elif before is None or not before[1]:
                started_at, ended_at, status = None, at, "orphan_stop"
            else:
                continue
            rows.append(
                {
                    "user_id": user_id,
                    "workout_id": workout_id,
                    "session_id": session_id,
                    "status": status,
                    "is_orphan": not is_start,
                    "began_at": at,
                    "started_at": started_at,
                    "ended_at": ended_at,
                }
            )
    return rows


@dataclass(slots=True)
class Timeline:
    """One user's valid readings in order of (time, device)."""

    times: list[int]
    devices: list[str]
    bpm: list[Any]
    #: Microseconds that each reading stands; 0 for all but the least device of an instant.
    stands: list[int]

    def between(self, after: int, until: int) -> range:
        """Indexes of the readings with after < time <= until."""
        return range(bisect_right(self.times, after), bisect_right(self.times, until))

    def within(self, start: int, end: int) -> range:
        """Indexes of the readings with start <= time < end."""
        return range(bisect_left(self.times, start), bisect_left(self.times, end))


def timelines(heart_rates: Iterable[Row]) -> dict[str, Timeline]:
    by_user: dict[str, list[tuple[int, str, Any]]] = defaultdict(list)
    for row in heart_rates:
        if row["user_id"] is not None:
            by_user[row["user_id"]].append(
                (row["measured_at"], row["device_id"], row["heart_rate_bpm"])
            )
    found = {}
    for user_id, readings in by_user.items():
        readings.sort()
        times = [reading[0] for reading in readings]
        stands = [0] * len(times)
        following: int | None = None
        for i in range(len(times) - 1, -1, -1):
            if i > 0 and times[i - 1] == times[i]:
                continue
            stands[i] = 60 * MICROS if following is None else min(60 * MICROS, following - times[i])
            following = times[i]
        found[user_id] = Timeline(
            times,
            [reading[1] for reading in readings],
            [reading[2] for reading in readings],
            stands,
        )
    return found


def workout_heart_rate_rows(sessions: Iterable[Row], lines: Mapping[str, Timeline]) -> list[Row]:
    rows = []
    for session in sessions:
        line = lines.get(session["user_id"])
        if session["status"] != "completed" or line is None:
            continue
        for i in line.between(session["started_at"], session["ended_at"]):
            rows.append(
                {
                    "user_id": session["user_id"],
                    "workout_id": session["workout_id"],
                    "session_id": session["session_id"],
                    "started_at": session["started_at"],
                    "device_id": line.devices[i],
                    "measured_at": line.times[i],
                    "heart_rate_bpm": line.bpm[i],
                }
            )
    return rows


def unowned_rows(heart_rates: Iterable[Row], visits: Iterable[Row]) -> list[Row]:
    """unowned_activity: readings and visits without an owner by UTC date."""
    counts = Counter(
        (feed, utc_date(row[at]))
        for feed, rows, at in (
            ("bpm", heart_rates, "measured_at"),
            ("gym_logins", visits, "login_at"),
        )
        for row in rows
        if row["user_id"] is None
    )
    return [{"feed": feed, "date": day, "records": count} for (feed, day), count in counts.items()]
