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

from lakehouse.dashboard.sources import Table
from lakehouse.home import CHECKOUT

# Capacity by gym; the last has none.
GYMS = {"Northside": 24, "Riverside": 20, "Old Mill": None}
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
_ZONES = "silver.member_zones"

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


# Members by hour: those of four instants an hour and of its end. Today is not over.
_HOURS = """
insert into gold.gym_hours (gym_id, peak_members, members_at_end, capacity, local_hour,
                            is_suppressed, local_date, hour_at)
with instants as (
    select gym_id, moment, count(distinct mac_address) as members
    from gold.gym_summary,
         (select unnest(generate_series((select min(visit_date)::timestamp from gold.gym_summary),
                                        ($last)::timestamp + interval 18 hour, interval 15 minute))
                 as moment)
    where login_at <= moment and moment < coalesce(logout_at, login_at + interval 3 hour)
    group by all
),
hours as (
    select gym_id, date_trunc('hour', moment) as hour_at, max(members) as peak,
           coalesce(max(members) filter (
               where minute(moment) = 45 or moment = ($last)::timestamp + interval 18 hour
           ), 0) as at_end
    from instants
    group by all
)
select gym_id, case when peak >= 5 then peak end,
       case when peak >= 5 and at_end not between 1 and 4 then at_end end, capacity, hour(hour_at),
       peak between 1 and 4, hour_at::date, hour_at
from hours join gold.gyms using (gym_id)
"""
_DAYS = """
insert into gold.gym_days (gym_id, visits, members, new_members, mean_minutes, peak_members,
                           peak_hour, is_suppressed, local_date)
with firsts as (
    select user_id, min(login_at) as first_at from gold.gym_summary where user_id is not null
    group by all
),
peaks as (
    select gym_id, local_date, max(peak_members) as peak, arg_max(local_hour, peak_members) as hour
    from gold.gym_hours group by all
),
days as (
    select gym_id, visit_date as local_date, count(*) as visits, count(distinct user_id) as members,
           count(distinct user_id) filter (where login_at = first_at) as news,
           round(avg(minutes_in_gym), 2) as minutes
    from gold.gym_summary left join firsts using (user_id) group by all
)
select gym_id, case when members >= 5 then visits end, case when members >= 5 then members end,
       case when members >= 5 and news not between 1 and 4 and members - news not between 1 and 4
            then news end,
       case when members >= 5 then minutes end, case when members >= 5 then peak end,
       case when members >= 5 and peak is not null then hour end, members < 5, local_date
from days left join peaks using (gym_id, local_date)
"""
_COHORTS = """
insert into gold.member_cohorts (cohort_month, months_since, members, active, share, is_suppressed)
with active as (
    select distinct user_id, date_trunc('month', day)::date as month
    from (select user_id, visit_date as day from gold.gym_summary where user_id is not null
          union all select user_id, workout_date from gold.workout_bpm_summary)
),
cohorts as (select user_id, min(month) as cohort_month from active group by all),
grid as (
    select cohort_month, members, unnest(range(0, 240)) as months_since
    from (select cohort_month, count(*) as members from cohorts group by all)
),
counted as (
    select cohort_month, months_since, members, count(active.user_id) as active
    from grid join cohorts using (cohort_month)
    left join active on active.user_id = cohorts.user_id
         and active.month = cohort_month + to_months(months_since::int)
    where cohort_month + to_months(months_since::int) < date_trunc('month', $last)
    group by all
),
judged as (
    select *, members < 5 as small,
           members < 5 or active between 1 and 4 or members - active between 1 and 4 as hidden
    from counted
)
select cohort_month, months_since, case when not small then members end,
       case when not hidden then active end, case when not hidden then active / members end, hidden
from judged
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
        database.execute("create table silver.member_zones (user_id varchar, time_zone varchar)")
        return cls(database)

    @classmethod
    def of(cls, members: int, days: int, seed: int = 1) -> Gold:
        """With so many members over so many days; the same for the same seed."""
        gold = cls.empty()
        for table, rows in _made(members, days, random.Random(seed)).items():
            gold.insert(table, rows)
        for statement in (_HOURS, _DAYS, _COHORTS):
            last = f"date '{FIRST_DAY + timedelta(days=days - 1)}'"
            gold.database.execute(statement.replace("$last", last))
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
        # FROM_UTC_TIMESTAMP: a time without a zone is one of UTC.
        for local in list(tree.find_all(sqlglot.exp.AtTimeZone)):
            utc = sqlglot.exp.Literal.string("UTC")
            local.set("this", sqlglot.exp.AtTimeZone(this=local.this, zone=utc))
        cursor = self.database.cursor()
        # Spark's MAX_BY takes a null where it stands, as DuckDB's ARG_MAX_NULL does.
        translated = tree.sql("duckdb").replace("ARG_MAX(", "ARG_MAX_NULL(")
        cursor.execute("use gold").execute(translated)
        return cursor.fetch_arrow_table()


def _made(members: int, days: int, chance: random.Random) -> dict[str, list[Row]]:
    tables: dict[str, list[Row]] = {name: [] for name in (*contracts(), _BOUNDS, _ZONES)}
    tables["gyms"] = [
        {"gym_id": _id(gym), "gym_name": gym, "time_zone": "Etc/UTC", "capacity": capacity}
        for gym, capacity in GYMS.items()
        if members
    ]
    last = FIRST_DAY + timedelta(days=days - 1)
    for number in range(members):
        _member(tables, f"m{number:03}", number, days, last, chance)
    if members:
        # Somebody whom no registration knows.
        tables["gym_summary"].append(
            _visit(None, "0a:0b:0c:0d:0e:0f", "Northside", _at(FIRST_DAY, 18.0), 30.0, [])
        )
    for offset in range(days if members else 0):
        for feed in FEEDS:
            tables["pipeline_health"].append(_health(feed, offset, chance))
        for feed, most in (("bpm", 900), ("gym_logins", 6)):
            day = FIRST_DAY + timedelta(days=offset)
            tables["unowned_activity"].append(
                {"feed": feed, "records": 1 + chance.randrange(most), "date": day}
            )
    return tables


def _id(gym: str) -> str:
    return str(1 + list(GYMS).index(gym))


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
    # In a long history members join over time, and some leave.
    joined = number * 7 % (days - 60) if days > 120 and number % 2 else 0
    left = joined + chance.expovariate(1 / 90) if days > 120 and number % 5 > 1 else days
    visits: list[int] = []
    tables[_ZONES].append({"user_id": member, "time_zone": "Etc/UTC"})
    for offset in range(joined, days):
        day = FIRST_DAY + timedelta(days=offset)
        lapsed = offset > left or (number % 9 == 8 and offset > days - 20)
        zones = _zones(chance.uniform(900, 1300), [0.99, 0.007, 0.002, 0.001], chance)
        if not lapsed and chance.random() < keen * (0.6 if day.weekday() > 4 else 1.0):
            visits.append(offset)
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
                "resting_bpm_estimate": resting - offset / 60 + chance.uniform(-2, 2),
                "zone_basis": "reserve",
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
            "logins": len(visits),
            "visits_84_days_before": len(before := [v for v in visits if -112 < v - days < -28]),
            "is_falling": len(before) >= 6
            and 6 * sum(1 for v in visits if v >= days - 28) < len(before)
            if days >= 112
            else None,
            "is_inactive": not any(v >= days - 14 for v in visits) if days >= 14 else None,
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
        "gym_id": _id(gym),
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
        number = int(member[1:])
        gym = tuple(GYMS)[(number + (day.toordinal() % 7 == 0)) % len(GYMS)]
        mac = f"02:00:00:00:{number // 256:02x}:{number % 256:02x}"
        session["gym_id"] = _id(gym)
        tables["gym_summary"].append(_visit(member, mac, gym, login, stay, [session]))
    rest = _zones(1100, [0.99, 0.007, 0.002, 0.001], chance)
    return [round(a + b, 2) for a, b in zip(zones, rest, strict=True)]


def _health(feed: str, offset: int, chance: random.Random) -> Row:
    day = FIRST_DAY + timedelta(days=offset)
    scale = {"bpm": 400_000, "workout": 120, "gym_logins": 130}.get(feed, 6)
    accepted = chance.randrange(scale // 2 + 1, scale + 2)
    rejected = chance.randrange(0, scale // 300) if scale > 600 else int(chance.random() < 0.06)
    if feed == "workout" and day.day == 20:
        rejected = accepted // 10
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
