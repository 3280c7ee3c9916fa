"""Decides whether a streaming checkpoint can be trusted, or a new one must resume from bronze.

A checkpoint is trusted if the feed's last commit in its bronze table is this checkpoint's own last
micro-batch. In every other case (deleted, truncated, restored from a backup; the table restored or
made anew) it is moved aside and a new one starts from what bronze holds. That matters most for a
checkpoint older than the table: Delta takes its micro-batches for repeats and skips them without a
word.
"""

from __future__ import annotations

import json
import logging
import shutil
import time
import uuid
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)


class Damaged(Exception):
    """A checkpoint file that cannot be read; the text names it."""


@dataclass(frozen=True)
class Commit:
    """A micro-batch in the table's history."""

    query_id: str
    batch_id: int


@dataclass(frozen=True)
class Checkpoint:
    """State of a checkpoint folder.

    `planned`: newest micro-batch with known offsets; `committed`: newest one that is done; -1 none.
    For a Kafka query: where that newest micro-batch begins and ends, by partition. Nothing says
    where the very first one begins.
    """

    path: Path
    query_id: str
    planned: int
    committed: int
    begin: Mapping[int, int]
    end: Mapping[int, int]

    def fits(self, last: Commit | None) -> bool:
        if last is None:
            return self.committed < 0
        return last.query_id == self.query_id and self.committed <= last.batch_id <= self.planned

    def unread(self, last: Commit | None) -> Mapping[int, int]:
        """First offsets that the table lacks, by partition; empty where only bronze knows them.

        A micro-batch that was planned and is not in the table is read again from its beginning.
        """
        return self.end if last is not None and last.batch_id == self.planned else self.begin

    def lacks(self, last: Commit | None) -> bool:
        """Whether a micro-batch was planned that the table lacks."""
        return self.planned > self.committed and (last is None or last.batch_id != self.planned)

    def has_reached(self, offsets: Mapping[int, int]) -> bool:
        """Whether a Kafka query has read, and committed, up to these offsets by partition."""
        return self.planned == self.committed and all(
            self.end.get(p, -1) >= offset for p, offset in offsets.items()
        )


def trusted(path: Path, last: Commit | None) -> Checkpoint | None:
    """The checkpoint in this folder, None if there is none or it is not to be trusted.

    `last` is the feed's newest commit in the table. An untrusted one is moved aside, with a warning
    that says why.
    """
    try:
        state = read(path)
    except Damaged as damage:
        set_aside(path, str(damage))
        return None
    if state is not None and state.planned < 0:
        # Started and ended without a micro-batch. It may hold where bronze ended then.
        shutil.rmtree(path)
        return None
    if state is not None and not state.fits(last):
        at = f"batch {last.batch_id} of query {last.query_id}" if last else "no batch of the feed"
        set_aside(
            path, f"it ends with batch {state.committed} of {state.query_id}, the table: {at}"
        )
        return None
    return state


def has_reached(path: Path, offsets: Mapping[int, int]) -> bool:
    """Whether the checkpoint in this folder has committed all that it planned, and read up to these
    offsets of a Kafka query.
    """
    try:
        state = read(path)
    except Damaged:
        return False
    return not offsets if state is None else state.has_reached(offsets)


def set_aside(path: Path, reason: str) -> None:
    """Rename a checkpoint folder, so that the feed starts a new one."""
    if path.exists():
        name = f"{path.name}.old-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
        path.rename(path.with_name(f"{name}-{uuid.uuid4().hex[:4]}"))
        log.warning("feed=%s starts a new checkpoint from bronze: %s", path.name, reason)


def read(path: Path) -> Checkpoint | None:
    """State of a checkpoint folder, None if no query has used it. Raises Damaged."""
    if not (path / "metadata").exists() and not any(path.glob("offsets/[0-9]*")):
        return None
    metadata = _json_lines(path / "metadata")
    planned, committed = _newest(path / "offsets"), _newest(path / "commits")
    if committed > planned or planned > committed + 1:
        raise Damaged(f"{path} has commits up to {committed}, offsets up to {planned}")
    end = _offsets(path, planned) if planned >= 0 else {}
    # Of an old checkpoint Spark keeps 100 batches; without the one before, bronze is asked.
    before = path / "offsets" / str(planned - 1)
    begin = _offsets(path, planned - 1) if before.exists() else {}
    if committed >= 0:
        _json_lines(path / "commits" / str(committed))
    for entry in path.glob("sources/*/[0-9]*"):
        _json_lines(entry)
    try:
        query_id = str(metadata[0]["id"])
    except KeyError:
        raise Damaged(f"{path}/metadata has no query id") from None
    return Checkpoint(path, query_id, planned, committed, _partitions(begin), _partitions(end))


def _offsets(path: Path, batch: int) -> dict[str, Any]:
    """Where a micro-batch ends: {"topic": {"0": 12}}."""
    lines = _json_lines(path / "offsets" / str(batch))
    if len(lines) != 2 or not isinstance(lines[1], dict):
        raise Damaged(f"{path}/offsets/{batch} is truncated")
    return lines[1]


def _partitions(offsets: Mapping[str, Any]) -> dict[int, int]:
    """Offsets of a Kafka query by partition; of others nothing."""
    found = (value for value in offsets.values() if isinstance(value, dict))
    return {int(p): int(offset) for by_partition in found for p, offset in by_partition.items()}


def _newest(folder: Path) -> int:
    return max((int(p.name) for p in folder.glob("*") if p.name.isdigit()), default=-1)


def _json_lines(path: Path) -> list[Any]:
    """JSON values of a file, one a line, the version line `v1` left out."""
    try:
        content = path.read_bytes()
        _check_sum(path, content)
        # Spark begins the file of a Kafka query's first offsets with a zero byte.
        lines = content.decode().lstrip("\0").splitlines()
        values = [json.loads(line) for line in lines if line.strip() not in ("", "v1")]
    except (OSError, ValueError):
        raise Damaged(f"{path} cannot be read") from None
    if not values:
        raise Damaged(f"{path} is empty")
    return values


def _check_sum(path: Path, content: bytes) -> None:
    """Raise ValueError if Hadoop's checksums, where there are any, are not those of the content.

    Spark itself fails on them, and would fail at every start. The file: `crc`, a zero, the length
    of a chunk, and a CRC-32 a chunk.
    """
    sums = path.with_name(f".{path.name}.crc")
    if not sums.exists():
        return
    found = sums.read_bytes()
    size = int.from_bytes(found[4:8]) or 1
    chunks = (content[at : at + size] for at in range(0, len(content), size))
    if found[:4] + found[8:] != b"crc\0" + b"".join(zlib.crc32(c).to_bytes(4) for c in chunks):
        raise ValueError(path)
