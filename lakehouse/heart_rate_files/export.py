"""Files, folders and zips of exports, of which only what holds heart rates is read."""

from __future__ import annotations

import io
import os
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any
from zoneinfo import ZoneInfo

from lakehouse.envelopes import InputFileError, unzipped
from lakehouse.heart_rate_files.forms import (
    KNOWN_FORMS,
    HeartRates,
    UnknownFormError,
    read,
    several_wearers,
)

# What a packed file may unpack to, and all files of a zip together: bombs end here.
MOST_FILE_BYTES = 512 << 20
MOST_ZIP_BYTES = 16 << 30
MOST_ZIP_FILES = 200_000
# Takeout has daily resting rates under the same columns: they are no readings.
_RESTING = re.compile(r"(?:^|[/\\_])resting_heart_rate", re.IGNORECASE)
_LOOKS_LIKE_IT = re.compile(r"heart[_-]?rate", re.IGNORECASE)


def read_heart_rates(path: Path, zone: ZoneInfo | None = None) -> HeartRates:
    """Read one file, plain or gzip, of one of the known forms.

    Raises InputFileError, which names file and line (or entry), and reads all or nothing.
    """
    with _opened(path) as file:
        return _read(file, str(path), zone, None, found=False)


class Export:
    """The heart rates in files, folders and zips.

    `zone` is that of times which do not name theirs, None for UTC; `wearer` chooses from files of
    several people. After `read` is through: `empty` names the files without a reading, `others`
    counts those of an export that hold something else, `not_worn` the readings left out.
    """

    def __init__(
        self, paths: Iterable[Path], zone: ZoneInfo | None = None, wearer: str | None = None
    ) -> None:
        self._paths, self._zone, self._wearer = list(paths), zone, wearer
        self.empty: list[str] = []
        self.others = self.not_worn = 0

    def read(self) -> Iterator[HeartRates]:
        """File by file, in a stable order.

        Raises InputFileError if a file is broken or holds a wrong reading, if nothing in a folder
        or zip holds heart rates, or if they are of several wearers.
        """
        self.empty, self.others, self.not_worn = [], 0, 0
        wearers: set[str] = set()
        for path in self._paths:
            known, empty = False, len(self.empty)
            for rates in self._of(path):
                known = True
                if rates.wearer is not None:
                    wearers.add(rates.wearer)
                    if len(wearers) > 1:
                        raise several_wearers(rates.name, wearers)
                self.not_worn += rates.not_worn
                if not rates.times_us:
                    self.empty.append(rates.name)
                yield rates
            if not known and len(self.empty) == empty:
                raise InputFileError(f"{path}: no file in it holds heart rates; {KNOWN_FORMS}.")

    def _of(self, path: Path) -> Iterator[HeartRates]:
        if path.is_dir():
            with _readable(str(path)):
                for folder, folders, names in os.walk(path, onerror=_fail):
                    folders.sort()
                    for name in sorted(names):
                        inner = Path(folder, name)
                        if inner.is_file():
                            yield from self._of_file(inner, found=True)
        else:
            yield from self._of_file(path, found=False)

    def _of_file(self, path: Path, *, found: bool) -> Iterator[HeartRates]:
        with _opened(path) as file:
            if file.peek(4)[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
                yield from self._of_zip(path)
            elif rates := self._one(file, str(path), found=found):
                yield rates

    def _of_zip(self, path: Path) -> Iterator[HeartRates]:
        left = [MOST_ZIP_BYTES]
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if not m.is_dir()]
            if len(members) > MOST_ZIP_FILES:
                raise InputFileError(f"{path}: more than {MOST_ZIP_FILES:,} files in one zip.")
            for member in sorted(members, key=lambda m: m.filename):
                shown = "".join(c if c.isprintable() else "?" for c in member.filename)
                name = f"{path}/{shown}"
                with _readable(name), archive.open(member) as packed:
                    file = _unzipped(_bounded(packed, name, left), name, left)
                    if rates := self._one(file, name, found=True):
                        yield rates

    def _one(self, file: IO[bytes], name: str, *, found: bool) -> HeartRates | None:
        try:
            return _read(file, name, self._zone, self._wearer, found=found)
        except UnknownFormError:
            if not found:
                raise
        if _LOOKS_LIKE_IT.search(PurePosixPath(name).name):
            self.empty.append(name)
        else:
            self.others += 1
        return None


def _read(
    file: IO[bytes], name: str, zone: ZoneInfo | None, wearer: str | None, *, found: bool
) -> HeartRates:
    if _RESTING.search(PurePosixPath(name).name):
        raise UnknownFormError(f"{name}: resting rates of days are no readings; {KNOWN_FORMS}.")
    with _readable(name):
        return read(file, name, zone, wearer, found=found)


@contextmanager
def _opened(path: Path) -> Iterator[io.BufferedReader]:
    with _readable(str(path)), path.open("rb") as file:
        yield _unzipped(file, str(path), [MOST_FILE_BYTES])


def _unzipped(file: io.BufferedReader, name: str, left: list[int]) -> io.BufferedReader:
    plain = unzipped(file)
    return file if plain is file else _bounded(plain, name, left)


def _fail(error: OSError) -> None:
    raise error


@contextmanager
def _readable(name: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise InputFileError(f"{name}: there is no such file.") from None
    except (EOFError, OSError, zlib.error, zipfile.BadZipFile, NotImplementedError) as error:
        raise InputFileError(f"{name}: cannot be read: {error}.") from None
    except RuntimeError as error:  # a zip with a password
        raise InputFileError(f"{name}: cannot be read: {error}.") from None


class _Counted(io.RawIOBase):
    """Reads from a file until a limit, of its own or shared, is reached."""

    def __init__(self, file: IO[bytes], name: str, left: list[int]) -> None:
        self._file, self._name, self._left = file, name, left
        self._own = MOST_FILE_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(len(buffer))
        self._own -= len(data)
        self._left[0] -= len(data)
        if self._own < 0 or self._left[0] < 0:
            raise InputFileError(
                f"{self._name}: unpacked it is more than {MOST_FILE_BYTES >> 20} MiB, or its zip "
                f"more than {MOST_ZIP_BYTES >> 30} GiB: unpack and split it first."
            )
        buffer[: len(data)] = data
        return len(data)


def _bounded(file: IO[bytes], name: str, left: list[int]) -> io.BufferedReader:
    return io.BufferedReader(_Counted(file, name, left), 1 << 16)
