"""Kafka events as lines of text: one JSON object a line with topic, key, value and timestamp.

The same form is written by `lakehouse simulate --out`, read by `lakehouse replay`, and is what
Kafka Connect's file sink writes (its `partition` and `offset` identify nothing here).
"""

from __future__ import annotations

import gzip
import io
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from lakehouse.home import WorkspaceError

# Below 10^11 a time is in seconds (until the year 5138), below 10^14 in ms, above in µs.
_LEAST_MILLISECONDS = 10**11
_LEAST_MICROSECONDS = 10**14
_YEAR_10000_MS = 253_402_300_800_000
_WHITESPACE = " \t\n\r"
# Eight times the largest record that the local broker takes: escaped text may need six.
_MOST_LINE_BYTES = 64 << 20


Header = tuple[str, bytes | None]


class Envelope(NamedTuple):
    """One Kafka record. A value of None is a tombstone; `timestamp` is in ms, None for now."""

    topic: str
    key: str | None
    value: str | None
    timestamp: int | None = None
    headers: tuple[Header, ...] = ()


class Nested(Envelope):
    """An envelope whose value, text of a JSON object, is written as an object and not as text."""


class EnvelopeError(ValueError):
    """A line that is no envelope, with what is wrong with it; the caller adds file and line."""


class InputFileError(WorkspaceError):
    """A file that cannot be used, named with its line where there is one."""


class _Lines(Protocol):
    def readline(self, limit: int, /) -> bytes: ...


def unzipped(file: io.BufferedReader) -> io.BufferedReader:
    """The content of a file, plain or gzip, told by its first bytes and not by its name."""
    if file.peek(2)[:2] == b"\x1f\x8b":
        return io.BufferedReader(gzip.GzipFile(fileobj=file))
    return file


def lines_of(file: _Lines, name: str) -> Iterator[tuple[int, str]]:
    """Lines that are not blank, with their numbers from 1, without line ends and mark.

    Raises InputFileError on a broken file and on a line that is too long or not UTF-8.
    """
    number = 0
    try:
        while line := file.readline(_MOST_LINE_BYTES):
            number += 1
            if len(line) == _MOST_LINE_BYTES:
                raise InputFileError(f"{name}:{number}: the line is longer than any record may be.")
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
            if text.strip():
                yield number, text
    except UnicodeDecodeError:
        raise InputFileError(f"{name}:{number}: the line is not UTF-8 text.") from None
    except (EOFError, OSError, zlib.error) as error:
        raise InputFileError(f"{name}: cannot be read after line {number}: {error}.") from error


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
        raise EnvelopeError("not a JSON object; exports of heart rates need --device ID")
    try:
        pairs = _PAIRS.decode(line)
    except (ValueError, RecursionError) as error:
        raise EnvelopeError(f"not a JSON object ({error})") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise EnvelopeError("a name is there twice")
    known = tuple(topics)
    topic = fields.get("topic")
    if not isinstance(topic, str) or topic not in known:
        raise EnvelopeError(f"the topic is {_shown(topic)} and not one of {', '.join(known)}")
    named = "value" if "value" in fields or "payload" not in fields else "payload"
    if named not in fields:
        raise EnvelopeError("no value (a tombstone has the value null)")
    key, value = fields.get("key"), fields[named]
    if not (isinstance(key, str | None) and isinstance(value, str | None)):
        raw = _raw_members(line)
        key = key if isinstance(key, str | None) else raw["key"]
        value = value if isinstance(value, str | None) else raw[named]
    if "ts" in fields and "timestamp" not in fields:  # kcat's, always in ms
        timestamp = None if fields.get("tstype") == "unknown" else _kcat_milliseconds(fields["ts"])
    else:
        timestamp = _milliseconds(fields.get("timestamp"))
    try:
        (key or "").encode()
        (value or "").encode()
        return Envelope(topic, key, value, timestamp, _headers(fields.get("headers")))
    except UnicodeEncodeError:
        raise EnvelopeError("key, value or headers hold half of a surrogate pair") from None


def read_file(path: Path, topics: Iterable[str]) -> Iterator[Envelope]:
    """Envelopes of one file in its order. Raises InputFileError, which names file and line."""
    try:
        with path.open("rb") as file:
            for number, line in lines_of(unzipped(file), str(path)):
                try:
                    yield from_line(line, topics)
                except EnvelopeError as error:
                    raise InputFileError(f"{path}:{number}: {error}.") from None
    except FileNotFoundError:
        raise InputFileError(f"{path}: there is no such file.") from None
    except OSError as error:
        raise InputFileError(f"{path}: cannot be read: {error}.") from None


def _milliseconds(value: object) -> int | None:
    """Kafka's timestamp in ms from s, ms or µs (also as text) or ISO 8601 (UTC unless it says)."""
    if value is None:
        return None
    number = _seconds_of_iso(value)
    if number is not None:
        return _bounded(number * 1000, value)
    number = _float(value)
    if number < _LEAST_MILLISECONDS:
        return _bounded(number * 1000, value)
    return _bounded(number if number < _LEAST_MICROSECONDS else number / 1000, value)


def _kcat_milliseconds(value: object) -> int:
    return _bounded(_float(value), value)


def _float(value: object) -> float:
    # The pattern keeps out what Python's float takes besides: "nan", "1_000", other digits.
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return float(value)
    raise EnvelopeError(f"the timestamp is {_shown(value)}: no number, no ISO time")


def _seconds_of_iso(value: object) -> float | None:
    try:
        moment = datetime.fromisoformat(value.strip()) if isinstance(value, str) else None
    except ValueError:
        return None
    if moment is None or _NUMBER.fullmatch(str(value).strip()):  # 20240301 is a number here
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _bounded(milliseconds: float, value: object) -> int:
    if not 0 <= milliseconds < _YEAR_10000_MS:
        raise EnvelopeError(f"the timestamp {_shown(value)} lies outside of 1970 to 9999")
    return round(milliseconds)


def _shown(value: object) -> str:
    text = str(value) if _NUMBER.fullmatch(str(value)) else repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _headers(value: object) -> tuple[Header, ...]:
    """Headers from `[{"key": …, "value": …}]`, `{name: value}` or kcat's `[name, value, …]`.

    A value is text or a number, both as they are spelled, or null; in a map also a list of them.
    """
    pairs: list[tuple[object, object]] = []
    if isinstance(value, tuple):  # a JSON object
        for name, held in value:
            pairs += [(name, each) for each in held] if isinstance(held, list) else [(name, held)]
    elif isinstance(value, list) and all(isinstance(item, tuple) for item in value):
        fields = [dict(item) for item in value]
        if not all({"key", "value"} <= item.keys() for item in fields):
            raise EnvelopeError(_NO_HEADERS)
        pairs = [(item["key"], item["value"]) for item in fields]
    elif isinstance(value, list) and len(value) % 2 == 0:
        pairs = list(zip(value[::2], value[1::2], strict=True))
    elif value is not None:
        raise EnvelopeError(_NO_HEADERS)
    headers: list[Header] = []
    for name, text in pairs:
        if not (isinstance(name, str) and isinstance(text, str | None)):
            raise EnvelopeError(_NO_HEADERS)
        name.encode()
        headers.append((name, None if text is None else text.encode()))
    return tuple(headers)


_NO_HEADERS = (
    'the headers are neither a list of {"key": text, "value": text}, nor a map of names to texts, '
    "nor a list of names and texts in turn"
)
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?")
# Objects become tuples of pairs, which show repeated names; numbers keep their spelling.
_PAIRS = json.JSONDecoder(object_pairs_hook=tuple, parse_int=str, parse_float=str)


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
