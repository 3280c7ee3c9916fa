"""Plan and readings as the records that producers send: payloads and rows, before any dirt."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

from lakehouse.envelopes import Envelope
from lakehouse.simulator.members import (
    Change,
    LoginRow,
    Member,
    Profile,
    Registration,
    WorkoutEvent,
)

Payload = dict[str, object]
Row = dict[str, str]


class Record(NamedTuple):
    """A record of a topic as its producer means it; `stamp_ms` is Kafka's timestamp."""

    topic: str
    key: str
    payload: Payload
    stamp_ms: int


def encode(payload: object) -> str:
    """Compact JSON in UTF-8."""
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False)


def plain(record: Record) -> Envelope:
    """The record as it should be sent."""
    return Envelope(record.topic, record.key, encode(record.payload), record.stamp_ms)


def seconds(milliseconds: int) -> int | float:
    """Epoch seconds, whole where they are."""
    return milliseconds // 1000 if milliseconds % 1000 == 0 else milliseconds / 1000


def small_records(member: Member) -> Iterator[Record]:
    """Profile changes and workouts of a member."""
    for change in member.changes:
        # Half of the apps write the birth date the American way.
        american = member.index % 2 == 0
        yield Record("user_info", change.user_id, _change(change, american), change.arrives_ms)
    for event in member.workouts:
        yield Record("workout", event.user_id, _workout(event), event.arrives_ms)


def reading(device: int, time_s: int, bpm: int, stamp_ms: int) -> Record:
    """A heart rate."""
    payload: Payload = {"device_id": device, "time": time_s, "heartrate": bpm}
    return Record("bpm", str(device), payload, stamp_ms)


def _change(change: Change, american: bool) -> Payload:
    payload: Payload = {
        "user_id": int(change.user_id),
        "update_type": change.update_type,
        "timestamp": seconds(change.at_ms),
    }
    if change.profile is not None:
        payload |= _profile(change.profile, american)
    return payload


def _profile(profile: Profile, american: bool) -> Payload:
    fields: Payload = {"first_name": profile.first_name, "last_name": profile.last_name}
    if profile.born:
        fields["dob"] = f"{profile.born:%m/%d/%Y}" if american else profile.born.isoformat()
    if profile.sex is not None:
        fields["sex"], fields["gender"] = profile.sex, profile.gender
    if profile.street_address is not None:
        fields["address"] = {
            "street_address": profile.street_address,
            "city": profile.city,
            "state": profile.state,
            "zip": profile.zip_code,
        }
    return fields


def _workout(event: WorkoutEvent) -> Payload:
    return {
        "user_id": int(event.user_id),
        "workout_id": event.workout_id,
        "timestamp": seconds(event.at_ms),
        "action": event.action,
        "session_id": event.session_id,
    }


def registration_row(registration: Registration) -> Row:
    """A row of the table of registrations."""
    return {
        "user_id": registration.user_id,
        "device_id": registration.device_id,
        "mac_address": registration.mac_address,
        "registration_timestamp": str(registration.at_s),
    }


def login_row(row: LoginRow) -> Row:
    """A row of the table of gym logins."""
    return {
        "mac_address": row.mac_address,
        "gym": row.gym,
        "login": str(row.login_s),
        "logout": "" if row.logout_s is None else str(row.logout_s),
    }
