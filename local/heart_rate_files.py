"""The two forms in which real heart rates come: Fitabase's CSV and Google Takeout's JSON."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from local.envelopes import InputFileError, numbered_lines

_FITABASE_HEADER = ["Id", "Time", "Value"]
_FITABASE_TIME = "%m/%d/%Y %I:%M:%S %p"
_TAKEOUT_TIME = "%m/%d/%y %H:%M:%S"


@dataclass(frozen=True)
class HeartRates:
    """Readings of one wearer in the order of the file: epoch seconds (UTC), beats a minute.

    `wearer` is the id that the file gives, None if it gives none.
    """

    wearer: str | None
    times_s: npt.NDArray[np.int64]
    bpm: npt.NDArray[np.int64]


def read_heart_rates(path: Path) -> HeartRates:
    """Read either form, plain or gzip, told apart by its beginning.

    Raises InputFileError, which names file and line (or entry), and reads all or nothing.
    """
    lines = list(numbered_lines(path))
    if not lines:
        raise InputFileError(f"{path}: the file is empty.")
    if lines[0][1].lstrip().startswith("["):
        return _takeout(path, "\n".join(text for _, text in lines))
    return _fitabase(path, lines)


def _fitabase(path: Path, lines: list[tuple[int, str]]) -> HeartRates:
    header = next(csv.reader([lines[0][1]]))
    if header != _FITABASE_HEADER:
        raise InputFileError(
            f"{path}:1: neither the CSV columns {','.join(_FITABASE_HEADER)} nor Google Takeout's "
            "JSON list of heart rates; Kafka events are replayed without --device."
        )
    wearers: set[str] = set()
    times: list[int] = []
    bpm: list[int] = []
    seconds = _Seconds(_FITABASE_TIME)
    for number, line in lines[1:]:
        try:
            wearer, time, value = line.split(",")
            times.append(seconds.of(time))
            bpm.append(int(value))
        except ValueError as error:
            raise InputFileError(f"{path}:{number}: no reading ({error}).") from None
        wearers.add(wearer)
    if len(wearers) > 1:
        raise InputFileError(
            f"{path}: readings of {len(wearers)} wearers ({', '.join(sorted(wearers)[:3])}, …): "
            "split the file by its column Id first."
        )
    return HeartRates(next(iter(wearers), None), np.array(times, np.int64), np.array(bpm, np.int64))


def _takeout(path: Path, text: str) -> HeartRates:
    try:
        entries = json.loads(text)
    except ValueError as error:
        raise InputFileError(f"{path}: not Google Takeout's JSON list ({error}).") from None
    times: list[int] = []
    bpm: list[int] = []
    seconds = _Seconds(_TAKEOUT_TIME)
    for number, entry in enumerate(entries, start=1):
        try:
            times.append(seconds.of(entry["dateTime"]))
            bpm.append(int(entry["value"]["bpm"]))
        except (KeyError, TypeError, ValueError) as error:
            raise InputFileError(
                f"{path}: entry {number} is no reading ({type(error).__name__}: {error})."
            ) from None
    return HeartRates(None, np.array(times, np.int64), np.array(bpm, np.int64))


class _Seconds:
    """`strptime` is slow: it is asked once a minute of the data, the seconds are read off."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._minutes: dict[str, int] = {}

    def of(self, text: str) -> int:
        """Epoch seconds of a UTC time; raises ValueError."""
        minute, _, rest = text.rpartition(":")
        second, blank, half = rest.partition(" ")
        if len(second) != 2 or not second.isdigit() or int(second) > 59:
            raise ValueError(f"time {text!r}")
        stem = f"{minute}:00{blank}{half}"
        if stem not in self._minutes:
            moment = datetime.strptime(stem, self._pattern).replace(tzinfo=UTC)
            self._minutes[stem] = int(moment.timestamp())
        return self._minutes[stem] + int(second)
