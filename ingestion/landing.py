"""The landing folder: which files lie in it, and which of them bronze does not hold yet.

A file is known by its name, its size and its time of change. Spark's own file source is not used:
it knows a file by its name alone, so it never reads a changed one again; it fails for good at a
name with a colon, passes over names that the JVM's locale cannot spell, follows links in circles,
and after a file from the future takes all others for old ones.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ingestion.feeds import IngestionError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HIDDEN = (".", "_")


@dataclass(frozen=True, slots=True)
class LandedFile:
    """A file as it lies there. `name` is below the feed's folder, bytes that are no text in it as
    `\\xNN`; `size` is in bytes, `changed` in nanoseconds since 1970."""

    path: str
    name: str
    size: int
    changed: int

    @property
    def version(self) -> str:
        """What tells it from the file of this name before and after a change."""
        return f"{self.size}-{self.changed}"

    @property
    def modified_at(self) -> datetime | None:
        """Its time of change, None if that is none of the years 1 to 9999."""
        try:
            return _EPOCH + timedelta(microseconds=self.changed // 1000)
        except OverflowError:
            return None


def file_at(path: Path, name: str) -> LandedFile:
    """The file at this path. Raises OSError."""
    found = path.stat()
    return LandedFile(str(path), name, found.st_size, found.st_mtime_ns)


@dataclass
class Folder:
    """A feed's folder. `unreadable` holds what could not be looked into since the last `files()`:
    the reason by name."""

    root: Path
    unreadable: dict[str, str] = field(default_factory=dict)

    def files(self) -> list[LandedFile]:
        """All files below it, the oldest first, but hidden ones (`.` or `_` in front).

        Links are followed, each folder is entered once. Raises IngestionError if there is no
        folder and none can be made.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise IngestionError(
                f"Landing folder {self.root} is not there and cannot be made: {error.strerror}."
            ) from None
        self.unreadable = {}
        return sorted(self._walk(), key=lambda file: (file.changed, file.name))

    def _walk(self) -> Iterator[LandedFile]:
        entered: set[tuple[int, int]] = set()
        folders: list[str] = [str(self.root)]
        links: list[str] = []
        while folders or links:
            folder = folders.pop() if folders else links.pop()
            try:
                place = Path(folder).stat()
                if (place.st_dev, place.st_ino) in entered:
                    continue
                entered.add((place.st_dev, place.st_ino))
                entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
            except OSError as error:
                self.cannot_read(folder, error)
                continue
            for entry in entries:
                if entry.name.startswith(_HIDDEN):
                    continue
                try:
                    status = entry.stat()
                except FileNotFoundError:  # gone meanwhile, or a link to nowhere
                    continue
                except OSError as error:
                    self.cannot_read(entry.path, error)
                    continue
                if stat.S_ISDIR(status.st_mode):
                    # Links come last: what lies in the folder itself keeps the names it has there.
                    (links if entry.is_symlink() else folders).append(entry.path)
                elif stat.S_ISREG(status.st_mode):
                    name = self._name(entry.path)
                    yield LandedFile(entry.path, name, status.st_size, status.st_mtime_ns)

    def _name(self, path: str) -> str:
        name = path[len(str(self.root)) + 1 :]
        return name if name.isascii() else os.fsencode(name).decode("utf-8", "backslashreplace")

    def cannot_read(self, path: str, error: OSError) -> None:
        """Note what cannot be looked into."""
        self.unreadable[self._name(path)] = error.strerror or "cannot be read"


class Known:
    """The files whose lines are in bronze.

    Rows of the first edition have no version: they are known by their names and, where bronze has
    it, by their time of change in milliseconds.
    """

    def __init__(self, versions: Iterable[tuple[str, str]], before: Mapping[str, int | None]):
        self._versions = set(versions)
        self._before = before

    def has(self, file: LandedFile) -> bool:
        return self.has_version(file) or (
            file.name in self._before and self._before[file.name] in (None, file.changed // 10**6)
        )

    def has_version(self, file: LandedFile) -> bool:
        """Whether bronze names this very version."""
        return (file.name, file.version) in self._versions

    def add(self, files: Iterable[LandedFile]) -> None:
        self._versions.update((file.name, file.version) for file in files)
