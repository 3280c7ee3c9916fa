"""One bronze record in, a typed event or the reason to reject it out (DESIGN section 3)."""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

from .records import FileRecord, KafkaRecord, Record

MICROS = 1_000_000
DAY = 86_400 * MICROS
EARLIEST = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp()) * MICROS
BLANKS = " \t\n\r\x0b\x0c"
BOM = "\ufeff"

REASONS = (
    "missing_value",
    "malformed_json",
    "not_an_object",
    "missing_field",
    "wrong_type",
    "unknown_update_type",
    "unknown_action",
    "timestamp_out_of_range",
    "heart_rate_out_of_range",
)

_NUMBER_TEXT = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_WHOLE_TEXT = re.compile(r"([0-9]+)\.0", re.ASCII)
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


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Malformed("repeated key")
    return found


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique_keys,
    parse_float=Number,
    parse_int=Number,
    parse_constant=_no_constants,
)
_JSON_BLANKS = " \t\n\r"


def first_json_object(value: bytes) -> dict[str, Any]:
    """The object that a payload begins with; what follows it is not looked at.

    Raises Rejected: missing_value, malformed_json or not_an_object.
    """
    # Bytes that are no UTF-8 become lone surrogates, so that only those inside the first value
    # make it malformed.
    text = value.decode("utf-8", "surrogateescape").removeprefix(BOM)
    if not text.strip(BLANKS):
        raise Rejected("missing_value")
    start = len(text) - len(text.lstrip(_JSON_BLANKS))
    try:
        found, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        raise Rejected("malformed_json") from None
    if not text.isascii() and any("\udc80" <= c <= "\udcff" for c in text[start:end]):
        raise Rejected("malformed_json")
    if not isinstance(found, dict):
        raise Rejected("not_an_object")
    return found


def is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip(BLANKS))


def as_decimal(value: Any) -> Decimal:
    """A JSON number, or a number as text. Raises Rejected: wrong_type."""
    if not isinstance(value, str):
        raise Rejected("wrong_type")
    text = value.strip(BLANKS)
    if not isinstance(value, Number) and not _NUMBER_TEXT.fullmatch(text):
        raise Rejected("wrong_type")
    as_double = float(text)
    if math.isinf(as_double):
        raise Rejected("wrong_type")
    if as_double == 0.0:
        # Also spares us exponents that Decimal cannot hold; no rule tells 1e-999 from 0.
        return Decimal(0)
    try:
        return Decimal(text)
    except InvalidOperation:  # pragma: no cover - excluded by the two checks above
        raise Rejected("wrong_type") from None


def _plain(number: Decimal) -> str:
    """A number as text: no exponent, whole numbers without a fraction, no trailing zeros."""
    if number == 0:
        return "0"
    if number == number.to_integral_value():
        return format(number.to_integral_value(), "f")
    return format(number, "f").rstrip("0")


def as_id(value: Any) -> str:
    """Trimmed text, or a whole JSON number. Raises Rejected: wrong_type."""
    if isinstance(value, Number):
        if value.isdigit():
            return str(value)
        number = as_decimal(value)
        if number != number.to_integral_value():
            raise Rejected("wrong_type")
        return _plain(number)
    if not isinstance(value, str):
        raise Rejected("wrong_type")
    text = _encodable(value.strip(BLANKS))
    whole = _WHOLE_TEXT.fullmatch(text)
    return whole.group(1) if whole else text


def as_action(value: Any) -> str:
    """Trimmed text; a number is text that no rule knows. Raises Rejected: wrong_type."""
    if not isinstance(value, str):
        raise Rejected("wrong_type")
    return value.strip(BLANKS)


def as_micros(value: Any) -> int:
    """Seconds to whole microseconds, halves up, exactly. Raises Rejected: wrong_type."""
    if isinstance(value, str) and len(value) < 20 and value.isascii() and value.isdigit():
        return int(value) * MICROS
    return micros_of(as_decimal(value))


def micros_of(seconds: Decimal) -> int:
    return math.floor(Fraction(seconds) * MICROS + Fraction(1, 2))


def as_text(value: Any) -> str | None:
    """An optional field: trimmed text or null; a number is text; another type is null."""
    if isinstance(value, Number):
        try:
            return _plain(as_decimal(value))
        except Rejected:
            return None
    if not isinstance(value, str):
        return None
    return _encodable(value.strip(BLANKS)) or None


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


def as_birth_date(value: Any, changed_on: date) -> date | None:
    """Null for a date that cannot be, comes after the change or over 120 years before it."""
    text = as_text(value)
    if text is None:
        return None
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


def _require(payload: Mapping[str, Any], *fields: str) -> None:
    for field in fields:
        if is_missing(payload.get(field)):
            raise Rejected("missing_field")


def _check_time(at: int, ingested_at: int) -> None:
    if not in_range(at, ingested_at):
        raise Rejected("timestamp_out_of_range")


def _reading(payload: Mapping[str, Any], ingested_at: int) -> Reading:
    _require(payload, "device_id", "time", "heartrate")
    device_id = as_id(payload["device_id"])
    at = as_micros(payload["time"])
    rate = payload["heartrate"]
    bpm: Fraction | int
    if isinstance(rate, str) and len(rate) < 10 and rate.isascii() and rate.isdigit():
        bpm = int(rate)
    else:
        bpm = Fraction(as_decimal(rate))
        if bpm.denominator == 1:
            bpm = bpm.numerator
    _check_time(at, ingested_at)
    return Reading(device_id, at, bpm)


def _workout_event(payload: Mapping[str, Any], ingested_at: int) -> WorkoutEvent:
    _require(payload, "user_id", "workout_id", "session_id", "timestamp", "action")
    event = WorkoutEvent(
        as_id(payload["user_id"]),
        as_id(payload["workout_id"]),
        as_id(payload["session_id"]),
        as_micros(payload["timestamp"]),
        as_action(payload["action"]),
    )
    if event.action not in ("start", "stop"):
        raise Rejected("unknown_action")
    _check_time(event.at, ingested_at)
    return event


def _profile_change(payload: Mapping[str, Any], ingested_at: int) -> ProfileChange:
    _require(payload, "user_id", "timestamp", "update_type")
    user_id = as_id(payload["user_id"])
    at = as_micros(payload["timestamp"])
    update_type = as_action(payload["update_type"])
    if update_type not in ("new", "update", "delete"):
        raise Rejected("unknown_update_type")
    _check_time(at, ingested_at)
    if update_type == "delete":
        return ProfileChange(user_id, at, "delete")
    address = payload.get("address")
    if not isinstance(address, dict):
        address = {}
    return ProfileChange(
        user_id,
        at,
        update_type,
        date_of_birth=as_birth_date(payload.get("dob"), utc_date(at)),
        sex=as_text(payload.get("sex")),
        gender=as_text(payload.get("gender")),
        first_name=as_text(payload.get("first_name")),
        last_name=as_text(payload.get("last_name")),
        street_address=as_text(address.get("street_address")),
        city=as_text(address.get("city")),
        state=as_text(address.get("state")),
        zip_code=as_text(address.get("zip")),
    )


def _tombstone(record: KafkaRecord) -> ProfileChange:
    if record.key is None or record.timestamp is None:
        raise Rejected("missing_field")
    try:
        key = record.key.decode("utf-8").removeprefix(BOM)
    except UnicodeDecodeError:
        raise Rejected("wrong_type") from None
    if is_missing(key):
        raise Rejected("missing_field")
    _check_time(record.timestamp, record.ingested_at)
    return ProfileChange(as_id(key), record.timestamp, "delete")


def _registration(payload: Mapping[str, Any], ingested_at: int) -> Registration:
    _require(payload, "user_id", "device_id", "mac_address", "registration_timestamp")
    event = Registration(
        as_id(payload["user_id"]),
        as_id(payload["device_id"]),
        as_id(payload["mac_address"]).lower(),
        as_micros(payload["registration_timestamp"]),
    )
    _check_time(event.at, ingested_at)
    return event


def _login(payload: Mapping[str, Any], ingested_at: int) -> tuple[Login, bool]:
    _require(payload, "mac_address", "gym", "login")
    mac_address = as_id(payload["mac_address"]).lower()
    gym_id = as_id(payload["gym"])
    login_at = as_micros(payload["login"])
    _check_time(login_at, ingested_at)
    given = payload.get("logout")
    if is_missing(given):
        return Login(mac_address, gym_id, login_at, None), False
    try:
        logout_at: int | None = as_micros(given)
    except Rejected:
        logout_at = None
    if logout_at is None or not in_range(logout_at, ingested_at) or logout_at <= login_at:
        return Login(mac_address, gym_id, login_at, None), True
    return Login(mac_address, gym_id, login_at, logout_at), False


_KAFKA_READERS: Mapping[str, Callable[[Mapping[str, Any], int], Event]] = {
    "bpm": _reading,
    "workout": _workout_event,
    "user_info": _profile_change,
}


def decode(record: Record, max_bpm: int = 220) -> tuple[Event, bool]:
    """The typed event, and whether its logout was ignored.

    Raises Rejected with the first reason that applies.
    """
    if isinstance(record, KafkaRecord):
        if record.value is None:
            if record.feed == "user_info":
                return _tombstone(record), False
            raise Rejected("missing_value")
        payload = first_json_object(record.value)
        event = _KAFKA_READERS[record.feed](payload, record.ingested_at)
        if isinstance(event, Reading) and not 30 <= event.bpm <= max_bpm:
            raise Rejected("heart_rate_out_of_range")
        return event, False
    return _decode_file(record)


def _decode_file(record: FileRecord) -> tuple[Event, bool]:
    fields: Mapping[str, Any]
    if record.is_json:
        fields = first_json_object(record.raw.encode("utf-8", "surrogateescape"))
    elif record.columns is None:
        raise Rejected("malformed_json")
    else:
        fields = record.columns
    if record.feed == "registered_users":
        return _registration(fields, record.ingested_at), False
    return _login(fields, record.ingested_at)
