"""The worked example of docs/worked-example.md: its files and its rows."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from ..oracle.load import from_envelopes, from_landed
from ..oracle.records import Record

HERE = Path(__file__).parent
ENVELOPES = HERE / "data" / "events.json"
LANDED: tuple[tuple[str, Path], ...] = (
    ("registered_users", HERE / "data" / "registered_users.csv"),
    ("gym_logins", HERE / "data" / "gym_logins_morning.csv"),
    ("gym_logins", HERE / "data" / "gym_logins_noon.ndjson"),
)
SILVER = (
    "device_registrations",
    "user_profile_changes",
    "user_profile_history",
    "user_profiles",
    "profile_versions",
    "member_zones",
    "heart_rates",
    "gym_visits",
    "workout_sessions",
    "workout_heart_rates",
    "session_visits",
    "member_day_zones",
    "user_bins",
)
GOLD = (
    "workout_bpm_summary",
    "gym_summary",
    "hourly_heart_rates",
    "daily_heart_rates",
    "gyms",
    "gym_hourly_occupancy",
    "gym_hours",
    "gym_days",
    "member_activity",
    "member_months",
    "member_cohorts",
    "unowned_activity",
)

Row = dict[str, Any]


def records(ingested_at: str) -> list[Record]:
    """The example's records as if all arrived at one time."""
    found: list[Record] = list(from_envelopes([ENVELOPES], ingested_at=ingested_at))
    for feed, path in LANDED:
        found.extend(from_landed(feed, path, ingested_at=ingested_at))
    return found


def expected(table: str) -> list[Row]:
    """The rows derived by hand; averages, written as sum/count, become fractions."""
    rows: list[Row] = json.loads((HERE / "expected" / f"{table}.json").read_text())
    for row in rows:
        if "avg_bpm" in row:
            row["avg_bpm"] = Fraction(row["avg_bpm"])
    return rows


def counted(rows: Iterable[Mapping[str, Any]], *columns: str) -> list[tuple[Any, ...]]:
    """Rows as (values of the columns…, how many), sorted."""
    counts = Counter(tuple(row[name] for name in columns) for row in rows)
    return sorted(((*key, count) for key, count in counts.items()), key=repr)
