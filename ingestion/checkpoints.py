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
    `position`: for a Kafka query, where the next new micro-batch starts, by partition.
    """

    path: Path
    query_id: str
    planned: int
    committed: int
    position: dict[int, int]

    def fits(self, last: Commit | None) -> bool:
        if last is None:
            return self.committed < 0
        return last.query_id == self.query_id and self.committed <= last.batch_id <= self.planned


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
    """Whether a Kafka checkpoint has read, and committed, up to these offsets by partition."""
    try:
        state = read(path)
    except Damaged:
        return False
    if state is None or state.planned != state.committed:
        return False
    return all(state.position.get(p, -1) >= offset for p, offset in offsets.items())


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
    position: dict[int, int] = {}
    if planned >= 0:
        offsets = _json_lines(path / "offsets" / str(planned))
        if len(offsets) != 2:
            raise Damaged(f"{path}/offsets/{planned} is truncated")
        for by_partition in offsets[1].values():
            if isinstance(by_partition, dict):  # Kafka: {"topic": {"0": 12}}; files: one number
                position = {int(p): int(offset) for p, offset in by_partition.items()}
    if committed >= 0:
        _json_lines(path / "commits" / str(committed))
    try:
        return Checkpoint(path, str(metadata[0]["id"]), planned, committed, position)
    except KeyError:
        raise Damaged(f"{path}/metadata has no query id") from None


def _newest(folder: Path) -> int:
    return max((int(p.name) for p in folder.glob("*") if p.name.isdigit()), default=-1)


def _json_lines(path: Path) -> list[Any]:
    """JSON values of a file, one a line, the version line `v1` left out."""
    try:
        lines = [line for line in path.read_text().splitlines() if line.strip() not in ("", "v1")]
        values = [json.loads(line) for line in lines]
    except (OSError, ValueError):
        raise Damaged(f"{path} cannot be read") from None
    if not values:
        raise Damaged(f"{path} is empty")
    return values
