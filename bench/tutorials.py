"""The design that streaming tutorials teach: a stream a table, foreachBatch and MERGE, a watermark.

Written as they write it, and fairly: the streams of a stage run at once, each drains what is there
(availableNow), merges that only insert have no update clause, summaries are emitted in update mode,
so that the last sessions are not held back until later data moves the watermark.

What it does not compute, beside the tables that it lacks (hourly and daily heart rates, occupancy,
members' months and activity, pipeline health and more): rejects with reasons, owners of a device
over time, profile history, minutes per zone, recovery, open and orphaned sessions, open visits,
local dates, corrections by late records (more than 30 seconds behind the newest they are dropped;
events of workouts come in one batch here), removal of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession, functions

from bench import data

SCHEMA = "tutorials"
_WATERMARK = "30 seconds"
_FILES_PER_BATCH = 5
"""Of bronze's 200,000 readings each, of 500,000 in what is made of them. All in one micro-batch, as
by default, would not fit the heap as state."""

_WORKOUT = ("user_id", "workout_id", "session_id")
_OF_MEMBERS = ("age", "gender", "city", "state")
"""What the merge adds to a summary."""
# Tables that are only added to, by the columns that tell their rows apart.
_INSERTED = {
    "users": ("user_id", "device_id"),
    "heart_rate": ("device_id", "time"),
    "workouts": (*_WORKOUT, "time"),
    "completed_workouts": _WORKOUT,
    "workout_bpm": (*_WORKOUT, "time"),
}
_UPDATED = {
    "gym_logs": """
        merge into tutorials.gym_logs as a
        using (
            select mac_address, gym, login, max(logout) as logout
            from gym_logs_batch group by mac_address, gym, login
        ) as b
        on a.mac_address = b.mac_address and a.gym = b.gym and a.login = b.login
        when matched and b.logout > a.login and (a.logout is null or b.logout > a.logout)
            then update set logout = b.logout
        when not matched then insert *
    """,
    "user_profile": """
        merge into tutorials.user_profile as a
        using (
            select newest.* from (
                select max_by(struct(*), updated) as newest from user_profile_batch group by user_id
            )
        ) as b
        on a.user_id = b.user_id
        when matched and a.updated < b.updated and b.update_type = 'delete' then delete
        when matched and a.updated < b.updated then update set *
        when not matched and b.update_type <> 'delete' then insert *
    """,
    "workout_bpm_summary": """
        merge into tutorials.workout_bpm_summary as a
        using (
            select batch.*, bins.age, bins.gender, bins.city, bins.state
            from workout_bpm_summary_batch as batch
            left join tutorials.user_bins as bins on batch.user_id = bins.user_id
        ) as b
        on a.user_id = b.user_id and a.workout_id = b.workout_id and a.session_id = b.session_id
            and a.start_time = b.start_time
        when matched then update set *
        when not matched then insert *
    """,
}
_USER_BINS = """
create or replace table tutorials.user_bins as
select
    user_id,
    case
        when years < 18 then 'under 18' when years < 25 then '18-25' when years < 35 then '25-35'
        when years < 45 then '35-45' when years < 55 then '45-55' when years < 65 then '55-65'
        when years < 75 then '65-75' when years < 85 then '75-85' when years < 95 then '85-95'
        when years >= 95 then '95+'
        else 'invalid age'
    end as age,
    gender, city, state
from (
    select *, floor(months_between(current_date(), dob) / 12) as years
    from tutorials.user_profile
)
"""
_GYM_SUMMARY = """
create or replace table tutorials.gym_summary as
select
    cast(logs.login as date) as date,
    logs.gym, logs.mac_address, logs.login, workouts.workout_ids,
    round((unix_timestamp(logs.logout) - unix_timestamp(logs.login)) / 60, 2) as minutes_in_gym,
    round(workouts.seconds / 60, 2) as minutes_exercising
from tutorials.gym_logs as logs
inner join (
    select
        logs.mac_address, logs.gym, logs.login, collect_set(workouts.workout_id) as workout_ids,
        sum(unix_timestamp(workouts.end_time) - unix_timestamp(workouts.start_time)) as seconds
    from tutorials.gym_logs as logs
    inner join (select distinct user_id, mac_address from tutorials.users) as users
        on logs.mac_address = users.mac_address
    inner join tutorials.completed_workouts as workouts on users.user_id = workouts.user_id
    where workouts.start_time between logs.login and logs.logout
    group by logs.mac_address, logs.gym, logs.login
) as workouts
    on logs.mac_address = workouts.mac_address
        and logs.gym = workouts.gym
        and logs.login = workouts.login
"""


def run(spark: SparkSession, checkpoints: Path) -> None:
    """Make all tables from bronze; `checkpoints` is a folder that is not there yet.

    State is in Spark's default store, on the heap, the fastest here: at 25 million readings a
    micro-batch of the join takes 20 s, with RocksDB 76 s, and 40 s with a larger cache and
    changelogs. Three hours of readings and a micro-batch are 8 million rows, 2.7 GiB.
    """
    spark.sql(f"create schema {SCHEMA}")
    streams = _Streams(spark, checkpoints)
    streams.drain(_typed_events(streams))
    spark.sql(_USER_BINS)
    streams.drain({"completed_workouts": _completed_workouts(streams)})
    streams.drain({"workout_bpm": _workout_bpm(streams)})
    streams.drain({"workout_bpm_summary": _workout_bpm_summary(streams)}, "update")
    spark.sql(_GYM_SUMMARY)


def comparisons(files: Callable[[str], str]) -> Iterator[tuple[str, str, str]]:
    """Table, the project's rows and these ones, in SQL of DuckDB: where both must agree.

    Left out: owners of a device that was handed on, which this design takes for owners throughout;
    visits without a logout or a session, which it does not show.
    """
    own = f"(cast(user_id as bigint) - {data.FIRST_USER}) % {data.HAND_ON_EVERY} >= 2"
    numbers = "user_id, workout_id, session_id, min_bpm, avg_bpm, max_bpm, num_recordings"
    yield (
        "workout_bpm_summary",
        f"(select {numbers} from {files('gold.workout_bpm_summary')} where {own})",
        f"(select {numbers} from {files(f'{SCHEMA}.workout_bpm_summary')} where {own})",
    )
    yield (
        "gym_summary",
        "(select mac_address, gym_id, login_at, minutes_in_gym, minutes_exercising from "
        f"{files('gold.gym_summary')} where logout_at is not null and len(sessions) > 0)",
        "(select mac_address, gym as gym_id, login as login_at, minutes_in_gym, "
        f"minutes_exercising from {files(f'{SCHEMA}.gym_summary')})",
    )


class _Streams:
    """Reads Delta tables as streams and drains queries into MERGE statements."""

    def __init__(self, spark: SparkSession, checkpoints: Path) -> None:
        self.spark = spark
        self._checkpoints = checkpoints

    def of(self, table: str) -> DataFrame:
        """A table's rows in the order of its commits."""
        reader = self.spark.readStream.option("startingVersion", "0")
        return reader.option("maxFilesPerTrigger", str(_FILES_PER_BATCH)).table(table)

    def drain(self, tables: Mapping[str, DataFrame], mode: str = "append") -> None:
        """Merge rows into their tables, all at once, until all have been read. Makes the tables."""
        for name, rows in tables.items():
            schema = rows.schema
            for column in _OF_MEMBERS if name == "workout_bpm_summary" else ():
                schema = schema.add(column, "string")
            empty = self.spark.createDataFrame([], schema)
            empty.write.format("delta").saveAsTable(f"{SCHEMA}.{name}")
        running = [
            rows.writeStream.foreachBatch(_upsert(name))
            .queryName(f"tutorials_{name}")
            .outputMode(mode)
            .option("checkpointLocation", str(self._checkpoints / name))
            .trigger(availableNow=True)
            .start()
            for name, rows in tables.items()
        ]
        try:
            for query in running:
                query.awaitTermination()
        finally:
            for query in running:
                query.stop()


def _upsert(table: str) -> Callable[[Any, int], None]:
    """Merges a micro-batch. A closure, so that Spark's worker need not find this module."""
    view, merge = f"{table}_batch", _UPDATED.get(table)
    if merge is None:
        same = " and ".join(f"a.{column} = b.{column}" for column in _INSERTED[table])
        merge = f"merge into tutorials.{table} as a using {view} as b on {same} "
        merge += "when not matched then insert *"

    def upsert(batch: Any, _: int) -> None:
        batch.createOrReplaceTempView(view)
        batch.sparkSession.sql(merge)

    return upsert


def _typed_events(streams: _Streams) -> dict[str, DataFrame]:
    """The five feeds, typed, without repeats within the watermark (but for logins)."""

    def typed(table: str, time: str, *columns: str, json: str = "", feed: str) -> DataFrame:
        rows = streams.of(f"bronze.{feed}")
        if json:
            rows = rows.selectExpr(f"from_json(cast(value as string), '{json}') as event")
        rows = rows.selectExpr(*columns).withWatermark(time, _WATERMARK)
        keys = _INSERTED.get(table, ("user_id", time))
        return rows.dropDuplicates(list(keys)) if table != "gym_logs" else rows

    return {
        "users": typed(
            *("users", "registered_at", "user_id", "device_id"),
            "lower(mac_address) as mac_address",
            "timestamp_seconds(cast(registration_timestamp as bigint)) as registered_at",
            feed="registered_users",
        ),
        "gym_logs": typed(
            *("gym_logs", "login", "lower(mac_address) as mac_address", "gym"),
            "timestamp_seconds(cast(login as bigint)) as login",
            "timestamp_seconds(cast(nullif(logout, '') as bigint)) as logout",
            feed="gym_logins",
        ),
        "user_profile": typed(
            *("user_profile", "updated", "event.user_id", "event.update_type", "event.sex"),
            *("event.gender", "event.first_name", "event.last_name", "event.address.*"),
            "timestamp_seconds(event.timestamp) as updated",
            "case when event.dob like '%/%' then to_date(event.dob, 'MM/dd/yyyy') "
            "else to_date(event.dob, 'yyyy-MM-dd') end as dob",
            json="user_id string, update_type string, timestamp double, dob string, sex string, "
            "gender string, first_name string, last_name string, address struct<street_address: "
            "string, city: string, state: string, zip: string>",
            feed="user_info",
        ),
        "heart_rate": typed(
            *("heart_rate", "time", "event.device_id", "event.heartrate"),
            "timestamp_seconds(event.time) as time",
            json="device_id string, time double, heartrate double",
            feed="bpm",
        ).where("heartrate > 0"),
        "workouts": typed(
            *("workouts", "time", "event.*", "timestamp_seconds(event.timestamp) as time"),
            json="user_id string, workout_id string, session_id string, timestamp double, "
            "action string",
            feed="workout",
        ),
    }


def _completed_workouts(streams: _Streams) -> DataFrame:
    starts = (
        streams.of("tutorials.workouts")
        .where("action = 'start'")
        .selectExpr("user_id", "workout_id", "session_id", "time as start_time")
        .withWatermark("start_time", _WATERMARK)
    )
    stops = (
        streams.of("tutorials.workouts")
        .where("action = 'stop'")
        .selectExpr(
            *("user_id as stop_user_id", "workout_id as stop_workout_id"),
            *("session_id as stop_session_id", "time as end_time"),
        )
        .withWatermark("end_time", _WATERMARK)
    )
    same = functions.expr(
        "user_id = stop_user_id and workout_id = stop_workout_id and session_id = stop_session_id "
        "and end_time > start_time and end_time < start_time + interval 3 hours"
    )
    return starts.join(stops, same).select(*_WORKOUT, "start_time", "end_time")


def _workout_bpm(streams: _Streams) -> DataFrame:
    users = streams.spark.table("tutorials.users").select("user_id", "device_id")
    workouts = (
        streams.of("tutorials.completed_workouts")
        .join(users, "user_id")
        .withWatermark("end_time", _WATERMARK)
    )
    readings = (
        streams.of("tutorials.heart_rate")
        .selectExpr("device_id as reading_device_id", "time", "heartrate")
        .withWatermark("time", _WATERMARK)
    )
    during = functions.expr(
        "device_id = reading_device_id and time > start_time and time <= end_time "
        "and end_time < time + interval 3 hours"
    )
    return workouts.join(readings, during).select(
        *_WORKOUT, "start_time", "end_time", "time", "heartrate"
    )


def _workout_bpm_summary(streams: _Streams) -> DataFrame:
    return (
        streams.of("tutorials.workout_bpm")
        .withWatermark("end_time", _WATERMARK)
        .groupBy(*_WORKOUT, "start_time", "end_time")
        .agg(
            functions.expr("min(heartrate) as min_bpm"),
            functions.expr("avg(heartrate) as avg_bpm"),
            functions.expr("max(heartrate) as max_bpm"),
            functions.expr("count(*) as num_recordings"),
        )
    )
