"""The datasets' SQL over a few rows of gold: what the pages' invented chain does not hold."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from local.dashboard.definition import Definition
from tests.dashboard.gold import Gold, Row

DAY = datetime(2026, 8, 3)


def rows(definition: Definition, gold: Gold, dataset: str) -> list[dict[str, Any]]:
    sql = next(each.sql for each in definition.datasets if each.name == dataset)
    return gold.query(sql).rows()


def visit(gym: str, login: float, logout: float | None, *sessions: str) -> Row:
    """A visit of `m`, in hours of the day; a session is one of workout `w`."""
    return {
        "user_id": "m",
        "gym_id": gym,
        "mac_address": "02:00:00:00:00:01",
        "visit_date": DAY.date(),
        "login_at": DAY + timedelta(hours=login),
        "logout_at": None if logout is None else DAY + timedelta(hours=logout),
        "sessions": [{"workout_id": "w", "session_id": each} for each in sessions],
    }


def workout(hour: float, session: str = "1") -> Row:
    started = DAY + timedelta(hours=hour)
    return {
        "user_id": "m",
        "workout_id": "w",
        "session_id": session,
        "workout_date": started.date(),
        "started_at": started,
        "ended_at": started + timedelta(minutes=30),
        "age_band": "25-35",
    }


# Visits, and for each workout of the one key its hour and its gym.
GYMS: dict[str, tuple[list[Row], dict[float, str]]] = {
    "closed visits": (
        [visit("A", 8, 9, "1"), visit("B", 18, 19, "1")],
        {8.5: "A", 18.5: "B", 12: "outside a gym"},
    ),
    "behind an open visit": (
        [visit("Z", 8, None, "1"), visit("A", 18, 19, "1")],
        {8.5: "Z", 18.5: "A", 20: "outside a gym"},
    ),
    "an open visit ends with the next login": (
        [visit("A", 8, None, "1"), visit("B", 10, 11)],
        {9.5: "A", 10.0: "outside a gym", 12: "outside a gym"},
    ),
    "an open visit ends after a day": (
        [visit("A", 8, None, "1")],
        {8: "A", 8 + 24: "outside a gym"},
    ),
    "the logout is inside": ([visit("A", 8, 9, "1")], {9: "A", 9.01: "outside a gym"}),
    "another session": ([visit("A", 8, 9, "2")], {8.5: "outside a gym"}),
}


@pytest.mark.parametrize("name", GYMS)
def test_a_workout_has_the_gym_of_its_visit(definition: Definition, name: str) -> None:
    visits, wanted = GYMS[name]
    gold = Gold.empty()
    gold.insert("gym_summary", visits)
    gold.insert("workout_bpm_summary", [workout(hour) for hour in wanted])
    found = sorted(row["gym"] for row in rows(definition, gold, "workouts"))
    assert found == sorted(wanted.values())
    minutes: dict[str, float] = {}
    for row in rows(definition, gold, "activity"):
        minutes[row["gym"]] = minutes.get(row["gym"], 0) + row["workout_minutes"]
    assert {gym: each for gym, each in minutes.items() if each} == {
        gym: 30 * found.count(gym) for gym in found
    }


def test_reasons_are_rows(definition: Definition) -> None:
    gold = Gold.empty()
    day = {"feed": "bpm", "arrival_date": DAY.date()}
    reasons = [{"reason": "missing_field", "records": 2}, {"reason": "wrong_type", "records": 3}]
    gold.insert("pipeline_health", [{**day, "rejected_by_reason": reasons}])
    gold.insert("pipeline_health", [{**day, "feed": "workout", "rejected_by_reason": []}])
    found = rows(definition, gold, "rejections")
    assert found == [{**day, **reason} for reason in reasons]
