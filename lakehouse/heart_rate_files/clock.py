"""Times of exports as microseconds since 1970, UTC."""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from lakehouse.home import WorkspaceError

SECOND = 1_000_000
_DAY = 86_400 * SECOND
_EPOCH = datetime(1970, 1, 1)
_END = int((datetime(9999, 12, 31) - _EPOCH).total_seconds()) * SECOND + _DAY
# Transitions of time zones lie on quarters of an hour.
_QUARTER = 900 * SECOND
_MOST_MINUTES = 100_000
# Clocks that go back by less are readings out of order, not the end of daylight saving.
_STEP_BACK = 60 * SECOND

_CLOCK = (
    r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})"
    r"(?::(?P<second>[0-9]{2})(?:\.(?P<part>[0-9]+))?)?"
)
_ISO = re.compile(
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"
    rf"(?:[T ]{_CLOCK} ?(?P<zone>Z|[+-][0-9]{{2}}(?::?[0-9]{{2}})?)?)?"
)
# The month comes first; 24 hours (Takeout, Excel) or 12 with AM or PM (Fitabase).
_MONTH_FIRST = re.compile(
    rf"(?P<month>[0-9]{{1,2}})/(?P<day>[0-9]{{1,2}})/(?P<year>[0-9]{{4}}|[0-9]{{2}}) {_CLOCK}"
    r"(?:\s?(?P<half>[AaPp])[Mm])?"
)


def zone_of(name: str) -> ZoneInfo:
    """The time zone of an IANA name. Raises WorkspaceError if there is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise WorkspaceError(
            f"There is no time zone {name!r}: give an IANA name such as America/New_York."
        ) from None


class Times:
    """The times of one file in its order. Those that name no zone are of `zone`, None for UTC."""

    def __init__(self, zone: ZoneInfo | None) -> None:
        self._zone = zone
        self._times = array("q")
        self._local = array("q")  # places in `_times` that still are wall clock
        self._minutes: dict[tuple[str, str, str], tuple[int, bool]] = {}

    def add(self, text: str) -> None:
        """Take the next time. Raises ValueError if it is none, or not within 1970 to 9999."""
        hour, _, rest = text.partition(":")
        minute, _, rest = rest.partition(":")
        second = rest[:2]
        if second.isascii() and second.isdigit() and second < "60":
            # Patterns are slow: they are asked once a minute of the data.
            key = hour, minute, rest[2:]
            if key not in self._minutes:
                if len(self._minutes) > _MOST_MINUTES:
                    self._minutes.clear()
                self._minutes[key] = self._parsed(f"{hour}:{minute}:00{rest[2:]}", text)
            time, is_local = self._minutes[key]
            time += int(second) * SECOND
        else:
            time, is_local = self._parsed(text, text)
        if is_local:
            self._local.append(len(self._times))
        self._times.append(time)

    def _parsed(self, text: str, shown: str) -> tuple[int, bool]:
        """Microseconds since 1970, and whether they are of the wall clock of `zone`."""
        found = _ISO.fullmatch(text) or _MONTH_FIRST.fullmatch(text)
        if not found:
            raise ValueError(f"the time {shown[:40]!r} is of no known form")
        parts = found.groupdict()
        try:
            time = _day(parts) + _of_day(parts) - _offset(parts.get("zone"))
        except ValueError:
            raise ValueError(f"there is no time {shown[:40]!r}") from None
        is_local = self._zone is not None and not parts.get("zone")
        margin = _DAY if is_local else 0
        if not margin <= time < _END - margin:
            raise ValueError(f"the time {shown[:40]!r} lies outside of 1970 to 9999")
        return time, is_local

    def utc(self) -> Sequence[int]:
        """All of them. Of an hour that comes twice the second is told by the clock going back."""
        if self._zone and self._local:
            walls = [self._times[at] for at in self._local]
            forward = sum((b > a) - (b < a) for a, b in pairwise(walls))
            step = 1 if forward >= 0 else -1  # some exports begin with the newest
            instants = _instants(walls[::step], self._zone)
            for at, instant in zip(self._local[::step], instants, strict=True):
                self._times[at] = instant
            self._local = array("q")
        return self._times


def _day(parts: dict[str, str]) -> int:
    year = int(parts["year"]) + (2000 if len(parts["year"]) == 2 else 0)
    day = date(year, int(parts["month"]), int(parts["day"]))
    return (day - _EPOCH.date()).days * _DAY


def _of_day(parts: dict[str, str | None]) -> int:
    hour, minute, second = (int(parts[name] or 0) for name in ("hour", "minute", "second"))
    half = parts.get("half")
    if half:
        if not 1 <= hour <= 12:
            raise ValueError
        hour = hour % 12 + (12 if half in "Pp" else 0)
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError
    part = (parts["part"] or "")[:6].ljust(6, "0")
    return (hour * 3600 + minute * 60 + second) * SECOND + int(part)


def _offset(zone: str | None) -> int:
    if zone is None or zone == "Z":
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 18 or minutes > 59:
        raise ValueError(f"there is no offset {zone} from UTC")
    return (-1 if zone[0] == "-" else 1) * (hours * 60 + minutes) * 60 * SECOND


def _instants(walls: Sequence[int], zone: ZoneInfo) -> list[int]:
    """Instants of ascending wall-clock times.

    A time that the clock skipped in spring is taken as of a clock not yet put forward.
    """
    offsets: dict[int, tuple[int, int]] = {}
    instants = []
    before, twice, second = 0, False, False
    for wall in walls:
        quarter = wall // _QUARTER
        if quarter not in offsets:
            moment = (_EPOCH + timedelta(microseconds=quarter * _QUARTER)).replace(tzinfo=zone)
            offsets[quarter] = _utcoffset(moment), _utcoffset(moment.replace(fold=1))
        earlier, later = offsets[quarter]
        was_twice, twice = twice, earlier > later
        second = twice and (second or (was_twice and wall < before - _STEP_BACK))
        instants.append(wall - (later if second else earlier))
        before = wall
    return instants


def _utcoffset(moment: datetime) -> int:
    offset = moment.utcoffset()
    return 0 if offset is None else int(offset.total_seconds()) * SECOND
