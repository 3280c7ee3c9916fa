"""A small world around one person: who had the device and the MAC before and after, and others."""

from __future__ import annotations

import gzip
import json
from typing import Any

from tests.cases.case import (
    MIDNIGHT,
    Case,
    Landed,
    Message,
    bpm,
    logins,
    profile,
    registrations,
    session,
    workout,
)

PERSON = "person-7f3a91"
BEFORE, AFTER, OTHER = "before-u", "after-u", "other-u"
# The band goes from BEFORE to the person (hour 1) to AFTER (hour 3); the watch is the person's own.
BAND, WATCH, OTHERS = "band-51c2e8", "watch-90d4b7", "others-band"
TAG, CARD, OTHERS_TAG = "aa:00:5e:00:53:01", "aa:00:5e:00:53:7f", "aa:00:5e:00:53:02"
# The person's alone: what may be nowhere after `forget --vacuum`.
TRACES = (
    PERSON,
    WATCH,
    CARD,
    "Zebulina",
    "Quartermain",
    "77 Vanishing Lane",
    "1987-06-05",
    "06/05/1987",
)
HOUR = 3600


def _named(first: str, last: str, dob: str, street: str) -> dict[str, Any]:
    address = {"street_address": street, "city": "Oakland", "state": "CA", "zip": "94601"}
    return {"first_name": first, "last_name": last, "dob": dob, "sex": "F", "address": address}


_ME = _named("Zebulina", "Quartermain", "06/05/1987", "77 Vanishing Lane")


def _keyed(message: Message, key: str) -> Message:
    return Message(message.feed, message.value, key.encode(), message.timestamp)


def _readings(device: str, start: float, count: int = 6) -> list[Message]:
    return [bpm(device, start + 10 * i, 100 + i) for i in range(count)]


def _events() -> tuple[Message, ...]:
    me = [
        profile(PERSON, -HOUR, "new", **_ME),
        _keyed(profile(PERSON, HOUR, "update", **_ME), PERSON),
        _keyed(profile(PERSON, HOUR, "update", **_ME), PERSON),  # a repeat
        _keyed(Message("user_info", b'{"user_id": "cut off'), PERSON),  # whose it is says the key
        Message("user_info", f'{{"user_id": "{PERSON}", "first_name": "Zebulina'.encode()),
        Message("user_info", None, PERSON.encode(), (MIDNIGHT + 2 * HOUR) * 1000),  # a tombstone
        _keyed(profile(PERSON, 3 * HOUR, "upsert", **_ME), PERSON),  # rejected
        profile(PERSON, 4 * HOUR, "new", **_ME),
        *session(PERSON, 1, HOUR, HOUR + 60),
        *session(PERSON, 2, 4 * HOUR, 4 * HOUR + 60),
        workout(PERSON, 3, 5 * HOUR, "pause"),  # rejected
        _keyed(workout(PERSON, 4, 5 * HOUR, "start"), PERSON),
        *_readings(BAND, HOUR),
        *_readings(WATCH, 4 * HOUR),
        bpm(WATCH, 4 * HOUR, 12),  # rejected
        Message("bpm", b'{"time": 1', WATCH.encode()),  # rejected
    ]
    others = [
        profile(BEFORE, -HOUR, "new", **_named("Bea", "Fore", "1990-01-02", "1 Old St")),
        profile(AFTER, -HOUR, "new", **_named("Al", "Ter", "1991-01-02", "2 New St")),
        profile(OTHER, -HOUR, "new", **_named("Otto", "Herr", "1992-01-02", "3 Far St")),
        # Somebody else's record under the person's key: its payload counts.
        _keyed(workout(OTHER, 9, 2 * HOUR, "start"), PERSON),
        *_readings(BAND, 0),
        *_readings(BAND, 3 * HOUR),
        *_readings(OTHERS, HOUR),
        bpm(OTHERS, HOUR, 12),  # rejected
        Message("workout", b"[1]"),  # rejected
        *session(BEFORE, 1, -30, 60),
        *session(AFTER, 1, 3 * HOUR - 30, 3 * HOUR + 60),
        *session(OTHER, 1, HOUR - 30, HOUR + 60),
    ]
    return (*others, *me)


def _files() -> tuple[Landed, ...]:
    owners = registrations(
        "owners",
        (BEFORE, BAND, TAG, -HOUR),
        (PERSON, BAND, TAG, HOUR),
        (PERSON, WATCH, CARD, -HOUR),
        (AFTER, BAND, TAG, 3 * HOUR),
        (OTHER, OTHERS, OTHERS_TAG, -HOUR),
    )
    broken = Landed(
        "registered_users", "broken.csv", f'user_id,device_id\n{PERSON},"{WATCH}\n'.encode(), ()
    )
    visits = logins(
        "visits",
        (TAG, "g1", -60, 300),
        (TAG, "g1", HOUR - 10 + 60, HOUR + 900),
        (TAG.upper(), "g1", 3 * HOUR + 10, None),
        (OTHERS_TAG, "g1", HOUR, HOUR + 600),
    )
    visit = {"mac_address": CARD.upper(), "gym": "g2", "login": MIDNIGHT + 4 * HOUR, "logout": None}
    own = Landed("gym_logins", "own.ndjson.gz", gzip.compress(json.dumps(visit).encode()), ())
    envelope = {
        "key": PERSON,
        "value": json.dumps({"user_id": PERSON, **_ME}),
        "topic": "user_info",
    }
    sunk = Landed("user_info", "sunk.json", (json.dumps(envelope) + "\n").encode(), ())
    return owners, broken, visits, own, sunk


WORLD = Case("world", "a person and her neighbours", _events(), _files())

# What arrives after the erasure. The person's new band is known by nothing but this registration.
LATE_BAND, LATE_CARD = "late-band-c0ffee", "aa:00:5e:00:53:6e"
LATE = Case(
    "late",
    "the person's events keep coming",
    (
        profile(PERSON, 6 * HOUR, "update", **_ME),
        *session(PERSON, 8, 6 * HOUR, 6 * HOUR + 60),
        *_readings(BAND, 2 * HOUR),
        *_readings(WATCH, 6 * HOUR),
        *_readings(LATE_BAND, 6 * HOUR),
        *_readings(BAND, 5 * HOUR),  # AFTER's
    ),
    (
        registrations("late", (PERSON, LATE_BAND, LATE_CARD, 5 * HOUR)),
        logins("late", (LATE_CARD, "g2", 6 * HOUR, None), (CARD, "g2", 6 * HOUR, None)),
    ),
)
