"""Small histories made from a seed: few members, devices and instants, so that everything collides.

A history is the records of some days of a few members: registrations handed on and at one instant,
profile changes that change nothing, deletes and new lives, sessions of every status, visits with
and without logouts, readings at one instant, and every kind of record to reject. Its ids begin
with a prefix of its own, so that many histories share the tables and meet in one gym alone. Bad and
odd records are the simulator's, each kind in one history of `TURNS`.
"""

from __future__ import annotations

import io
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from ingestion.files import Source, parse_rows
from lakehouse.envelopes import Envelope
from lakehouse.simulator.dirty_records import Kind, topic_kinds
from lakehouse.simulator.dirty_rows import Form, Line, RowKind, row_kinds
from lakehouse.simulator.drops import render
from lakehouse.simulator.records import Payload, Record, Row
from tests.oracle.records import FILE_COLUMNS, FILE_FEEDS, KAFKA_FEEDS

# All events lie in three days from here, in seconds of the epoch: 2026-03-01, UTC.
EPOCH = 1_772_323_200
_DAYS = 3
# Offsets of a history begin at its number times this; those of its repeats lie in the upper half.
OFFSETS_PER_WORLD = 100_000
# Written beside ingestion's own rows, histories take no offsets that the broker gives out.
TOPIC_EPOCH = 7
# Of so many histories with consecutive numbers each kind of dirt is in one.
TURNS = 25


@dataclass(frozen=True)
class Entry:
    """One record: its feed, and its columns in bronze but `ingested_at`."""

    feed: str
    columns: Mapping[str, Any]

    def again(self, number: int) -> Entry:
        """The same record once more, from another place: the `number`th copy in its history."""
        columns = dict(self.columns)
        if self.columns.get("offset") is not None:
            columns["offset"] += OFFSETS_PER_WORLD // 2 + number
        else:
            columns["record_id"] = f"{columns['record_id']}-again-{number}"
        return replace(self, columns=columns)


def mac_of(number: int, index: int) -> str:
    """A MAC address of history `number`, in lower case."""
    digits = f"aa{number:08x}{index:02x}"
    return ":".join(digits[i : i + 2] for i in range(0, 12, 2))


def history(number: int, seed: int) -> list[Entry]:
    """The records of history `number`, the same for the same number and seed."""
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
    """Makes records of history `number`, each with a place in bronze of its own."""

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

    def envelope(self, sent: Envelope) -> Entry:
        assert sent.timestamp is not None
        value = None if sent.value is None else sent.value.encode()
        entry = self.kafka(sent.topic, sent.key, value, sent.timestamp / 1000)
        headers = [{"key": name, "value": content} for name, content in sent.headers]
        return replace(entry, columns={**entry.columns, "headers": headers or None})

    def file(self, feed: str, form: Form, lines: Sequence[Line]) -> list[Entry]:
        """The rows that ingestion makes of a file."""
        name = f"{feed}/w{self.number}-dirt.{form}"
        content = render(form, list(FILE_COLUMNS[feed]), lines, set())
        read = Source(name, f"{len(content)}-{EPOCH}", len(content))
        place = {
            "source_file": name,
            "source_version": read.version,
            "source_modified_at": datetime.fromtimestamp(EPOCH, UTC),
            "erased_at": None,
        }
        rows = parse_rows(FILE_COLUMNS[feed])(read, io.BytesIO(content))
        return [Entry(feed, {**row, **place}) for row in rows]

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
        self.macs = [mac_of(number, i) for i in range(rng.randint(2, 3))]
        # One is everybody's, and not in UTC: gyms of a few members are hidden.
        self.gyms = [f"{prefix}g", "4"]
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
        for topic in KAFKA_FEEDS:
            found += self._odd_messages(topic)
        for feed in FILE_FEEDS:
            found += self._odd_rows(feed)
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
        rate = rng.choice((29.9, 30, 60, 95, 110.5, 111, 140, 160, 171, 220, 221))
        payload = {
            "device_id": device,
            "time": self._written(round(at, 6)),
            "heartrate": rng.choice((rate, str(rate), float(rate))),
        }
        return self.message("bpm", device, payload, at)

    # Bad and odd records. The simulator's kinds ask for ids of digits: a member of its own.

    def _number(self, index: int) -> int:
        return 990_000_000 + 100 * self.number + index

    def _odd_messages(self, topic: str) -> list[Entry]:
        found = []
        for kind in topic_kinds_of(topic, self.number):
            fitting = [r for r in self._plain_records(topic) if kind.applies(r)]
            found += [self.envelope(sent.envelope) for sent in kind.make(self.rng.choice(fitting))]
        return found

    def _plain_records(self, topic: str) -> list[Record]:
        """A record of each sort that a kind may ask for."""
        rng, at = self.rng, self._time()
        payloads: list[Payload]
        if topic == "bpm":
            payloads = [
                {"device_id": self._number(1), "time": at, "heartrate": rng.choice((61, 90, 150))}
            ]
        elif topic == "workout":
            action = rng.choice(("start", "stop"))
            ids = {"user_id": self._number(0), "workout_id": 1, "session_id": 1}
            payloads = [{**ids, "timestamp": at, "action": action}]
        else:
            change: Payload = {"user_id": self._number(0), "timestamp": at}
            bare: Payload = {
                **change,
                "update_type": "update",
                "first_name": "Cy",
                "last_name": "Oh",
            }
            image = {"dob": "03/04/1990", "sex": "F", "gender": "Female", "address": _ADDRESSES[0]}
            payloads = [bare, {**bare, **image}, {**change, "update_type": "delete"}]
        key = str(self._number(1 if topic == "bpm" else 0))
        return [Record(topic, key, payload, int(at * 1000)) for payload in payloads]

    def _odd_rows(self, feed: str) -> list[Entry]:
        forms: tuple[Form, ...] = ("csv", "ndjson")
        lines: dict[Form, list[Line]] = {form: [] for form in forms}
        for kind in row_kinds_of(feed, self.number):
            fitting = [row for row in self._plain_rows(feed) if kind.applies(row)]
            form = self.rng.choice(forms) if kind.form is None else kind.form
            lines[form] += kind.make(self.rng.choice(fitting))
        return [
            entry for form, written in lines.items() for entry in self.file(feed, form, written)
        ]

    def _plain_rows(self, feed: str) -> list[Row]:
        at = int(self._time())
        mac = mac_of(self.number, 9)
        if feed == "registered_users":
            ids = {"user_id": str(self._number(0)), "device_id": str(self._number(1))}
            return [{**ids, "mac_address": mac, "registration_timestamp": str(at)}]
        row = {"mac_address": mac, "gym": str(self._number(2)), "login": str(at)}
        return [{**row, "logout": ""}, {**row, "logout": str(at + 1_800)}]


def topic_kinds_of(topic: str, number: int) -> list[Kind]:
    """The kinds of dirt on a topic whose turn it is in history `number`."""
    return topic_kinds(topic)[number % TURNS :: TURNS]


def row_kinds_of(feed: str, number: int) -> list[RowKind]:
    """The kinds of dirt on a file feed whose turn it is in history `number`."""
    return row_kinds(feed)[number % TURNS :: TURNS]
