"""One bronze record in, a typed event or the reason to reject it out (DESIGN section 3)."""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from .records import KafkaRecord, Record

MICROS = 1_000_000
DAY = 86_400 * MICROS
EARLIEST = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp()) * MICROS
BLANKS = " \t\n\r\x0b\x0c"
BOM = "\ufeff"
_JSON_BLANKS = " \t\n\r"

REASONS = (
    "missing_value",
    "malformed",
    "missing_field",
    "wrong_type",
    "unknown_update_type",
    "unknown_action",
    "timestamp_out_of_range",
    "heart_rate_out_of_range",
)

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_WHOLE = re.compile(r"([0-9]+)\.0+")
_SPREADSHEET = re.compile(r"[0-9](\.[0-9]+)?[eE][+-][0-9]+")
_MAC = re.compile(
    r"[0-9a-f]{12}|[0-9a-f]{2}(:[0-9a-f]{2}){5}|[0-9a-f]{2}(-[0-9a-f]{2}){5}"
    r"|[0-9a-f]{4}(\.[0-9a-f]{4}){2}"
)
_ISO_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?"
    r" ?(?:Z|([+-])(\d\d)(?::?(\d\d))?)?",
    re.ASCII,
)
_US_DATE = re.compile(r"([0-9]{2})/([0-9]{2})/([0-9]{4})", re.ASCII)
_ISO_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})", re.ASCII)


class Rejected(Exception):
    """Carries the reason of section 3."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Reading:
    device_id: str
    measured_at: int
    bpm: Fraction | int


@dataclass(frozen=True, slots=True)
class WorkoutEvent:
    user_id: str
    workout_id: str
    session_id: str
    at: int
    action: str


@dataclass(frozen=True, slots=True)
class Registration:
    user_id: str
    device_id: str
    mac_address: str
    at: int


@dataclass(frozen=True, slots=True)
class Login:
    """`logout_at` is None while open. Whether a logout was ignored is not content."""

    mac_address: str
    gym_id: str
    login_at: int
    logout_at: int | None


@dataclass(frozen=True, slots=True)
class ProfileChange:
    user_id: str
    changed_at: int
    update_type: str
    date_of_birth: date | None = None
    sex: str | None = None
    gender: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    street_address: str | None = None
    city: str | None = None
    state: str | None = None
    zip_code: str | None = None


Event = Reading | WorkoutEvent | Registration | Login | ProfileChange


class Number(str):
    """A JSON number as it was written: no digit is lost before a rule asks for one."""

    __slots__ = ()


class _Malformed(ValueError):
    pass


def _no_constants(text: str) -> None:
    raise _Malformed(f"{text} is not JSON")


def _number(text: str) -> Number:
    if len(text) > 1000:
        raise _Malformed("long number")
    return Number(text)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Malformed("repeated key")
    if any(len(name) > 50_000 for name in found):
        raise _Malformed("long name")
    return found


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique_keys,
    parse_float=_number,
    parse_int=_number,
    parse_constant=_no_constants,
)


def one_json_object(value: bytes) -> dict[str, Any]:
    """The object that a payload is.

    Raises Rejected: missing_value or malformed.
    """
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        raise Rejected("malformed") from None
    if not trimmed(text):
        raise Rejected("missing_value")
    text = text.lstrip(_JSON_BLANKS).removeprefix(BOM).strip(_JSON_BLANKS)
    try:
        found, end = _DECODER.raw_decode(text)
    except (ValueError, RecursionError):
        raise Rejected("malformed") from None
    if end < len(text) or not isinstance(found, dict) or _depth(found) > 200:
        raise Rejected("malformed")
    return found


def _depth(value: Any) -> int:
    deepest, rest = 0, [(value, 1)]
    while rest:
        value, depth = rest.pop()
        if isinstance(value, (dict, list)):
            deepest = max(deepest, depth)
            inner = value.values() if isinstance(value, dict) else value
            rest += [(part, depth + 1) for part in inner]
    return deepest


def trimmed(text: str) -> str:
    return text.lstrip(BLANKS).removeprefix(BOM).strip(BLANKS)


def text_of(value: Any) -> str:
    """A JSON value as a field: trimmed text, empty if it is missing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Number):
        return _shortest(value)
    if isinstance(value, str):
        return trimmed(_encodable(value))
    return json.dumps(value)


def _shortest(number: str) -> str:
    """A JSON number as text, without zeros that say nothing."""
    if "e" in number.lower() or len(number) > 38:
        return repr(float(number))
    plain = format(Decimal(number), "f")
    if "." in plain:
        plain = plain.rstrip("0").removesuffix(".")
    return "0" if plain == "-0" else plain


def as_id(text: str) -> str:
    """Raises Rejected: wrong_type."""
    whole = without_zero_fraction(text)
    if (
        text in ("true", "false")
        or _SPREADSHEET.fullmatch(text)
        or not 1 <= len(whole) <= 128
        or any(c < " " or c in '\x7f"\\{}[]' for c in whole)
    ):
        raise Rejected("wrong_type")
    return whole


def without_zero_fraction(text: str) -> str:
    whole = _WHOLE.fullmatch(text)
    return whole.group(1) if whole else text


def as_mac(text: str) -> str:
    """Lower-case pairs with colons. Raises Rejected: wrong_type."""
    if not _MAC.fullmatch(text.lower()):
        raise Rejected("wrong_type")
    digits = re.sub("[:.-]", "", text.lower())
    return ":".join(digits[i : i + 2] for i in range(0, 12, 2))


def as_number(text: str) -> float:
    """Raises Rejected: wrong_type."""
    if len(text) > 40 or not _NUMBER.fullmatch(text) or math.isinf(float(text)):
        raise Rejected("wrong_type")
    return float(text)


def as_micros(text: str) -> int:
    """Microseconds since the epoch. Raises Rejected: wrong_type."""
    if len(text) <= 40 and _NUMBER.fullmatch(text):
        seconds = as_number(text)
        # Beyond what a timestamp holds, or a product of a double.
        if abs(seconds) >= 1e11:
            return 10**17 if seconds > 0 else -(10**17)
        return math.floor(seconds * 1e6 + 0.5)
    found = _ISO_TIME.fullmatch(text)
    if not found:
        raise Rejected("wrong_type")
    year, month, day, hour, minute = (int(part) for part in found.groups()[:5])
    second, fraction, sign, hours, minutes = found.groups()[5:]
    try:
        at = datetime(year, month, day, hour, minute, int(second or 0))
    except ValueError:
        raise Rejected("wrong_type") from None
    offset = int(hours or 0) * 60 + int(minutes or 0)
    if int(minutes or 0) > 59 or offset > 18 * 60:
        raise Rejected("wrong_type")
    whole = (at - datetime(1970, 1, 1)) // timedelta(seconds=1)
    whole -= offset * 60 * (-1 if sign == "-" else 1)
    return whole * MICROS + int((fraction or "")[:6].ljust(6, "0"))


def as_text(text: str) -> str | None:
    """An optional field; an object or a list is null."""
    return None if text[:1] in ("", "{", "[") else without_zero_fraction(text)


def _encodable(text: str) -> str:
    """JSON may spell half a surrogate pair; no UTF-8 text can hold it."""
    if text.isascii():
        return text
    return text.encode("utf-8", "replace").decode("utf-8")


def utc_date(micros: int) -> date:
    return datetime.fromtimestamp(micros // MICROS, UTC).date()


def whole_years(born: date, on: date) -> int:
    """Age in whole years; 29 February is reached on 1 March in other years."""
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def as_birth_date(text: str, changed_on: date) -> date | None:
    """Null for a date that cannot be, comes after the change or over 120 years before it."""
    if us := _US_DATE.fullmatch(text):
        month, day, year = (int(part) for part in us.groups())
    elif iso := _ISO_DATE.fullmatch(text):
        year, month, day = (int(part) for part in iso.groups())
    else:
        return None
    try:
        born = date(year, month, day)
    except ValueError:
        return None
    if born > changed_on or whole_years(born, changed_on) > 120:
        return None
    return born


def in_range(at: int, ingested_at: int) -> bool:
    return EARLIEST <= at <= ingested_at + DAY


def _fields(payload: Mapping[str, Any], *names: str) -> list[str]:
    """Raises Rejected: missing_field."""
    found = [text_of(payload.get(name)) for name in names]
    if not all(found):
        raise Rejected("missing_field")
    return found


def _check_time(at: int, ingested_at: int) -> None:
    if not in_range(at, ingested_at):
        raise Rejected("timestamp_out_of_range")


def _reading(payload: Mapping[str, Any], ingested_at: int) -> Reading:
    device_id, time, rate = _fields(payload, "device_id", "time", "heartrate")
    bpm = Fraction(as_number(rate))
    event = Reading(
        as_id(device_id), as_micros(time), bpm.numerator if bpm.denominator == 1 else bpm
    )
    _check_time(event.measured_at, ingested_at)
    return event


def _workout_event(payload: Mapping[str, Any], ingested_at: int) -> WorkoutEvent:
    user_id, workout_id, session_id, at, action = _fields(
        payload, "user_id", "workout_id", "session_id", "timestamp", "action"
    )
    event = WorkoutEvent(
        as_id(user_id), as_id(workout_id), as_id(session_id), as_micros(at), action
    )
    if action not in ("start", "stop"):
        raise Rejected("unknown_action")
    _check_time(event.at, ingested_at)
    return event


def _profile_change(payload: Mapping[str, Any], ingested_at: int) -> ProfileChange:
    named, timestamp, update_type = _fields(payload, "user_id", "timestamp", "update_type")
    user_id = as_id(named)
    at = as_micros(timestamp)
    if update_type not in ("new", "update", "delete"):
        raise Rejected("unknown_update_type")
    _check_time(at, ingested_at)
    if update_type == "delete":
        return ProfileChange(user_id, at, "delete")
    address = payload.get("address")
    if not isinstance(address, dict):
        address = {}

    def optional(fields: Mapping[str, Any], name: str) -> str | None:
        return as_text(text_of(fields.get(name)))

    return ProfileChange(
        user_id,
        at,
        update_type,
        date_of_birth=as_birth_date(text_of(payload.get("dob")), utc_date(at)),
        sex=optional(payload, "sex"),
        gender=optional(payload, "gender"),
        first_name=optional(payload, "first_name"),
        last_name=optional(payload, "last_name"),
        street_address=optional(address, "street_address"),
        city=optional(address, "city"),
        state=optional(address, "state"),
        zip_code=optional(address, "zip"),
    )


def key_text(key: bytes) -> str:
    """A record's key as text; of a JSON string what is in it. Raises Rejected: wrong_type."""
    try:
        text = trimmed(key.decode("utf-8"))
    except UnicodeDecodeError:
        raise Rejected("wrong_type") from None
    if text.startswith('"'):
        try:
            return text_of(json.loads(text))
        except ValueError:
            pass
    return text


def _tombstone(record: KafkaRecord) -> ProfileChange:
    if record.key is None or record.timestamp is None:
        raise Rejected("missing_field")
    key = key_text(record.key)
    if not key:
        raise Rejected("missing_field")
    user_id = as_id(key)
    _check_time(record.timestamp, record.ingested_at)
    return ProfileChange(user_id, record.timestamp, "delete")


def _registration(columns: Mapping[str, str | None], ingested_at: int) -> Registration:
    user_id, device_id, mac_address, at = _fields(
        columns, "user_id", "device_id", "mac_address", "registration_timestamp"
    )
    event = Registration(as_id(user_id), as_id(device_id), as_mac(mac_address), as_micros(at))
    _check_time(event.at, ingested_at)
    return event


def _login(
    columns: Mapping[str, str | None], ingested_at: int, max_visit_hours: float
) -> tuple[Login, bool]:
    mac_address, gym, login = _fields(columns, "mac_address", "gym", "login")
    open_visit = Login(as_mac(mac_address), as_id(gym), as_micros(login), None)
    _check_time(open_visit.login_at, ingested_at)
    given = text_of(columns.get("logout"))
    if not given:
        return open_visit, False
    try:
        logout_at = as_micros(given)
    except Rejected:
        return open_visit, True
    longest = round(max_visit_hours * 3600 * MICROS)
    if not in_range(logout_at, ingested_at) or not 0 < logout_at - open_visit.login_at <= longest:
        return open_visit, True
    return replace(open_visit, logout_at=logout_at), False


_KAFKA_READERS: Mapping[str, Callable[[Mapping[str, Any], int], Event]] = {
    "bpm": _reading,
    "workout": _workout_event,
    "user_info": _profile_change,
}


def decode(record: Record, max_bpm: int = 220, max_visit_hours: float = 24) -> tuple[Event, bool]:
    """The typed event, and whether its logout was ignored.

    Raises Rejected with the first reason that applies.
    """
    if isinstance(record, KafkaRecord):
        if record.value is None:
            if record.feed == "user_info":
                return _tombstone(record), False
            raise Rejected("missing_value")
        payload = one_json_object(record.value)
        event = _KAFKA_READERS[record.feed](payload, record.ingested_at)
        if isinstance(event, Reading) and not 30 <= event.bpm <= max_bpm:
            raise Rejected("heart_rate_out_of_range")
        return event, False
    if record.columns is None:
        raise Rejected("malformed" if trimmed(record.raw) else "missing_value")
    if record.feed == "registered_users":
        return _registration(record.columns, record.ingested_at), False
    return _login(record.columns, record.ingested_at, max_visit_hours)
