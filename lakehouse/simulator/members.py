"""What a simulation's members are and do: plain values, in whole seconds and milliseconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Literal
from zoneinfo import ZoneInfo

from lakehouse.simulator.physiology import Exercise, Heart


@dataclass(frozen=True)
class Profile:
    """What a profile change carries; None where the member never said."""

    first_name: str
    last_name: str
    born: date | None
    sex: str | None
    gender: str | None
    street_address: str | None
    city: str | None
    state: str | None
    zip_code: int | None


@dataclass(frozen=True)
class Change:
    """A profile change at `at_ms` that reaches Kafka at `arrives_ms`; a delete has no profile."""

    user_id: str
    update_type: Literal["new", "update", "delete"]
    at_ms: int
    arrives_ms: int
    profile: Profile | None


@dataclass(frozen=True)
class Registration:
    """`user_id` owns device and MAC from `at_s` on; the row is there to extract at `arrives_ms`."""

    user_id: str
    device_id: str
    mac_address: str
    at_s: int
    arrives_ms: int


@dataclass(frozen=True)
class LoginRow:
    """One state of a gym visit, to be extracted from `arrives_ms` on."""

    mac_address: str
    gym: str
    login_s: int
    logout_s: int | None
    arrives_ms: int


@dataclass(frozen=True)
class WorkoutEvent:
    """A button pressed at `at_ms`."""

    user_id: str
    workout_id: int
    session_id: int
    action: Literal["start", "stop"]
    at_ms: int
    arrives_ms: int


@dataclass(frozen=True)
class Wear:
    """A device on somebody's wrist in [start_s, end_s), but for the gaps drawn day by day.

    A secondary device is worn during exercise only.
    """

    device_id: str
    start_s: int
    end_s: int
    secondary: bool = False


@dataclass
class Member:
    """One member; `index` numbers the random streams of the person, whose clock is `zone`'s."""

    index: int
    user_id: str
    zone: ZoneInfo
    heart: Heart
    takes_off_at_night: bool
    changes: list[Change] = field(default_factory=list)
    registrations: list[Registration] = field(default_factory=list)
    wears: list[Wear] = field(default_factory=list)
    exercises: list[Exercise] = field(default_factory=list)
    workouts: list[WorkoutEvent] = field(default_factory=list)
    logins: list[LoginRow] = field(default_factory=list)
