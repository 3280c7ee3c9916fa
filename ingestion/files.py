"""Reads landed files: bytes to rows, in plain Python, without Spark, in bounded memory.

Here a line is judged: malformed (all its columns are null) or readable (its fields as text, the
empty text where it has none). No line is dropped but blank ones, and nothing else is judged: what a
field holds is for the models to say. docs/rules.md has the rules.
"""

from __future__ import annotations

import codecs
import gzip
import hashlib
import io
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, BinaryIO, NamedTuple

from ingestion.jsontext import parse_object, text_of, without_surrogates

Row = dict[str, Any]


class Source(NamedTuple):
    """A file as it is read: `name` below the feed's folder, `version` of its content (its size and
    time of change; None: read by an older release), `size` in bytes."""

    name: str
    version: str | None
    size: int


Parser = Callable[[Source, BinaryIO], Iterator[Row]]

MAX_LINE = 16 * 2**20
"""Longest line that is read, in characters. The beginning of a longer one stands for it."""
_SHOWN_OF_A_LONG_LINE = 1000
_PIECE = 1 << 20
# What a zipped file may grow to. Text, even one line over and over, seldom gains more.
_MOST_UNZIPPED, _MOST_TIMES = 256 * 2**20, 100

_JSON_NAME = re.compile(r"\.(json|ndjson|jsonl)(\.gz)?$", re.IGNORECASE)
_CSV_NAME = re.compile(r"\.(csv|txt)(\.gz)?$", re.IGNORECASE)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BLANKS = " \t\n\v\f\r"
_MARK = "\ufeff"
_LONGEST_TIME = 64


def record_id(source: Source, number: int) -> str:
    """Stable id of the record on line `number` (from 1) of a file: reading again gives it again.

    0 stands for the file as a whole.
    """
    version = "" if source.version is None else f"{source.version}\n"
    place = f"{source.name}\n{version}{number}"
    return hashlib.sha256(place.encode()).hexdigest()[:32]


class Unreadable(Exception):
    """A file that is damaged; the text says how."""


def lines_of(file: BinaryIO, size: int) -> Iterator[tuple[int, str | None, str]]:
    """Lines with their numbers from 1, without line ends, blank ones left out: (number, line, raw).

    `raw` is the line as text for bronze: bytes that are no text in the file's encoding appear as
    `\\xNN`, and of a line over `MAX_LINE` there is its beginning and its length; then `line` is
    None. In `line` such bytes are lone surrogates. Raises Unreadable, before the first line, if
    the file is a damaged gzip stream or one that grows out of all proportion to its `size`.
    """
    start = file.read(2)
    file.seek(0)
    if start == b"\x1f\x8b":
        _check_zipped(file, size)
        file.seek(0)
        file = gzip.GzipFile(fileobj=file)  # type: ignore[assignment]
        start = file.read(2)
        file.seek(0)
    text = io.TextIOWrapper(file, encoding_of(start), errors=AS_SURROGATES)
    number = 0
    while line := text.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE and not line.endswith("\n"):
            length = len(line)
            while not line.endswith("\n") and (more := text.readline(_PIECE)):
                line = line[:_SHOWN_OF_A_LONG_LINE] + more[-1:]
                length += len(more)
            length -= line.endswith("\n")
            shown = without_surrogates(line[:_SHOWN_OF_A_LONG_LINE])
            yield number, None, f"{shown}… ({length} characters: too long for a record)"
        elif trimmed(line):
            line = line.removesuffix("\n")
            yield number, line, without_surrogates(line, as_bytes=True)


def _check_zipped(file: BinaryIO, size: int) -> None:
    most = max(_MOST_UNZIPPED, _MOST_TIMES * size)
    length = 0
    try:
        with gzip.GzipFile(fileobj=file) as unzipped:
            while piece := unzipped.read1(_PIECE):
                length += len(piece)
                if length > most:
                    raise Unreadable(f"unzipped it has more than {most >> 20} MiB")
    except (OSError, EOFError, zlib.error) as error:
        raise Unreadable(f"its gzip stream is damaged ({type(error).__name__})") from None


def encoding_of(start: bytes) -> str:
    """The encoding of a file that begins with these bytes."""
    return "utf-16" if start[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def _as_surrogates(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    wrong = error.object[error.start : error.end]
    return "".join(chr(0xDC00 + byte) for byte in wrong), error.end


AS_SURROGATES = "fitbit-lone-surrogates"
"""How bytes that are no text are decoded: `surrogateescape` gives up on some of UTF-16."""
codecs.register_error(AS_SURROGATES, _as_surrogates)


def trimmed(text: str) -> str:
    """Without blanks, then one byte-order mark, then blanks, at the beginning, and blanks at the
    end: what is left of a field."""
    return text.strip(_BLANKS).removeprefix(_MARK).strip(_BLANKS)


def parse_rows(columns: Sequence[str]) -> Parser:
    """Parser for a file feed: rows with `raw`, the source columns as text, and `record_id`.

    All columns of a malformed line are null. A damaged file is one malformed line that names it.
    """
    nothing = dict.fromkeys(columns)

    def parse(source: Source, file: BinaryIO) -> Iterator[Row]:
        split: Splitter | None = None
        try:
            for number, line, raw in lines_of(file, source.size):
                if split is None:
                    is_header = not _is_json(source.name, line)
                    split = _json_splitter(columns)
                    if is_header:
                        is_header, split = _csv_splitter(columns, line)
                    if is_header:
                        continue
                fields = None if line is None else split(line)
                yield {
                    "raw": raw,
                    **(nothing if fields is None else fields),
                    "record_id": record_id(source, number),
                }
        except (Unreadable, OSError) as fault:
            yield {"raw": _told(source, fault), **nothing, "record_id": record_id(source, 0)}

    return parse


Splitter = Callable[[str], "dict[str, str] | None"]
"""A line's fields by column, None if it is malformed."""


def _told(source: Source, fault: Unreadable | OSError) -> str:
    how = fault.strerror if isinstance(fault, OSError) else str(fault)
    return f"The file {source.name} cannot be read: {how}. Land it again, whole."


def _is_json(name: str, first_line: str | None) -> bool:
    if _JSON_NAME.search(name):
        return True
    return not _CSV_NAME.search(name) and trimmed(first_line or "")[:1] in ("{", "[")


def _csv_splitter(columns: Sequence[str], first_line: str | None) -> tuple[bool, Splitter]:
    """Whether the first line is a header, and how to split the lines below it.

    One that names no column is none, and below it nothing can be told; nor where it names one
    twice.
    """
    names = [trimmed(name).lower() for name in fields_of(first_line or "") or []]
    position = {name: names.index(name) for name in columns if name in names}
    if not position or any(names.count(name) > 1 for name in position):
        return bool(position), lambda _: None

    def split(line: str) -> dict[str, str] | None:
        fields = fields_of(line)
        if fields is None or len(fields) != len(names):
            return None
        found = dict.fromkeys(columns, "")
        for name, at in position.items():
            if trimmed(fields[at]) not in ("NULL", "\\N"):
                found[name] = without_surrogates(fields[at], as_bytes=True)
        return found

    return True, split


def fields_of(line: str) -> list[str] | None:
    """Fields of a CSV line, None if its quotation marks are odd in number.

    A comma with an odd number of marks before it separates nothing. A field that, trimmed, begins
    and ends with a mark is what lies between, doubled marks halved; other marks are characters.
    """
    if '"' not in line:
        return line.split(",")
    if line.count('"') % 2:
        return None
    fields: list[str] = []
    parts: list[str] = []
    is_open = False
    for part in line.split(","):
        parts.append(part)
        is_open ^= part.count('"') % 2 == 1
        if not is_open:
            fields.append(_unquoted(",".join(parts)))
            parts = []
    return fields


def _unquoted(field: str) -> str:
    inner = trimmed(field)
    if len(inner) > 1 and inner[0] == inner[-1] == '"':
        return inner[1:-1].replace('""', '"')
    return field


def _json_splitter(columns: Sequence[str]) -> Splitter:
    wanted = frozenset(columns)

    def split(line: str) -> dict[str, str] | None:
        value = parse_object(line)
        if value is None:
            return None
        found = dict.fromkeys(columns, "")
        seen = set()
        for key, inner in value.items():
            if (name := key.lower()) in wanted:
                if name in seen:  # in another case: which of them is meant?
                    return None
                seen.add(name)
                found[name] = text_of(inner) or ""
        return found

    return split


def parse_envelopes(topic: str, required: Sequence[str]) -> Parser:
    """Parser for a topic's records in files: key, value, topic, partition, offset, timestamp.

    A line that has all `required` fields of a payload at its top level is a value, with no key;
    another object with a `value` is an envelope; any other line is a value.
    """

    def parse(source: Source, file: BinaryIO) -> Iterator[Row]:
        try:
            for number, line, raw in lines_of(file, source.size):
                found = None if line is None else parse_object(line)
                is_payload = found is None or all(name in found for name in required)
                envelope = found if found and not is_payload and "value" in found else {}
                if envelope is found:
                    value = _bytes(envelope["value"])
                else:
                    value = raw.encode() if line is None else _as_it_came(line)
                yield _record(topic, envelope, value, record_id(source, number))
        except (Unreadable, OSError) as fault:
            yield _record(topic, {}, _told(source, fault).encode(), record_id(source, 0))

    return parse


def _bytes(value: Any) -> bytes | None:
    text = text_of(value)
    return None if text is None else text.encode()


def _as_it_came(line: str) -> bytes:
    """A line in UTF-8, with the bytes in it that are none."""
    try:
        return line.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a byte of UTF-16
        return without_surrogates(line, as_bytes=True).encode()


def _record(topic: str, envelope: Row, value: bytes | None, identity: str) -> Row:
    place = envelope.get("metadata")  # as Stream Reactor's sink writes it
    if isinstance(place, dict):
        envelope = {**place, **envelope}
    return {
        "key": _bytes(envelope.get("key")),
        "value": value,
        "topic": text_of(envelope.get("topic")) or topic,
        "partition": _integer(envelope.get("partition"), 31),
        "offset": _integer(envelope.get("offset"), 63),
        "timestamp": moment(envelope.get("timestamp")),
        "record_id": identity,
    }


def _integer(value: Any, bits: int) -> int | None:
    text = text_of(value) or ""
    return int(text) if re.fullmatch(r"[0-9]{1,19}", text) and int(text) < 2**bits else None


def moment(value: Any) -> datetime | None:
    """A record's time from seconds, milliseconds or microseconds since 1970, or ISO 8601 (UTC
    unless it says otherwise). None if it is none of these, or after the year 9999.
    """
    text = (text_of(value) or "").strip()
    if len(text) > _LONGEST_TIME:
        return None
    try:
        if re.fullmatch(r"[0-9]+(\.[0-9]+)?([eE]\+?[0-9]{1,2})?", text):
            number = Decimal(text)
            # 10^11 seconds is the year 5138, 10^11 milliseconds is 1973; likewise for 10^14.
            unit = 10**6 if number < 10**11 else 10**3 if number < 10**14 else 1
            return _EPOCH + timedelta(microseconds=int(number * unit))
        parsed = datetime.fromisoformat(text)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
