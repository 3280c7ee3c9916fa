"""Gold of visits and members from silver, in integers and decimals."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from .decode import MICROS, utc_date
from .silver import HOUR, TRAITS, ProfileHistory, Row


def minutes(micros: int) -> Decimal:
    """Minutes with 2 decimals, halves up, from exact microseconds (never negative)."""
    hundredths = (micros * 100 * 2 + 60 * MICROS) // (2 * 60 * MICROS)
    return Decimal(hundredths).scaleb(-2)


def day_start(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * MICROS


def union_micros(intervals: Iterable[tuple[int, int]]) -> int:
    """Length of the union of half-open intervals."""
    total = 0
    reach: int | None = None
    for start, end in sorted(intervals):
        if reach is None or start > reach:
            total += end - start
            reach = end
        elif end > reach:
            total += end - reach
            reach = end
    return total


def sessions_in_visits(
    visits: Iterable[Row], sessions: Iterable[Row], open_visit_hours: float
) -> dict[tuple[str, str, int], list[Row]]:
    """The completed sessions of each visit, by its MAC, gym and login."""
    by_user: dict[str, list[Row]] = defaultdict(list)
    for visit in visits:
        if visit["user_id"] is not None:
            by_user[visit["user_id"]].append(visit)
    held: dict[tuple[str, str, int], list[Row]] = defaultdict(list)
    logins: dict[str, list[int]] = {}
    for user_id, own in by_user.items():
        # The first candidate met going backwards wins: latest login, least MAC, least gym.
        own.sort(key=lambda v: (v["mac_address"], v["gym_id"]))
        own.sort(key=lambda v: v["login_at"], reverse=True)
        logins[user_id] = sorted(v["login_at"] for v in own)
    open_micros = int(Fraction(open_visit_hours) * HOUR)
    for session in sessions:
        if session["status"] != "completed":
            continue
        start = session["started_at"]
        user_logins = logins.get(session["user_id"], [])
        for visit in by_user.get(session["user_id"], ()):
            login_at, logout_at = visit["login_at"], visit["logout_at"]
            if login_at > start:
                continue
            if logout_at is not None:
                is_inside = start <= logout_at
            else:
                reach = login_at + open_micros
                after = bisect_right(user_logins, login_at)
                if after < len(user_logins):
                    reach = min(reach, user_logins[after])
                is_inside = start < reach
            if is_inside:
                held[visit["mac_address"], visit["gym_id"], login_at].append(session)
                break
    return held


def session_visit_rows(held: Mapping[tuple[str, str, int], Iterable[Row]]) -> list[Row]:
    columns = ("user_id", "workout_id", "session_id", "started_at", "ended_at")
    return [
        {
            **{name: session[name] for name in columns},
            "mac_address": mac_address,
            "gym_id": gym_id,
            "login_at": login_at,
        }
        for (mac_address, gym_id, login_at), sessions in held.items()
        for session in sessions
    ]


def gym_summary_rows(
    visits: Iterable[Row],
    held: Mapping[tuple[str, str, int], list[Row]],
    history: ProfileHistory,
) -> list[Row]:
    rows = []
    for visit in visits:
        own_sessions = held.get((visit["mac_address"], visit["gym_id"], visit["login_at"]), [])
        visit_date = utc_date(visit["login_at"])
        rows.append(
            {
                "visit_date": visit_date,
                "gym_id": visit["gym_id"],
                "mac_address": visit["mac_address"],
                "user_id": visit["user_id"],
                **history.member(visit["user_id"], visit["login_at"], visit_date),
                "login_at": visit["login_at"],
                "logout_at": visit["logout_at"],
                "sessions": [
                    {"workout_id": workout_id, "session_id": session_id}
                    for workout_id, session_id in sorted(
                        (s["workout_id"], s["session_id"]) for s in own_sessions
                    )
                ],
                "minutes_in_gym": None
                if visit["logout_at"] is None
                else minutes(visit["logout_at"] - visit["login_at"]),
                "minutes_exercising": minutes(
                    union_micros((s["started_at"], s["ended_at"]) for s in own_sessions)
                ),
            }
        )
    return rows


def gym_hourly_occupancy_rows(visits: Iterable[Row]) -> list[Row]:
    check_ins: dict[tuple[str, int], int] = defaultdict(int)
    present: dict[tuple[str, int], list[tuple[int, int, tuple[str, str]]]] = defaultdict(list)
    for visit in visits:
        login_at, logout_at = visit["login_at"], visit["logout_at"]
        check_ins[visit["gym_id"], login_at - login_at % HOUR] += 1
        if logout_at is None:
            continue
        member = (
            ("mac", visit["mac_address"])
            if visit["user_id"] is None
            else ("user", visit["user_id"])
        )
        hour = login_at - login_at % HOUR
        while hour < logout_at:
            present[visit["gym_id"], hour].append((login_at, logout_at, member))
            hour += HOUR
    rows = []
    for gym_id, hour in check_ins.keys() | present.keys():
        inside = present.get((gym_id, hour), [])
        rows.append(
            {
                "gym_id": gym_id,
                "hour_at": hour,
                "check_ins": check_ins.get((gym_id, hour), 0),
                "visits": len(inside),
                "peak_members": _peak(inside, hour, hour + HOUR),
            }
        )
    return rows


def _peak(inside: list[tuple[int, int, tuple[str, str]]], start: int, end: int) -> int:
    """Most distinct members at one instant of [start, end)."""
    steps: list[tuple[int, int, tuple[str, str]]] = []
    for login_at, logout_at, member in inside:
        steps.append((max(login_at, start), 1, member))
        if logout_at < end:
            steps.append((logout_at, -1, member))
    # At one instant those who leave go before those who come.
    steps.sort(key=lambda step: step[:2])
    counts: dict[tuple[str, str], int] = defaultdict(int)
    now = peak = 0
    for _, step, member in steps:
        was = counts[member]
        counts[member] = was + step
        if was == 0 and step == 1:
            now += 1
        elif was == 1 and step == -1:
            now -= 1
        peak = max(peak, now)
    return peak


def member_activity_rows(
    users: Iterable[str],
    visits: Iterable[Row],
    sessions: Iterable[Row],
    history: ProfileHistory,
    as_of_date: date | None,
) -> list[Row]:
    """Looks back from `as_of_date`; None, where nothing has a date yet."""
    visits_of: dict[str, list[Row]] = defaultdict(list)
    sessions_of: dict[str, list[Row]] = defaultdict(list)
    for visit in visits:
        if visit["user_id"] is not None:
            visits_of[visit["user_id"]].append(visit)
    for session in sessions:
        if session["status"] == "completed":
            sessions_of[session["user_id"]].append(session)

    def recent(day: date, days: int) -> bool:
        return as_of_date is not None and as_of_date - timedelta(days=days) < day <= as_of_date

    rows = []
    for user_id in users:
        own_visits, own_sessions = visits_of[user_id], sessions_of[user_id]
        logins = sorted(visit["login_at"] for visit in own_visits)
        row: Row = {
            "user_id": user_id,
            "as_of_date": as_of_date,
            **(
                dict.fromkeys(TRAITS) | {"age_band": "invalid age"}
                if as_of_date is None
                else history.member(user_id, day_start(as_of_date), as_of_date)
            ),
            "first_visit_at": logins[0] if logins else None,
            "last_visit_at": logins[-1] if logins else None,
        }
        for suffix, days in (("", None), ("_7_days", 7), ("_28_days", 28)):
            chosen_visits = [
                v for v in own_visits if days is None or recent(utc_date(v["login_at"]), days)
            ]
            chosen_sessions = [
                s for s in own_sessions if days is None or recent(utc_date(s["started_at"]), days)
            ]
            row[f"logins{suffix}"] = len(chosen_visits)
            row[f"workouts{suffix}"] = len(chosen_sessions)
            row[f"gym_minutes{suffix}"] = minutes(
                sum(v["logout_at"] - v["login_at"] for v in chosen_visits if v["logout_at"])
            )
            row[f"exercise_minutes{suffix}"] = minutes(
                union_micros((s["started_at"], s["ended_at"]) for s in chosen_sessions)
            )
        days_active = [utc_date(at) for at in logins]
        days_active += [utc_date(s["started_at"]) for s in own_sessions]
        row["is_inactive"] = not any(recent(day, 14) for day in days_active)
        rows.append(row)
    return rows
