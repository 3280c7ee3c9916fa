"""Putting files into the landing zone so that a reader sees each of them whole or not at all."""

from __future__ import annotations

import io
import os
import shutil
import uuid
from pathlib import Path
from typing import BinaryIO

from lakehouse.home import FILE_FEEDS, TOPICS, Home, WorkspaceError

FEEDS = (*FILE_FEEDS, *TOPICS)
_ENDINGS = (".csv", ".ndjson", ".json", ".jsonl")


def landed_name(name: str) -> str:
    """A unique name of the same kind: `drop.csv.gz` becomes `drop-1a2b3c4d.csv.gz`.

    Raises WorkspaceError for an ending that ingestion does not read.
    """
    lower = name.lower()
    zipped = ".gz" if lower.endswith(".gz") else ""
    plain = lower.removesuffix(".gz")
    ending = next((end for end in _ENDINGS if plain.endswith(end)), None)
    if ending is None:
        raise WorkspaceError(
            f"{name}: give the file one of the endings {', '.join(_ENDINGS)}, each also with .gz."
        )
    # Readers skip names that begin with a dot or an underscore.
    stem = name[: len(plain) - len(ending)].lstrip("._") or "file"
    return f"{stem}-{uuid.uuid4().hex[:8]}{ending}{zipped}"


def land(home: Home, feed: str, path: Path) -> Path:
    """Copy `path` into the feed's landing folder under a unique name and give its new place.

    The copy is made under a hidden name and renamed when it is whole. Landing a file twice gives
    two files. Raises WorkspaceError for an unknown feed, a missing file or an unknown ending.
    """
    if not path.is_file():
        raise WorkspaceError(f"{path}: that is no file.")
    try:
        with path.open("rb") as source:
            return _place(home, feed, path.name, source)
    except OSError as error:
        raise WorkspaceError(f"{path}: could not be landed: {error}.") from error


def land_bytes(
    home: Home, feed: str, name: str, content: bytes, written_ms: int | None = None
) -> Path:
    """As `land`, with the file's content and time of change (now if None) given.

    Raises OSError if it cannot be written.
    """
    return _place(home, feed, name, io.BytesIO(content), written_ms)


def _place(
    home: Home, feed: str, name: str, source: BinaryIO, written_ms: int | None = None
) -> Path:
    if feed not in FEEDS:
        raise WorkspaceError(f"There is no feed {feed!r}: take one of {', '.join(FEEDS)}.")
    folder = home.landing / feed
    target = folder / landed_name(name)
    hidden = folder / f".{target.name}.part"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with hidden.open("xb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
            copy.flush()
            os.fsync(copy.fileno())
        if written_ms is not None:
            os.utime(hidden, ns=(written_ms * 10**6, written_ms * 10**6))
        hidden.rename(target)
    except BaseException:
        hidden.unlink(missing_ok=True)
        raise
    return target
