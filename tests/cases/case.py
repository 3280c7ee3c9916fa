"""What a case is: records as they are sent, what becomes of each, and rows that must come out.

Every identifier of a case begins with its tag and a hyphen (or is named in `ids`; MAC addresses
are made of such names), so that all cases are landed together and their rows still told apart.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

#: 2023-11-15 00:00:00 UTC. Times of cases are seconds from here.
MIDNIGHT = 1_700_006_400
MICROS = 1_000_000

Row = dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """Why a record is rejected, None for an accepted one, and whether its logout is ignored."""

    reason: str | None = None
    is_logout_ignored: bool = False


ACCEPTED = Outcome()
LOGOUT_IGNORED = Outcome(is_logout_ignored=True)


def rejected(reason: str) -> Outcome:
    return Outcome(reason)


@dataclass(frozen=True)
class Message:
    """A Kafka record; `timestamp` is Kafka's, in milliseconds."""

    feed: str
    value: bytes | None
    key: bytes | None = None
    timestamp: int = MIDNIGHT * 1000
    outcome: Outcome = ACCEPTED
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True)
class Landed:
    """A file for the landing zone, and the outcome of each of its records from first to last."""

    feed: str
    name: str
    content: bytes
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True)
class Case:
    tag: str
    rule: str
    messages: tuple[Message, ...] = ()
    files: tuple[Landed, ...] = ()
    #: Table to rows; a row holds the columns that the case is about, times in microseconds.
    rows: Mapping[str, list[Row]] = field(default_factory=dict)
    ids: frozenset[str] = frozenset()

    def owns(self, row: Mapping[str, Any]) -> bool:
        """Whether a row of silver or gold is about this case."""
        return any(
            value is not None
            and (
                str(value).startswith((f"{self.tag}-", mac(f"{self.tag}-")[:11]))
                or str(value) in self.ids
            )
            for name, value in row.items()
            if name in ("user_id", "device_id", "mac_address", "gym_id", "identifier")
        )


def mac(name: str) -> str:
    """The MAC address of a name like `tag-m`; names of a tag keep their order and their case."""
    tag, _, rest = name.partition("-")
    digits = hashlib.sha256(tag.lower().encode()).hexdigest()[:8]
    digits += rest.lower().encode().hex()[:4].ljust(4, "0")
    pairs = ":".join(digits[i : i + 2] for i in range(0, 12, 2))
    return pairs.upper() if name.isupper() else pairs


def at(seconds: float) -> int:
    """Microseconds since the epoch of a case's time."""
    return MIDNIGHT * MICROS + round(seconds * MICROS)


def _time(seconds: float) -> int | float:
    time = MIDNIGHT + seconds
    return int(time) if time == int(time) else time


def message(feed: str, payload: Mapping[str, Any] | str, outcome: Outcome = ACCEPTED) -> Message:
    text = payload if isinstance(payload, str) else json.dumps(payload)
    return Message(feed, text.encode(), outcome=outcome)


def bpm(device: Any, seconds: float, rate: Any, outcome: Outcome = ACCEPTED) -> Message:
    payload = {"device_id": device, "time": _time(seconds), "heartrate": rate}
    return message("bpm", payload, outcome)


def bpm_written(device: str, time: str, rate: str, outcome: Outcome = ACCEPTED) -> Message:
    """A reading whose values are JSON as written."""
    text = f'{{"device_id": {device}, "time": {time}, "heartrate": {rate}}}'
    return message("bpm", text, outcome)


def workout(
    user: Any, session: Any, seconds: float, action: Any, outcome: Outcome = ACCEPTED
) -> Message:
    """An event of workout 1."""
    payload = {
        "user_id": user,
        "workout_id": 1,
        "timestamp": _time(seconds),
        "action": action,
        "session_id": session,
    }
    return message("workout", payload, outcome)


def session(user: str, number: Any, start: float, stop: float) -> tuple[Message, Message]:
    return workout(user, number, start, "start"), workout(user, number, stop, "stop")


def owned(kind: str, identifier: str, user: str, registered: int, owned_to: int | None) -> Row:
    """A row of device_registrations for the first owner."""
    return {
        "kind": kind,
        "identifier": identifier,
        "user_id": user,
        "registered_at": registered,
        "owned_from": None,
        "owned_to": owned_to,
    }


def session_row(
    user: str, number: str, start: float | None, end: float | None, status: str = "completed"
) -> Row:
    """A row of workout_sessions, of workout 1; without a start an orphan's stop."""
    times = [None if seconds is None else at(seconds) for seconds in (start, end)]
    return {
        "user_id": user,
        "workout_id": "1",
        "session_id": number,
        "status": status,
        "is_orphan": start is None,
        "began_at": times[1] if start is None else times[0],
        "started_at": times[0],
        "ended_at": times[1],
    }


def profile(
    user: Any,
    seconds: float,
    update_type: str = "update",
    outcome: Outcome = ACCEPTED,
    **fields: Any,
) -> Message:
    payload = {"user_id": user, "timestamp": _time(seconds), "update_type": update_type}
    return message("user_info", payload | fields, outcome)


def registrations(
    tag: str, *rows: tuple[str, str, str, float], outcomes: Iterable[Outcome] | None = None
) -> Landed:
    """A CSV file of (user, device, name of the MAC, seconds)."""
    lines = ["user_id,device_id,mac_address,registration_timestamp"]
    lines += [
        f"{user},{device},{mac(name)},{_time(seconds)}" for user, device, name, seconds in rows
    ]
    return _csv("registered_users", tag, lines, outcomes)


def logins(
    tag: str,
    *rows: tuple[str, str, float, float | str | None],
    outcomes: Iterable[Outcome] | None = None,
) -> Landed:
    """A CSV file of (name of the MAC, gym, login seconds, logout seconds or text or None)."""
    lines = ["mac_address,gym,login,logout"]
    for name, gym, login, logout in rows:
        out = "" if logout is None else logout if isinstance(logout, str) else _time(logout)
        lines.append(f"{mac(name)},{gym},{_time(login)},{out}")
    return _csv("gym_logins", tag, lines, outcomes)


def _csv(feed: str, tag: str, lines: list[str], outcomes: Iterable[Outcome] | None) -> Landed:
    known = tuple(outcomes) if outcomes is not None else (ACCEPTED,) * (len(lines) - 1)
    return Landed(feed, f"{tag}_{feed}.csv", ("\n".join(lines) + "\n").encode(), known)


def member(tag: str, **more: Any) -> tuple[Message, Landed]:
    """User `tag-u` with device `tag-d`, MAC `tag-m` and a profile from long before."""
    return (
        profile(f"{tag}-u", -100_000, "new", **more),
        registrations(tag, (f"{tag}-u", f"{tag}-d", f"{tag}-m", -100_000)),
    )
