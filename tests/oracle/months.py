"""Members by month and cohort, from other tables of gold."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date
from fractions import Fraction
from typing import Any

from .clocks import Zones, local_date
from .gold import minutes, union_micros
from .silver import Row

SMALL = range(1, 5)


def member_month_rows(
    visits: Iterable[Row], sessions: Iterable[Row], days: Iterable[Row], zones: Zones
) -> list[Row]:
    """`visits` and `days` are rows of gym_summary and daily_heart_rates."""
    facts: dict[tuple[str, date], dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))

    def add(kind: str, row: Row, on: date) -> None:
        facts[row["user_id"], on.replace(day=1)][kind].append(row)

    for visit in visits:
        if visit["user_id"] is not None:
            add("visits", visit, visit["visit_date"])
    for session in sessions:
        if session["status"] == "completed":
            zone = zones.member(session["user_id"])
            add("workouts", session, local_date(session["started_at"], zone))
    for day in days:
        add("days", day, day["date"])

    first: dict[str, date] = {}
    for user_id, month in sorted(facts):
        if facts[user_id, month]["visits"] or facts[user_id, month]["workouts"]:
            first.setdefault(user_id, month)
    return [
        {
            "user_id": user_id,
            "month": month,
            "visits": len(own["visits"]),
            "workouts": len(own["workouts"]),
            "gym_minutes": minutes(
                sum(v["logout_at"] - v["login_at"] for v in own["visits"] if v["logout_at"])
            ),
            "exercise_minutes": minutes(
                union_micros((s["started_at"], s["ended_at"]) for s in own["workouts"])
            ),
            "active_zone_minutes": _known_sum(own["days"], "active_zone_minutes"),
            "reserve_days": sum(day["zone_basis"] == "reserve" for day in own["days"]),
            "mean_resting_bpm_estimate": _mean(own["days"], "resting_bpm_estimate"),
            "cohort_month": first.get(user_id),
        }
        for (user_id, month), own in facts.items()
    ]


def _known(rows: list[Row], column: str) -> list[Any]:
    return [row[column] for row in rows if row[column] is not None]


def _known_sum(rows: list[Row], column: str) -> Any:
    known = _known(rows, column)
    return sum(known) if known else None


def _mean(rows: list[Row], column: str) -> Fraction | None:
    known = _known(rows, column)
    return Fraction(sum(known)) / len(known) if known else None


def _months(day: date) -> int:
    return day.year * 12 + day.month


def member_cohort_rows(months: Iterable[Row], as_of_date: date | None) -> list[Row]:
    """`months` are rows of member_months."""
    members: dict[date, set[str]] = defaultdict(set)
    came: Counter[tuple[date, int]] = Counter()
    for row in months:
        cohort = row["cohort_month"]
        if cohort is None:
            continue
        members[cohort].add(row["user_id"])
        if row["visits"] or row["workouts"]:
            came[cohort, _months(row["month"]) - _months(cohort)] += 1
    rows = []
    for cohort, own in members.items():
        last = -1 if as_of_date is None else _months(as_of_date) - _months(cohort) - 1
        for since in range(last + 1):
            active, size = came[cohort, since], len(own)
            is_suppressed = size < 5 or active in SMALL or size - active in SMALL
            rows.append(
                {
                    "cohort_month": cohort,
                    "months_since": since,
                    "members": None if size < 5 else size,
                    "active": None if is_suppressed else active,
                    "share": None if is_suppressed else Fraction(active, size),
                    "is_suppressed": is_suppressed,
                }
            )
    return rows
