"""records and pipeline_health."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from .decode import (
    Event,
    Login,
    ProfileChange,
    Reading,
    Registration,
    WorkoutEvent,
    utc_date,
)
from .records import KafkaRecord, Record
from .silver import Row

HOUR_MICROS = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Decoded:
    """A record with its typed event, or the reason it was rejected for, or erased."""

    record: Record
    event: Event | None
    reason: str | None
    is_logout_ignored: bool = False
    is_erased: bool = False


def record_rows(decoded: Iterable[Decoded]) -> list[Row]:
    rows = []
    for item in decoded:
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
                "reject_reason": item.reason,
                "is_logout_ignored": item.is_logout_ignored
                if isinstance(item.event, Login)
                else None,
                "event_at": None if item.event is None else event_time(item.event),
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


def health_rows(decoded: Iterable[Decoded], late_hours: float) -> list[Row]:
    groups: dict[tuple[str, date], list[Decoded]] = defaultdict(list)
    for item in decoded:
        groups[item.record.feed, utc_date(item.record.ingested_at)].append(item)
    return [
        {"feed": feed, "arrival_date": day, **_health(items, late_hours)}
        for (feed, day), items in groups.items()
    ]


def _health(items: list[Decoded], late_hours: float) -> Row:
    reasons = Counter(item.reason for item in items if item.reason is not None)
    events = [(item, event_time(item.event)) for item in items if item.event is not None]
    lateness = sorted(item.record.ingested_at - at for item, at in events)
    return {
        "received": len(items),
        "accepted": len(events),
        "rejected": reasons.total(),
        "erased": sum(item.is_erased for item in items),
        "logouts_ignored": sum(item.is_logout_ignored for item in items),
        "late": sum(1 for late in lateness if late > late_hours * HOUR_MICROS),
        "p50_lateness_seconds": quantile_seconds(lateness, Fraction(1, 2)),
        "p95_lateness_seconds": quantile_seconds(lateness, Fraction(95, 100)),
        "p99_lateness_seconds": quantile_seconds(lateness, Fraction(99, 100)),
        "max_lateness_seconds": Fraction(lateness[-1], 1_000_000) if lateness else None,
        "rejected_by_reason": [
            {"reason": reason, "records": count} for reason, count in sorted(reasons.items())
        ],
        "newest_event_at": max((at for _, at in events), default=None),
        "newest_arrival_at": max(item.record.ingested_at for item in items),
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
