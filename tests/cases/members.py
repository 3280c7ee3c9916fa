"""Ownership, profiles, visits, sessions and the summaries that follow from them."""

import dataclasses
import json

from .case import (
    ACCEPTED,
    LOGOUT_IGNORED,
    MIDNIGHT,
    Case,
    Landed,
    Message,
    Outcome,
    Row,
    at,
    bpm,
    logins,
    mac,
    member,
    owned,
    profile,
    registrations,
    rejected,
    session,
    session_row,
    workout,
)

DAY = 86_400
HOUR = 3600


def _profile_changes() -> Case:
    def city(name: str, zip_code: object = None) -> dict[str, object]:
        return {"city": name, "zip": zip_code}

    user = "cdc-u"
    first = profile(user, 0, "new", address=city("A", 1))
    return Case(
        "cdc",
        "Changes 11 s and 96 s apart are versions of their own; one that changes nothing is none.",
        (
            profile(user, 107, address=city("C")),  # 96 s after the second
            first,
            profile(user, 11, address=city("B")),
            profile(user, 50, address=city("B")),
            Message("user_info", first.value, b"another key", first.timestamp),
            profile(user, 200, "delete"),
            profile(user, 150.5, address=city("B")),
            profile(user, 300, "new", address=city("B")),
        ),
        rows={
            "user_profile_history": [
                {"user_id": user, "city": name, "valid_from": at(start), "valid_to": end}
                for name, start, end in (
                    ("A", 0, at(11)),
                    ("B", 11, at(107)),
                    ("C", 107, at(150.5)),
                    ("B", 150.5, at(200)),
                    ("B", 300, None),
                )
            ],
            "user_profiles": [{"user_id": user, "city": "B"}],
        },
    )


def _changes_at_one_time() -> Case:
    def sent(user: str, name: str | None, kafka_ms: int, outcome: Outcome) -> Message:
        change = profile(user, 0, "delete") if name is None else profile(user, 0, sex=name)
        return dataclasses.replace(change, key=b"tie", timestamp=kafka_ms, outcome=outcome)

    first, second, third = 1_700_000_000_000, 1_700_000_001_000, 1_700_000_002_000
    return Case(
        "tie",
        "Of changes at one time the one that first appeared last stands, also when it is a delete.",
        (
            sent("tie-u", "A", first, ACCEPTED),
            sent("tie-u", "B", second, ACCEPTED),
            # A again, later: its first appearance stays where it was.
            sent("tie-u", "A", third, ACCEPTED),
            sent("tie-v", None, first, ACCEPTED),
            sent("tie-v", "A", second, ACCEPTED),
            sent("tie-w", "A", first, ACCEPTED),
            sent("tie-w", None, second, ACCEPTED),
        ),
        rows={
            "user_profile_changes": [
                {"user_id": "tie-u", "changed_at": at(0), "sex": "B"},
                {"user_id": "tie-v", "changed_at": at(0), "sex": "A"},
                {"user_id": "tie-w", "changed_at": at(0), "sex": None},
            ],
            "user_profiles": [
                {"user_id": "tie-u", "sex": "B"},
                {"user_id": "tie-v", "sex": "A"},
            ],
        },
    )


def _changes_without_a_place() -> Case:
    def landed(offset: int | None, sex: str) -> str:
        value = {"user_id": "place-u", "update_type": "new", "timestamp": MIDNIGHT, "sex": sex}
        place = {"partition": 0, "offset": offset, "timestamp": MIDNIGHT * 1000}
        return json.dumps({"value": value, **(place if offset is not None else {})})

    lines = (landed(None, "Z"), landed(4, "A"), landed(None, "A"), landed(None, "Y"))
    return Case(
        "place",
        "What never had a place in Kafka comes before all that has one.",
        files=(
            Landed(
                "user_info",
                "place_users.ndjson",
                "\n".join(lines).encode(),
                (ACCEPTED,) * 4,
            ),
        ),
        rows={"user_profiles": [{"user_id": "place-u", "sex": "A"}]},
    )


def _late_device() -> Case:
    return Case(
        "late",
        "A device registered after its readings belongs to its first owner from the beginning.",
        (bpm("late-d", 0, 60), bpm("late-x", 0, 61)),
        (
            registrations("late", ("late-u", "late-d", "LATE-M", DAY)),
            logins("late", ("late-m", "late-g", 5, 65), ("late-q", "late-g", 5, 65)),
        ),
        rows={
            "heart_rates": [
                {"device_id": "late-d", "measured_at": at(0), "user_id": "late-u"},
                {"device_id": "late-x", "measured_at": at(0), "user_id": None},
            ],
            "gym_visits": [
                {
                    "mac_address": mac("late-m"),
                    "gym_id": "late-g",
                    "login_at": at(5),
                    "user_id": "late-u",
                },
                {
                    "mac_address": mac("late-q"),
                    "gym_id": "late-g",
                    "login_at": at(5),
                    "user_id": None,
                },
            ],
            "gym_summary": [
                {
                    "mac_address": mac("late-m"),
                    "gym_id": "late-g",
                    "login_at": at(5),
                    "user_id": "late-u",
                    "minutes_in_gym": 1.0,
                    "minutes_exercising": 0.0,
                },
                {
                    "mac_address": mac("late-q"),
                    "gym_id": "late-g",
                    "login_at": at(5),
                    "user_id": None,
                    "minutes_in_gym": 1.0,
                    "minutes_exercising": 0.0,
                },
            ],
        },
    )


def _handed_on() -> Case:
    mac_rows = [
        {
            "kind": kind,
            "identifier": mac(f"hand-{letter}") if kind == "mac" else f"hand-{letter}",
            "user_id": user,
            "registered_at": registered_at,
            "owned_from": start,
            "owned_to": end,
        }
        for kind, letter in (("device", "d"), ("mac", "m"))
        for user, registered_at, start, end in (
            ("hand-a", at(0), None, at(100)),
            ("hand-b", at(100), at(100), at(200)),
            ("hand-a", at(200), at(200), None),
        )
    ]
    ties = [
        owned("device", "hand-e", "hand-b", at(0), None),
        owned("mac", mac("hand-n"), "hand-b", at(0), None),
    ]
    return Case(
        "hand",
        "A device handed on changes its owner at the instant of the registration; at one time "
        "the greater user id wins.",
        tuple(bpm("hand-d", t, 60) for t in (-5000, 99.999999, 100, 199, 200)),
        (
            registrations(
                "hand",
                ("hand-b", "hand-d", "HAND-M", 100),
                ("hand-a", "hand-d", "HAND-m", 50),
                ("hand-a", "hand-d", "hand-m", 0),
                ("hand-a", "hand-d", "hand-m", 200),
                ("hand-a", "hand-d", "hand-m", 200),
                ("hand-a", "hand-e", "hand-n", 0),
                ("hand-b", "hand-e", "hand-n", 0),
            ),
        ),
        rows={
            "device_registrations": [*mac_rows, *ties],
            "heart_rates": [
                {"device_id": "hand-d", "measured_at": at(t), "user_id": f"hand-{user}"}
                for t, user in ((-5000, "a"), (99.999999, "a"), (100, "b"), (199, "b"), (200, "a"))
            ],
        },
    )


def _lowest_reading() -> Case:
    return Case(
        "low",
        "Of several readings of a device at one time the lowest stands.",
        (
            bpm("low-d", 0, 70),
            bpm("low-d", 0, 60),
            bpm("low-d", 0, "60"),
            bpm("low-d", 0, 80),
            bpm("low-d", 0, 29, rejected("heart_rate_out_of_range")),
        ),
        rows={
            "heart_rates": [
                {"device_id": "low-d", "measured_at": at(0), "heart_rate_bpm": 60, "user_id": None}
            ]
        },
    )


def _sessions() -> Case:
    def rows(user: str, *found: tuple[float | None, float | None, str]) -> list[Row]:
        return [session_row(user, "1", *times) for times in found]

    start, stop = "start", "stop"
    events = {
        "orphan": ((60, stop),),
        "double": ((0, start), (10, start), (20, stop), (30, stop)),
        "long": ((0, start), (3 * HOUR, stop)),
        "justshort": ((0, start), (3 * HOUR - 0.000001, stop)),
        "open": ((0, start),),
        "instant": ((60, start), (60, stop)),
        "backtoback": ((0, start), (10, stop), (10, start), (20, stop)),
    }
    return Case(
        "sess",
        "A start is closed by the next event if that is a later stop.",
        (
            *(
                workout(f"sess-{name}", 1, seconds, action)
                for name, found in events.items()
                for seconds, action in reversed(found)
            ),
            workout("sess-open", 1, 0, start),
        ),
        rows={
            "workout_sessions": [
                *rows("sess-orphan", (None, 60, "orphan_stop")),
                *rows(
                    "sess-double",
                    (0, None, "open"),
                    (10, 20, "completed"),
                    (None, 30, "orphan_stop"),
                ),
                *rows("sess-long", (0, 3 * HOUR, "too_long")),
                *rows("sess-justshort", (0, 3 * HOUR - 0.000001, "completed")),
                *rows("sess-open", (0, None, "open")),
                *rows("sess-instant", (60, None, "open"), (None, 60, "orphan_stop")),
                *rows("sess-backtoback", (0, 10, "completed"), (10, 20, "completed")),
            ],
            "workout_bpm_summary": [],
        },
    )


def _last_reading() -> Case:
    new, registered = member("last", dob="1983-11-15", gender="w")
    return Case(
        "last",
        "A session may end at its last reading, which counts; one at its start does not.",
        (
            new,
            *session("last-u", 1, 0, 100),
            bpm("last-d", 0, 200),
            bpm("last-d", 40, 89),
            bpm("last-d", 100, 120),
            bpm("last-d", 100.000001, 220),
        ),
        (registered,),
        rows={
            "workout_heart_rates": [
                {
                    "user_id": "last-u",
                    "workout_id": "1",
                    "session_id": "1",
                    "started_at": at(0),
                    "device_id": "last-d",
                    "measured_at": at(t),
                    "heart_rate_bpm": rate,
                }
                for t, rate in ((40, 89), (100, 120))
            ],
            # Age 40, HRmax 180: fat burn begins at 90. 89 stands for 60 s until 100.
            "workout_bpm_summary": [
                {
                    "user_id": "last-u",
                    "workout_id": "1",
                    "session_id": "1",
                    "started_at": at(0),
                    "age": 40,
                    "age_band": "35-45",
                    "min_bpm": 89,
                    "avg_bpm": 104.5,
                    "max_bpm": 120,
                    "num_recordings": 2,
                    "out_of_range_minutes": 1.0,
                    "fat_burn_minutes": 0.0,
                    "cardio_minutes": 0.0,
                    "peak_minutes": 0.0,
                }
            ],
        },
    )


def _two_devices() -> Case:
    new, registered = member("two", dob="1983-11-15")
    return Case(
        "two",
        "Readings of both of a member's devices count; at one instant the least device stands.",
        (
            new,
            *session("two-u", 1, 0, 100),
            bpm("two-d", 10, 100),
            bpm("two-e", 10, 200),
            bpm("two-e", 30, 130),
        ),
        (registered, registrations("two_more", ("two-u", "two-e", "two-n", DAY))),
        rows={
            # 100 stands for 20 s (fat burn) until 30, 130 for 60 s (cardio).
            "workout_bpm_summary": [
                {
                    "user_id": "two-u",
                    "workout_id": "1",
                    "session_id": "1",
                    "started_at": at(0),
                    "min_bpm": 100,
                    "avg_bpm": 430 / 3,
                    "max_bpm": 200,
                    "num_recordings": 3,
                    "out_of_range_minutes": 0.0,
                    "fat_burn_minutes": 0.33,
                    "cardio_minutes": 1.0,
                    "peak_minutes": 0.0,
                }
            ],
            "hourly_heart_rates": [
                {"user_id": "two-u", "hour_at": at(0), "num_readings": 3, "covered_minutes": 1.33}
            ],
        },
    )


def _resting_heart_rate() -> Case:
    new, registered = member("rest")
    return Case(
        "rest",
        "A half hour covered for 10 minutes: its mean takes both devices' readings of one instant.",
        (
            new,
            *(bpm("rest-d", 60 * minute, 60) for minute in range(10)),
            bpm("rest-e", 0, 115),
            # Lower, but it covers one minute of its half hour.
            bpm("rest-d", 1800, 50),
        ),
        (registered, registrations("rest_more", ("rest-u", "rest-e", "rest-n", DAY))),
        rows={
            "daily_heart_rates": [
                {
                    "user_id": "rest-u",
                    "date": "2023-11-15",
                    "num_readings": 12,
                    "resting_bpm_estimate": 65.0,
                    "covered_minutes": 11.0,
                }
            ],
        },
    )


def _profile_of_a_session() -> Case:
    """What the summary knows of a member without a profile, before it, after a delete."""

    def summary(user: str, **known: object) -> Row:
        return {
            "user_id": user,
            "workout_id": "1",
            "session_id": "1",
            "started_at": at(0),
            "num_recordings": 1,
            **known,
        }

    nothing: Row = {
        "age": None,
        "age_band": "invalid age",
        "gender": None,
        "city": None,
        "fat_burn_minutes": None,
        "peak_minutes": None,
    }
    users = ("none", "early", "gone", "moved")
    readings = tuple(bpm(f"asof-{name}-d", 30, 100) for name in users)
    return Case(
        "asof",
        "A summary has the profile as of its start, the earliest one if that came later, "
        "nothing after a delete.",
        (
            *(event for name in users for event in session(f"asof-{name}", 1, 0, 60)),
            *readings,
            profile("asof-early", DAY, "new", dob="2000-11-16", gender="w"),
            profile("asof-gone", -DAY, "new", dob="2000-11-15", gender="w"),
            profile("asof-gone", 0, "delete"),
            profile("asof-moved", -DAY, "new", dob="1998-11-15", address={"city": "A"}),
            profile("asof-moved", 0, dob="1998-11-15", address={"city": "B"}),
            profile("asof-moved", 1, dob="1998-11-16", address={"city": "C"}),
        ),
        (
            registrations(
                "asof", *((f"asof-{name}", f"asof-{name}-d", f"asof-{name}-m", 0) for name in users)
            ),
        ),
        rows={
            "workout_bpm_summary": [
                summary("asof-none", **nothing),
                summary("asof-early", age=22, age_band="18-25", gender="w"),
                summary("asof-gone", **nothing),
                summary("asof-moved", age=25, age_band="25-35", city="B"),
            ]
        },
    )


def _visits() -> Case:
    new, registered = member("visit")
    return Case(
        "visit",
        "A logout may come later and be corrected upward, within 24 hours of its login.",
        (new,),
        (
            registered,
            logins(
                "visit",
                ("VISIT-M", "visit-a", 0, None),
                ("Visit-m", "visit-a", 0, 600),
                ("visit-m", "visit-b", 1000, 1300),
                ("visit-m", "visit-b", 1000, 1900),
                ("visit-m", "visit-b", 1000, 1500),
                ("visit-m", "visit-b", 1000, 1900),
                ("visit-m", "visit-c", 2000, 2000),
                ("visit-m", "visit-d", 3000, "soon"),
                ("visit-m", "visit-e", 4000, None),
                ("visit-m", "visit-f", 5000, -50),
                ("visit-m", "visit-g", 6000, 6000 + DAY),
                ("visit-m", "visit-h", 7000, 7001 + DAY),
                outcomes=(
                    *[ACCEPTED] * 6,
                    LOGOUT_IGNORED,
                    LOGOUT_IGNORED,
                    ACCEPTED,
                    LOGOUT_IGNORED,
                    ACCEPTED,
                    LOGOUT_IGNORED,
                ),
            ),
        ),
        rows={
            "gym_summary": [
                {
                    "mac_address": mac("visit-m"),
                    "gym_id": f"visit-{gym}",
                    "login_at": at(login),
                    "logout_at": out,
                    "user_id": "visit-u",
                    "sessions": [],
                    "minutes_in_gym": spent,
                    "minutes_exercising": 0.0,
                }
                for gym, login, out, spent in (
                    ("a", 0, at(600), 10.0),
                    ("b", 1000, at(1900), 15.0),
                    ("c", 2000, None, None),
                    ("d", 3000, None, None),
                    ("e", 4000, None, None),
                    ("f", 5000, None, None),
                    ("g", 6000, at(6000 + DAY), 1440.0),
                    ("h", 7000, None, None),
                )
            ]
        },
    )


def _sessions_in_visits() -> Case:
    new, registered = member("inside")
    held = {
        ("inside-a", 0): ["1", "2", "4"],
        ("inside-b", 5000): ["3"],
        ("inside-c", 6000): [],
    }
    return Case(
        "inside",
        "A session belongs to the visit of the latest login that holds its start; time in "
        "overlapping sessions counts once.",
        (
            new,
            *session("inside-u", 1, 0, 600),
            *session("inside-u", 2, 300, 900.5),
            *session("inside-u", 3, 5000, 5060),
            *session("inside-u", 4, 7200, 7260),
            *session("inside-u", 5, 7200.5, 7300),
            workout("inside-u", 6, 100, "start"),
        ),
        (
            registered,
            logins(
                "inside",
                ("inside-m", "inside-a", 0, 7200),
                ("inside-m", "inside-b", 5000, 5100),
                ("inside-m", "inside-c", 6000, 6100),
            ),
        ),
        rows={
            "gym_summary": [
                {
                    "mac_address": mac("inside-m"),
                    "gym_id": gym,
                    "login_at": at(login),
                    "sessions": [{"workout_id": "1", "session_id": s} for s in found],
                    "minutes_exercising": {"inside-a": 16.01, "inside-b": 1.0}.get(gym, 0.0),
                }
                for (gym, login), found in held.items()
            ]
        },
    )


def _open_visit() -> Case:
    new, registered = member("open")
    return Case(
        "open",
        "An open visit holds sessions on two days: up to 24 hours, and up to the next login.",
        (
            new,
            *session("open-u", 1, 80_000, 80_060),
            *session("open-u", 2, DAY + 40_000, DAY + 40_030),
            # 79,000 + 24 h is 165,400 s: the last instant inside, then the first outside.
            *session("open-u", 3, 165_399.999999, 165_400),
            *session("open-u", 4, 165_400, 165_500),
        ),
        (registered, logins("open", ("open-m", "open-g", 79_000, None))),
        rows={
            "gym_summary": [
                {
                    "mac_address": mac("open-m"),
                    "gym_id": "open-g",
                    "login_at": at(79_000),
                    "logout_at": None,
                    "minutes_in_gym": None,
                    "minutes_exercising": 1.5,
                    "sessions": [{"workout_id": "1", "session_id": s} for s in ("1", "2", "3")],
                }
            ],
            # It is present for 3 hours, until 57 minutes after midnight.
            "gym_hourly_occupancy": [
                {
                    "gym_id": "open-g",
                    "hour_at": at(hour * HOUR),
                    "check_ins": int(hour == 21),
                    "visits": 1,
                    "peak_members": 1,
                    "members_at_end": int(hour < 24),
                }
                for hour in range(21, 25)
            ],
        },
    )


def _next_login() -> Case:
    new, registered = member("next")
    return Case(
        "next",
        "A later login of the member, on any MAC in any gym, ends an open visit's reach.",
        (
            new,
            *session("next-u", 1, 100, 160),
            *session("next-u", 2, 200, 260),
            *session("next-u", 3, 250, 310),
        ),
        (
            registered,
            registrations("next_more", ("next-u", "next-e", "next-n", 0)),
            logins(
                "next",
                ("next-m", "next-g", 0, None),
                ("next-n", "next-h", 200, 220),
            ),
        ),
        rows={
            "gym_summary": [
                {
                    "mac_address": mac("next-m"),
                    "gym_id": "next-g",
                    "login_at": at(0),
                    "sessions": [{"workout_id": "1", "session_id": "1"}],
                    "minutes_exercising": 1.0,
                },
                {
                    "mac_address": mac("next-n"),
                    "gym_id": "next-h",
                    "login_at": at(200),
                    "sessions": [{"workout_id": "1", "session_id": "2"}],
                    "minutes_exercising": 1.0,
                },
            ]
        },
    )


def _of_age() -> Case:
    new, registered = member("age", dob="2005-11-16", address={"city": "A"})

    def row(user: str, date: str, band: str, city: str | None) -> Row:
        return {"user_id": user, "date": date, "age_band": band, "city": city}

    def visit(login: float, band: str, city: str | None) -> Row:
        key = {"mac_address": mac("age-m"), "gym_id": "age-g", "login_at": at(login)}
        return {**key, "age_band": band, "city": city}

    return Case(
        "age",
        "A day's profile is that of its first instant, a visit's that of its login.",
        (
            new,
            profile("age-u", 2 * DAY, dob="2005-11-16", address={"city": "B"}),
            profile("age-u", 2 * DAY + 1, dob="2005-11-16", address={"city": "C"}),
            profile("age-u", 4 * DAY + 1, "delete"),
            profile("age-v", 2 * DAY + 1, "new", dob="2023-11-17", address={"city": "D"}),
            bpm("age-d", 30, 60),
            bpm("age-d", 2 * DAY, 60),
            bpm("age-e", DAY, 60),
            bpm("age-e", 2 * DAY, 60),
        ),
        (
            registered,
            registrations("age-v", ("age-v", "age-e", "age-n", -100_000)),
            logins(
                "age",
                ("age-m", "age-g", DAY, DAY + 60),
                ("age-m", "age-g", 2 * DAY + 0.999999, 2 * DAY + 60),
                ("age-m", "age-g", 2 * DAY + 1, 2 * DAY + 60),
                ("age-m", "age-g", 4 * DAY, 4 * DAY + 60),
                ("age-m", "age-g", 5 * DAY, 5 * DAY + 60),
            ),
        ),
        rows={
            "daily_heart_rates": [
                row("age-u", "2023-11-15", "under 18", "A"),
                row("age-u", "2023-11-17", "18-25", "B"),
                # The first profile holds before it, too, but not an age before the birth.
                row("age-v", "2023-11-16", "invalid age", "D"),
                row("age-v", "2023-11-17", "under 18", "D"),
            ],
            "gym_summary": [
                visit(DAY, "18-25", "A"),
                visit(2 * DAY + 0.999999, "18-25", "B"),
                visit(2 * DAY + 1, "18-25", "C"),
                visit(4 * DAY, "18-25", "C"),
                visit(5 * DAY, "invalid age", None),
            ],
        },
    )


def _midnight() -> Case:
    new, registered = member("night", dob="1984-02-29")
    return Case(
        "night",
        "What a reading stands is cut at the end of its hour and its day.",
        (
            new,
            bpm("night-d", HOUR - 30, 60),
            bpm("night-d", DAY - 20, 100),
            bpm("night-d", DAY, 130),
        ),
        (registered,),
        rows={
            "hourly_heart_rates": [
                {
                    "user_id": "night-u",
                    "hour_at": at(hour),
                    "num_readings": 1,
                    "covered_minutes": minutes,
                }
                for hour, minutes in ((0, 0.5), (23 * HOUR, 0.33), (DAY, 1.0))
            ],
            # Born on 29 February 1984: 39, HRmax 181, fat burn from 90.5, cardio from 126.7.
            "daily_heart_rates": [
                {
                    "user_id": "night-u",
                    "date": "2023-11-15",
                    "num_readings": 2,
                    "avg_bpm": 80.0,
                    "covered_minutes": 1.33,
                    "out_of_range_minutes": 1.0,
                    "fat_burn_minutes": 0.33,
                    "cardio_minutes": 0.0,
                    "peak_minutes": 0.0,
                    "active_zone_minutes": 0.33,
                },
                {
                    "user_id": "night-u",
                    "date": "2023-11-16",
                    "num_readings": 1,
                    "avg_bpm": 130.0,
                    "covered_minutes": 1.0,
                    "out_of_range_minutes": 0.0,
                    "fat_burn_minutes": 0.0,
                    "cardio_minutes": 1.0,
                    "peak_minutes": 0.0,
                    "active_zone_minutes": 2.0,
                },
            ],
        },
    )


def _occupancy() -> Case:
    new, registered = member("crowd")
    return Case(
        "crowd",
        "The peak counts members at one instant: two MACs of one member are one, who leaves goes "
        "before who comes.",
        (new,),
        (
            registered,
            registrations("crowd_more", ("crowd-u", "crowd-e", "crowd-n", 0)),
            logins(
                "crowd",
                ("crowd-m", "crowd-g", 0, 1800),
                ("crowd-n", "crowd-g", 900, 3600),
                ("crowd-x", "crowd-g", 1800, 7201),
                ("crowd-y", "crowd-g", 1800, 1801),
                ("crowd-z", "crowd-g", 10_800, None),
            ),
        ),
        rows={
            "gym_hourly_occupancy": [
                {
                    "gym_id": "crowd-g",
                    "hour_at": at(hour),
                    "check_ins": check_ins,
                    "visits": visits,
                    "peak_members": peak,
                    "members_at_end": at_end,
                }
                for hour, check_ins, visits, peak, at_end in (
                    (0, 4, 4, 3, 1),
                    (3600, 0, 1, 1, 1),
                    (7200, 0, 1, 1, 0),
                    (10_800, 1, 1, 1, 1),
                    (14_400, 0, 1, 1, 1),
                    (18_000, 0, 1, 1, 0),
                )
            ]
        },
    )


def _local_dates() -> Case:
    """Gym 4 is in Boston, gym 3 in Phoenix, which has no summer time."""
    new, registered = member("zone", dob="1988-11-15", address={"state": " ma "})
    # 2023-11-05: clocks in Boston show 01:00 at 05:00 and at 06:00 UTC. 10 days before MIDNIGHT.
    fall = -10 * DAY

    def hour(gym: str, seconds: int, date: str, local: int, at_end: int) -> Row:
        return {
            "gym_id": gym,
            "hour_at": at(seconds),
            "local_date": date,
            "local_hour": local,
            "visits": 1,
            "members_at_end": at_end,
        }

    return Case(
        "zone",
        "A visit has its gym's date and hour, and the age on that date; autumn's two hours of "
        "01:00 are two.",
        (new,),
        (
            registered,
            logins(
                "zone",
                ("zone-m", "4", fall + 5 * HOUR + 60, fall + 6 * HOUR + 60),
                # In Boston still the 14th, in Phoenix too; the 35th birthday is the 15th.
                ("zone-m", "4", 5 * HOUR - 1, 5 * HOUR),
                ("zone-m", "4", 5 * HOUR, 5 * HOUR + 60),
                ("zone-m", "3", 7 * HOUR - 1, 7 * HOUR + 60),
                ("zone-m", "zone-g", 0, 60),
            ),
        ),
        rows={
            "member_zones": [{"user_id": "zone-u", "time_zone": "America/New_York"}],
            "gym_summary": [
                {
                    "mac_address": mac("zone-m"),
                    "gym_id": gym,
                    "login_at": at(login),
                    "visit_date": date,
                    "local_hour": local,
                    "age_band": band,
                }
                for gym, login, date, local, band in (
                    ("4", fall + 5 * HOUR + 60, "2023-11-05", 1, "25-35"),
                    ("4", 5 * HOUR - 1, "2023-11-14", 23, "25-35"),
                    ("4", 5 * HOUR, "2023-11-15", 0, "35-45"),
                    ("3", 7 * HOUR - 1, "2023-11-14", 23, "25-35"),
                    ("zone-g", 0, "2023-11-15", 0, "35-45"),
                )
            ],
            "gyms": [
                {"gym_id": "3", "gym_name": "Phoenix", "time_zone": "America/Phoenix"},
                {"gym_id": "4", "gym_name": "Boston", "time_zone": "America/New_York"},
                {
                    "gym_id": "zone-g",
                    "gym_name": "zone-g",
                    "time_zone": "UTC",
                    "capacity": None,
                },
            ],
            "gym_hourly_occupancy": [
                hour("4", fall + 5 * HOUR, "2023-11-05", 1, 1),
                hour("4", fall + 6 * HOUR, "2023-11-05", 1, 0),
                hour("4", 4 * HOUR, "2023-11-14", 23, 0),
                hour("4", 5 * HOUR, "2023-11-15", 0, 0),
                hour("3", 6 * HOUR, "2023-11-14", 23, 1),
                hour("3", 7 * HOUR, "2023-11-15", 0, 0),
                hour("zone-g", 0, "2023-11-15", 0, 0),
            ],
        },
        ids=frozenset(("3", "4")),
    )


def _presence() -> Case:
    new, registered = member("there")
    return Case(
        "there",
        "An open visit is there until its visitor's next login in any gym, for 3 hours at most.",
        (new,),
        (
            registered,
            registrations("there_more", ("there-u", "there-e", "there-n", 0)),
            logins(
                "there",
                ("there-m", "there-g", 1800, None),
                # Another MAC of the member, in another gym; a MAC that nobody owns ends nothing.
                ("there-n", "there-h", 2 * HOUR, None),
                ("there-x", "there-g", HOUR, HOUR + 60),
                ("there-x", "there-h", 2 * HOUR + 1, None),
                ("there-x", "there-i", 3 * HOUR, 3 * HOUR + 60),
            ),
        ),
        rows={
            "gym_hourly_occupancy": [
                {
                    "gym_id": f"there-{gym}",
                    "hour_at": at(hour * HOUR),
                    "check_ins": check_ins,
                    "visits": visits,
                    "peak_members": peak,
                    "members_at_end": at_end,
                }
                for gym, hour, check_ins, visits, peak, at_end in (
                    ("g", 0, 1, 1, 1, 1),
                    ("g", 1, 1, 2, 2, 0),
                    ("h", 2, 2, 2, 2, 1),
                    ("h", 3, 0, 1, 1, 1),
                    ("h", 4, 0, 1, 1, 0),
                    ("i", 3, 1, 1, 1, 0),
                )
            ],
            "gym_hours": [
                {
                    "gym_id": f"there-{gym}",
                    "hour_at": at(hour * HOUR),
                    "check_ins": None,
                    "visits": None,
                    "peak_members": None,
                    "members_at_end": None,
                    "is_suppressed": True,
                }
                for gym, hour in (("g", 0), ("g", 1), ("h", 2), ("h", 3), ("h", 4), ("i", 3))
            ],
        },
    )


def _gym_days() -> Case:
    names = "abcdef"

    def row(gym: str, day: int, *values: object, is_suppressed: bool = False) -> Row:
        columns = ("visits", "members", "new_members", "mean_minutes", "peak_members", "peak_hour")
        known = dict(zip(columns, values, strict=True))
        date = f"2023-11-{15 + day}"
        return {"gym_id": gym, "local_date": date, **known, "is_suppressed": is_suppressed}

    return Case(
        "days",
        "A gym's day under 5 members is hidden, and so is what is about 1 to 4 or leaves them out.",
        files=(
            registrations("days", *((f"days-{n}", f"days-{n}", f"days-{n}", -DAY) for n in names)),
            logins(
                "days",
                # Day 0: 5 members, all new and closed; a MAC that nobody owns stays 63.6 s.
                *((f"days-{n}", "days-g", HOUR, HOUR + 60) for n in names[:5]),
                ("days-x", "days-g", HOUR, HOUR + 63.6),
                # Day 1: one of 6 is new, and alone without a logout.
                *((f"days-{n}", "days-g", DAY, DAY + 60) for n in names[:5]),
                ("days-f", "days-g", DAY, None),
                # Day 2: no new one; all are open but the visit that nobody owns.
                *((f"days-{n}", "days-g", 2 * DAY, None) for n in names[:5]),
                ("days-x", "days-g", 2 * DAY, 2 * DAY + 600),
                # Day 3: never more than 4 at once, at the first of two hours.
                *(
                    (f"days-{n}", "days-g", 3 * DAY + hour * HOUR, 3 * DAY + hour * HOUR + 90)
                    for n, hour in zip("abcde", (0, 0, 2, 2, 4), strict=True)
                ),
                # 4 members.
                *((f"days-{n}", "days-h", 4 * DAY, 4 * DAY + 60) for n in names[:4]),
            ),
        ),
        rows={
            "gym_days": [
                row("days-g", 0, 6, 5, 5, 1.01, 6, 1),
                row("days-g", 1, 6, 6, None, None, 6, 0),
                row("days-g", 2, 6, 5, 0, 10.0, 6, 0),
                row("days-g", 3, 5, 5, 0, 1.5, None, None),
                row("days-h", 4, *[None] * 6, is_suppressed=True),
            ],
        },
    )


CASES = (
    _profile_changes(),
    _changes_at_one_time(),
    _changes_without_a_place(),
    _late_device(),
    _handed_on(),
    _lowest_reading(),
    _sessions(),
    _last_reading(),
    _two_devices(),
    _resting_heart_rate(),
    _profile_of_a_session(),
    _visits(),
    _sessions_in_visits(),
    _open_visit(),
    _next_login(),
    _of_age(),
    _midnight(),
    _occupancy(),
    _local_dates(),
    _presence(),
    _gym_days(),
)
