"""Erasure outside dbt: the key of the hashes, and the files in the landing zone.

`python -m ingestion.erasure hash` reads user ids, one a line, and prints the argument of
`dbt run-operation forget`; `python -m ingestion.erasure scrub` empties the lines of landed files
whose records are blank in bronze. docs/erasure.md tells when to run which.

An id is turned into its hash here and goes no further: not into SQL, not into a log.
"""

from __future__ import annotations

import argparse
import codecs
import gzip
import hashlib
import io
import json
import os
import re
import secrets
import sys
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from ingestion import bronze, sessions
from ingestion.config import load
from ingestion.feeds import ENVELOPE_FEEDS, FILE_FEEDS, EnvelopeFeed, FileFeed, IngestionError
from ingestion.files import Source, encoding_of, record_id
from ingestion.landing import Folder, LandedFile, file_at

_BLOCK_BYTES = 64  # of SHA-256


class Hasher:
    """HMAC-SHA-256 by its two pads; macro `keyed_hash` computes the same in SQL."""

    def __init__(self, inner_pad: bytes, outer_pad: bytes) -> None:
        self._inner = inner_pad
        self._outer = outer_pad

    @classmethod
    def of_key(cls, key: bytes) -> Hasher:
        """Raises ValueError for a key longer than a block."""
        if len(key) > _BLOCK_BYTES:
            raise ValueError("key")
        block = key.ljust(_BLOCK_BYTES, b"\0")
        return cls(bytes(b ^ 0x36 for b in block), bytes(b ^ 0x5C for b in block))

    @property
    def pads(self) -> tuple[bytes, bytes]:
        return self._inner, self._outer

    def user(self, user_id: str) -> str:
        """The hash of a user id, in hexadecimal. `12474.0` and `12474.00` are the id `12474`."""
        normal = re.sub(r"\A([0-9]+)\.0+\Z", r"\1", user_id)
        inner = hashlib.sha256(self._inner + f"user:{normal}".encode()).digest()
        return hashlib.sha256(self._outer + inner).hexdigest()


def hasher(spark: SparkSession, catalog: str = "") -> Hasher:
    """By the key in bronze, which the first call makes.

    The key goes there as data: no statement, no history of a table shows it.
    """
    name = bronze.table_name("erasure_key", catalog)

    def rows() -> list[Any]:
        return spark.table(name).select("inner_pad", "outer_pad").collect()

    held = rows()
    if not held:
        pads = Hasher.of_key(secrets.token_bytes(32)).pads
        made = spark.createDataFrame([(*pads, datetime.now(UTC))], spark.table(name).schema)
        made.write.format("delta").mode("append").saveAsTable(name)
        held = rows()
    # Two first calls at once make two keys; everyone then takes the lesser one, as the macro does.
    inner, outer = min((bytes(row.inner_pad), bytes(row.outer_pad)) for row in held)
    return Hasher(inner, outer)


def user_ids(lines: Iterable[str]) -> list[str]:
    """Ids as a person types or pipes them: one a line, blank lines and repeats left out."""
    return list(dict.fromkeys(line.strip() for line in lines if line.strip()))


def scrub(spark: SparkSession, landing: str, catalog: str = "") -> int:
    """Empty the lines of landed files whose records are erased in bronze; returns how many files.

    The line stays as an empty one, which no reader takes for a record: so the other lines keep
    their numbers and with them their `record_id`. The file keeps its name, and is noted as known in
    what it is now: it is not read again.
    """
    scrubbed = 0
    feeds: tuple[FileFeed | EnvelopeFeed, ...] = (*FILE_FEEDS, *ENVELOPE_FEEDS)
    notes = bronze.table_name("scrubbed_files", catalog)
    for feed in feeds:
        held = bronze.known_files(spark, catalog, feed)
        known = spark.table(notes).where(f"feed = '{feed.name}'").collect()
        before = {(row.source_file, row.scrubbed_version): row.source_version for row in known}
        erased = (
            spark.table(bronze.table_name(feed.table, catalog))
            .where("erased_at is not null and source_file is not null")
            .select("source_file", "source_version", "record_id")
        )
        by_file: dict[str, dict[str | None, set[str]]] = defaultdict(lambda: defaultdict(set))
        for row in erased.collect():
            by_file[row.source_file][row.source_version].add(row.record_id)
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

            scrubbed += _scrub_file(file, source, by_file[file.name][version], note)
    return scrubbed


def _scrub_file(
    file: LandedFile, source: Source, erased: Collection[str], note: Callable[[LandedFile], None]
) -> bool:
    """Whether the file held one of these records. `note` is told what it will be before it is."""
    path = Path(file.path)
    before = path.read_bytes()
    after = without_records(before, source, erased)
    if after == before:
        return False
    beside = path.with_name(f".{path.name}.part")  # hidden: no source reads it
    beside.write_bytes(after)
    os.utime(beside, ns=(file.changed, file.changed))
    expected = file_at(beside, file.name)
    note(expected)
    beside.replace(path)
    if (found := file_at(path, file.name)).version != expected.version:
        note(found)  # a volume that keeps no times
    return True


def without_records(content: bytes, source: Source, erased: Collection[str]) -> bytes:
    """A file's content with empty lines for these records; the same object if it has none.

    What lies behind the damage in a damaged gzip stream, which no reader sees, goes too.
    """
    zipped = content[:2] == b"\x1f\x8b"
    plain = _unzipped(content) if zipped else content
    encoding = encoding_of(plain)
    if encoding == "utf-8-sig" and not plain.startswith(codecs.BOM_UTF8):
        encoding = "utf-8"  # or writing would add a byte-order mark
    text = io.TextIOWrapper(io.BytesIO(plain), encoding, errors="surrogateescape", newline="")
    lines = list(text)
    found = [
        number
        for number, line in enumerate(lines, 1)
        if line.strip() and record_id(source, number) in erased
    ]
    if not found:
        return content
    for number in found:
        line = lines[number - 1]
        lines[number - 1] = line[len(line.rstrip("\r\n")) :]
    scrubbed = "".join(lines).encode(encoding, errors="surrogateescape")
    return gzip.compress(scrubbed) if zipped else scrubbed


def _unzipped(content: bytes) -> bytes:
    """As much as can be read."""
    plain = bytearray()
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            while chunk := file.read1(1 << 16):
                plain += chunk
    except (OSError, EOFError, ValueError):
        pass
    return bytes(plain)


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0, or 1 after a fault that is told in one sentence."""
    parser = argparse.ArgumentParser(prog="python -m ingestion.erasure", description=__doc__)
    parser.add_argument("action", choices=("hash", "scrub"))
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings (TOML)")
    args = parser.parse_args(arguments)
    try:
        config = load(os.environ, args.config)
        with sessions.session(config.spark_remote) as spark:
            if args.action == "hash":
                known = hasher(spark, config.catalog)
                print(json.dumps({"persons": [known.user(i) for i in user_ids(sys.stdin)]}))
            else:
                print(f"{scrub(spark, config.landing, config.catalog)} files scrubbed")
    except IngestionError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
