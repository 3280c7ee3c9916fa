"""Gold as fixture, in DuckDB: tables by the models' contracts, rows of an invented gym chain.

It answers the dashboard's SQL (Databricks' dialect, translated), so that pages and linter are
tested in seconds; one test at the end does the same on a workspace.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

import duckdb
import pyarrow as pa
import sqlglot
import yaml

from local.dashboard.sources import Table
from local.home import CHECKOUT

GYMS = ("Northside", "Riverside", "Old Mill", "Harbour")
CITIES = ("Los Angeles", "Pasadena", "Glendale", "Burbank")
FEEDS = ("user_info", "bpm", "workout", "registered_users", "gym_logins")
FIRST_DAY = date(2026, 8, 3)
_TYPES = {
    "string": "VARCHAR",
    "bigint": "BIGINT",
    "int": "INTEGER",
    "double": "DOUBLE",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "boolean": "BOOLEAN",
    "array<struct<workout_id:string,session_id:string>>": (
        "STRUCT(workout_id VARCHAR, session_id VARCHAR)[]"
    ),
    "array<struct<reason:string,records:bigint>>": "STRUCT(reason VARCHAR, records BIGINT)[]",
}
Row = dict[str, Any]
PROFILE = ("age_band", "sex", "gender", "city", "state")
_BOUNDS = "silver.member_day_zones"

# A reading each minute, of whole beats, with what makes a curve hard to pack: noise.
_READINGS = """
insert into silver.heart_rates
select 'd' || user_id, user_id, cast(day as timestamp) + to_minutes(minute),
       round(72 + 14 * sin(minute / 230.0) + hash(user_id, day, minute) % 23
             + case when minute between 1080 and 1140 then 55 else 0 end)
from (select user_id, cast(unnest(generate_series(cast(? as date), cast(? as date), interval 1 day))
             as date) as day from gold.member_activity)
cross join (select unnest(range(0, 1440)) as minute)
where minute % 720 > 20
"""
# Within minutes, to tell lowest, mean and highest apart.
_MORE = """
insert into silver.heart_rates
select device_id, user_id, measured_at + to_seconds(20), heart_rate_bpm + 7.5
from silver.heart_rates where user_id = 'm001'
"""


@cache
def contracts() -> dict[str, dict[str, str]]:
    """Columns and types of each gold model, from its contract."""
    found: dict[str, dict[str, str]] = {}
    for path in sorted((CHECKOUT / "models/gold").glob("*.yml")):
        for model in yaml.safe_load(path.read_text()).get("models", []):
            found[model["name"]] = {c["name"]: c["data_type"] for c in model["columns"]}
    return found


@dataclass
class Gold:
    """A database with gold and what member pages read of silver; a `Source` for pages."""

    database: duckdb.DuckDBPyConnection
    statements: list[str] = field(default_factory=list)

    @classmethod
    def empty(cls) -> Gold:
        database = duckdb.connect()
        database.execute("set TimeZone = 'UTC'")
        database.execute("create schema gold; create schema silver; use gold")
        for name, columns in contracts().items():
            listed = ", ".join(f'"{column}" {_TYPES[kind]}' for column, kind in columns.items())
            database.execute(f'create table gold."{name}" ({listed})')
        database.execute(
            "create table silver.heart_rates "
            "(device_id varchar, user_id varchar, measured_at timestamp, heart_rate_bpm double)"
        )
        database.execute(
            "create table silver.member_day_zones (user_id varchar, date date, age integer, "
            "fat_burn_from_bpm double, cardio_from_bpm double, peak_from_bpm double)"
        )
        return cls(database)

    @classmethod
    def of(cls, members: int, days: int, seed: int = 1) -> Gold:
        """With so many members over so many days; the same for the same seed."""
        gold = cls.empty()
        for table, rows in _world(members, days, random.Random(seed)).items():
            gold.insert(table, rows)
        return gold

    @classmethod
    def with_readings(cls, members: int, days: int) -> Gold:
        """The same, with a reading a minute."""
        gold = cls.of(members, days)
        last = FIRST_DAY + timedelta(days=days - 1)
        gold.database.execute(_READINGS, [str(FIRST_DAY), str(last)])
        gold.database.execute(_MORE)
        return gold

    def insert(self, table: str, rows: list[Row]) -> None:
        """Rows with the columns they name; others are null."""
        if not rows:
            return
        names = list(dict.fromkeys(name for row in rows for name in row))
        listed = ", ".join(f'"{name}"' for name in names)
        schema, _, name = table.rpartition(".")
        arrow = pa.Table.from_pylist([{name: row.get(name) for name in names} for row in rows])
        self.database.register("new_rows", arrow)
        self.database.execute(
            f'insert into {schema or "gold"}."{name}" ({listed}) select {listed} from new_rows'
        )
        self.database.unregister("new_rows")

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Table:
        """Run Databricks SQL."""
        arrow = self.arrow(sql, parameters)
        return Table(arrow.column_names, [column.to_pylist() for column in arrow.columns])

    def arrow(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        """Run Databricks SQL."""
        self.statements.append(sql)
        tree = sqlglot.parse_one(sql, read="databricks")
        for mark in list(tree.find_all(sqlglot.exp.Placeholder)):
            mark.replace(sqlglot.exp.convert((parameters or {})[mark.name]))
        for table in tree.find_all(sqlglot.exp.Table):
            table.set("catalog", None)
        cursor = self.database.cursor()
        cursor.execute("use gold").execute(tree.sql("duckdb"))
        return cursor.fetch_arrow_table()


def _world(members: int, days: int, chance: random.Random) -> dict[str, list[Row]]:
    tables: dict[str, list[Row]] = {name: [] for name in (*contracts(), _BOUNDS)}
    last = FIRST_DAY + timedelta(days=days - 1)
    for number in range(members):
        _member(tables, f"m{number:03}", number, days, last, chance)
    if members:
        # Somebody whom no registration knows.
        tables["gym_summary"].append(
            _visit(None, "0a:0b:0c:0d:0e:0f", GYMS[0], _at(FIRST_DAY, 18.0), 30.0, [])
        )
    for offset in range(days if members else 0):
        for feed in FEEDS:
            tables["pipeline_health"].append(_health(feed, offset, chance))
    return tables


def _at(day: date, hours: float) -> datetime:
    return datetime(day.year, day.month, day.day) + timedelta(seconds=round(hours * 3600))


def _member(
    tables: dict[str, list[Row]],
    member: str,
    number: int,
    days: int,
    last: date,
    chance: random.Random,
) -> None:
    age = chance.choice([19, 22, 27, 29, 31, 34, 38, 42, 46, 51, 57, 63, 68])
    born_known = number % 17 != 16
    low = 18 if age < 25 else 25 + (age - 25) // 10 * 10
    high = 25 if age < 25 else low + 10
    profile: Row = {
        "age_band": f"{low}-{high}" if born_known else "invalid age",
        "sex": ("F", "M")[number % 2],
        "gender": ("F", "M", "F", "M", "X")[number % 5],
        "city": CITIES[number * number % len(CITIES)] if number % 23 else "Altadena",
        "state": "CA",
    }
    top = 220 - age
    bounds: Row = {
        "age": age,
        "fat_burn_from_bpm": top * 0.5,
        "cardio_from_bpm": top * 0.7,
        "peak_from_bpm": top * 0.85,
    }
    resting, keen = chance.uniform(52, 72), chance.uniform(0.15, 0.75)
    logins = 0
    for offset in range(days):
        day = FIRST_DAY + timedelta(days=offset)
        lapsed = number % 9 == 8 and offset > days - 20
        zones = _zones(chance.uniform(900, 1300), [0.94, 0.05, 0.009, 0.001], chance)
        if not lapsed and chance.random() < keen * (0.6 if day.weekday() > 4 else 1.0):
            logins += 1
            aged = {**profile, "age": age if born_known else None}
            zones = _visit_day(tables, member, aged, day, (resting, float(top)), chance)
        tables[_BOUNDS].append({"user_id": member, "date": day, **(bounds if born_known else {})})
        tables["daily_heart_rates"].append(
            {
                "user_id": member,
                "date": day,
                **profile,
                "min_bpm": round(resting - chance.uniform(2, 6)),
                "avg_bpm": resting + chance.uniform(12, 20),
                "max_bpm": round(top * chance.uniform(0.7, 0.97)),
                "num_readings": chance.randrange(4000, 9000),
                "resting_bpm_estimate": resting + chance.uniform(-2, 2),
                "covered_minutes": round(sum(zones), 2),
                **(_zone_columns(zones) if born_known else {}),
            }
            if born_known
            else {
                "user_id": member,
                "date": day,
                **profile,
                "min_bpm": 50.0,
                "avg_bpm": 80.0,
                "max_bpm": 150.0,
                "num_readings": 5000,
                "resting_bpm_estimate": resting,
                "covered_minutes": round(sum(zones), 2),
                **dict.fromkeys(_zone_columns(zones)),
            }
        )
    tables["member_activity"].append(
        {
            "user_id": member,
            **profile,
            "logins": logins,
            "is_inactive": (number % 9 == 8 and days > 15) or logins == 0,
            "as_of_date": last,
        }
    )


def _zones(minutes: float, shares: list[float], chance: random.Random) -> list[float]:
    parts = [share * chance.uniform(0.6, 1.4) for share in shares]
    return [round(minutes * part / sum(parts), 2) for part in parts]


def _zone_columns(zones: list[float]) -> Row:
    return {
        "out_of_range_minutes": zones[0],
        "fat_burn_minutes": zones[1],
        "cardio_minutes": zones[2],
        "peak_minutes": zones[3],
        "active_zone_minutes": round(zones[1] + 2 * zones[2] + 2 * zones[3], 2),
    }


def _visit(
    member: str | None,
    mac: str,
    gym: str,
    login: datetime,
    minutes: float | None,
    sessions: list[Row],
) -> Row:
    """With the profile of its sessions."""
    profile = {name: sessions[0][name] for name in PROFILE} if sessions else {}
    return {
        "gym_id": gym,
        "mac_address": mac,
        "user_id": member,
        "age_band": "invalid age",
        **profile,
        "sessions": [{k: s[k] for k in ("workout_id", "session_id")} for s in sessions],
        "minutes_in_gym": minutes,
        "minutes_exercising": round(
            sum((s["ended_at"] - s["started_at"]).total_seconds() / 60 for s in sessions), 2
        ),
        "visit_date": login.date(),
        "login_at": login,
        "logout_at": None if minutes is None else login + timedelta(minutes=minutes),
    }


def _visit_day(
    tables: dict[str, list[Row]],
    member: str,
    profile: Row,
    day: date,
    rates: tuple[float, float],
    chance: random.Random,
) -> list[float]:
    """A visit with a workout, or a workout elsewhere; returns the day's minutes per zone."""
    resting, top = rates
    login = _at(day, chance.choice([6.5, 7, 7.5, 12, 17, 17.5, 18, 18.5, 19]) + chance.random())
    minutes = round(chance.uniform(35, 110), 2)
    length = timedelta(minutes=round(chance.uniform(0.4, 0.9) * minutes, 2))
    started = login + timedelta(minutes=5)
    zones = _zones(length.total_seconds() / 60, [0.15, 0.4, 0.35, 0.1], chance)
    session: Row = {
        "user_id": member,
        "workout_id": str(day.toordinal()),
        "session_id": str(1 + day.toordinal() % 9),
        **profile,
        "min_bpm": round(resting + chance.uniform(10, 25)),
        "avg_bpm": top * chance.uniform(0.62, 0.78),
        "max_bpm": round(top * chance.uniform(0.84, 0.98)),
        "num_recordings": chance.randrange(60, 900),
        **_zone_columns(zones),
        "heart_rate_recovery_bpm": chance.choice([None, round(chance.uniform(10, 32))]),
        "workout_date": day,
        "started_at": started,
        "ended_at": started + length,
    }
    del session["active_zone_minutes"]
    if profile["age"] is None:
        session.update(dict.fromkeys(_zone_columns(zones)) | {})
        del session["active_zone_minutes"]
    tables["workout_bpm_summary"].append(session)
    # Some exercise at home; some never log out.
    if chance.random() < 0.93:
        stay = None if chance.random() < 0.02 else minutes
        gym = GYMS[(int(member[1:]) + (day.toordinal() % 7 == 0)) % len(GYMS)]
        mac = "02:00:00:00:00:" + f"{int(member[1:]) % 256:02x}"
        tables["gym_summary"].append(_visit(member, mac, gym, login, stay, [session]))
    rest = _zones(1100, [0.95, 0.04, 0.01, 0.001], chance)
    return [round(a + b, 2) for a, b in zip(zones, rest, strict=True)]


def _health(feed: str, offset: int, chance: random.Random) -> Row:
    day = FIRST_DAY + timedelta(days=offset)
    scale = {"bpm": 400_000, "workout": 120, "gym_logins": 130}.get(feed, 6)
    accepted = chance.randrange(scale // 2 + 1, scale + 2)
    rejected = chance.randrange(0, max(2, scale // 300))
    reasons = ["heart_rate_out_of_range", "malformed", "missing_field", "wrong_type"]
    split = [rejected // 4] * 3
    counts = zip(reasons, [*split, rejected - sum(split)], strict=True)
    return {
        "feed": feed,
        "received": accepted + rejected,
        "accepted": accepted,
        "rejected": rejected,
        "erased": 0,
        "logouts_ignored": accepted // 90 if feed == "gym_logins" else 0,
        "rejected_by_reason": [{"reason": r, "records": n} for r, n in counts if n],
        "late": chance.randrange(0, max(2, accepted // 50)),
        "p50_lateness_seconds": chance.uniform(1, 9),
        "p95_lateness_seconds": chance.uniform(10, 900),
        "p99_lateness_seconds": chance.uniform(900, 4000),
        "max_lateness_seconds": chance.uniform(4000, 90000),
        "arrival_date": day,
        "newest_event_at": _at(day, 23.9),
        "newest_arrival_at": _at(day, 23.95),
    }
