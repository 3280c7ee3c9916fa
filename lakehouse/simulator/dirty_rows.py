"""Every bad and every odd row of a file feed that the source contract speaks of, for `--dirty`.

As with records (`dirty_records`), the content of silver and gold stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ingestion.feeds import FILE_FEEDS, JDBC_FEEDS
from lakehouse.simulator.dirty_records import Outcome, exponent, iso
from lakehouse.simulator.records import Row, encode

Line = dict[str, object] | str
"""A row, or text that goes into the file as it is."""


class Quoted(dict[str, object]):
    """A row of CSV with every field in quotes."""


Form = Literal["csv", "ndjson"]
_TIME_COLUMNS = {feed.table: feed.time for feed in JDBC_FEEDS}
_ID_COLUMNS = {
    feed.name: tuple(c for c in feed.columns if c not in ("logout", _TIME_COLUMNS[feed.name]))
    for feed in FILE_FEEDS
}


@dataclass(frozen=True)
class RowKind:
    """One kind of dirt on a file feed. `make` gives the lines in place of a plain row.

    `form` is the only kind of file that can say it, None for both.
    """

    name: str
    outcome: Outcome
    make: Callable[[Row], list[Line]]
    reason: str | None = None
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
    return RowKind(name, "accepted", lambda row: [change(_typed(row))], form=form)


def _in(columns: Sequence[str], change: Callable[[Any], object]) -> Callable[[Any], Line]:
    return lambda row: {k: change(v) if k in columns and v else v for k, v in row.items()}


def _odd_rows(feed: str) -> Iterator[RowKind]:
    time, ids = _TIME_COLUMNS[feed], _ID_COLUMNS[feed]
    digits = tuple(c for c in ids if c != "mac_address")
    times = (time, "logout")
    yield _odd_row("mac_upper_case", _in(("mac_address",), str.upper))
    yield _odd_row("mac_with_hyphens", _in(("mac_address",), lambda v: v.replace(":", "-")))
    yield _odd_row("mac_without_marks", _in(("mac_address",), lambda v: v.replace(":", "")))
    yield _odd_row("times_as_iso_text", _in(times, iso))
    yield _odd_row("ids_with_point", _in(digits, lambda v: f"{v}.0"))
    yield _odd_row("ids_padded", _in(ids, lambda v: f" {v} "))
    yield _odd_row("times_with_point", _in(times, lambda v: f"{v}.0"))
    yield _odd_row("times_padded", _in(times, lambda v: f" {v} "))
    yield _odd_row("times_in_exponent_notation", _in(times, lambda v: exponent(int(v))))
    yield _odd_row("numbers", _in((*digits, *times), int), "ndjson")
    yield _odd_row("numbers_with_point", _in((*digits, *times), float), "ndjson")
    yield _odd_row("keys_in_another_order", lambda row: dict(reversed(row.items())), "ndjson")
    yield _odd_row("extra_keys", lambda row: {"id": 5, **row, "by": {"x": [1]}}, "ndjson")
    yield _odd_row("keys_in_capitals", lambda row: {k.upper(): v for k, v in row.items()}, "ndjson")
    yield _odd_row("quoted_fields", Quoted, "csv")
    yield RowKind("repeated", "repeat", lambda row: [_typed(row), _typed(row)])
    yield RowKind(
        "repeated_in_another_form",
        "repeat",
        lambda row: [_typed(row), _in(("mac_address",), str.upper)(row)],
    )
    if feed == "registered_users":
        # At equal times the greater user id stands, as text.
        yield RowKind(
            "lesser_user_at_the_same_time",
            "conflict",
            lambda row: [_typed(row), {**row, "user_id": "1"}],
        )


def _bad_row(
    name: str, reason: str, spell: Callable[[Row], Line], form: Form | None = None
) -> RowKind:
    return RowKind(name, "rejected", lambda row: [_typed(row), spell(row)], reason, form)


def _set(column: str, value: object) -> Callable[[Row], Line]:
    return lambda row: {**row, column: value}


def _text(text: str) -> Callable[[Row], Line]:
    return lambda _: text


def _bad_rows(feed: str) -> Iterator[RowKind]:
    time, ids = _TIME_COLUMNS[feed], _ID_COLUMNS[feed]
    yield _bad_row("quote_without_end", "malformed", lambda row: '"' + _csv(row), "csv")
    yield _bad_row("text_after_quote", "malformed", lambda row: '"a"b,' + _csv(row), "csv")
    yield _bad_row("a_field_more", "malformed", lambda row: _csv(row) + ",5,5,5", "csv")
    yield _bad_row("only_a_field", "malformed", _text("7"), "csv")
    yield _bad_row("text", "malformed", _text("hello"), "ndjson")
    spelled: list[tuple[str, Callable[[Row], Line]]] = [
        ("trailing_text", lambda row: encode(row) + " // extracted"),
        ("key_twice_in_another_case", lambda row: encode({**row, time.upper(): row[time]})),
        ("truncated", lambda row: encode(row)[:-3]),
        ("repeated_key", lambda row: encode(row)[:-1] + f',"{time}":"1"}}'),
        ("bare_nan", lambda row: encode({**row, time: float("nan")})),
    ]
    for label, spell in spelled:
        yield _bad_row(label, "malformed", spell, "ndjson")
    for label, text in (("array", "[1]"), ("null", "null"), ("number", "5"), ("text", '"a"')):
        yield _bad_row(f"json_{label}", "malformed", _text(text), "ndjson")
    yield _bad_row("empty_object", "missing_field", _text("{}"), "ndjson")
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
    yield _bad_row("mac_too_short", "wrong_type", _set("mac_address", "aa:bb:cc"))
    words = {"word": "abc", "unit": "72d", "nan": "NaN", "boolean": "true", "date": "2025-03-03"}
    for label, text in words.items():
        yield _bad_row(f"{time}_{label}", "wrong_type", _set(time, text))
    yield _bad_row(
        f"{time}_in_milliseconds",
        "timestamp_out_of_range",
        lambda row: {**row, time: row[time] + "000"},
    )
    times = {"zero": "0", "negative": "-5", "1999": "946684799", "2100": "4102444800"}
    for label, text in times.items():
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
        make = _with_logout(logout)
        yield RowKind(f"logout_{label}", "accepted", make, "logout_ignored", applies=_is_open)
    forms: list[tuple[str, str | None, Callable[[Row], list[Line]]]] = [
        ("null", None, _with_logout(lambda _: None)),
        ("absent", None, lambda row: [{k: v for k, v in row.items() if k != "logout"}]),
        ("object", "logout_ignored", _with_logout(lambda _: {"at": [1]})),
    ]
    for label, reason, make in forms:
        yield RowKind(f"logout_{label}", "accepted", make, reason, "ndjson", _is_open)
    yield RowKind(
        "earlier_logout",
        "superseded",
        lambda row: [_typed(row), {**row, "logout": str(int(row["logout"]) - 30)}],
        applies=lambda row: not _is_open(row) and int(row["logout"]) - int(row["login"]) > 60,
    )


def _csv(row: Row) -> str:
    return ",".join(row.values())
