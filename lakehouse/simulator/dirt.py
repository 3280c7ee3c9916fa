"""Every bad and every odd record that the source contracts speak of, for `--dirty`.

Dirt leaves the content of silver and gold as it is: an odd form says the same as the plain one
in whose place it goes, a bad record goes beside a good one, and a conflicting one is made to lose.
So a simulation with dirt must end in the same tables as the one without.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from itertools import chain
from typing import Any, Literal

from lakehouse.envelopes import Envelope, Nested
from lakehouse.simulator.records import Payload, Record, Row, encode, plain

Outcome = Literal["accepted", "rejected", "repeat", "conflict", "superseded"]

_MINUTE_MS = 60_000
_IDS = ("user_id", "device_id", "workout_id", "session_id")
_TIMES = ("timestamp", "time")
_REQUIRED = {
    "user_info": ("user_id", "update_type", "timestamp"),
    "bpm": ("device_id", "time", "heartrate"),
    "workout": ("user_id", "workout_id", "timestamp", "action", "session_id"),
}


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
    reason: str | None
    make: Callable[[Record], list[Sent]]
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
    return Kind(
        name, "accepted", None, lambda r: [Sent(_with(r, encode(change(dict(r.payload)))))], **more
    )


def _spelled(name: str, spell: Callable[[Record], Envelope], **more: Any) -> Kind:
    return Kind(name, "accepted", None, lambda r: [Sent(spell(r))], **more)


def _with(record: Record, value: str | None) -> Envelope:
    return plain(record)._replace(value=value)


def _changed(names: Iterable[str], change: Callable[[Any], object]) -> Callable[[Payload], Payload]:
    wanted = tuple(names)
    return lambda p: {k: change(v) if k in wanted else v for k, v in p.items()}


def _exponent(number: float) -> str:
    return f"{Decimal(str(number)):E}"


def _iso(seconds: Any, offset_hours: int = 2) -> str:
    """ISO 8601 with another offset than UTC."""
    whole, _, fraction = str(seconds).partition(".")
    at = datetime.fromtimestamp(int(whole), timezone(timedelta(hours=offset_hours)))
    return f"{at:%Y-%m-%dT%H:%M:%S}.{fraction or 0} {at:%z}"


def _odd_forms() -> Iterator[Kind]:
    numbers = (*_TIMES, "heartrate")
    yield _odd("ids_as_text", _changed(_IDS, str))
    yield _odd("ids_with_point", _changed(_IDS, float))
    yield _odd("ids_as_text_with_point", _changed(_IDS, lambda v: f"{v}.0"))
    yield _odd("ids_padded", _changed(_IDS, lambda v: f"  {v} "))
    yield _odd("numbers_as_text", _changed(numbers, str))
    yield _odd("numbers_padded", _changed(numbers, lambda v: f" {v}\t"))
    yield _odd("numbers_in_exponent_notation", _changed(numbers, _exponent))
    yield _odd("numbers_with_point", _changed(numbers, float))
    yield _odd("times_as_iso_text", _changed(_TIMES, _iso))
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
    yield Kind(
        "ten_thousand_keys",
        "accepted",
        None,
        lambda r: [Sent(_with(r, encode({f"k{n:05d}": n for n in range(10_000)} | r.payload)))],
        once=True,
    )


def _orders(topic: str) -> Iterator[Kind]:
    yield Kind("repeated", "repeat", None, lambda r: [Sent(plain(r)), Sent(plain(r))])
    yield Kind(
        "repeated_later",
        "repeat",
        None,
        lambda r: [Sent(plain(r)), Sent(plain(r), 90 * _MINUTE_MS)],
    )
    yield Kind(
        "repeated_in_another_form",
        "repeat",
        None,
        lambda r: [
            Sent(plain(r)),
            Sent(_with(r, encode(_changed((*_IDS, *_TIMES), str)(r.payload))), _MINUTE_MS),
        ],
    )
    yield Kind("out_of_order", "accepted", None, lambda r: [Sent(plain(r), 25 * _MINUTE_MS)])
    if topic == "bpm":
        # Of several values at one time the lowest stands.
        yield Kind(
            "another_heart_rate",
            "conflict",
            None,
            lambda r: [Sent(_with(r, encode(r.payload | {"heartrate": 220}))), Sent(plain(r))],
            applies=lambda r: r.payload["heartrate"] != 220,
        )
    if topic == "user_info":
        # The later first appearance by Kafka's timestamp stands: this one was sent before.
        yield Kind(
            "another_profile",
            "conflict",
            None,
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
        yield Kind(
            "tombstone",
            "accepted",
            None,
            lambda r: [Sent(Envelope(r.topic, str(r.payload["user_id"]), None, _time_ms(r)))],
            applies=lambda r: r.payload["update_type"] == "delete",
        )


def _time_ms(record: Record) -> int:
    time: Any = record.payload["timestamp"]
    return int(Decimal(str(time)) * 1000)


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
    return Kind(name, "rejected", reason, lambda r: [Sent(plain(r)), Sent(spell(r))])


def _bad_field(name: str, reason: str, field: str, value: object) -> Kind:
    return _bad(name, reason, lambda r: _with(r, encode(r.payload | {field: value})))


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
        yield _bad(name, reason, lambda r, value=value: _with(r, value))  # type: ignore[misc]
    if topic == "user_info":
        # A tombstone speaks of its key; without one it speaks of nobody.
        for label, key in (("null", None), ("empty", ""), ("blank", "  ")):
            yield _bad(
                f"tombstone_key_{label}",
                "missing_field",
                lambda r, key=key: _with(r, None)._replace(key=key),  # type: ignore[misc]
            )
    else:
        yield _bad("value_null", "missing_value", lambda r: _with(r, None))
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
        ("repeated_key", lambda r: encode(r.payload)[:-1] + f',"{_id_of(r)}":1}}'),
        ("bare_nan", lambda r: encode(r.payload | {_time_of(r): float("nan")})),
        ("bare_infinity", lambda r: encode(r.payload | {_time_of(r): float("inf")})),
    ]
    for name, spell in broken:
        yield _bad(name, "malformed", lambda r, spell=spell: _with(r, spell(r)))  # type: ignore[misc]


def _id_of(record: Record) -> str:
    return _REQUIRED[record.topic][0]


def _time_of(record: Record) -> str:
    return "time" if record.topic == "bpm" else "timestamp"


def _without(field: str) -> Callable[[Record], Envelope]:
    return lambda r: _with(r, encode({k: v for k, v in r.payload.items() if k != field}))


def _missing_fields(topic: str) -> Iterator[Kind]:
    for field in _REQUIRED[topic]:
        yield _bad(f"{field}_absent", "missing_field", _without(field))
        for label, value in (("null", None), ("empty", ""), ("blank", " \t")):
            yield _bad_field(f"{field}_{label}", "missing_field", field, value)
    # The first reason is over the whole record: what is missing comes before what is wrong.
    first, second = _REQUIRED[topic][0], _REQUIRED[topic][-1]
    yield _bad(
        "missing_beside_wrong_type",
        "missing_field",
        lambda r: _with(r, encode(r.payload | {first: [1], second: None})),
    )


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
            yield _bad_field(f"{field}_{label}", "wrong_type", field, value)
    yield _bad(
        "wrong_type_beside_out_of_range",
        "wrong_type",
        lambda r: _with(r, encode(r.payload | {_time_of(r): -1, _REQUIRED[topic][0]: {}})),
    )


def _out_of_range(topic: str) -> Iterator[Kind]:
    name = "time" if topic == "bpm" else "timestamp"
    yield _bad(
        f"{name}_in_milliseconds",
        "timestamp_out_of_range",
        lambda r: _with(r, encode(r.payload | {name: _milliseconds(r.payload[name])})),
    )
    for label, value in (
        ("zero", 0),
        ("negative", -1741000000),
        ("1999", 946684799.9),
        ("2100", 4102444800),
        ("huge", 1e300),
    ):
        yield _bad_field(f"{name}_{label}", "timestamp_out_of_range", name, value)
    words = [
        ("unknown", "another"),
        ("true", True),
        ("number", 5),
        ("array", ["start"]),
        ("object", {}),
    ]
    for label, word in words:
        if topic == "user_info":
            yield _bad_field(f"update_type_{label}", "unknown_update_type", "update_type", word)
        if topic == "workout":
            yield _bad_field(f"action_{label}", "unknown_action", "action", word)
    if topic == "bpm":
        for rate in (0, -5, 29, 29.9, 220.5, 221, 1000):
            yield _bad_field(f"heartrate_{rate}", "heart_rate_out_of_range", "heartrate", rate)
        yield _bad_field("heartrate_0_as_text", "heart_rate_out_of_range", "heartrate", "0")
        yield _bad(
            "bad_time_and_bad_rate",
            "timestamp_out_of_range",
            lambda r: _with(r, encode(r.payload | {"time": 0, "heartrate": 0})),
        )


def _milliseconds(value: Any) -> int:
    return int(Decimal(str(value)) * 1000)


# Rows of files. A line is a row, or text that goes into the file as it is.

Line = dict[str, object] | str


class Quoted(dict[str, object]):
    """A row of CSV with every field in quotes."""


Form = Literal["csv", "ndjson"]
TIME_COLUMNS = {"registered_users": "registration_timestamp", "gym_logins": "login"}
_ID_COLUMNS = {
    "registered_users": ("user_id", "device_id", "mac_address"),
    "gym_logins": ("mac_address", "gym"),
}


@dataclass(frozen=True)
class RowKind:
    """One kind of dirt on a file feed. `make` gives the lines in place of a plain row.

    `form` is the only kind of file that can say it, None for both.
    """

    name: str
    outcome: Outcome
    reason: str | None
    make: Callable[[Row], list[Line]]
    form: Form | None = None
    applies: Callable[[Row], bool] = lambda _: True


def row_kinds(feed: str) -> list[RowKind]:
    """All kinds of a file feed; the order is part of what a seed means."""
    kinds = [*_odd_rows(feed), *_bad_rows(feed)]
    if feed == "gym_logins":
        kinds += _logout_rows()
    return kinds


def _typed(row: Row) -> dict[str, object]:
    return dict(row)


def _odd_row(
    name: str, change: Callable[[dict[str, object]], Line], form: Form | None = None
) -> RowKind:
    return RowKind(name, "accepted", None, lambda row: [change(_typed(row))], form)


def _in(columns: Sequence[str], change: Callable[[Any], object]) -> Callable[[Any], Line]:
    return lambda row: {k: change(v) if k in columns and v else v for k, v in row.items()}


def _odd_rows(feed: str) -> Iterator[RowKind]:
    time, ids = TIME_COLUMNS[feed], _ID_COLUMNS[feed]
    digits = tuple(c for c in ids if c != "mac_address")
    times = (time, "logout")
    yield _odd_row("mac_upper_case", _in(("mac_address",), str.upper))
    yield _odd_row("mac_with_hyphens", _in(("mac_address",), lambda v: v.replace(":", "-")))
    yield _odd_row("mac_without_marks", _in(("mac_address",), lambda v: v.replace(":", "")))
    yield _odd_row("times_as_iso_text", _in(times, _iso))
    yield _odd_row("ids_with_point", _in(digits, lambda v: f"{v}.0"))
    yield _odd_row("ids_padded", _in(ids, lambda v: f" {v} "))
    yield _odd_row("times_with_point", _in(times, lambda v: f"{v}.0"))
    yield _odd_row("times_padded", _in(times, lambda v: f" {v} "))
    yield _odd_row("times_in_exponent_notation", _in(times, lambda v: _exponent(int(v))))
    yield _odd_row("numbers", _in((*digits, *times), int), "ndjson")
    yield _odd_row("numbers_with_point", _in((*digits, *times), float), "ndjson")
    yield _odd_row("keys_in_another_order", lambda row: dict(reversed(row.items())), "ndjson")
    yield _odd_row("extra_keys", lambda row: {"id": 5, **row, "by": {"x": [1]}}, "ndjson")
    yield _odd_row("keys_in_capitals", lambda row: {k.upper(): v for k, v in row.items()}, "ndjson")
    yield _odd_row("quoted_fields", Quoted, "csv")
    yield RowKind("repeated", "repeat", None, lambda row: [_typed(row), _typed(row)])
    yield RowKind(
        "repeated_in_another_form",
        "repeat",
        None,
        lambda row: [_typed(row), _in(("mac_address",), str.upper)(row)],
    )
    if feed == "registered_users":
        # At equal times the greater user id stands, as text.
        yield RowKind(
            "lesser_user_at_the_same_time",
            "conflict",
            None,
            lambda row: [_typed(row), {**row, "user_id": "1"}],
        )


def _bad_row(
    name: str, reason: str, spell: Callable[[Row], Line], form: Form | None = None
) -> RowKind:
    return RowKind(name, "rejected", reason, lambda row: [_typed(row), spell(row)], form)


def _set(column: str, value: object) -> Callable[[Row], Line]:
    return lambda row: {**row, column: value}


def _bad_rows(feed: str) -> Iterator[RowKind]:
    time, ids = TIME_COLUMNS[feed], _ID_COLUMNS[feed]
    yield _bad_row("quote_without_end", "malformed", lambda row: '"' + _csv(row), "csv")
    yield _bad_row("text_after_quote", "malformed", lambda row: '"a"b,' + _csv(row), "csv")
    yield _bad_row("a_field_more", "malformed", lambda row: _csv(row) + ",5,5,5", "csv")
    yield _bad_row("only_a_field", "malformed", lambda _: "7", "csv")
    yield _bad_row("text", "malformed", lambda _: "hello", "ndjson")
    yield _bad_row(
        "trailing_text", "malformed", lambda row: encode(row) + " // extracted", "ndjson"
    )
    yield _bad_row(
        "key_twice_in_another_case",
        "malformed",
        lambda row: encode({**row, time.upper(): row[time]}),
        "ndjson",
    )
    yield _bad_row("truncated", "malformed", lambda row: encode(row)[:-3], "ndjson")
    yield _bad_row(
        "repeated_key",
        "malformed",
        lambda row: encode(row)[:-1] + f',"{time}":"1"}}',
        "ndjson",
    )
    yield _bad_row(
        "bare_nan", "malformed", lambda row: encode({**row, time: float("nan")}), "ndjson"
    )
    for label, text in (("array", "[1]"), ("null", "null"), ("number", "5"), ("text", '"a"')):
        yield _bad_row(f"json_{label}", "malformed", lambda _, t=text: t, "ndjson")  # type: ignore[misc]
    yield _bad_row("empty_object", "missing_field", lambda _: "{}", "ndjson")
    for column in (*ids, time):
        yield _bad_row(f"{column}_empty", "missing_field", _set(column, ""))
        yield _bad_row(f"{column}_blank", "missing_field", _set(column, "  "))
        yield _bad_row(f"{column}_null", "missing_field", _set(column, None), "ndjson")
        yield _bad_row(f"{column}_null_text", "missing_field", _set(column, "NULL"), "csv")
        yield _bad_row(f"{column}_null_of_bcp", "missing_field", _set(column, "\\N"), "csv")
        for label, value in (("true", True), ("array", [1]), ("object", {"v": 1})):
            yield _bad_row(f"{column}_{label}", "wrong_type", _set(column, value), "ndjson")
    for column in ids:
        yield _bad_row(f"{column}_of_a_spreadsheet", "wrong_type", _set(column, "2.02E+09"))
    yield _bad_row("mac_too_short", "wrong_type", lambda row: {**row, "mac_address": "aa:bb:cc"})
    for label, text in (
        ("word", "abc"),
        ("unit", "72d"),
        ("nan", "NaN"),
        ("boolean", "true"),
        ("date", "2025-03-03"),
    ):
        yield _bad_row(f"{time}_{label}", "wrong_type", _set(time, text))
    yield _bad_row(
        f"{time}_in_milliseconds",
        "timestamp_out_of_range",
        lambda row: {**row, time: row[time] + "000"},
    )
    for label, text in (
        ("zero", "0"),
        ("negative", "-5"),
        ("1999", "946684799"),
        ("2100", "4102444800"),
    ):
        yield _bad_row(f"{time}_{label}", "timestamp_out_of_range", _set(time, text))


def _is_open(row: Row) -> bool:
    return row["logout"] == ""


def _with_logout(logout: Callable[[Row], object]) -> Callable[[Row], list[Line]]:
    return lambda row: [{**row, "logout": logout(row)}]


def _logout_rows() -> Iterator[RowKind]:
    """A logout that is none counts as none. On a visit that stays open the row is the visit's
    result; on another one it is superseded by the logout that comes."""
    bad: list[tuple[str, Callable[[Row], object]]] = [
        ("before_login", lambda row: str(int(row["login"]) - 60)),
        ("at_login", lambda row: row["login"]),
        ("after_more_than_a_day", lambda row: str(int(row["login"]) + 86_401)),
        ("word", lambda _: "abc"),
        ("nan", lambda _: "NaN"),
        ("in_milliseconds", lambda row: str((int(row["login"]) + 3600) * 1000)),
        ("zero", lambda _: "0"),
    ]
    for label, logout in bad:
        yield RowKind(
            f"logout_{label}", "accepted", "logout_ignored", _with_logout(logout), applies=_is_open
        )
    yield RowKind(
        "logout_null", "accepted", None, lambda row: [{**row, "logout": None}], "ndjson", _is_open
    )
    yield RowKind(
        "logout_absent",
        "accepted",
        None,
        lambda row: [{k: v for k, v in row.items() if k != "logout"}],
        "ndjson",
        _is_open,
    )
    yield RowKind(
        "logout_object",
        "accepted",
        "logout_ignored",
        lambda row: [{**row, "logout": {"at": [1]}}],
        "ndjson",
        _is_open,
    )
    yield RowKind(
        "earlier_logout",
        "superseded",
        None,
        lambda row: [_typed(row), {**row, "logout": str(int(row["logout"]) - 30)}],
        applies=lambda row: not _is_open(row) and int(row["logout"]) - int(row["login"]) > 60,
    )


def _csv(row: Row) -> str:
    return ",".join(row.values())
