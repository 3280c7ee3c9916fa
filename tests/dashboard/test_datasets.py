"""The datasets' SQL over a few rows of gold: what the pages' invented chain does not hold."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from lakehouse.dashboard.definition import Definition
from tests.dashboard.gold import Gold, Row

TODAY = date(2026, 9, 30)


def rows(definition: Definition, gold: Gold, dataset: str) -> list[dict[str, Any]]:
    sql = next(each.sql for each in definition.datasets if each.name == dataset)
    return gold.query(sql).rows()


def hour(gym: str, day: date, local_hour: int, members: int | None, offset: int = 0) -> Row:
    """An hour of a gym; `offset`: hours from its clock to UTC."""
    return {
        "gym_id": gym,
        "peak_members": members,
        "members_at_end": members,
        "local_hour": local_hour,
        "local_date": day,
        "is_suppressed": members is None,
        "hour_at": datetime(day.year, day.month, day.day, local_hour) + timedelta(hours=offset),
    }


def gyms(*names: str, zone: str = "UTC") -> list[Row]:
    return [{"gym_id": name, "gym_name": name, "capacity": 20, "time_zone": zone} for name in names]


def test_now_is_the_newest_hour_of_all_gyms(definition: Definition) -> None:
    gold = Gold.empty()
    gold.insert("gyms", gyms("west", "small", "empty", zone="America/Los_Angeles"))
    gold.insert("gyms", gyms("east", zone="America/New_York"))
    weeks = [TODAY - timedelta(days=days) for days in (7, 14, 21)]
    gold.insert(
        "gym_hours",
        [
            # One instant, 17:00 in the west and 20:00 in the east.
            hour("west", TODAY, 17, 9, offset=7),
            hour("east", TODAY, 20, 7, offset=4),
            hour("small", TODAY, 17, None, offset=7),
            hour("empty", TODAY, 15, 30, offset=7),
            # What is usual is so at a gym's own hour.
            *(hour("west", day, 17, n, offset=7) for day, n in zip(weeks, (5, 9, 7), strict=True)),
            *(hour("east", day, 17, 50, offset=4) for day in weeks),
            *(hour("east", day, 20, 20, offset=4) for day in weeks),
        ],
    )
    for gym in ("west", "east", "small", "empty"):
        gold.insert("gym_days", [{"gym_id": gym, "local_date": TODAY, "is_suppressed": True}])
    # One that nobody ever came to.
    gold.insert("gyms", gyms("planned"))
    found = {
        row["gym"]: (row["members_now"], row["typical"])
        for row in rows(definition, gold, "gyms_now")
    }
    assert found == {"west": (9, 7), "east": (7, 20), "small": (None, None), "empty": (0, None)}


def test_today_is_a_gyms_own(definition: Definition) -> None:
    gold = Gold.empty()
    gold.insert("gyms", gyms("west", zone="America/Los_Angeles"))
    gold.insert("gyms", gyms("east", zone="America/New_York"))
    tomorrow = TODAY + timedelta(days=1)
    # Half past midnight in the east is the evening before in the west.
    gold.insert(
        "gym_hours", [hour("west", TODAY, 21, 9, offset=7), hour("east", tomorrow, 0, 6, offset=4)]
    )
    for gym, day in (("west", TODAY), ("east", tomorrow)):
        gold.insert("gym_days", [{"gym_id": gym, "local_date": day, "visits": 5}])
    found = {(row["gym"], row["hour"]): row["today"] for row in rows(definition, gold, "today")}
    assert (found["west", 21], found["west", 22]) == (9, None)
    assert (found["east", 0], found["east", 1]) == (6, None)


def test_a_usual_day_is_the_same_weekday_and_counts_empty_hours(definition: Definition) -> None:
    gold = Gold.empty()
    gold.insert("gyms", gyms("a"))
    before = {7: 10, 14: 20, 21: 30, 28: None}
    hours = [hour("a", TODAY, 18, 12)]
    hours += [hour("a", TODAY - timedelta(days=n), 18, members) for n, members in before.items()]
    # Another weekday, and one that is too long ago.
    hours += [hour("a", TODAY - timedelta(days=n), 18, 99) for n in (1, 63)]
    gold.insert("gym_hours", hours)
    days = {each["local_date"] for each in hours} | {TODAY - timedelta(days=35)}
    gold.insert("gym_days", [{"gym_id": "a", "local_date": day, "visits": 5} for day in days])
    found = {row["hour"]: row for row in rows(definition, gold, "today")}
    assert sorted(found) == list(range(24))
    at_six = found[18]
    # 0 (nobody came that day), 10, 20 and 30; the hidden hour is none of them.
    assert (at_six["today"], at_six["low"], at_six["middle"], at_six["high"]) == (12, 7.5, 15, 22.5)
    # Today is not over, and was empty before.
    assert (found[17]["today"], found[19]["today"]) == (0, None)


def test_hidden_cohorts_hide_the_months_that_they_are_part_of(definition: Definition) -> None:
    gold = Gold.empty()
    july, august = date(2026, 7, 1), date(2026, 8, 1)
    gold.insert(
        "member_cohorts",
        [
            {"cohort_month": july, "months_since": 0, "members": 20, "active": 20, "share": 1.0},
            {"cohort_month": july, "months_since": 1, "members": 20, "active": None},
            {"cohort_month": july, "months_since": 2, "members": 20, "active": 10, "share": 0.5},
            {"cohort_month": august, "months_since": 0, "members": 8, "active": 8, "share": 1.0},
            {"cohort_month": august, "months_since": 1, "members": 8, "active": 0, "share": 0.0},
            # Too small a cohort is in no number.
            {"cohort_month": date(2026, 6, 1), "months_since": 1, "is_suppressed": True},
        ],
    )
    months = sorted(rows(definition, gold, "months"), key=lambda row: str(row["month"]))
    names = ("new_members", "returning_members", "active", "active_before")
    assert [tuple(row[name] for name in names) for row in months] == [
        (20, None, 20, None),
        (8, None, None, 20),
        (None, 10, 10, None),
    ]
    assert len(rows(definition, gold, "cohorts")) == 5


def test_weeks_end_on_the_newest_day(definition: Definition) -> None:
    gold = Gold.empty()
    gold.insert("member_activity", [{"user_id": "x", "as_of_date": TODAY}])
    gold.insert(
        "daily_heart_rates",
        [
            {
                "user_id": f"m{member}",
                "date": TODAY - timedelta(days=ago),
                "age_band": "25-35",
                "gender": "F" if member < 5 else None,
                "active_zone_minutes": 100.0,
            }
            for member in range(6)
            for ago in (0, 6, 7, 27, 28, 55, 56)
        ],
    )
    found = {
        (row["who"], str(row["week"])): (
            row["span"],
            row["member_weeks"],
            row["minutes"],
            row["reached"],
        )
        for row in rows(definition, gold, "zone_weeks")
    }
    assert found == {
        (who, week): (span, count, 100.0 * days * count, count if days == 2 else 0)
        for who, count in (("All members", 6), ("Gender: F", 5))
        for week, span, days in (
            ("2026-09-30", "now", 2),
            ("2026-09-23", "now", 1),
            ("2026-09-09", "now", 1),
            ("2026-09-02", "before", 1),
            ("2026-08-12", "before", 1),
        )
    }


def test_reasons_are_rows(definition: Definition) -> None:
    gold = Gold.empty()
    day = {"feed": "bpm", "arrival_date": TODAY}
    reasons = [{"reason": "missing_field", "records": 2}, {"reason": "wrong_type", "records": 3}]
    gold.insert("pipeline_health", [{**day, "rejected_by_reason": reasons}])
    gold.insert("pipeline_health", [{**day, "feed": "workout", "rejected_by_reason": []}])
    found = rows(definition, gold, "rejections")
    assert found == [
        {**day, "span": "now", "reason": "missing field", "records": 2},
        {**day, "span": "now", "reason": "wrong type", "records": 3},
    ]
