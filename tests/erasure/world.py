"""A small world around one person: who had the device and the MAC before and after, and others."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tests.cases.case import (
    MIDNIGHT,
    Case,
    Landed,
    Message,
    bpm,
    logins,
    mac,
    message,
    profile,
    registrations,
    session,
    workout,
)


def _dotted(name: str) -> str:
    digits = mac(name).replace(":", "").upper()
    return f"{digits[:4]}.{digits[4:8]}.{digits[8:]}"


PERSON = "person-7f3a91"
BEFORE, AFTER, OTHER = "before-u", "after-u", "other-u"
# With blanks, signs and letters that words of a text are not made of; and one that no keyboard has.
ODD, UNTYPED = "Zoë B+c/9d41e7", "un\0typed-77aa12"
# Known by a record that was cut off alone; half a surrogate pair is a question mark.
HALF, HALF_WRITTEN = "half ?-5be1c0", '"half \\ud800-5be1c0"'
# The band goes from BEFORE to the person (hour 1) to AFTER (hour 3); the watch is the person's own.
BAND, WATCH, OTHERS, ODD_BAND = "band-51c2e8", "watch-90d4b7", "others-band", "dëv 7/x+5c33a1"
# Names of MAC addresses.
TAG, CARD, ODD_CARD, OTHERS_TAG = "before-tag", "person-card", "odd-card", "others-tag"
ERASED = (PERSON, ODD, UNTYPED, HALF)
# The persons' alone: what may be nowhere after `forget --vacuum`.
TRACES = (
    PERSON,
    WATCH,
    mac(CARD),
    "Zebulina",
    "Quartermain",
    "77 Vanishing Lane",
    "1987-06-05",
    "06/05/1987",
    # Of odd ids what no escape changes.
    "9d41e7",
    "5c33a1",
    mac(ODD_CARD),
    _dotted(ODD_CARD),
    "typed-77aa12",
    "5be1c0",
)
HOUR = 3600
LEFTOVER = f"mac_address\n{mac(CARD)}\n"
"""Of a copy into the landing zone that was broken off."""


def _named(first: str, last: str, dob: str, street: str) -> dict[str, Any]:
    address = {"street_address": street, "city": "Oakland", "state": "CA", "zip": "94601"}
    return {"first_name": first, "last_name": last, "dob": dob, "sex": "F", "address": address}


_ME = _named("Zebulina", "Quartermain", "06/05/1987", "77 Vanishing Lane")


def _keyed(sent: Message, key: str) -> Message:
    return Message(sent.feed, sent.value, key.encode(), sent.timestamp)


def _readings(device: str, start: float, count: int = 6) -> list[Message]:
    return [bpm(device, start + 10 * i, 100 + i) for i in range(count)]


# Of others' records.
KEYS = (PERSON, json.dumps(PERSON), json.dumps({"user": ODD}))
HEADERS = (PERSON, ODD, f"sent by {PERSON}.", json.dumps({"tag": _dotted(ODD_CARD)}))


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
        message("bpm", f'{{"time": 1, "owner": "{PERSON}"}}'),  # rejected, and no device in it
    ]
    odd = [
        profile(ODD, -HOUR, "new", **_ME),  # json.dumps escapes it
        message("user_info", f'{{"user_id": "{ODD}", "update_type": "new"}}'),
        Message("user_info", None, json.dumps(ODD).encode(), (MIDNIGHT + HOUR) * 1000),
        message("workout", f'{{"user_id": "{ODD}", cut off'),
        message("workout", f'{{"user_id": {json.dumps(ODD)}, cut off'),
        _keyed(message("workout", "cut off"), json.dumps({"id": ODD})),
        *_readings(ODD_BAND, 0),
        message("bpm", f'{{"device_id": {json.dumps(ODD_BAND)}, cut off'),
        profile(UNTYPED, 0, "new", **_ME),  # rejected: no id
        _keyed(message("workout", "cut off"), UNTYPED),
        message("workout", f'{{"user_id": {HALF_WRITTEN}, cut off'),
    ]
    others = [
        profile(BEFORE, -HOUR, "new", **_named("Bea", "Fore", "1990-01-02", "1 Old St")),
        profile(AFTER, -HOUR, "new", **_named("Al", "Ter", "1991-01-02", "2 New St")),
        profile(OTHER, -HOUR, "new", **_named("Otto", "Herr", "1992-01-02", "3 Far St")),
        # Somebody else's record under the person's key: its payload counts.
        *(_keyed(workout(OTHER, 9, 2 * HOUR, "start"), key) for key in KEYS),
        *(_keyed(bpm(OTHERS, 2 * HOUR, 99), key) for key in (*KEYS, WATCH)),
        *(replace(bpm(OTHERS, 2 * HOUR, 99), headers=(("by", by.encode()),)) for by in HEADERS),
        *_readings(BAND, 0),
        *_readings(BAND, 3 * HOUR),
        *_readings(OTHERS, HOUR),
        bpm(OTHERS, HOUR, 12),  # rejected
        Message("workout", b"[1]"),  # rejected
        *session(BEFORE, 1, -30, 60),
        *session(AFTER, 1, 3 * HOUR - 30, 3 * HOUR + 60),
        *session(OTHER, 1, HOUR - 30, HOUR + 60),
    ]
    return (*others, *me, *odd)


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
    visit = {"mac_address": mac(CARD).upper(), "gym": "g2", "login": MIDNIGHT + 4 * HOUR}
    own = Landed("gym_logins", "own.ndjson.gz", gzip.compress(json.dumps(visit).encode()), ())
    envelope = {
        "key": PERSON,
        "value": json.dumps({"user_id": PERSON, **_ME}),
        "topic": "user_info",
    }
    sunk = Landed("user_info", "sunk.json", (json.dumps(envelope) + "\n").encode(), ())
    keyed = {
        "metadata": {"topic": "bpm", "key": PERSON},
        "value": {"device_id": OTHERS, "time": MIDNIGHT + 3 * HOUR, "heartrate": 98.50},
        "headers": [{"key": "by", "value": PERSON}],
    }
    under = Landed("bpm", "keyed.json", json.dumps(keyed).encode(), ())
    return owners, broken, visits, own, sunk, under, *_odd_files()


def _odd_files() -> Iterator[Landed]:
    header = "user_id,device_id,mac_address,registration_timestamp"
    time = MIDNIGHT - HOUR
    lines = [
        header,
        f"{ODD},{ODD_BAND},{_dotted(ODD_CARD)},{time}",
        f"{ODD},{ODD_BAND}",
        f'"{ODD},"{ODD_BAND}',
        # Nobody is named; the device and the MAC are the person's.
        f",{WATCH},{mac(CARD)},{time}",
        f",{OTHERS},{mac(OTHERS_TAG)},{time}",
    ]
    yield Landed("registered_users", "odd.csv", "\n".join(lines).encode(), ())
    # Half a surrogate pair, and half a character at the end.
    halves = f"{header}\n\ud800{OTHER}\n{PERSON},{WATCH}\n{OTHERS}".encode(
        "utf-16", "surrogatepass"
    )
    yield Landed("registered_users", "halves.csv", halves + b"x", ())
    login = f"{mac(ODD_CARD).upper().replace(':', '-')},g1,{MIDNIGHT},"
    yield Landed("gym_logins", "odd.csv", f"mac_address,gym,login,logout\n{login}\n".encode(), ())
    torn = gzip.compress(f"mac_address,gym\n{mac(OTHERS_TAG)},g1\n".encode() * 50)[:-9]
    yield Landed("gym_logins", "torn.csv.gz", torn, ())


# By feed: what is erased of the persons, rejected records too. Counted by hand from the above.
ERASED_RECORDS = {
    "user_info": 8 + 4 + 1,  # hers, those of the odd ids, the landed envelope
    "bpm": 15 + 7,
    "workout": 6 + 4 + 1,
    "registered_users": 2 + 1 + 4 + 1,  # owners, broken, odd, halves
    "gym_logins": 1 + 1 + 1,  # visits, own, odd
}

WORLD = Case("world", "a person and her neighbours", _events(), _files())

# What arrives after the erasure. The person's new band is known by nothing but this registration.
LATE_BAND, LATE_CARD = "late-band-c0ffee", "late-card"
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
