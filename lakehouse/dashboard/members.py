"""The members' file: heart rates through the day of the members one asks for. Personal data.

The curve comes by the minute for the newest 7 days of the file and by 15 minutes before that, as
lowest, mean and highest of the readings. Curve, age and bounds of zones come from silver: gold has
none by day, since the day on which they change tells a birth date. All else is from gold, as it
stands there. Days and times are of the member's own clock, those of visits too.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from lakehouse.dashboard import page
from lakehouse.dashboard.definition import Json
from lakehouse.dashboard.sources import Source, plain
from lakehouse.home import CHECKOUT, WorkspaceError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

TITLE = "Members' days – personal data"
FINE_DAYS = 7

PROFILE = ("age_band", "gender", "city", "state")

_DAYS = """
SELECT user_id, `date`, min_bpm, avg_bpm, max_bpm, num_readings, resting_bpm_estimate,
       covered_minutes, out_of_range_minutes, fat_burn_minutes, cardio_minutes, peak_minutes,
       active_zone_minutes, age_band, gender, city, state
FROM daily_heart_rates
WHERE user_id IN ({members})
ORDER BY user_id, `date`"""
_BOUNDS = """
SELECT user_id, `date`, age, fat_burn_from_bpm, cardio_from_bpm, peak_from_bpm
FROM silver.member_day_zones
WHERE user_id IN ({members})"""
# The member's zone; a member without a profile has none, and goes by the project's default.
_ZONE = "COALESCE(zones.time_zone, :default_zone)"
_WORKOUTS = """
SELECT w.user_id, w.workout_date AS date, w.workout_id, w.session_id,
       FROM_UTC_TIMESTAMP(w.started_at, {zone}) AS started_at,
       FROM_UTC_TIMESTAMP(w.ended_at, {zone}) AS ended_at,
       w.min_bpm, w.avg_bpm, w.max_bpm, w.age_band, w.gender, w.city, w.state,
       (UNIX_MICROS(w.ended_at) - UNIX_MICROS(w.started_at)) / 60000000.0D AS minutes
FROM workout_bpm_summary w
LEFT JOIN silver.member_zones zones ON w.user_id = zones.user_id
WHERE w.user_id IN ({members})
ORDER BY w.user_id, w.started_at, w.workout_id, w.session_id"""
_VISITS = """
SELECT v.user_id, CAST(FROM_UTC_TIMESTAMP(v.login_at, {zone}) AS DATE) AS date,
       gyms.gym_name AS gym,
       FROM_UTC_TIMESTAMP(v.login_at, {zone}) AS login_at,
       FROM_UTC_TIMESTAMP(v.logout_at, {zone}) AS logout_at,
       v.minutes_in_gym, v.minutes_exercising, v.age_band, v.gender, v.city, v.state
FROM gym_summary v
JOIN gyms ON v.gym_id = gyms.gym_id
LEFT JOIN silver.member_zones zones ON v.user_id = zones.user_id
WHERE v.user_id IN ({members})
ORDER BY v.user_id, v.login_at, v.gym_id"""
# minute: first minute of the step, counted from midnight. The hour that a clock goes through twice
# is one hour of the curve.
_CURVE = """
SELECT user_id, `date`, minute - minute % step AS minute,
       MIN(heart_rate_bpm) AS lowest, AVG(heart_rate_bpm) AS mean, MAX(heart_rate_bpm) AS highest
FROM (
  SELECT user_id, heart_rate_bpm, CAST(local_at AS DATE) AS `date`,
         HOUR(local_at) * 60 + MINUTE(local_at) AS minute,
         CASE WHEN CAST(local_at AS DATE) >= CAST(:fine_from AS DATE) THEN 1 ELSE 15 END AS step
  FROM (
    SELECT r.user_id, r.heart_rate_bpm, FROM_UTC_TIMESTAMP(r.measured_at, {zone}) AS local_at
    FROM silver.heart_rates r
    LEFT JOIN silver.member_zones zones ON r.user_id = zones.user_id
    WHERE r.user_id IN ({members})
  ) clocks
) readings
GROUP BY user_id, `date`, minute - minute % step
ORDER BY user_id, `date`, minute"""
_KNOWN = "SELECT user_id FROM member_activity WHERE user_id IN ({members})"


@dataclass(frozen=True)
class Curves:
    """Steps of all members and days, one after the other, with 4 numbers each.

    minute: first minute of the step; lowest, highest in beats a minute; mean likewise.
    starts: place of the first step of (member, date); the days follow in that order.
    """

    steps: Mapping[str, NDArray[np.float64]]
    starts: Mapping[tuple[str, datetime.date], tuple[int, int]]


@dataclass(frozen=True)
class Members:
    """All that the members' file shows."""

    members: list[Json]
    fine_from: str | None
    curves: Curves


def read(source: Source, ids: Sequence[str]) -> Members:
    """Raises WorkspaceError for an id that gold does not know."""
    wanted = list(dict.fromkeys(ids))
    known = {row["user_id"] for row in _rows(source, _KNOWN, wanted)}
    unknown = [member for member in wanted if member not in known]
    if unknown:
        raise WorkspaceError(
            f"gold knows no member {', '.join(unknown)}: `lakehouse sql` with "  # noqa: S608
            '"select user_id from gold.member_activity" lists the ids.'
        )
    days = _rows(source, _DAYS, wanted)
    newest = max((row["date"] for row in days), default=None)
    fine_from = newest - datetime.timedelta(days=FINE_DAYS - 1) if newest else None
    curves = _curves(_arrow(source, _CURVE, wanted, fine_from=str(fine_from or "2000-01-01")))
    bounds = _by_member(_rows(source, _BOUNDS, wanted))
    workouts = _by_member(_rows(source, _WORKOUTS, wanted))
    visits = _by_member(_rows(source, _VISITS, wanted))
    summaries = _by_member(days)
    members = [
        _member(
            member,
            summaries.get(member, []),
            bounds.get(member, []),
            workouts.get(member, []),
            visits.get(member, []),
            curves,
        )
        for member in wanted
    ]
    return Members(members, None if newest is None else str(fine_from), curves)


def _rows(source: Source, sql: str, ids: Sequence[str]) -> list[Json]:
    statement, parameters = _with_members(sql, ids)
    return source.query(statement, parameters).rows()


def _arrow(source: Source, sql: str, ids: Sequence[str], **more: str) -> pa.Table:
    statement, parameters = _with_members(sql, ids)
    return source.arrow(statement, {**parameters, **more})


def _with_members(sql: str, ids: Sequence[str]) -> tuple[str, dict[str, str]]:
    """The statement with a parameter for each id: they come from outside."""
    parameters = {f"member{number}": member for number, member in enumerate(ids)}
    listed = ", ".join(f":{name}" for name in parameters)
    if "{zone}" in sql:
        parameters["default_zone"] = _default_zone()
    return sql.format(members=listed, zone=_ZONE), parameters


@cache
def _default_zone() -> str:
    """The project's variable `default_time_zone`."""
    import yaml

    project = yaml.safe_load((CHECKOUT / "dbt_project.yml").read_text(encoding="utf-8"))
    return str(project["vars"]["default_time_zone"])


def _by_member(rows: Sequence[Json]) -> dict[str, list[Json]]:
    grouped: dict[str, list[Json]] = {}
    for row in rows:
        grouped.setdefault(row["user_id"], []).append(row)
    return grouped


def _curves(table: pa.Table) -> Curves:
    import numpy as np

    users, dates = table.column("user_id").to_pylist(), table.column("date").to_pylist()
    starts: dict[tuple[str, datetime.date], tuple[int, int]] = {}
    for place, key in enumerate(zip(users, dates, strict=True)):
        first, count = starts.get(key, (place, 0))
        starts[key] = (first, count + 1)
    return Curves(
        {
            name: np.asarray(table.column(name).to_numpy(), dtype=np.float64)
            for name in ("minute", "lowest", "mean", "highest")
        },
        starts,
    )


def _member(
    member: str,
    summaries: Sequence[Json],
    bounds: Sequence[Json],
    workouts: Sequence[Json],
    visits: Sequence[Json],
    curves: Curves,
) -> Json:
    """One member as the page takes it; a day is listed if readings, workouts or visits touch it."""
    by_date = {row["date"]: row for row in summaries}
    bounds_of = {row["date"]: row for row in bounds}
    workouts = [_until(row, row["ended_at"]) for row in workouts]
    visits = [_until(row, row["logout_at"]) for row in visits]
    dates = sorted({*by_date, *(date for row in (*workouts, *visits) for date in _dates(row))})
    # A day without readings has the profile of its first visit, or workout.
    profile_of = {
        row["date"]: {name: row[name] for name in PROFILE}
        for row in (*reversed(workouts), *reversed(visits), *summaries)
    }
    profile: Json = {}
    days = []
    for date in dates:
        # A day that only a night's visit or workout reaches into has no row: it keeps the last one.
        profile = profile_of.get(date, profile)
        start, count = curves.starts.get((member, date), (0, 0))
        days.append(
            {
                **_without_id(by_date.get(date, {})),
                **profile,
                **_without_id(bounds_of.get(date, {})),
                "date": str(date),
                "start": start,
                "count": count,
            }
        )
    return {
        "id": member,
        "days": days,
        "workouts": [_without_id(row, *PROFILE) for row in workouts],
        "visits": [_without_id(row, *PROFILE) for row in visits],
    }


def _without_id(row: Json, *more: str) -> Json:
    return {name: plain(value) for name, value in row.items() if name not in ("user_id", *more)}


def _until(row: Json, end: datetime.datetime | None) -> Json:
    """With the last day that it touches; an open visit is known on its first day alone."""
    if end is None:
        return {**row, "until": row["date"]}
    # What ends at midnight does not touch the day that begins then.
    last = plain(end - datetime.timedelta(microseconds=1))[:10]
    return {**row, "until": max(row["date"], datetime.date.fromisoformat(last))}


def _dates(row: Json) -> list[datetime.date]:
    first: datetime.date = row["date"]
    return [first + datetime.timedelta(n) for n in range((row["until"] - first).days + 1)]


def pack(curves: Curves) -> tuple[Json, bytes]:
    """(layout, bytes): planes of little-endian numbers, one after the other.

    Differences are stored, since they repeat and so compress: of the minute from the step before,
    of mean and highest from the lowest. A plane has tenths if it needs them, in 16 bits.
    """
    import numpy as np

    steps = curves.steps
    lowest = steps["lowest"]
    planes = {
        "minute": np.diff(steps["minute"], prepend=0.0) % 1440,
        "lowest": lowest,
        "mean": steps["mean"] - lowest,
        "highest": steps["highest"] - lowest,
    }
    layout: list[Json] = []
    content = []
    for name, values in planes.items():
        whole = bool(np.all(values == np.rint(values))) and (values.max(initial=0) < 256)
        scale = 1 if whole else 1 if name == "minute" else 10
        kind = np.uint8 if whole else np.dtype("<u2")
        stored = np.rint(values * scale).astype(kind).tobytes()
        layout.append({"name": name, "scale": scale, "bytes": 1 if whole else 2})
        content.append(stored + b"\0" * (len(stored) % 2))
    return {"steps": len(lowest), "planes": layout}, b"".join(content)


def render(members: Members, *, cache: Path, written_at: datetime.datetime | None = None) -> str:
    """The members' file as one page."""
    layout, content = pack(members.curves)
    about: Json = {
        "members": members.members,
        "fineFrom": members.fine_from,
        "steps": layout,
    }
    written = f", written {written_at:%Y-%m-%d %H:%M} UTC" if written_at else ""
    number = len(members.members)
    body = page.filled(
        "members.html", ABOUT=f"{number} member{'' if number == 1 else 's'}{written}"
    )
    kind = "application/octet-stream"
    return page.assemble(
        title=TITLE,
        body=body,
        styles=["common.css", "members.css"],
        scripts=["elements.js", "charts.js", "members.js"],
        payloads={
            "about": (kind, page.packed(page.as_json(about).encode())),
            "curves": (kind, page.packed(content)),
        },
        cache=cache,
    )
