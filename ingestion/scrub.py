"""Lines of erased records in landed files: they become empty ones.

No reader takes an empty line for a record, so the other lines keep their numbers and with them
their `record_id`. Envelopes of others whose keys bronze has emptied lose key and headers here too.
A file keeps its name, and is noted as known in what it is now: it is not read
again.
"""

from __future__ import annotations

import codecs
import gzip
import hashlib
import io
import os
import re
import shutil
import zlib
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from ingestion import bronze, progress
from ingestion.feeds import ENVELOPE_FEEDS, FILE_FEEDS, EnvelopeFeed, FileFeed
from ingestion.files import AS_SURROGATES, Source, record_id, trimmed
from ingestion.jsontext import parse_object, text_of
from ingestion.landing import Folder, LandedFile, file_at

_BYTES = re.compile("([\udc00-\udcff]+)")
_MARKS = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


def scrub(spark: SparkSession, landing: str, catalog: str = "") -> int:
    """Empty the lines of landed files that bronze has erased, or their keys; returns how many files
    were changed."""
    scrubbed = 0
    feeds: tuple[FileFeed | EnvelopeFeed, ...] = (*FILE_FEEDS, *ENVELOPE_FEEDS)
    notes = bronze.table_name("scrubbed_files", catalog)
    for feed in feeds:
        held = progress.known_files(spark, catalog, feed)
        known = spark.table(notes).where(f"feed = '{feed.name}'").collect()
        before = {(row.source_file, row.scrubbed_version): row.source_version for row in known}
        erased = "erased_at is not null"
        emptied = f"{erased} or key = X''" if isinstance(feed, EnvelopeFeed) else erased
        rows = (
            spark.table(bronze.table_name(feed.table, catalog))
            .where(f"source_file is not null and ({emptied})")
            .selectExpr("source_file", "source_version", "record_id", f"{erased} as is_erased")
        )
        by_file: dict[str, dict[str | None, dict[str, bool]]] = defaultdict(
            lambda: defaultdict(dict)
        )
        for row in rows.collect():
            by_file[row.source_file][row.source_version][row.record_id] = row.is_erased
        for file in Folder(Path(landing) / feed.folder).files():
            if file.name not in by_file or not held.has(file):  # not read yet as it is now
                continue
            version = before.get((file.name, file.version), file.version)
            if not held.has_version(file):
                version = None
            source = Source(file.name, version, file.size)

            def note(after: LandedFile, version: str | None = version, feed: Any = feed) -> None:
                row = (feed.name, after.name, version, after.version)
                schema = spark.table(notes).schema
                spark.createDataFrame([row], schema).write.insertInto(notes)

            scrubbed += scrub_file(file, source, by_file[file.name][version], note)
    return scrubbed


def scrub_file(
    file: LandedFile, source: Source, erased: Mapping[str, bool], note: Callable[[LandedFile], None]
) -> bool:
    """Whether the file held one of these records (see `without_records`). `note` is told what it
    will be before it is."""
    path = Path(file.path).resolve()  # of a link, what it leads to
    before = path.read_bytes()
    after = without_records(before, source, erased)
    if after == before:
        return False
    # Hidden: no source reads it. Its name is short, also where that of the file is the longest.
    short = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    beside = path.with_name(f".{short}.part")
    beside.write_bytes(after)
    shutil.copymode(path, beside)
    os.utime(beside, ns=(file.changed, file.changed))
    if file_at(path, file.name).version != file.version:
        beside.unlink()  # written anew meanwhile: read first, scrubbed by the next run
        return False
    expected = file_at(beside, file.name)
    note(expected)
    beside.replace(path)
    if (found := file_at(path, file.name)).version != expected.version:
        note(found)  # a volume that keeps no times
    return True


def without_records(content: bytes, source: Source, erased: Mapping[str, bool]) -> bytes:
    """A file's content without these records; the same object if it has none.

    erased: by record_id, whether the line becomes empty, or is an envelope that loses its key.

    All other bytes stay, also those that are no text. What lies behind the damage in a damaged gzip
    stream, which no reader sees, goes; with the record of a damaged file, all of it.
    """
    if record_id(source, 0) in erased:
        return b""
    zipped = content[:2] == b"\x1f\x8b"
    plain = _unzipped(content) if zipped else content
    mark = plain[:2] if plain[:2] in _MARKS else b""
    encoding = _MARKS.get(mark, "utf-8")
    text = io.TextIOWrapper(io.BytesIO(plain[len(mark) :]), encoding, AS_SURROGATES, newline="")
    lines = list(text)
    left = [
        _left_of(line, erased.get(record_id(source, number))) if trimmed(line) else line
        for number, line in enumerate(lines, 1)
    ]
    if left == lines:
        return content
    scrubbed = mark + b"".join(
        bytes(ord(char) - 0xDC00 for char in part) if at % 2 else part.encode(encoding)
        for at, part in enumerate(_BYTES.split("".join(left)))
    )
    return gzip.compress(scrubbed) if zipped else scrubbed


def _left_of(line: str, is_erased: bool | None) -> str:
    """What stays of a line, its end in any case; None: all of it."""
    if is_erased is None:
        return line
    text = line.rstrip("\r\n")
    return ("" if is_erased else _without_key(text)) + line[len(text) :]


def _without_key(text: str) -> str:
    """An envelope without its key and headers; the same text if it has no key."""
    envelope = parse_object(text) or {}
    place = envelope.get("metadata")  # as Stream Reactor's sink writes it
    parts = [envelope, *([place] if isinstance(place, dict) else [])]
    if not any(part.get("key") for part in parts):
        return text
    for part in parts:
        part.pop("key", None)
        part.pop("headers", None)
    return text_of(envelope) or text


def _unzipped(content: bytes) -> bytes:
    """As much as can be read."""
    plain = bytearray()
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            while chunk := file.read1(1 << 16):
                plain += chunk
    except (OSError, EOFError, ValueError, zlib.error):
        pass
    return bytes(plain)
