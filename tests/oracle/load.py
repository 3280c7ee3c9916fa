"""Records from files (as `replay` and `land` take them) and from rows of bronze."""

import base64
import gzip
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .decode import BOM, Rejected, one_json_object, text_of, trimmed
from .records import FILE_COLUMNS, KAFKA_FEEDS, FileRecord, KafkaRecord, Record

_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()
#: A landed line with all of these is a payload, never an envelope.
REQUIRED = {
    "user_info": {"user_id", "update_type", "timestamp"},
    "bpm": {"device_id", "time", "heartrate"},
    "workout": {"user_id", "workout_id", "session_id", "timestamp", "action"},
}
_JSON_SUFFIXES = (".json", ".ndjson", ".jsonl")


def micros(at: datetime | int | str) -> int:
    """Microseconds since the epoch of a datetime (naive: UTC), ISO text or microseconds."""
    if isinstance(at, int):
        return at
    if isinstance(at, str):
        at = datetime.fromisoformat(at)
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return int(at.replace(microsecond=0).timestamp()) * 1_000_000 + at.microsecond


def read_text(path: Path) -> str:
    """A landed file's text, unzipped, without its byte-order mark."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return data.decode("utf-8", "surrogateescape").removeprefix(BOM)


def lines_of(text: str) -> list[str]:
    """Lines without their ends (LF or CRLF); blank ones too, so that numbers stay."""
    return [line.removesuffix("\r") for line in text.split("\n")]


def is_json_file(path: Path | str) -> bool:
    return str(path).lower().removesuffix(".gz").endswith(_JSON_SUFFIXES)


def _members(line: str) -> dict[str, str]:
    """The members of a JSON object as written: name to the text of its value.

    Raises ValueError when the line does not begin with a JSON object.
    """

    def space(at: int) -> int:
        match = _SPACE.match(line, at)
        assert match is not None
        return match.end()

    at = space(0)
    if not line.startswith("{", at):
        raise ValueError("no object")
    found: dict[str, str] = {}
    at = space(at + 1)
    while not line.startswith("}", at):
        name, at = _DECODER.raw_decode(line, at)
        at = space(at)
        if not isinstance(name, str) or not line.startswith(":", at):
            raise ValueError("no member")
        start = space(at + 1)
        _, at = _DECODER.raw_decode(line, start)
        found[name] = line[start:at]
        at = space(at)
        if line.startswith(",", at):
            at = space(at + 1)
        elif not line.startswith("}", at):
            raise ValueError("no end")
    return found


def _bytes(text: str | None) -> bytes | None:
    """Key or value of an envelope: a string's content, else the JSON as written."""
    if text is None or text == "null":
        return None
    value = json.loads(text) if text.startswith('"') else text
    return str(value).encode("utf-8", "surrogateescape")


def _content(line: str, fields: Mapping[str, Any], name: str) -> bytes | None:
    """Key or value of a parsed envelope; what is no text is taken as it was written."""
    value = fields.get(name)
    if value is None or isinstance(value, str):
        return None if value is None else value.encode("utf-8", "surrogateescape")
    return _bytes(_members(line)[name])


def from_envelopes(
    paths: Iterable[Path],
    *,
    ingested_at: datetime | int | str,
    topics: Mapping[str, str] | None = None,
) -> Iterator[KafkaRecord]:
    """The records that `replay` publishes from NDJSON envelopes.

    Offsets count from 0 per topic, all in partition 0; an envelope's own place is not its place
    in the topic. `topics` maps a topic to its feed (default: the same name). Kafka timestamps are
    milliseconds. Raises ValueError for a line that is no envelope.
    """
    offsets: dict[str, int] = {}
    for path in paths:
        for number, line in enumerate(lines_of(read_text(path)), 1):
            if not line.strip():
                continue
            try:
                fields = json.loads(line)
                topic = fields["topic"]
                key, value = (_content(line, fields, name) for name in ("key", "value"))
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{path}:{number} is no envelope") from error
            offsets[topic] = offsets.get(topic, -1) + 1
            timestamp = fields.get("timestamp")
            yield KafkaRecord(
                feed=(topics or {}).get(topic, topic),
                key=key,
                value=value,
                timestamp=None if timestamp is None else int(timestamp) * 1000,
                ingested_at=micros(ingested_at),
                topic=topic,
                topic_epoch=0,
                partition=0,
                offset=offsets[topic],
            )


def from_landed_envelopes(
    feed: str, path: Path, *, ingested_at: datetime | int | str
) -> Iterator[KafkaRecord]:
    """The records of a Kafka Connect file landed under a topic's feed."""
    for number, line in enumerate(lines_of(read_text(path)), 1):
        if not line.strip():
            continue
        place: dict[str, Any] = {}
        key: bytes | None = None
        value: bytes | None = line.encode("utf-8", "surrogateescape")
        if _is_envelope(feed, line):
            members = _members(line)
            key, value = _bytes(members.get("key")), _bytes(members.get("value"))
            for name in ("topic", "partition", "offset", "timestamp"):
                place[name] = json.loads(members.get(name, "null"))
        yield KafkaRecord(
            feed=feed,
            key=key,
            value=value,
            timestamp=_kafka_micros(place.get("timestamp")),
            ingested_at=micros(ingested_at),
            topic=place.get("topic"),
            partition=place.get("partition"),
            offset=place.get("offset"),
            source_file=str(path),
            record_id=f"{path}#{number}",
        )


def _is_envelope(feed: str, line: str) -> bool:
    """Whether a line is an object with a `value` that is no payload itself."""
    try:
        fields = one_json_object(line.encode("utf-8", "surrogateescape"))
    except Rejected:
        return False
    return "value" in fields and not REQUIRED[feed] <= fields.keys()


def _kafka_micros(at: int | float | None) -> int | None:
    """An envelope's time: seconds, milliseconds or microseconds, told by its size."""
    if at is None:
        return None
    return int(at * (1_000_000 if at < 10**11 else 1000 if at < 10**14 else 1))


def from_landed(feed: str, path: Path, *, ingested_at: datetime | int | str) -> Iterator[Record]:
    """The records of a file that `land` takes for a feed."""
    if feed in KAFKA_FEEDS:
        yield from from_landed_envelopes(feed, path, ingested_at=ingested_at)
    elif is_json_file(path):
        for number, line in enumerate(lines_of(read_text(path)), 1):
            if line.strip():
                columns = _json_columns(feed, line)
                yield _file_record(feed, path, number, line, columns, micros(ingested_at))
    else:
        yield from _from_csv(feed, path, micros(ingested_at))


def _file_record(
    feed: str,
    path: Path,
    number: int,
    raw: str,
    columns: Mapping[str, str | None] | None,
    ingested_at: int,
) -> FileRecord:
    return FileRecord(
        feed=feed,
        raw=raw,
        columns=columns,
        ingested_at=ingested_at,
        source_file=str(path),
        record_number=number,
        record_id=f"{path}#{number}",
    )


def _json_columns(feed: str, line: str) -> dict[str, str | None] | None:
    """The columns of a JSON line, whatever their case; None for a malformed one."""
    try:
        fields = one_json_object(line.encode("utf-8", "surrogateescape"))
    except Rejected:
        return None
    columns: dict[str, str | None] = dict.fromkeys(FILE_COLUMNS[feed], "")
    read = [name.lower() for name in fields if name.lower() in columns]
    if len(set(read)) < len(read):
        return None
    return columns | {
        name.lower(): text_of(value) for name, value in fields.items() if name.lower() in columns
    }


def split_csv(line: str) -> list[str] | None:
    """The fields of one CSV line; None if it has an odd number of quotation marks."""
    if line.count('"') % 2:
        return None
    fields: list[str] = []
    is_open = False
    for part in line.split(","):
        if is_open:
            fields[-1] += f",{part}"
        else:
            fields.append(part)
        is_open ^= part.count('"') % 2 == 1
    return [_unquoted(trimmed(field)) for field in fields]


def _unquoted(field: str) -> str:
    if len(field) > 1 and field[0] == field[-1] == '"':
        return field[1:-1].replace('""', '"')
    return field


def _from_csv(feed: str, path: Path, ingested_at: int) -> Iterator[FileRecord]:
    header: Sequence[str] | None = None
    for number, line in enumerate(lines_of(read_text(path)), 1):
        if not line.strip():
            continue
        fields = split_csv(line)
        if header is None:
            header = [trimmed(name).lower() for name in fields or []]
            read = [name for name in header if name in FILE_COLUMNS[feed]]
            if read:
                continue
        columns: dict[str, str | None] | None = None
        if read and len(set(read)) == len(read) and fields and len(fields) == len(header):
            given = dict(zip(header, fields, strict=True))
            columns = {
                name: "" if given.get(name, "") in ("NULL", r"\N") else given.get(name, "")
                for name in FILE_COLUMNS[feed]
            }
        yield _file_record(feed, path, number, line, columns, ingested_at)


def from_bronze_rows(feed: str, rows: Iterable[Mapping[str, Any]]) -> Iterator[Record]:
    """Records from rows of bronze.<feed> (by the SQL connector or `lakehouse sql`)."""
    for row in rows:
        common: dict[str, Any] = {
            "feed": feed,
            "ingested_at": micros(row["ingested_at"]),
            "source_file": row.get("source_file"),
            "record_id": row.get("record_id"),
            "is_erased": row.get("erased_at") is not None,
        }
        if feed in KAFKA_FEEDS:
            at = row["timestamp"]
            yield KafkaRecord(
                key=_binary(row["key"]),
                value=_binary(row["value"]),
                timestamp=None if at is None else micros(at),
                topic=row["topic"],
                topic_epoch=row.get("topic_epoch"),
                partition=row["partition"],
                offset=row["offset"],
                **common,
            )
            continue
        columns = {name: row[name] for name in FILE_COLUMNS[feed]}
        is_split = any(value is not None for value in columns.values())
        yield FileRecord(
            raw=row["raw"] or "",
            columns=columns if is_split else None,
            **common,
        )


def _binary(value: Any) -> bytes | None:
    if value is None:
        return None
    return base64.b64decode(value) if isinstance(value, str) else bytes(value)


def bronze_query(feed: str) -> str:
    """The columns that `from_bronze_rows` needs."""
    if feed in KAFKA_FEEDS:
        names = [
            "key",
            "value",
            "topic",
            "topic_epoch",
            "partition",
            "offset",
            "timestamp",
        ]
    else:
        names = ["raw", *FILE_COLUMNS[feed]]
    names += ["source_file", "record_id", "ingested_at", "erased_at"]
    return f"select {', '.join(f'`{name}`' for name in names)} from bronze.{feed}"
