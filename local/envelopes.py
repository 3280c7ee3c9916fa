"""Kafka events as lines of text: one JSON object a line with topic, key, value and timestamp.

The same form is written by `lakehouse simulate --out`, read by `lakehouse replay`, and is what
Kafka Connect's file sink writes (its `partition` and `offset` identify nothing here). `kcat -J`
calls value and timestamp `payload` and `ts`, and is read as well.
"""

from __future__ import annotations

import gzip
import io
import json
import math
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, NamedTuple

from local.home import WorkspaceError

# 10^11 ms is March 1973 and 10^11 s the year 5138: below it a number can only be seconds. Likewise
# for 10^14, milliseconds and microseconds.
_LEAST_MILLISECONDS, _LEAST_MICROSECONDS = 10**11, 10**14
_YEAR_10000 = 253_402_300_800_000  # ms
_LONGEST_NUMBER = 40
_WHITESPACE = " \t\n\r"


class Envelope(NamedTuple):
    """One Kafka record. A value of None is a tombstone; `timestamp` is in ms, None for now."""

    topic: str
    key: str | None
    value: str | None
    timestamp: int | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()


class Nested(Envelope):
    """An envelope whose value, text of a JSON object, is written as an object and not as text."""


class EnvelopeError(ValueError):
    """A line that is no envelope, with what is wrong with it; the caller adds file and line."""


class InputFileError(WorkspaceError):
    """A file that cannot be used, named with its line where there is one."""


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file, plain or gzip, told by its first bytes and not by its name."""
    file = path.open("rb")
    if file.peek(2)[:2] == b"\x1f\x8b":
        return io.BufferedReader(gzip.GzipFile(fileobj=file))
    return file


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines that are not blank, with their numbers from 1, without line ends and mark.

    Raises InputFileError on a missing or broken file and on a line that is not UTF-8.
    """
    number = 0
    try:
        with open_bytes(path) as file:
            for number, line in enumerate(file, start=1):
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
                if text.strip():
                    yield number, text
    except UnicodeDecodeError:
        raise InputFileError(f"{path}:{number}: the line is not UTF-8 text.") from None
    except FileNotFoundError:
        raise InputFileError(f"{path}: there is no such file.") from None
    except (EOFError, OSError) as error:
        raise InputFileError(f"{path}: cannot be read after line {number}: {error}.") from error


def to_line(envelope: Envelope) -> str:
    """The envelope as a line of JSON without its line end."""
    fields: dict[str, Any] = {
        "topic": envelope.topic,
        "key": envelope.key,
        "value": envelope.value,
        "timestamp": envelope.timestamp,
    }
    if envelope.headers:
        fields["headers"] = [
            {"key": name, "value": None if value is None else value.decode()}
            for name, value in envelope.headers
        ]
    if isinstance(envelope, Nested):
        del fields["value"]
        rest = json.dumps(fields, separators=(",", ":"), ensure_ascii=False)
        return f'{{"value":{envelope.value},{rest[1:]}'
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False)


def from_line(line: str, topics: Iterable[str]) -> Envelope:
    """Parse one line. The text of a nested value is kept as it stands, byte for byte.

    Raises EnvelopeError if it is no envelope or its topic is none of `topics`.
    """
    if not line.lstrip(_WHITESPACE).startswith("{"):
        raise EnvelopeError("not a JSON object")
    try:
        # A list of pairs shows repeated names, which a dict would hide.
        pairs = _PAIRS.decode(line)
    except (ValueError, RecursionError) as error:
        raise EnvelopeError(f"not a JSON object ({error})") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise EnvelopeError("a name is there twice")
    known = tuple(topics)
    topic = fields.get("topic")
    if not isinstance(topic, str) or topic not in known:
        raise EnvelopeError(f"the topic is {topic!r} and not one of {', '.join(known)}")
    value_name, time_name = "value", "timestamp"
    if "value" not in fields and "payload" in fields:  # as `kcat -J` writes it
        value_name, time_name = "payload", "ts"
    if value_name not in fields:
        raise EnvelopeError("no value (a tombstone has the value null)")
    key, value = fields.get("key"), fields[value_name]
    if not (isinstance(key, str | None) and isinstance(value, str | None)):
        raw = _raw_members(line)
        key = key if isinstance(key, str | None) else raw["key"]
        value = value if isinstance(value, str | None) else raw[value_name]
    envelope = Envelope(
        topic, key, value, _milliseconds(fields.get(time_name)), _headers(fields.get("headers"))
    )
    try:
        (key or "").encode()
        (value or "").encode()
    except UnicodeEncodeError:
        raise EnvelopeError("key or value holds half of a surrogate pair") from None
    return envelope


def read_file(path: Path, topics: Iterable[str]) -> Iterator[Envelope]:
    """Envelopes of one file in its order. Raises InputFileError, which names file and line."""
    for number, line in numbered_lines(path):
        try:
            yield from_line(line, topics)
        except EnvelopeError as error:
            raise InputFileError(f"{path}:{number}: {error}.") from None


def _milliseconds(value: object) -> int | None:
    """Kafka's timestamp in ms from seconds, ms or µs (also as text) or ISO 8601 (UTC unless it
    says). Raises EnvelopeError for anything else, and for a time outside of 1970 to 9999.
    """
    if value is None:
        return None
    shown = repr(value)
    shown = shown if len(shown) <= _LONGEST_NUMBER else f"{shown[:_LONGEST_NUMBER]}…"
    if isinstance(value, str):
        text = value.strip()
        if re.fullmatch(r"[0-9]+(\.[0-9]*)?", text) and len(text) <= _LONGEST_NUMBER:
            value = float(text) if "." in text else int(text)
        else:
            try:
                moment = datetime.fromisoformat(text)
            except ValueError:
                raise EnvelopeError(f"the timestamp is {shown}: no number, no ISO time") from None
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return _within(round(moment.timestamp() * 1000), shown)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise EnvelopeError(f"the timestamp is {shown}: no number, no ISO time")
    if abs(value) < _LEAST_MILLISECONDS:
        return _within(round(value * 1000), shown)
    if abs(value) < _LEAST_MICROSECONDS:
        return _within(round(value), shown)
    return _within(round(value) // 1000, shown)


def _within(milliseconds: int, shown: str) -> int:
    if not 0 <= milliseconds < _YEAR_10000:
        raise EnvelopeError(
            f"the timestamp {shown} lies outside of the years 1970 to 9999: give seconds, "
            "milliseconds or microseconds since 1970, or ISO 8601"
        )
    return milliseconds


_FORMS = "a list of objects with key and value, a flat list of names and values, or an object"


def _headers(value: object) -> tuple[tuple[str, bytes | None], ...]:
    """Headers as `_FORMS` says (pairs stand for JSON objects). A value is text, a number, true,
    false or null, which stays null."""
    if value is None:
        return ()
    pairs: list[tuple[object, object]]
    if not isinstance(value, list):
        raise EnvelopeError(f"the headers are not {_FORMS}")
    if all(isinstance(item, tuple) for item in value):  # an object, or an empty list
        pairs = value
    elif all(isinstance(item, list) for item in value):
        members = [dict(item) if all(isinstance(p, tuple) for p in item) else {} for item in value]
        pairs = [(one.get("key"), one.get("value", _ABSENT)) for one in members]
    elif len(value) % 2 == 0:  # as `kcat -J` writes them
        pairs = list(zip(value[::2], value[1::2], strict=True))
    else:
        pairs = [(None, None)]
    return tuple((_header_name(name), _header_value(inner)) for name, inner in pairs)


_ABSENT = object()


def _header_name(name: object) -> str:
    if not isinstance(name, str):
        raise EnvelopeError(f"the headers are not {_FORMS}")
    return name


def _header_value(value: object) -> bytes | None:
    if value is None:
        return None
    if not isinstance(value, str | int | float):
        raise EnvelopeError(f"the headers are not {_FORMS}; their values are text, number or null")
    text = value if isinstance(value, str) else json.dumps(value)
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise EnvelopeError("a header holds half of a surrogate pair") from None


_PAIRS = json.JSONDecoder(object_pairs_hook=list)


def _raw_members(text: str) -> dict[str, str]:
    """The source text of each value of a JSON object that is known to be valid."""
    members: dict[str, str] = {}
    at = _skip(text, text.index("{") + 1)
    while text[at] != "}":
        name, at = _PAIRS.raw_decode(text, at)
        at = _skip(text, _skip(text, at) + 1)
        _, end = _PAIRS.raw_decode(text, at)
        members[name] = text[at:end]
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return members


def _skip(text: str, at: int) -> int:
    while text[at] in _WHITESPACE:
        at += 1
    return at
