"""`compute`: every table of silver and gold from the records of bronze."""

from collections.abc import Collection, Iterable
from datetime import date

from . import gold, silver
from .decode import (
    Event,
    Login,
    ProfileChange,
    Reading,
    Registration,
    Rejected,
    WorkoutEvent,
    decode,
)
from .lineage import Decoded, Outcomes, rejected_rows
from .records import KafkaRecord, Record, bronze_order

Tables = dict[str, list[silver.Row]]


def compute(
    records: Iterable[Record],
    *,
    as_of_date: date | str | None = None,
    max_session_hours: float = 3,
    open_visit_hours: float = 24,
    max_visit_hours: float = 24,
    hr_max: str = "fox",
    erased: Collection[str] = (),
    late_hours: float = 1,
    max_heart_rate_bpm: int = 220,
) -> Tables:
    """Rows by table name. Times are microseconds, dates `date`, minutes `Decimal`.

    `erased` are user ids: their records count as erased, also the readings of their devices and
    the logins of their MACs while they owned them. Raises ValueError for an unknown `hr_max`.
    """
    if hr_max not in gold.HRMAX:
        raise ValueError(f"hr_max is {hr_max!r}; choose one of {sorted(gold.HRMAX)}")
    ordered = sorted(records, key=bronze_order)
    decoded = [_decoded(record, max_heart_rate_bpm, max_visit_hours) for record in ordered]
    if erased:
        decoded = _without(decoded, frozenset(erased))
    readings: list[Reading] = []
    events: list[WorkoutEvent] = []
    registrations: list[Registration] = []
    logins: list[Login] = []
    first_seen: dict[ProfileChange, silver.Position | None] = {}
    for item in decoded:
        match item.event:
            case None:
                pass
            case Reading() as event:
                readings.append(event)
            case WorkoutEvent() as event:
                events.append(event)
            case Registration() as event:
                registrations.append(event)
            case Login() as event:
                logins.append(event)
            case ProfileChange() as event:
                positions = (first_seen.get(event), _position(item.record))
                first_seen[event] = min((p for p in positions if p is not None), default=None)

    ownership = silver.Ownership(registrations)
    changes = silver.winning_changes(first_seen)
    history = silver.ProfileHistory(changes)
    heart_rates = silver.heart_rate_rows(readings, ownership)
    visits = silver.visit_rows(logins, ownership)
    sessions = silver.session_rows(events, max_session_hours)
    lines = silver.timelines(heart_rates)
    if isinstance(as_of_date, str):
        as_of_date = date.fromisoformat(as_of_date)
    today = as_of_date or silver.newest_date(heart_rates, events, visits)

    outcomes = Outcomes(
        decoded,
        lowest={(r["device_id"], r["measured_at"]): r["heart_rate_bpm"] for r in heart_rates},
        logouts={(v["mac_address"], v["gym_id"], v["login_at"]): v["logout_at"] for v in visits},
        changes=changes,
        ownership=ownership,
    )
    registration_rows = ownership.rows()
    profiles = history.current()
    workouts = gold.workout_bpm_summary_rows(sessions, lines, history, hr_max)
    gym_visits = gold.gym_summary_rows(visits, sessions, open_visit_hours)
    days = gold.daily_heart_rate_rows(lines, history, hr_max)
    members = {row["user_id"] for row in (*registration_rows, *profiles, *sessions)}
    return {
        "rejected_records": rejected_rows(decoded),
        "record_outcomes": outcomes.rows(),
        "device_registrations": registration_rows,
        "user_profile_changes": [
            {
                "user_id": change.user_id,
                "changed_at": change.changed_at,
                "update_type": change.update_type,
                **{field: getattr(change, field) for field in silver.PROFILE_FIELDS},
            }
            for change in changes.values()
        ],
        "user_profile_history": [
            version.row() for versions in history.versions.values() for version in versions
        ],
        "user_profiles": profiles,
        "heart_rates": heart_rates,
        "gym_visits": visits,
        "workout_sessions": sessions,
        "workout_heart_rates": silver.workout_heart_rate_rows(sessions, lines),
        "user_bins": []
        if today is None
        else silver.user_bin_rows(history, today, gold.day_start(today)),
        "workout_bpm_summary": workouts,
        "gym_summary": gym_visits,
        "hourly_heart_rates": gold.hourly_heart_rate_rows(lines),
        "daily_heart_rates": days,
        "member_profiles": gold.member_profile_rows(days, gym_visits, workouts, history),
        "gym_hourly_occupancy": gold.gym_hourly_occupancy_rows(visits),
        "member_activity": []
        if today is None
        else gold.member_activity_rows(sorted(members), visits, sessions, today),
        "pipeline_health": outcomes.health_rows(late_hours),
    }


def _decoded(record: Record, max_bpm: int, max_visit_hours: float) -> Decoded:
    if record.is_erased:
        return Decoded(record, None, None, is_erased=True)
    try:
        event, is_logout_ignored = decode(record, max_bpm, max_visit_hours)
    except Rejected as rejected:
        return Decoded(record, None, rejected.reason)
    return Decoded(record, event, None, is_logout_ignored)


def _position(record: Record) -> silver.Position | None:
    """(Kafka timestamp, partition, offset); None without all three."""
    assert isinstance(record, KafkaRecord)
    if record.timestamp is None or record.partition is None or record.offset is None:
        return None
    return record.timestamp, record.partition, record.offset


def _without(decoded: list[Decoded], erased: frozenset[str]) -> list[Decoded]:
    ownership = silver.Ownership(
        item.event for item in decoded if isinstance(item.event, Registration)
    )

    def belongs(event: Event) -> bool:
        match event:
            case Reading():
                user = ownership.owner("device", event.device_id, event.measured_at)
            case Login():
                user = ownership.owner("mac", event.mac_address, event.login_at)
            case WorkoutEvent() | Registration() | ProfileChange():
                user = event.user_id
        return user in erased

    return [
        Decoded(item.record, None, None, is_erased=True)
        if item.event is not None and belongs(item.event)
        else item
        for item in decoded
    ]
