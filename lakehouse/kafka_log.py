"""The local broker's files: records that bronze holds are removed from them, for erasure.

Kafka itself drops whole segments only, and never the one that it writes to.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from lakehouse.home import Home

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Of a batch of records: its first offset, and the length of all behind these two numbers.
_HEAD = struct.Struct(">qi")
# Of its last record, the number from the first one on; behind epoch, magic, checksum, attributes.
_LAST = struct.Struct(">i")
_LAST_AT = 11
_FILES = (".log", ".index", ".timeindex", ".txnindex", ".snapshot", ".deleted")


def read_offsets(home: Home, spark: SparkSession) -> dict[Path, int]:
    """The first offset that bronze has not read yet, by folder of the partition.

    Topics that were made anew since are left out: bronze has not read them.
    """
    from ingestion import broker, progress
    from ingestion.feeds import FEEDS
    from lakehouse.commands.ingest import config_of

    config = config_of(home)
    found = {}
    for feed, known in progress.known_topics(spark, "").items():
        if broker.describe(config, known.topic).id == known.topic_id:
            offsets = progress.next_offsets(spark, "", FEEDS[feed].table, known.epoch)
            for partition, end in offsets.items():
                found[home.kafka / f"{known.topic}-{partition}"] = end
    return found


def drop_before(folder: Path, end: int) -> None:
    """Remove the records before an offset from a partition's files; the broker must be down.

    A batch goes when all of it does. Indexes go too: the broker makes them anew. May be repeated
    after a kill: what is kept has its place before anything goes.
    """
    kept = folder / "kept"
    first, written = None, end - 1
    with kept.open("wb") as out:
        for segment in sorted(folder.glob("*.log")):
            with segment.open("rb") as file:
                for offset, last, batch in _batches(file):
                    # After a kill, segments that were to go may be there beside what was kept.
                    if last > written:
                        first = offset if first is None else first
                        out.write(batch)
                        written = last
        out.flush()
        os.fsync(out.fileno())
    only = folder / f"{end if first is None else first:020d}.log"
    kept.replace(only)
    for path in folder.iterdir():
        if path.suffix in _FILES and path != only:
            path.unlink()


def _batches(file: BinaryIO) -> Iterator[tuple[int, int, bytes]]:
    """First and last offset of each batch, and its bytes; up to one that was not written whole."""
    while len(head := file.read(_HEAD.size)) == _HEAD.size:
        offset, length = _HEAD.unpack(head)
        body = file.read(length)
        if length <= _LAST_AT + _LAST.size or len(body) < length:
            return
        yield offset, offset + _LAST.unpack_from(body, _LAST_AT)[0], head + body
