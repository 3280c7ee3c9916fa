"""`compute`: every table of silver and gold from the records of bronze."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import Any

from . import gold, heart, months, silver
from .clocks import Zones, local_date
from .compare import KEYS
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
from .lineage import Decoded, health_rows, record_rows
from .records import KafkaRecord, Record

Tables = dict[str, list[silver.Row]]

REJECTED = (*KEYS["rejected_records"], "ingested_at")
USER_BINS = ("user_id", "age_band", "gender", "city", "state", "as_of_date")


def compute(
    records: Iterable[Record],
    *,
    as_of_date: date | str | None = None,
    max_session_hours: float = 3,
    open_visit_hours: float = 24,
    open_visit_presence_hours: float = 3,
    max_visit_hours: float = 24,
    hr_max: str = "fox",
    zone_rule: str = "reserve",
    erased: Collection[str] = (),
    late_hours: float = 1,
    max_heart_rate_bpm: int = 220,
    default_time_zone: str = "UTC",
    gym_locations: Iterable[Mapping[str, Any]] | None = None,
    state_time_zones: Mapping[str, str] | None = None,
) -> Tables:
    """Rows by table name. Times are microseconds, dates `date`, minutes `Decimal`.

    `erased` are user ids: their records count as erased, also the readings of their devices and
    the logins of their MACs while they owned them. `gym_locations` and `state_time_zones` (zones by
    state) take the place of the seeds. `zone_rule` is the variable `zones`.
    Raises ValueError for an unknown `hr_max` or `zone_rule`.
    """
    if hr_max not in heart.HRMAX:
        raise ValueError(f"hr_max is {hr_max!r}; choose one of {sorted(heart.HRMAX)}")
    if zone_rule not in heart.ZONE_EDGES:
        raise ValueError(f"zone_rule is {zone_rule!r}; choose one of {sorted(heart.ZONE_EDGES)}")
    decoded = [_decoded(record, max_heart_rate_bpm, max_visit_hours) for record in records]
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
    zones = Zones(history, default=default_time_zone, gyms=gym_locations, states=state_time_zones)
    heart_rates = silver.heart_rate_rows(readings, ownership)
    visits = silver.visit_rows(logins, ownership)
    sessions = silver.session_rows(events, max_session_hours)
    lines = silver.timelines(heart_rates)
    registration_rows = ownership.rows()
    held = gold.sessions_in_visits(visits, sessions, open_visit_hours)
    session_visits = gold.session_visit_rows(held)
    gyms_of = heart.gyms_by_session(session_visits)
    rules = heart.Rules(hr_max, zone_rule)
    days, rests = heart.daily_heart_rate_rows(lines, history, zones, rules)
    workouts = heart.workout_bpm_summary_rows(
        sessions, lines, history, zones, rests, gyms_of, rules
    )
    gym_visits = gold.gym_summary_rows(visits, held, history, zones)
    member_months = months.member_month_rows(gym_visits, sessions, days, zones)
    if isinstance(as_of_date, str):
        as_of_date = date.fromisoformat(as_of_date)
    gyms = zones.gym_rows(visit["gym_id"] for visit in visits)
    hours = gold.gym_hourly_occupancy_rows(visits, zones, gyms, open_visit_presence_hours)
    # Of each member, the local dates of all that there is.
    known: dict[str, list[date]] = defaultdict(list)
    for row in days:
        known[row["user_id"]].append(row["date"])
    for row in gym_visits:
        if row["user_id"] is not None:
            known[row["user_id"]].append(row["visit_date"])
    instants = [(row["user_id"], row["registered_at"]) for row in registration_rows]
    instants += [(row["user_id"], row["began_at"]) for row in sessions]
    instants += [(v.user_id, v.valid_from) for own in history.versions.values() for v in own]
    for user_id, at in instants:
        known[user_id].append(local_date(at, zones.member(user_id)))
    dates = [row["date"] for row in days]
    dates += [row["visit_date"] for row in gym_visits]
    dates += [
        local_date(row["started_at"], zones.member(row["user_id"]))
        for row in sessions
        if row["status"] == "completed"
    ]
    as_of = as_of_date or max(dates, default=None)
    activity = gold.member_activity_rows(known, gym_visits, sessions, history, zones, as_of)
    arrivals = health_rows(decoded, late_hours)
    places = record_rows(decoded)
    return {
        "records": places,
        "rejected_records": [
            {**{name: row[name] for name in REJECTED}, "reason": row["reject_reason"]}
            for row in places
            if row["reject_reason"] is not None
        ],
        "feed_arrivals": arrivals,
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
        "user_profiles": history.current(),
        "profile_versions": history.in_force(),
        "member_zones": zones.member_rows(),
        "heart_rates": heart_rates,
        "gym_visits": visits,
        "workout_sessions": sessions,
        "workout_heart_rates": silver.workout_heart_rate_rows(sessions, lines),
        "session_visits": session_visits,
        "member_day_zones": heart.member_day_zone_rows(rests, history, zones, rules),
        "user_bins": [{name: row[name] for name in USER_BINS} for row in activity],
        "workout_bpm_summary": workouts,
        "gyms": gyms,
        "gym_summary": gym_visits,
        "hourly_heart_rates": heart.hourly_heart_rate_rows(lines, zones),
        "daily_heart_rates": days,
        "gym_hourly_occupancy": hours,
        "gym_hours": gold.gym_hour_rows(hours),
        "gym_days": gold.gym_day_rows(gym_visits, hours),
        "member_activity": activity,
        "member_months": member_months,
        "member_cohorts": months.member_cohort_rows(member_months, as_of),
        "pipeline_health": arrivals,
        "unowned_activity": silver.unowned_rows(heart_rates, visits),
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
