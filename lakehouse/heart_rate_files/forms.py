"""The forms of heart rates, told apart by what is in a file and not by its name.

A heart rate stays the text that the file has: a JSON number, never rounded.
"""

from __future__ import annotations

import csv
import json
import math
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from lakehouse.envelopes import InputFileError, lines_of
from lakehouse.heart_rate_files.clock import SECOND, Times

KNOWN_FORMS = (
    "known are Google Takeout's heart rates (heart_rate-….json and heart_rate_….csv), intraday "
    "answers of the Fitbit Web API and the Google Health API (JSON), and Fitabase's CSV "
    "(Id,Time,Value or Time,Value); each also as gzip, in a folder or in a zip"
)
MOST_JSON_BYTES = 64 << 20  # a day of readings is 2 MB; parsed, JSON takes ten times its size
_HEAD_BYTES = 64 << 10
# What any of the JSON forms has near its beginning.
_MARKS = re.compile(rb'"(?:bpm|activities-heart(?:-intraday)?|dataPoints|heartRate)"')

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_SPREADSHEET_ID = re.compile(r"[0-9](\.[0-9]+)?[eE][+-][0-9]+")
# Fitabase's name of a file of one participant, whose id is in no column.
_OF_ONE = re.compile(
    r"(?:.*[/\\])?(?:ID )?([^/\\]+)_heartrate_[^/\\]*_[0-9]{8}_[0-9]{8}\.csv(?:\.gz)?"
)


class UnknownFormError(InputFileError):
    """A file that holds no heart rates in any of the known forms."""


@dataclass(frozen=True)
class HeartRates:
    """Readings of one file in its order; none if the file is of a known form but without one.

    `times_us` is in microseconds since 1970 (UTC), `bpm_texts` beats a minute as the file spells
    them. `wearer` is the id that the file gives, None if it gives none; `not_worn` counts the
    readings of confidence 0, which are left out.
    """

    name: str
    wearer: str | None
    times_us: Sequence[int]
    bpm_texts: Sequence[str]
    not_worn: int = 0

    @property
    def times_s(self) -> npt.NDArray[np.int64]:
        """Whole seconds since 1970."""
        return np.array(self.times_us, np.int64) // SECOND

    @property
    def bpm(self) -> npt.NDArray[np.int64]:
        """Beats a minute, rounded."""
        return np.rint(np.array(self.bpm_texts, np.float64)).astype(np.int64)


class _Readings:
    """What has been read of one file."""

    def __init__(self, name: str, zone: ZoneInfo | None) -> None:
        self.name, self.not_worn = name, 0
        self.times, self.texts = Times(zone), list[str]()

    def add(self, time: object, bpm: str, *, worn: bool = True) -> None:
        """Take a reading. Raises ValueError if its time is none."""
        if type(time) is not str:
            raise ValueError("the time is no text")
        if worn:
            self.times.add(time.strip())
            self.texts.append(sys.intern(str(bpm)))  # there are few different ones
        else:
            self.not_worn += 1

    def done(self, wearer: str | None = None) -> HeartRates:
        return HeartRates(self.name, wearer, self.times.utc(), self.texts, self.not_worn)


def read(
    file: IO[bytes], name: str, zone: ZoneInfo | None, wearer: str | None, *, found: bool
) -> HeartRates:
    """Read a file from its beginning, all or nothing.

    Times without a zone are of `zone`, UTC for None; of several wearers only `wearer` is read.
    With `found` the file was not named but found in an export: JSON of other things is passed
    over by its beginning. Raises UnknownFormError, or InputFileError with the line or entry.
    """
    head = file.read(_HEAD_BYTES)
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start:
        raise UnknownFormError(f"{name}: the file is empty; {KNOWN_FORMS}.")
    if start[:1] in (b"[", b"{"):
        if found and not _MARKS.search(head):
            raise _unknown(name)
        content = head + file.read(MOST_JSON_BYTES - len(head) + 1)
        if len(content) > MOST_JSON_BYTES:
            raise InputFileError(
                f"{name}: more than {MOST_JSON_BYTES >> 20} MiB of JSON: split it first."
            )
        return _json(content, name, zone)
    if start.strip().lower() == b"no data":  # Takeout, for a day without a reading
        return _Readings(name, zone).done()
    try:
        header = start.partition(b"\n")[0].decode().rstrip("\r")
        delimiter = next((d for d in "\t;" if d in header), ",")
        row = next(csv.reader([header], strict=True, delimiter=delimiter))
        columns = _Columns.of([text.strip().lower() for text in row])
    except (csv.Error, ValueError):
        columns = None
    if columns is None:
        raise _unknown(name)
    lines = lines_of(_Prefixed(head, file), name)
    return _csv(lines, columns, delimiter, _Readings(name, zone), wearer)


def _unknown(name: str) -> UnknownFormError:
    return UnknownFormError(
        f"{name}: no heart rates in a form that is known here; {KNOWN_FORMS}. "
        "Kafka events are replayed without --device."
    )


class _Prefixed:
    """A file whose beginning has been read, line by line."""

    def __init__(self, head: bytes, file: IO[bytes]) -> None:
        whole, _, rest = head.rpartition(b"\n")
        self._lines = iter(whole.split(b"\n") if whole or head[:1] == b"\n" else [])
        self._rest, self._file = rest, file

    def readline(self, limit: int) -> bytes:
        """The next line with its end, at most `limit` bytes of it; b"" at the end."""
        for line in self._lines:
            return line + b"\n"
        rest, self._rest = self._rest, b""
        return rest + self._file.readline(limit - len(rest))


# CSV


@dataclass(frozen=True)
class _Columns:
    """Places of time, heart rate and wearer's id; others (row names, sources) are not read."""

    count: int
    time: int
    bpm: int
    wearer: int | None

    @classmethod
    def of(cls, names: list[str]) -> _Columns | None:
        for time, bpm in (("timestamp", "beats per minute"), ("time", "value")):
            if names.count(time) == names.count(bpm) == 1 and names.count("id") <= 1:
                wearer = names.index("id") if "id" in names else None
                return cls(len(names), names.index(time), names.index(bpm), wearer)
        return None


def _csv(
    lines: Iterator[tuple[int, str]],
    columns: _Columns,
    delimiter: str,
    readings: _Readings,
    wanted: str | None,
) -> HeartRates:
    place, wearers = 0, set[str]()

    def texts() -> Iterator[str]:
        nonlocal place
        for number, text in lines:
            place = number
            yield text

    alone = _OF_ONE.fullmatch(readings.name)
    try:
        rows = csv.reader(texts(), strict=True, delimiter=delimiter)
        next(rows)
        for row in rows:
            if not any(row):  # spreadsheets leave such lines at the end
                continue
            if len(row) < columns.count or any(row[columns.count :]):
                raise ValueError(f"{len(row)} fields under {columns.count} names")
            wearer = alone[1] if alone else None
            if columns.wearer is not None:
                wearer = row[columns.wearer].strip()
                if _SPREADSHEET_ID.fullmatch(wearer):
                    raise ValueError("a spreadsheet has rounded the Id: export the file again")
            if wearer is not None:
                if wanted is not None and wearer != wanted:
                    continue
                wearers.add(wearer)
            readings.add(row[columns.time], _number(_Number(row[columns.bpm].strip())))
    except (ValueError, csv.Error) as error:
        raise InputFileError(f"{readings.name}:{place}: no reading ({error}).") from None
    if len(wearers) > 1:
        raise several_wearers(readings.name, wearers)
    return readings.done(next(iter(wearers), None))


def several_wearers(name: str, wearers: set[str]) -> InputFileError:
    """The refusal of readings of several people for one device."""
    some = ", ".join(sorted(wearers)[:3])
    return InputFileError(
        f"{name}: readings of {len(wearers)} wearers ({some}{', …' if len(wearers) > 3 else ''}): "
        "choose one of them with --wearer ID."
    )


# JSON


class _Number(str):
    """A number as it is spelled."""


class _Constant(str):
    """NaN, Infinity, -Infinity: Python takes them for JSON."""


_DECODER = json.JSONDecoder(parse_int=_Number, parse_float=_Number, parse_constant=_Constant)
_BLANK = re.compile(r"[ \t\r\n]*")


def _json(content: bytes, name: str, zone: ZoneInfo | None) -> HeartRates:
    # Takeout's times are UTC, though they do not say so; those of the Web API are local.
    utc, local = _Readings(name, None), _Readings(name, zone)
    number = 0

    def each(entries: list[Any], take: Callable[[Any], None]) -> None:
        nonlocal number
        for entry in entries:
            number += 1
            take(entry)

    def takeout(entry: Any) -> None:
        value = entry["value"]
        bpm = _number(value["bpm"])
        confidence = value.get("confidence")
        worn = not (isinstance(confidence, _Number) and float(confidence) == 0)
        utc.add(entry["dateTime"], bpm, worn=worn)

    def health_api(entry: Any) -> None:
        reading = entry["heartRate"]
        bpm = reading["beatsPerMinute"]  # an int64, which Google's JSON writes as text
        bpm = _number(_Number(bpm) if type(bpm) is str else bpm)
        utc.add(reading["sampleTime"]["physicalTime"], bpm)

    def web_api(answer: Any) -> None:
        days = [day["dateTime"] for day in answer.get("activities-heart") or []]
        before = ""

        def take(entry: Any) -> None:
            nonlocal before
            time = entry["time"]
            if before[:2] >= "18" and time[:2] < "06":  # of 24 hours over midnight
                del days[:1]
            if not days:
                raise ValueError("the answer names no day of it")
            local.add(f"{days[0]} {time}", _number(entry["value"]))
            before = time

        each(answer["activities-heart-intraday"]["dataset"], take)

    def document(item: Any) -> None:
        if isinstance(item, list):
            if any(_has(entry, "value", "bpm") for entry in item):
                each(item, takeout)
            elif any(_has(entry, "heartRate", "sampleTime") for entry in item):
                each(item, health_api)
            else:
                for part in item:
                    document(part)
        elif not isinstance(item, dict):
            raise _unknown(name)
        elif "activities-heart-intraday" in item:
            web_api(item)
        elif _has(item, "heartRate", "sampleTime"):
            each([item], health_api)
        elif item and not ("activities-heart" in item or item.get("dataPoints") == []):
            points = item.get("dataPoints")
            if not isinstance(points, list) or not any(_has(p, "heartRate") for p in points):
                raise _unknown(name)
            each(points, health_api)

    try:
        for item in _documents(content.decode("utf-8-sig")):
            document(item)
    except UnicodeDecodeError:
        raise InputFileError(f"{name}: the file is not UTF-8 text.") from None
    except json.JSONDecodeError as error:
        raise InputFileError(f"{name}:{error.lineno}: broken JSON ({error.msg}).") from None
    except RecursionError:
        raise _unknown(name) from None
    except (LookupError, TypeError, AttributeError):
        raise InputFileError(
            f"{name}: entry {number} is no reading (a field of it is missing or of another kind)."
        ) from None
    except ValueError as error:
        raise InputFileError(f"{name}: entry {number} is no reading ({error}).") from None
    if local.texts and utc.texts:
        raise InputFileError(f"{name}: heart rates in two forms: split the file first.")
    return local.done() if local.texts else utc.done()


def _has(entry: object, outer: str, inner: str | None = None) -> bool:
    part = entry.get(outer) if isinstance(entry, dict) else None
    return isinstance(part, dict) and (inner is None or inner in part)


def _documents(text: str) -> Iterator[Any]:
    """JSON texts one after another: pages of answers put into one file are that."""
    at = _end_of_blanks(text, 0)
    while at < len(text):
        document, at = _DECODER.raw_decode(text, at)
        yield document
        at = _end_of_blanks(text, at)


def _end_of_blanks(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _number(value: object) -> str:
    """The text of a finite number. Raises ValueError, which shows no value."""
    if isinstance(value, _Number) and _NUMBER.fullmatch(value) and math.isfinite(float(value)):
        return value
    shown = f"{json.dumps(value)}, " if value is None or isinstance(value, bool) else ""
    shown = f"{value}, " if isinstance(value, _Constant) else shown
    raise ValueError(f"the heart rate is {shown}no finite number")
