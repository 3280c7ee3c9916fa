"""Reads landed files: bytes to rows, in plain Python, without Spark.

What a reader may meet: gzip, a byte-order mark, CRLF, blank lines, a missing final newline,
columns in any order, surplus columns, lines that cannot be split. No line is dropped but blank
ones; nothing is interpreted. Spark's own CSV stream maps columns by position and drops surplus
fields, hence this.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import re
import sys
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

Row = dict[str, Any]
Parser = Callable[[str, bytes], Iterator[Row]]

_JSON_NAME = re.compile(r"\.(json|ndjson|jsonl)(\.gz)?$", re.IGNORECASE)
_CSV_NAME = re.compile(r"\.(csv|txt)(\.gz)?$", re.IGNORECASE)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Lines longer than csv's default of 128 KiB are kept, too.
csv.field_size_limit(min(sys.maxsize, 2**31 - 1))


def record_id(source_file: str, number: int) -> str:
    """Stable id of the record on line `number` (from 1) of a file: reading again gives it again."""
    return hashlib.sha256(f"{source_file}\n{number}".encode()).hexdigest()[:32]


def lines_of(content: bytes) -> Iterator[tuple[int, str]]:
    """Lines with their numbers from 1, without line ends, blank ones left out.

    Bytes that are no UTF-8 appear as `\\xNN`. A damaged gzip stream yields the lines before the
    damage, then one line that says so: it is no CSV or JSON, so it is rejected later, visibly.
    """
    binary: io.BytesIO | gzip.GzipFile = io.BytesIO(content)
    if content[:2] == b"\x1f\x8b":
        binary = gzip.GzipFile(fileobj=io.BytesIO(content))
    number = 0
    try:
        encoding = encoding_of(binary.read(2))
        binary.seek(0)
        for line in io.TextIOWrapper(binary, encoding, errors="backslashreplace"):
            number += 1
            if line.strip():
                yield number, line.rstrip("\n")
    except (OSError, EOFError, zlib.error) as error:
        yield number + 1, f'"damaged file: {type(error).__name__}'


def encoding_of(start: bytes) -> str:
    """The encoding of a file that begins with these bytes."""
    return "utf-16" if start[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def parse_rows(columns: tuple[str, ...]) -> Parser:
    """Parser for a file feed: rows with `raw`, the source columns as text or null, `record_id`."""

    def parse(source_file: str, content: bytes) -> Iterator[Row]:
        lines = lines_of(content)
        first = next(lines, None)
        if first is None:
            return
        if _is_json(source_file, first[1]):
            split = _json_fields(columns)
        else:
            header = [name.strip().lower() for name in _split(first[1]) or []]
            if set(header) & set(columns):
                first = next(lines, None)
                if first is None:
                    return
                split = _csv_fields(columns, header)
            else:
                # Without a header that names a column, no line can be mapped: all are kept raw.
                split = _unmapped
        for number, line in _chain(first, lines):
            row: Row = dict.fromkeys(columns)
            row.update(split(line))
            yield {"raw": _clean(line), **row, "record_id": record_id(source_file, number)}

    return parse


def parse_envelopes(topic: str) -> Parser:
    """Parser for a topic's records in files: key, value, topic, partition, offset, timestamp.

    A line that is no envelope (no object, or without a `value`) is a value itself, with no key.
    """

    def parse(source_file: str, content: bytes) -> Iterator[Row]:
        for number, line in lines_of(content):
            envelope = parse_object(line)
            if envelope is None or "value" not in envelope:
                envelope = {"value": line}
            yield {
                "key": _bytes(envelope.get("key")),
                "value": _bytes(envelope["value"]),
                "topic": text_of(envelope.get("topic")) or topic,
                "partition": _integer(envelope.get("partition"), 31),
                "offset": _integer(envelope.get("offset"), 63),
                "timestamp": moment(envelope.get("timestamp")),
                "record_id": record_id(source_file, number),
            }

    return parse


def _bytes(value: Any) -> bytes | None:
    text = text_of(value)
    return None if text is None else text.encode()


def _integer(value: Any, bits: int) -> int | None:
    text = text_of(value) or ""
    return int(text) if re.fullmatch(r"\d{1,19}", text) and int(text) < 2**bits else None


def moment(value: Any) -> datetime | None:
    """A record's time from seconds, milliseconds or microseconds since 1970, or ISO 8601 (UTC
    unless it says otherwise). None if it is none of these.
    """
    text = (text_of(value) or "").strip()
    try:
        if re.fullmatch(r"\d+(\.\d+)?([eE]\+?\d{1,2})?", text):
            number = Decimal(text)
            # 10^11 seconds is the year 5138, 10^11 milliseconds is 1973; likewise for 10^14.
            unit = 10**6 if number < 10**11 else 10**3 if number < 10**14 else 1
            return _EPOCH + timedelta(microseconds=int(number * unit))
        parsed = datetime.fromisoformat(text)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _chain(first: tuple[int, str], rest: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    yield first
    yield from rest


def _is_json(name: str, first_line: str) -> bool:
    if _JSON_NAME.search(name):
        return True
    return not _CSV_NAME.search(name) and first_line.lstrip()[:1] in ("{", "[")


def _split(line: str) -> list[str] | None:
    """Fields of one CSV line, or None if its quotes do not match."""
    try:
        return next(csv.reader([line], strict=True), None)
    except csv.Error:
        return None


def _unmapped(_: str) -> Row:
    return {}


def _csv_fields(columns: tuple[str, ...], header: list[str]) -> Callable[[str], Row]:
    position = {name: header.index(name) for name in columns if name in header}

    def fields(line: str) -> Row:
        values = _split(line)
        if values is None:
            return {}
        at = {n: position.get(n, len(values)) for n in columns}
        return {n: _clean(values[i]) if i < len(values) else "" for n, i in at.items()}

    return fields


def _json_fields(columns: tuple[str, ...]) -> Callable[[str], Row]:
    def fields(line: str) -> Row:
        value = parse_object(line)
        return {} if value is None else {name: text_of(value.get(name)) for name in columns}

    return fields


class _Literal(str):
    """A JSON number, as it is spelled in the file."""


def _no_constant(name: str) -> None:
    raise ValueError(name)  # NaN and Infinity are not JSON


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("repeated key")
    return value


_DECODER = json.JSONDecoder(
    parse_int=_Literal,
    parse_float=_Literal,
    parse_constant=_no_constant,
    object_pairs_hook=_unique,
)


def parse_object(line: str) -> dict[str, Any] | None:
    """The first JSON value of a line if it is an object with unique keys, else None.

    Numbers keep their spelling. What follows the first value is not looked at.
    """
    try:
        value, _ = _DECODER.raw_decode(line.lstrip())
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def text_of(value: Any) -> str | None:
    """Text of a JSON value: strings and numbers as spelled, other values as compact JSON."""
    if value is None:
        return None
    return _clean(value if isinstance(value, str) else _to_json(value))


def _to_json(value: Any) -> str:
    if isinstance(value, _Literal):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{_to_json(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_to_json, value)) + "]"
    return json.dumps(value)


def _clean(text: str) -> str:
    """Text without lone surrogates (legal in JSON escapes), which no UTF-8 column can hold."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
