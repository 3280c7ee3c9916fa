"""rejected_records, record_outcomes and pipeline_health."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from .decode import (
    REASONS,
    Event,
    Login,
    ProfileChange,
    Reading,
    Registration,
    WorkoutEvent,
    utc_date,
)
from .records import KafkaRecord, Record
from .silver import Ownership, Row

HOUR_MICROS = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Decoded:
    """A record with its typed event, or the reason it was rejected for, or erased."""

    record: Record
    event: Event | None
    reason: str | None
    is_logout_ignored: bool = False
    is_erased: bool = False


def rejected_rows(decoded: Iterable[Decoded]) -> list[Row]:
    rows = []
    for item in decoded:
        if item.is_erased or item.event is not None:
            continue
        record = item.record
        place: Row = dict.fromkeys(("topic", "topic_epoch", "partition", "offset"))
        if isinstance(record, KafkaRecord):
            place = {name: getattr(record, name) for name in place}
        rows.append(
            {
                "feed": record.feed,
                **place,
                "source_file": record.source_file,
                "record_id": record.record_id,
                "reason": item.reason,
                "ingested_at": record.ingested_at,
            }
        )
    return rows


def event_time(event: Event) -> int:
    match event:
        case Reading():
            return event.measured_at
        case ProfileChange():
            return event.changed_at
        case Login():
            return event.login_at
        case WorkoutEvent() | Registration():
            return event.at


class Outcomes:
    """What became of each record; `decoded` is in the order of bronze."""

    def __init__(
        self,
        decoded: Sequence[Decoded],
        *,
        lowest: Mapping[tuple[str, int], Any],
        logouts: Mapping[tuple[str, str, int], int | None],
        changes: Mapping[tuple[str, int], ProfileChange],
        ownership: Ownership,
    ) -> None:
        self._lowest = lowest
        self._logouts = logouts
        self._changes = changes
        self._ownership = ownership
        seen: set[Event] = set()
        self.items: list[tuple[Decoded, str, str | None]] = []
        for item in decoded:
            self.items.append((item, *self._outcome(item, seen)))

    def _outcome(self, item: Decoded, seen: set[Event]) -> tuple[str, str | None]:
        event = item.event
        if item.is_erased:
            return "erased", None
        if event is None:
            return "rejected", item.reason
        if event in seen:
            return "repeat", None
        seen.add(event)
        match event:
            case Reading():
                stands = self._lowest[event.device_id, event.measured_at] == event.bpm
            case ProfileChange():
                stands = self._changes[event.user_id, event.changed_at] == event
            case Registration():
                stands = self._ownership.won(event)
            case Login():
                key = (event.mac_address, event.gym_id, event.login_at)
                if self._logouts[key] != event.logout_at:
                    return "superseded", None
                return "accepted", "logout_ignored" if item.is_logout_ignored else None
            case WorkoutEvent():
                stands = True
        return ("accepted" if stands else "conflict"), None

    def rows(self) -> list[Row]:
        counts: dict[tuple[Any, ...], int] = defaultdict(int)
        for item, outcome, reason in self.items:
            day = utc_date(item.record.ingested_at)
            counts[item.record.feed, day, outcome, reason] += 1
        return [
            {
                "feed": feed,
                "arrival_date": day,
                "outcome": outcome,
                "reason": reason,
                "records": count,
            }
            for (feed, day, outcome, reason), count in counts.items()
        ]

    def health_rows(self, late_hours: float = 1) -> list[Row]:
        groups: dict[tuple[Any, ...], list[tuple[Decoded, str, str | None]]] = defaultdict(list)
        for entry in self.items:
            record = entry[0].record
            groups[record.feed, utc_date(record.ingested_at)].append(entry)
        return [
            {"feed": feed, "arrival_date": day, **self._health(entries, late_hours)}
            for (feed, day), entries in groups.items()
        ]

    def _health(self, entries: list[tuple[Decoded, str, str | None]], late_hours: float) -> Row:
        rejected: dict[str, int] = defaultdict(int)
        outcomes: dict[str, int] = defaultdict(int)
        lateness: list[int] = []
        newest: int | None = None
        unowned = 0
        for item, outcome, reason in entries:
            outcomes[outcome] += 1
            if outcome == "rejected" and reason is not None:
                rejected[reason] += 1
            if item.event is None:
                continue
            at = event_time(item.event)
            lateness.append(item.record.ingested_at - at)
            newest = at if newest is None else max(newest, at)
            if isinstance(item.event, Reading):
                unowned += self._ownership.owner("device", item.event.device_id, at) is None
        lateness.sort()
        return {
            "received": len(entries),
            "accepted": outcomes["accepted"],
            "rejected": outcomes["rejected"],
            **{f"rejected_{reason}": rejected[reason] for reason in REASONS},
            "repeats": outcomes["repeat"],
            "conflicts": outcomes["conflict"],
            "superseded": outcomes["superseded"],
            "erased": outcomes["erased"],
            "late": sum(1 for late in lateness if late > late_hours * HOUR_MICROS),
            "p50_lateness_seconds": quantile_seconds(lateness, Fraction(1, 2)),
            "p95_lateness_seconds": quantile_seconds(lateness, Fraction(95, 100)),
            "p99_lateness_seconds": quantile_seconds(lateness, Fraction(99, 100)),
            "newest_event_at": newest,
            "newest_arrival_at": max(item.record.ingested_at for item, _, _ in entries),
            "max_lateness_seconds": Fraction(lateness[-1], 1_000_000) if lateness else None,
            "unowned_readings": unowned,
        }


def quantile_seconds(ordered: Sequence[int], share: Fraction) -> Fraction | None:
    """Linear interpolation between the two nearest ranks, as SQL's `percentile` does."""
    if not ordered:
        return None
    place = share * (len(ordered) - 1)
    below = place.numerator // place.denominator
    above = min(below + 1, len(ordered) - 1)
    value = ordered[below] + (place - below) * (ordered[above] - ordered[below])
    return Fraction(value) / 1_000_000
