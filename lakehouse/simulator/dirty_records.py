"""Every bad and every odd record of a topic that the source contract speaks of, for `--dirty`.

Dirt leaves the content of silver and gold as it is: an odd form says the same as the plain one
in whose place it goes, a bad record goes beside a good one, and a conflicting one is made to lose.
So a simulation with dirt must end in the same tables as the one without.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from itertools import chain
from typing import Any, Literal

from ingestion.feeds import ENVELOPE_FEEDS
from lakehouse.envelopes import Envelope, Nested
from lakehouse.simulator.records import Payload, Record, encode, plain

Outcome = Literal["accepted", "rejected", "repeat", "conflict", "superseded"]

_MINUTE_MS = 60_000
_IDS = ("user_id", "device_id", "workout_id", "session_id")
_TIMES = ("timestamp", "time")
# Their order is part of what a seed means.
_REQUIRED = {feed.table: feed.required for feed in ENVELOPE_FEEDS}


@dataclass(frozen=True)
class Sent:
    """An envelope and by how much it comes later than the record that it stands for."""

    envelope: Envelope
    delay_ms: int = 0


@dataclass(frozen=True)
class Kind:
    """One kind of dirt on a topic. `make` gives all that is sent in place of a plain record."""

    name: str
    outcome: Outcome
    make: Callable[[Record], list[Sent]]
    reason: str | None = None
    applies: Callable[[Record], bool] = lambda _: True
    # Too big for more than one.
    once: bool = False
    # If no record lacks this optional field, a losing one is made that does.
    lacking: str | None = None


def topic_kinds(topic: str) -> list[Kind]:
    """All kinds of a topic; the order is part of what a seed means."""
    kinds = list(chain(_odd_forms(), _orders(topic), _bad_values(topic)))
    kinds += _missing_fields(topic)
    kinds += _wrong_types(topic)
    kinds += _out_of_range(topic)
    if topic == "user_info":
        kinds += _profile_forms()
    return kinds


# Odd forms, which say the same.


def _odd(name: str, change: Callable[[Payload], object], **more: Any) -> Kind:
    """The record with another payload that means the same."""
    return _spelled(name, lambda r: _with(r, encode(change(dict(r.payload)))), **more)


def _spelled(name: str, spell: Callable[[Record], Envelope], **more: Any) -> Kind:
    return Kind(name, "accepted", lambda r: [Sent(spell(r))], **more)


def _with(record: Record, value: str | None) -> Envelope:
    return plain(record)._replace(value=value)


def _valued(value: str | None) -> Callable[[Record], Envelope]:
    return lambda r: _with(r, value)


def _changed(names: Iterable[str], change: Callable[[Any], object]) -> Callable[[Payload], Payload]:
    wanted = tuple(names)
    return lambda p: {k: change(v) if k in wanted else v for k, v in p.items()}


def exponent(number: float) -> str:
    """A number in exponent notation."""
    return f"{Decimal(str(number)):E}"


def iso(seconds: Any) -> str:
    """Epoch seconds in ISO 8601, with another offset than UTC."""
    whole, _, fraction = str(seconds).partition(".")
    at = datetime.fromtimestamp(int(whole), timezone(timedelta(hours=2)))
    return f"{at:%Y-%m-%dT%H:%M:%S}.{fraction or 0} {at:%z}"


def _odd_forms() -> Iterator[Kind]:
    numbers = (*_TIMES, "heartrate")
    yield _odd("ids_as_text", _changed(_IDS, str))
    yield _odd("ids_with_point", _changed(_IDS, float))
    yield _odd("ids_as_text_with_point", _changed(_IDS, lambda v: f"{v}.0"))
    yield _odd("ids_padded", _changed(_IDS, lambda v: f"  {v} "))
    yield _odd("numbers_as_text", _changed(numbers, str))
    yield _odd("numbers_padded", _changed(numbers, lambda v: f" {v}\t"))
    yield _odd("numbers_in_exponent_notation", _changed(numbers, exponent))
    yield _odd("numbers_with_point", _changed(numbers, float))
    yield _odd("times_as_iso_text", _changed(_TIMES, iso))
    yield _odd("keys_in_another_order", lambda p: dict(reversed(p.items())))
    yield _odd("extra_keys", lambda p: {"v": 2, **p, "source": {"app": "ios", "tags": [1, None]}})
    yield _spelled(
        "value_spread_over_lines", lambda r: _with(r, json.dumps(r.payload, indent=1) + "\r\n")
    )
    yield _spelled("escapes", lambda r: _with(r, json.dumps(r.payload)))
    yield _spelled("value_as_object", lambda r: Nested(*plain(r)))
    yield _spelled("null_key", lambda r: plain(r)._replace(key=None))
    yield _spelled("other_key", lambda r: plain(r)._replace(key="another"))
    yield _spelled("header", lambda r: plain(r)._replace(headers=(("trace", b"7f-1"),)))
    many = {f"k{n:05d}": n for n in range(10_000)}
    yield _odd("ten_thousand_keys", lambda p: many | p, once=True)


def _repeat(name: str, spell: Callable[[Record], Envelope], minutes: int) -> Kind:
    return Kind(name, "repeat", lambda r: [Sent(plain(r)), Sent(spell(r), minutes * _MINUTE_MS)])


def _orders(topic: str) -> Iterator[Kind]:
    yield _repeat("repeated", plain, 0)
    yield _repeat("repeated_later", plain, 90)
    as_text = _changed((*_IDS, *_TIMES), str)
    yield _repeat("repeated_in_another_form", lambda r: _with(r, encode(as_text(r.payload))), 1)
    yield Kind("out_of_order", "accepted", lambda r: [Sent(plain(r), 25 * _MINUTE_MS)])
    if topic == "bpm":
        # Of several values at one time the lowest stands.
        yield Kind(
            "another_heart_rate",
            "conflict",
            lambda r: [Sent(_with(r, encode(r.payload | {"heartrate": 220}))), Sent(plain(r))],
            applies=lambda r: r.payload["heartrate"] != 220,
        )
    if topic == "user_info":
        # The later first appearance by Kafka's timestamp stands: this one was sent before.
        yield Kind(
            "another_profile",
            "conflict",
            lambda r: [
                Sent(
                    _with(r, encode(r.payload | {"last_name": "Overtaken"}))._replace(
                        timestamp=r.stamp_ms - 1
                    )
                ),
                Sent(plain(r)),
            ],
            applies=_has_profile,
        )
        yield _spelled(
            "tombstone",
            lambda r: Envelope(r.topic, str(r.payload["user_id"]), None, _event_ms(r)),
            applies=lambda r: r.payload["update_type"] == "delete",
        )


def _has_profile(record: Record) -> bool:
    return record.payload["update_type"] != "delete"


def _profile_forms() -> Iterator[Kind]:
    """Optional fields in forms that mean the same, or nothing where there was nothing."""

    def address(change: Callable[[dict[str, Any]], object]) -> Callable[[Payload], Payload]:
        return lambda p: p | {"address": change(dict(p["address"]))}  # type: ignore[call-overload]

    def has(name: str) -> Callable[[Record], bool]:
        return lambda r: name in r.payload

    def lacks(name: str) -> Callable[[Record], bool]:
        return lambda r: _has_profile(r) and name not in r.payload

    yield _odd("zip_as_text", address(lambda a: a | {"zip": str(a["zip"])}), applies=has("address"))
    yield _odd(
        "zip_with_point", address(lambda a: a | {"zip": float(a["zip"])}), applies=has("address")
    )
    yield _odd(
        "names_padded",
        _changed(("first_name", "last_name"), lambda v: f" {v}  "),
        applies=_has_profile,
    )
    empty: list[tuple[str, object]] = [("null", None), ("empty", ""), ("blank", "  ")]
    wrong: list[tuple[str, object]] = [("array", [1]), ("object", {"a": 1}), ("list_text", "[1]")]
    dates = [
        ("no_date", "13/45/1990"),
        ("future", "2999-01-01"),
        ("ancient", "01/01/1850"),
        ("29_february", "02/29/1999"),
        ("text", "unknown"),
        ("number", 19800101),
        ("boolean", True),
    ]
    for label, value in (*empty, *wrong, *dates):
        yield _odd(f"dob_{label}", _adding("dob", value), applies=lacks("dob"), lacking="dob")
    for label, value in (*empty, *wrong):
        yield _odd(f"sex_{label}", _adding("sex", value), applies=lacks("sex"), lacking="sex")
    addresses: list[tuple[str, object]] = [
        ("null", None),
        ("text", "unknown"),
        ("number", 5),
        ("boolean", False),
        ("array", [{}]),
        ("empty", {}),
        ("wrong_types", {"city": ["x"], "zip": {}, "state": "{}"}),
        ("blank", {"street_address": " ", "city": "", "state": None}),
    ]
    for label, value in addresses:
        yield _odd(
            f"address_{label}",
            _adding("address", value),
            applies=lacks("address"),
            lacking="address",
        )


def losing(kind: Kind, record: Record) -> list[Sent]:
    """The kind on a record that lacks the field, made to lose against the true one."""
    payload = {k: v for k, v in record.payload.items() if k != kind.lacking}
    bare = record._replace(payload=payload, stamp_ms=record.stamp_ms - 1)
    return [*kind.make(bare), Sent(plain(record))]


def _adding(name: str, value: object) -> Callable[[Payload], Payload]:
    return lambda p: p | {name: value}


# Bad records, which go beside a good one.


def _bad(name: str, reason: str, spell: Callable[[Record], Envelope]) -> Kind:
    return Kind(name, "rejected", lambda r: [Sent(plain(r)), Sent(spell(r))], reason)


def _bad_fields(name: str, reason: str, **fields: object) -> Kind:
    return _bad(name, reason, lambda r: _with(r, encode(r.payload | fields)))


def _bad_values(topic: str) -> Iterator[Kind]:
    fixed = [
        ("value_empty", "missing_value", ""),
        ("value_blank", "missing_value", " \r\n\t "),
        ("text", "malformed", "hello"),
        ("nothing_but_a_brace", "malformed", "{"),
        ("array", "malformed", "[1,2,3]"),
        ("array_of_objects", "malformed", '[{"user_id":1}]'),
        ("json_null", "malformed", "null"),
        ("json_text", "malformed", '"start"'),
        ("json_number", "malformed", "72"),
        ("json_boolean", "malformed", "true"),
        ("empty_object", "missing_field", "{}"),
    ]
    for name, reason, value in fixed:
        yield _bad(name, reason, _valued(value))
    if topic == "user_info":
        # A tombstone speaks of its key; without one it speaks of nobody.
        yield _bad("tombstone_key_null", "missing_field", _tombstone(None))
        yield _bad("tombstone_key_empty", "missing_field", _tombstone(""))
        yield _bad("tombstone_key_blank", "missing_field", _tombstone("  "))
    else:
        yield _bad("value_null", "missing_value", _valued(None))
    first, time = _REQUIRED[topic][0], _time_of(topic)
    broken: list[tuple[str, Callable[[Record], str]]] = [
        ("trailing_text", lambda r: encode(r.payload) + ' {"more": tru'),
        ("two_objects", lambda r: encode(r.payload) + ",\n{}"),
        ("end_of_a_list", lambda r: encode(r.payload) + "] x"),
        ("end_of_an_object", lambda r: encode(r.payload) + "} x"),
        ("deep", lambda r: encode(r.payload)[:-1] + f',"x":{"[" * 200}{"]" * 200}}}'),
        ("long_number", lambda r: encode(r.payload)[:-1] + f',"x":{"1" * 1001}}}'),
        ("truncated", lambda r: encode(r.payload)[:-4]),
        ("single_quotes", lambda r: encode(r.payload).replace('"', "'")),
        ("trailing_comma", lambda r: encode(r.payload)[:-1] + ",}"),
        ("repeated_key", lambda r: encode(r.payload)[:-1] + f',"{first}":1}}'),
        ("bare_nan", lambda r: encode(r.payload | {time: float("nan")})),
        ("bare_infinity", lambda r: encode(r.payload | {time: float("inf")})),
    ]
    for name, text in broken:
        yield _bad(name, "malformed", _written(text))


def _tombstone(key: str | None) -> Callable[[Record], Envelope]:
    return lambda r: _with(r, None)._replace(key=key)


def _written(text: Callable[[Record], str]) -> Callable[[Record], Envelope]:
    return lambda r: _with(r, text(r))


def _time_of(topic: str) -> str:
    return "time" if topic == "bpm" else "timestamp"


def _without(field: str) -> Callable[[Record], Envelope]:
    return lambda r: _with(r, encode({k: v for k, v in r.payload.items() if k != field}))


def _missing_fields(topic: str) -> Iterator[Kind]:
    for field in _REQUIRED[topic]:
        yield _bad(f"{field}_absent", "missing_field", _without(field))
        for label, value in (("null", None), ("empty", ""), ("blank", " \t")):
            yield _bad_fields(f"{field}_{label}", "missing_field", **{field: value})
    # The first reason is over the whole record: what is missing comes before what is wrong.
    first, second = _REQUIRED[topic][0], _REQUIRED[topic][-1]
    wrong: dict[str, object] = {first: [1], second: None}
    yield _bad_fields("missing_beside_wrong_type", "missing_field", **wrong)


def _wrong_types(topic: str) -> Iterator[Kind]:
    composite: list[tuple[str, object]] = [
        ("true", True),
        ("false", False),
        ("array", [7]),
        ("object", {"v": 7}),
    ]
    for field in _REQUIRED[topic]:
        values = list(composite)
        if field in ("action", "update_type"):
            continue
        if field in _IDS:
            values += [
                ("of_a_spreadsheet", "2.02E+09"),
                ("with_a_mark", 'a"b'),
                ("long", "7" * 129),
            ]
        elif field in (*_TIMES, "heartrate"):
            values += [
                ("word", "abc"),
                ("unit", "72d"),
                ("nan_text", "NaN"),
                ("infinity_text", "-Infinity"),
                ("hexadecimal", "0x48"),
                ("date", "2025-03-03"),
                ("no_such_day", "2025-02-30T10:00:00Z"),
                ("41_characters", "1741000000." + "0" * 30),
            ]
        for label, value in values:
            yield _bad_fields(f"{field}_{label}", "wrong_type", **{field: value})
    wrong: dict[str, object] = {_time_of(topic): -1, _REQUIRED[topic][0]: {}}
    yield _bad_fields("wrong_type_beside_out_of_range", "wrong_type", **wrong)


def _out_of_range(topic: str) -> Iterator[Kind]:
    name = _time_of(topic)
    yield _bad(
        f"{name}_in_milliseconds",
        "timestamp_out_of_range",
        lambda r: _with(r, encode(r.payload | {name: _event_ms(r)})),
    )
    for label, value in (
        ("zero", 0),
        ("negative", -1741000000),
        ("1999", 946684799.9),
        ("2100", 4102444800),
        ("huge", 1e300),
    ):
        yield _bad_fields(f"{name}_{label}", "timestamp_out_of_range", **{name: value})
    words: list[tuple[str, object]] = [
        *(("unknown", "another"), ("true", True), ("number", 5), ("array", ["start"])),
        ("object", {}),
    ]
    for field in {"update_type", "action"} & set(_REQUIRED[topic]):  # one at most
        for label, word in words:
            yield _bad_fields(f"{field}_{label}", f"unknown_{field}", **{field: word})
    if topic == "bpm":
        for rate in (0, -5, 29, 29.9, 220.5, 221, 1000):
            yield _bad_fields(f"heartrate_{rate}", "heart_rate_out_of_range", heartrate=rate)
        yield _bad_fields("heartrate_0_as_text", "heart_rate_out_of_range", heartrate="0")
        yield _bad_fields("bad_time_and_bad_rate", "timestamp_out_of_range", time=0, heartrate=0)


def _event_ms(record: Record) -> int:
    return int(Decimal(str(record.payload[_time_of(record.topic)])) * 1000)
