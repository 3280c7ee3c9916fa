"""Small worlds made from a seed: few members, devices and instants, so that everything collides.

A world is the records of some days of a few members: registrations handed on and at one instant,
profile changes that change nothing, deletes and new lives, sessions of every status, visits with
and without logouts, readings at one instant, and every kind of record to reject. Its ids begin
with a prefix of its own, so that many worlds share the tables without meeting.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

# All events lie in three days from here, in seconds of the epoch: 2026-03-01, UTC.
EPOCH = 1_772_323_200
_DAYS = 3
# Offsets of a world begin at its number times this; those of its repeats lie in the upper half.
OFFSETS_PER_WORLD = 100_000
# Written beside ingestion's own rows, worlds take no offsets that the broker gives out.
TOPIC_EPOCH = 7


@dataclass(frozen=True)
class Entry:
    """One record: its feed, and its columns in bronze but `ingested_at`."""

    feed: str
    columns: Mapping[str, Any]

    def again(self, number: int) -> Entry:
        """The same record once more, from another place: the `number`th copy in its world."""
        columns = dict(self.columns)
        if self.columns.get("offset") is not None:
            columns["offset"] += OFFSETS_PER_WORLD // 2 + number
        else:
            columns["record_id"] = f"{columns['record_id']}-again-{number}"
        return replace(self, columns=columns)


def world(number: int, seed: int) -> list[Entry]:
    """The records of world `number`, the same for the same number and seed."""
    return _World(number, random.Random(f"{seed}/{number}")).entries()


_PROFILES: tuple[dict[str, Any], ...] = (
    {"first_name": "Ann", "last_name": "Lee", "dob": "03/04/1990", "sex": "F", "gender": "Female"},
    {"first_name": "Ann", "last_name": "Lee", "dob": "1990-03-04", "sex": "F", "gender": "Female"},
    {"first_name": " Ann ", "last_name": "Roy", "dob": "02/29/2008", "sex": "F", "gender": ""},
    {"first_name": "Bo", "last_name": 7, "dob": "12/31/2031", "sex": "M", "gender": None},
    {"first_name": "Bo", "last_name": "Kim", "dob": "1899-01-01", "sex": ["M"], "gender": "Male"},
)
_ADDRESSES: tuple[Any, ...] = (
    {"street_address": "1 Main St", "city": "Reno", "state": "NV", "zip": 89501},
    {"street_address": "1 Main St", "city": "Reno", "state": "NV", "zip": "89501"},
    {"street_address": "2 Elm St", "city": "Ames", "state": "IA", "zip": 50010.0},
    "nowhere",
    None,
)


class Records:
    """Makes records of world `number`, each with a place in bronze of its own."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.made = 0

    def kafka(self, feed: str, key: str | None, value: bytes | None, at: float) -> Entry:
        self.made += 1
        return Entry(
            feed,
            {
                "key": None if key is None else key.encode(),
                "value": value,
                "headers": None,
                "topic": feed,
                "partition": self.made % 3,
                "offset": self.number * OFFSETS_PER_WORLD + self.made,
                "timestamp": datetime.fromtimestamp(at, UTC),
                "topic_epoch": TOPIC_EPOCH,
                "source_file": None,
                "record_id": None,
                "erased_at": None,
            },
        )

    def message(self, feed: str, key: str, payload: Mapping[str, Any], at: float) -> Entry:
        return self.kafka(feed, key, json.dumps(payload).encode(), at)

    def row(self, feed: str, columns: Mapping[str, str]) -> Entry:
        self.made += 1
        name = f"{feed}/w{self.number}.csv"
        return Entry(
            feed,
            {
                "raw": ",".join(columns.values()),
                **columns,
                "source_file": name,
                "source_modified_at": datetime.fromtimestamp(EPOCH, UTC),
                "record_id": f"{name}#{self.made}",
                "erased_at": None,
            },
        )


class _World(Records):
    def __init__(self, number: int, rng: random.Random) -> None:
        super().__init__(number)
        self.rng = rng
        prefix = f"w{number}-"
        self.users = [f"{prefix}u{i}" for i in range(rng.randint(2, 3))]
        self.devices = [f"{prefix}d{i}" for i in range(rng.randint(2, 3))]
        self.macs = [f"{prefix}:m{i}" for i in range(rng.randint(2, 3))]
        self.gyms = [f"{prefix}g{i}" for i in range(2)]
        # Few instants, so that records meet in time; some near midnight and full hours.
        start = EPOCH + rng.randrange(_DAYS) * 86_400
        self.instants = sorted(
            {
                start + rng.choice((-3_600, -60, 0, 0.25, 1, 59, 61, 600)) + 1_800 * i
                for i in range(8)
                for _ in range(2)
            }
        )

    def entries(self) -> list[Entry]:
        rng = self.rng
        found = [
            *(self._registration() for _ in range(rng.randint(3, 7))),
            *(self._change() for _ in range(rng.randint(4, 12))),
            *(self._event() for _ in range(rng.randint(8, 20))),
            *(self._login() for _ in range(rng.randint(3, 9))),
            *(self._reading() for _ in range(rng.randint(40, 80))),
        ]
        found += [self._rejected(rng.choice(found)) for _ in range(rng.randint(4, 12))]
        return found

    def _time(self) -> float:
        return self.rng.choice(self.instants)

    def _written(self, seconds: float) -> Any:
        """A time as one of the forms that mean it."""
        value: Any = int(seconds) if seconds == int(seconds) else seconds
        return self.rng.choice((value, value, float(value), str(value), f" {value} "))

    def message(self, feed: str, key: str, payload: Mapping[str, Any], at: float) -> Entry:
        items = list(payload.items())
        if self.rng.random() < 0.2:
            self.rng.shuffle(items)
            items.append(("extra", {"any": [1, None]}))
        return super().message(feed, key, dict(items), at)

    def _registration(self) -> Entry:
        mac = self.rng.choice(self.macs)
        return self.row(
            "registered_users",
            {
                "user_id": self.rng.choice(self.users),
                "device_id": self.rng.choice(self.devices),
                "mac_address": self.rng.choice((mac, mac.upper())),
                "registration_timestamp": str(self._written(self._time())),
            },
        )

    def _login(self) -> Entry:
        rng, login = self.rng, self._time()
        logout = rng.choice(("", "", "soon", *(str(self._written(self._time())) for _ in range(4))))
        mac = rng.choice(self.macs)
        return self.row(
            "gym_logins",
            {
                "mac_address": rng.choice((mac, mac.upper())),
                "gym": rng.choice(self.gyms),
                "login": str(self._written(login)),
                "logout": logout,
            },
        )

    def _change(self) -> Entry:
        rng, user, at = self.rng, self.rng.choice(self.users), self._time()
        kind = rng.choice(("new", "update", "update", "update", "delete", "tombstone"))
        if kind == "tombstone":
            return self.kafka("user_info", user, None, at)
        payload = {"user_id": user, "update_type": kind, "timestamp": self._written(at)}
        if kind != "delete":
            payload |= {**rng.choice(_PROFILES), "address": rng.choice(_ADDRESSES)}
        return self.message("user_info", user, payload, at + rng.choice((0, 0, 1, 5)))

    def _event(self) -> Entry:
        rng, user, at = self.rng, self.rng.choice(self.users), self._time()
        payload = {
            "user_id": user,
            "workout_id": rng.choice((1, "1", "1.0", 1, 2)),
            "session_id": rng.choice((1, 1, 1, "2")),
            "timestamp": self._written(at),
            "action": rng.choice(("start", "start", "stop", " stop")),
        }
        return self.message("workout", user, payload, at)

    def _reading(self) -> Entry:
        rng, device = self.rng, self.rng.choice(self.devices)
        at = self._time() + rng.choice((0, 0, 1, 5, 30, 59.5, 60, 61, 90, 0.000001))
        rate = rng.choice((30, 60, 95, 110.5, 111, 140, 160, 171, 220))
        payload = {
            "device_id": device,
            "time": self._written(round(at, 6)),
            "heartrate": rng.choice((rate, str(rate), float(rate))),
        }
        return self.message("bpm", device, payload, at)

    def _rejected(self, like: Entry) -> Entry:
        """A record that no table takes, made from one that they do."""
        rng = self.rng
        if "raw" in like.columns:
            names = [n for n in like.columns if n in _REQUIRED[like.feed]]
            bad = {n: str(like.columns[n]) for n in _COLUMNS[like.feed]}
            bad[rng.choice(names)] = ""
            return self.row(like.feed, bad)
        feed, at = like.feed, EPOCH
        key = like.columns["key"].decode()
        value = like.columns["value"]
        if value is None:
            return self.kafka("user_info", None, None, at)
        payload: dict[str, Any] = json.loads(value)
        name = rng.choice(_REQUIRED[feed])
        time = "time" if feed == "bpm" else "timestamp"
        return rng.choice(
            (
                lambda: self.kafka(feed, key, b"  ", at),
                lambda: self.kafka(feed, key, value[:-1], at),
                lambda: self.kafka(feed, key, b"[1]", at),
                lambda: self.message(
                    feed, key, {k: v for k, v in payload.items() if k != name}, at
                ),
                lambda: self.message(feed, key, {**payload, name: None}, at),
                lambda: self.message(feed, key, {**payload, name: True}, at),
                lambda: self.message(feed, key, {**payload, name: [1]}, at),
                lambda: self.message(feed, key, {**payload, time: 4_102_444_800}, at),
                lambda: self.message(feed, key, {**payload, time: EPOCH * 1000}, at),
                lambda: self.message(
                    feed, key, {**payload, _UNKNOWN[feed][0]: _UNKNOWN[feed][1]}, at
                ),
            )
        )()


_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "user_info": ("user_id", "update_type", "timestamp"),
    "bpm": ("device_id", "time", "heartrate"),
    "workout": ("user_id", "workout_id", "session_id", "timestamp", "action"),
    "registered_users": ("user_id", "device_id", "mac_address", "registration_timestamp"),
    "gym_logins": ("mac_address", "gym", "login"),
}
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    **_REQUIRED,
    "gym_logins": (*_REQUIRED["gym_logins"], "logout"),
}
_UNKNOWN: Mapping[str, tuple[str, Any]] = {
    "user_info": ("update_type", "merge"),
    "bpm": ("heartrate", 221),
    "workout": ("action", "pause"),
}
