"""Row-by-row differences between the oracle's rows and rows that came out of SQL."""

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Any

RELATIVE = 1e-9

_PLACE = ("feed", "topic", "topic_epoch", "partition", "offset", "source_file", "record_id")

#: What identifies a row. Tables whose identity is wider than a business key list it all.
KEYS: Mapping[str, tuple[str, ...]] = {
    "records": _PLACE,
    "rejected_records": _PLACE,
    "feed_arrivals": ("feed", "arrival_date"),
    "device_registrations": ("kind", "identifier", "registered_at"),
    "user_profile_changes": ("user_id", "changed_at"),
    "user_profile_history": ("user_id", "valid_from"),
    "user_profiles": ("user_id",),
    "profile_versions": ("user_id", "in_force_from"),
    "member_zones": ("user_id",),
    "heart_rates": ("device_id", "measured_at"),
    "gym_visits": ("mac_address", "gym_id", "login_at"),
    "workout_sessions": (
        "user_id",
        "workout_id",
        "session_id",
        "began_at",
        "is_orphan",
    ),
    "workout_heart_rates": (
        "user_id",
        "workout_id",
        "session_id",
        "started_at",
        "device_id",
        "measured_at",
    ),
    "session_visits": ("user_id", "workout_id", "session_id", "started_at"),
    "member_day_zones": ("user_id", "date"),
    "user_bins": ("user_id",),
    "workout_bpm_summary": ("user_id", "workout_id", "session_id", "started_at"),
    "gyms": ("gym_id",),
    "gym_summary": ("mac_address", "gym_id", "login_at"),
    "hourly_heart_rates": ("user_id", "hour_at"),
    "daily_heart_rates": ("user_id", "date"),
    "gym_hourly_occupancy": ("gym_id", "hour_at"),
    "gym_hours": ("gym_id", "hour_at"),
    "gym_days": ("gym_id", "local_date"),
    "member_activity": ("user_id",),
    "member_months": ("user_id", "month"),
    "member_cohorts": ("cohort_month", "months_since"),
    "pipeline_health": ("feed", "arrival_date"),
    "unowned_activity": ("feed", "date"),
}

_TIMES = {
    *("owned_from", "owned_to"),
    *("valid_from", "valid_to"),
    *("in_force_from", "in_force_to"),
}
_DATES = {"date", "date_of_birth", "month", "cohort_month"}


@cache
def _kind(column: str) -> str:
    if column.endswith("_at") or column in _TIMES:
        return "time"
    if column.endswith("_date") or column in _DATES:
        return "date"
    return "value"


def _micros(value: Any) -> int:
    if isinstance(value, int):
        return value
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        raise TypeError(f"no time: {value!r}")
    if value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    whole = int(value.replace(microsecond=0).timestamp())
    return whole * 1_000_000 + int(value.microsecond)


def normal(column: str, value: Any) -> Any:
    """A value of either side in the oracle's own types."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    kind = _kind(column)
    if kind == "value" and type(value) in (str, int, float, bool, Decimal, Fraction):
        return value
    if kind == "time":
        return _micros(value)
    if kind == "date":
        if isinstance(value, datetime):
            return value.date()
        return value if isinstance(value, date) else date.fromisoformat(value)
    if hasattr(value, "tolist"):  # numpy, without importing it
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [normal("", item) for item in value]
    if hasattr(value, "asDict"):
        value = value.asDict()
    if isinstance(value, Mapping):
        return {key: normal(key, item) for key, item in value.items()}
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, Decimal, Fraction)) and not isinstance(value, bool)


def same(expected: Any, actual: Any) -> bool:
    """Equal; numbers by value, at 1e-9 relative where a double or an endless fraction is met."""
    if _is_number(expected) and _is_number(actual):
        left, right = Fraction(expected), Fraction(actual)
        if left == right:
            return True
        exact = {int, Decimal}
        if {type(expected), type(actual)} <= exact:
            return False
        return math.isclose(left, right, rel_tol=RELATIVE, abs_tol=0.0)
    if isinstance(expected, list):
        if isinstance(actual, str):
            actual = json.loads(actual)
        return (
            isinstance(actual, list)
            and len(expected) == len(actual)
            and all(same(e, a) for e, a in zip(expected, actual, strict=True))
        )
    if isinstance(expected, dict):
        if isinstance(actual, str):
            actual = json.loads(actual)
        return (
            isinstance(actual, dict)
            and expected.keys() == actual.keys()
            and all(same(value, actual[key]) for key, value in expected.items())
        )
    return bool(expected == actual and isinstance(expected, bool) == isinstance(actual, bool))


def show(column: str, value: Any) -> str:
    if value is not None and _kind(column) == "time" and isinstance(value, int):
        whole, part = divmod(value, 1_000_000)
        text = datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%d %H:%M:%S")
        return f"{text}.{part:06d}"
    if isinstance(value, Fraction):
        return f"{float(value):.12g}"
    return repr(value) if isinstance(value, str) else str(value)


def _sort_key(key: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple((part is not None, str(type(part)), part) for part in key)


def compare(
    expected: Iterable[Mapping[str, Any]],
    actual: Iterable[Any],
    table: str,
    *,
    columns: Sequence[str] | None = None,
    aliases: Mapping[str, str] | None = None,
    limit: int = 20,
) -> list[str]:
    """Readable differences, none when both hold the same rows.

    `columns` restricts what is compared beside the key (default: every column that the oracle
    gives). `aliases` maps the oracle's column names to the actual ones. More columns on the
    actual side are not looked at. At most `limit` differences, then a line with how many more.
    Raises KeyError for a table without a key in KEYS.
    """
    key_columns = KEYS[table]
    names = dict(aliases or {})
    left, right = [dict(row) for row in expected], [_as_dict(row) for row in actual]
    if columns is None:
        columns = list(dict.fromkeys(name for row in left[:1] for name in row))
    wanted = [*key_columns, *(name for name in columns if name not in key_columns)]
    if right:
        absent = [name for name in wanted if names.get(name, name) not in right[0]]
        if absent:
            return [f"{table}: no column {', '.join(absent)} in {sorted(right[0])}"]

    def group(
        rows: list[dict[str, Any]], renamed: Mapping[str, str]
    ) -> dict[tuple[Any, ...], list[dict[str, Any]]]:
        grouped: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
        for row in rows:
            typed = {name: normal(name, row[renamed.get(name, name)]) for name in wanted}
            grouped[tuple(typed[name] for name in key_columns)].append(typed)
        return grouped

    ours, theirs = group(left, {}), group(right, names)
    found: list[str] = []
    for key in sorted(
        (k for k in ours.keys() | theirs.keys() if ours.get(k) != theirs.get(k)), key=_sort_key
    ):
        label = ", ".join(
            f"{name}={show(name, part)}" for name, part in zip(key_columns, key, strict=True)
        )
        mine, other = ours.get(key, []), theirs.get(key, [])
        if not other:
            found.append(f"{table}: missing row ({label}): {_line(mine[0], wanted)}")
        elif not mine:
            found.append(f"{table}: surplus row ({label}): {_line(other[0], wanted)}")
        elif len(mine) != len(other):
            found.append(f"{table}: {len(other)} rows instead of {len(mine)} ({label})")
        else:
            # Equal keys on several rows (rejected copies): pair them in a fixed order.
            for row, counterpart in zip(_ordered(mine), _ordered(other), strict=True):
                wrong = [
                    f"{name} is {show(name, counterpart[name])}, not {show(name, row[name])}"
                    for name in wanted
                    if not same(row[name], counterpart[name])
                ]
                if wrong:
                    found.append(f"{table}: ({label}): {'; '.join(wrong)}")
    if len(found) > limit:
        found = [
            *found[:limit],
            f"{table}: … and {len(found) - limit} more differences",
        ]
    return found


def assert_same(
    expected: Iterable[Mapping[str, Any]],
    actual: Iterable[Any],
    table: str,
    *,
    columns: Sequence[str] | None = None,
    aliases: Mapping[str, str] | None = None,
) -> None:
    """`compare`, as an assertion."""
    found = compare(expected, actual, table, columns=columns, aliases=aliases)
    assert not found, "\n".join(found)


def _as_dict(row: Any) -> dict[str, Any]:
    return dict(row.asDict() if hasattr(row, "asDict") else row)


def _line(row: Mapping[str, Any], columns: Iterable[str]) -> str:
    return ", ".join(f"{name}={show(name, row[name])}" for name in columns)


def _ordered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if len(rows) == 1:
        return rows
    return sorted(rows, key=lambda row: _sort_key(tuple(str(value) for value in row.values())))
