"""Gold of visits and members from silver, in integers and decimals."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from .clocks import Zones, day_begins, hour_at, local_date, local_time
from .decode import MICROS
from .silver import HOUR, TRAITS, ProfileHistory, Row

QUARTER = HOUR // 4


def minutes(micros: int) -> Decimal:
    """Minutes with 2 decimals, halves up, from exact microseconds (never negative)."""
    return _rounded(Fraction(micros))


def _rounded(micros: Fraction) -> Decimal:
    return Decimal(int(micros * 100 / (60 * MICROS) + Fraction(1, 2))).scaleb(-2)


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
    zones: Zones,
) -> list[Row]:
    rows = []
    for visit in visits:
        own_sessions = held.get((visit["mac_address"], visit["gym_id"], visit["login_at"]), [])
        clock = local_time(visit["login_at"], zones.gym(visit["gym_id"]))
        visit_date = clock.date()
        rows.append(
            {
                "visit_date": visit_date,
                "local_hour": clock.hour,
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


#: A visit with the visitor and the first instant at which it is no longer there.
Presence = tuple[Row, tuple[str, str], int]


def _presences(visits: Iterable[Row], presence_hours: float, newest: int) -> Iterator[Presence]:
    by_visitor: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for visit in visits:
        owner = visit["user_id"]
        visitor = ("mac", visit["mac_address"]) if owner is None else ("user", owner)
        by_visitor[visitor].append(visit)
    for visitor, own in by_visitor.items():
        for visit in own:
            end = visit["logout_at"]
            if end is None:
                later = [v["login_at"] for v in own if v["login_at"] > visit["login_at"]]
                # At the newest time it is there still: up to the next microsecond.
                most = visit["login_at"] + int(Fraction(presence_hours) * HOUR)
                end = min([*later, most, newest + 1])
            yield visit, visitor, end


def _pieces(start: int, end: int, zone: str) -> dict[int, tuple[int, int]]:
    """[start, end) by local hours: whenever hour_at changes, at full minutes, a piece begins."""
    found: dict[int, tuple[int, int]] = {}
    at = start
    while at < end:
        hour = hour_at(at, zone)
        # Clocks are set, and hours begin, at quarters of an hour.
        after = min(end, at - at % QUARTER + QUARTER)
        found[hour] = (found.get(hour, (at, at))[0], after)
        at = after
    return found


def gym_hourly_occupancy_rows(
    visits: Iterable[Row], zones: Zones, gyms: Iterable[Row], presence_hours: float
) -> list[Row]:
    visits = list(visits)
    capacity = {gym["gym_id"]: gym["capacity"] for gym in gyms}
    newest = max((t for v in visits for t in (v["login_at"], v["logout_at"]) if t), default=0)
    check_ins: dict[tuple[str, int], int] = defaultdict(int)
    present: dict[tuple[str, int], list[tuple[int, int, tuple[str, str]]]] = defaultdict(list)
    staying: dict[tuple[str, int], set[tuple[str, str]]] = defaultdict(set)
    for visit, visitor, end in _presences(visits, presence_hours, newest):
        gym_id, login_at = visit["gym_id"], visit["login_at"]
        zone = zones.gym(gym_id)
        check_ins[gym_id, hour_at(login_at, zone)] += 1
        for hour, (start, stop) in _pieces(login_at, end, zone).items():
            present[gym_id, hour].append((start, stop, visitor))
            is_newest_hour = hour == hour_at(newest, zone)
            if (start <= newest < stop) if is_newest_hour else stop < end:
                staying[gym_id, hour].add(visitor)
    rows = []
    for gym_id, hour in check_ins.keys() | present.keys():
        inside = present.get((gym_id, hour), [])
        clock = local_time(hour, zones.gym(gym_id))
        rows.append(
            {
                "gym_id": gym_id,
                "hour_at": hour,
                "local_date": clock.date(),
                "local_hour": clock.hour,
                "check_ins": check_ins.get((gym_id, hour), 0),
                "visits": len(inside),
                "peak_members": _peak(inside),
                "members_at_end": len(staying.get((gym_id, hour), ())),
                "capacity": capacity[gym_id],
            }
        )
    return rows


def _is_few(number: int | None) -> bool:
    return number is not None and 1 <= number <= 4


def gym_hour_rows(hours: Iterable[Row]) -> list[Row]:
    rows = []
    for hour in hours:
        row = {**hour, "is_suppressed": _is_few(hour["peak_members"])}
        if _is_few(row["members_at_end"]):
            row["members_at_end"] = None
        if row["is_suppressed"]:
            row |= dict.fromkeys(("check_ins", "visits", "peak_members", "members_at_end"))
        rows.append(row)
    return rows


def gym_day_rows(visits: Iterable[Row], hours: Iterable[Row]) -> list[Row]:
    """From rows of gym_summary and gym_hourly_occupancy."""
    visits = list(visits)
    by_day: dict[tuple[str, date], list[Row]] = defaultdict(list)
    firsts: dict[str, Row] = {}
    for visit in sorted(visits, key=lambda v: (v["login_at"], v["mac_address"], v["gym_id"])):
        by_day[visit["gym_id"], visit["visit_date"]].append(visit)
        if visit["user_id"] is not None:
            firsts.setdefault(visit["user_id"], visit)
    hours_of: dict[tuple[str, date], list[Row]] = defaultdict(list)
    for hour in hours:
        hours_of[hour["gym_id"], hour["local_date"]].append(hour)
    rows = []
    for (gym_id, day), own in by_day.items():
        members = {v["user_id"] for v in own} - {None}
        closed = [v for v in own if v["logout_at"] is not None]
        timed = {v["user_id"] for v in closed} - {None}
        new = sum(firsts[v["user_id"]] is v for v in own if v["user_id"] is not None)
        micros = sum(v["logout_at"] - v["login_at"] for v in closed)
        fullest = min(
            hours_of[gym_id, day],
            key=lambda h: (-h["peak_members"], h["hour_at"]),
            default={"peak_members": None, "local_hour": None},
        )
        row: Row = {
            "visits": len(own),
            "members": len(members),
            "new_members": new,
            "mean_minutes": _rounded(Fraction(micros, len(closed))) if closed else None,
            "peak_members": fullest["peak_members"],
            "peak_hour": fullest["local_hour"],
        }
        about = {
            "new_members": new,
            "mean_minutes": len(timed),
            "peak_members": fullest["peak_members"],
            "peak_hour": fullest["peak_members"],
        }
        hidden = {
            name
            for name, part in about.items()
            if part is not None and (_is_few(part) or _is_few(len(members) - part))
        }
        if len(members) < 5:
            hidden = set(row)
        row |= dict.fromkeys(hidden)
        is_suppressed = len(members) < 5
        rows.append({"gym_id": gym_id, "local_date": day, **row, "is_suppressed": is_suppressed})
    return rows


def _peak(inside: list[tuple[int, int, tuple[str, str]]]) -> int:
    """Most distinct members at one instant."""
    steps: list[tuple[int, int, tuple[str, str]]] = []
    for start, end, member in inside:
        steps += [(start, 1, member), (end, -1, member)]
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
    known: Mapping[str, Iterable[date]],
    visits: Iterable[Row],
    sessions: Iterable[Row],
    history: ProfileHistory,
    zones: Zones,
    as_of_date: date | None,
) -> list[Row]:
    """`known`: of each member, the local dates of all that there is. `visits`: of gym_summary.

    Looks back from `as_of_date`; None, where nothing has a date yet.
    """
    visits_of: dict[str, list[Row]] = defaultdict(list)
    sessions_of: dict[str, list[tuple[date, Row]]] = defaultdict(list)
    for visit in visits:
        if visit["user_id"] is not None:
            visits_of[visit["user_id"]].append(visit)
    for session in sessions:
        if session["status"] == "completed":
            user_id = session["user_id"]
            day = local_date(session["started_at"], zones.member(user_id))
            sessions_of[user_id].append((day, session))

    def recent(day: date, days: int) -> bool:
        return as_of_date is not None and as_of_date - timedelta(days=days) < day <= as_of_date

    rows = []
    for user_id, dates in known.items():
        own_visits, own_sessions = visits_of[user_id], sessions_of[user_id]
        days_known = 0 if as_of_date is None else (as_of_date - min(dates)).days + 1
        logins = sorted(visit["login_at"] for visit in own_visits)
        row: Row = {
            "user_id": user_id,
            "as_of_date": as_of_date,
            **(
                dict.fromkeys(TRAITS) | {"age_band": "invalid age"}
                if as_of_date is None
                else history.member(
                    user_id, day_begins(as_of_date, zones.member(user_id)), as_of_date
                )
            ),
            "first_visit_at": logins[0] if logins else None,
            "last_visit_at": logins[-1] if logins else None,
        }
        for suffix, days in (("", None), ("_7_days", 7), ("_28_days", 28)):
            chosen_visits = [v for v in own_visits if days is None or recent(v["visit_date"], days)]
            chosen_sessions = [s for day, s in own_sessions if days is None or recent(day, days)]
            row[f"logins{suffix}"] = len(chosen_visits)
            row[f"workouts{suffix}"] = len(chosen_sessions)
            row[f"gym_minutes{suffix}"] = minutes(
                sum(v["logout_at"] - v["login_at"] for v in chosen_visits if v["logout_at"])
            )
            row[f"exercise_minutes{suffix}"] = minutes(
                union_micros((s["started_at"], s["ended_at"]) for s in chosen_sessions)
            )
        before = sum(recent(v["visit_date"], 112) for v in own_visits) - row["logins_28_days"]
        row["visits_84_days_before"] = before
        is_falling = before >= 6 and 3 * row["logins_28_days"] < Fraction(before, 2)
        row["is_falling"] = is_falling if days_known >= 112 else None
        days_active = [visit["visit_date"] for visit in own_visits]
        days_active += [day for day, _ in own_sessions]
        is_inactive = not any(recent(day, 14) for day in days_active)
        row["is_inactive"] = is_inactive if days_known >= 14 else None
        rows.append(row)
    return rows
