"""Synthetic bronze: members who wear a device on two days, a month apart; the same rows each time.

A member has 10,000 readings, one each 5 seconds, half of them on each day; two workouts and one gym
visit a day; a device, a MAC and a profile. Some change their profile, some never stop a workout or
log out, some devices are handed on, and a reading of a thousand comes twice. Readings, events and
logins are in order of time, so that also designs that need order get every row.

The SQL is Spark's and DuckDB's alike: rows come from `ids`, a relation with one column `id`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

EPOCH = 1_772_323_200
"""Midnight of the first day, 2026-03-01 UTC, in seconds."""
READINGS_PER_MEMBER = 10_000
READINGS_PER_DAY = 5_000
READING_SECONDS = 5
DAYS_APART = 30
"""A record a month late falls on a day that has readings."""
READINGS_PER_FILE = 200_000
"""What one micro-batch of ingestion takes at most."""
FIRST_USER = 10_000_000
FIRST_DEVICE = 200_000
HAND_ON_EVERY = 20
"""The device of one member in so many goes to the next member on the second day."""

_WEAR_STARTS = 8 * 3600
_VISIT = (3_000, 16_200)
_WORKOUTS = ((3_600, 6_300), (14_400, 15_600))
_NEW_HOURS_START = 15 * 3600
_ARRIVED = "2026-04-05 00:00:00"
# Copies have the odd positions, and so a partition of their own: one in a thousand readings.
_OFFSET_OF_READING = "if(position % 2 = 0, position / 2, floor(position / 2000))"
# Behind all of the history, as if what came between had not been taken in.
_OFFSET_OF_NEW_HOUR = "floor(position / 2)"
# Where some events are left out; only small slices may be sorted.
_OFFSET_IN_ORDER = "row_number() over (partition by position % 2 order by position) - 1"


@dataclass(frozen=True)
class Size:
    """How much history there is; repeats come on top of `readings`."""

    readings: int

    @property
    def members(self) -> int:
        return max(2, math.ceil(self.readings / READINGS_PER_MEMBER))


@dataclass(frozen=True)
class Slice:
    """The rows of one bronze table: a SELECT over `{ids}`, of so many ids."""

    table: str
    ids: int
    select: str


def history(size: Size) -> list[Slice]:
    """Everything up to the end of the second day."""
    members = size.members
    handed_on = len(range(0, members - 1, HAND_ON_EVERY))
    return [
        Slice("user_info", members * 3, _kafka("user_info", _profile_changes(members))),
        Slice("bpm", size.readings, _kafka("bpm", _readings(members), _OFFSET_OF_READING)),
        Slice("workout", members * 8, _kafka("workout", _workout_events(members))),
        Slice("registered_users", members, _file("registered_users", _registrations())),
        Slice("registered_users", handed_on, _file("registered_users", _hand_ons())),
        Slice("gym_logins", members * 4, _file("gym_logins", _logins(members))),
    ]


def registrations(members: int) -> list[Slice]:
    """Owners of the devices from FIRST_DEVICE on, and nothing else."""
    return [Slice("registered_users", members, _file("registered_users", _registrations()))]


def new_hour(number: int, readings: int, *, late: bool) -> Slice:
    """The readings of an hour behind the history, of two members; no two hours meet.

    late: one in a hundred of them is 30 days older.
    """
    if readings > 7_200:
        raise ValueError("two members send 7,200 readings an hour at most, one a second each")
    older = f"case when id % 100 = 50 then {DAYS_APART * 86_400} else 0 end" if late else "0"
    start = EPOCH + DAYS_APART * 86_400 + _NEW_HOURS_START + number * 3_600
    select = f"""
        select
            {(number + 1) * 10**12} + id as position,
            1 + id % 2 as device,
            {start} + cast(floor(floor(id / 2) * 7200 / {readings}) as bigint) - {older}
                as happens,
            65 + id % 11 as heart_rate
        from {{ids}}
    """
    return Slice("bpm", readings, _kafka("bpm", _reading_payloads(select), _OFFSET_OF_NEW_HOUR))


def write(spark: SparkSession, slices: list[Slice]) -> None:
    """Append to bronze: a commit a slice, its files in the order of the ids."""
    from ingestion import bronze

    bronze.create_tables(spark)
    for part in slices:
        if part.ids:
            files = math.ceil(part.ids / READINGS_PER_FILE)
            ids = f"range(0, {part.ids}, 1, {files}) as t(id)"
            spark.sql(part.select.format(ids=ids)).writeTo(f"bronze.{part.table}").append()


def _int(expression: str) -> str:
    """Whole-number division: / gives doubles in both dialects."""
    return f"cast(floor({expression}) as bigint)"


def _readings(members: int) -> str:
    exercising = " or ".join(
        f"(slot * {READING_SECONDS} > {start} and slot * {READING_SECONDS} <= {end})"
        for start, end in _WORKOUTS
    )
    return _reading_payloads(f"""
        select
            2 * id + copy as position,
            member as device,
            {EPOCH} + day * {DAYS_APART * 86_400} + {_WEAR_STARTS}
                + slot * {READING_SECONDS} + member % {READING_SECONDS} as happens,
            58 + member % 20 + (slot * 7 + member * 13 + {_int("slot / 12")}) % 9
                + case when {exercising} then 70 else 0 end as heart_rate
        from (
            select
                id,
                copy,
                id % {members} as member,
                {_int(f"id / {members} / {READINGS_PER_DAY}")} as day,
                {_int(f"id / {members}")} % {READINGS_PER_DAY} as slot
            from {{ids}}
            inner join (select * from (values (0), (1)) as c(copy)) as copies
                on copy = 0 or id % 1000 = 7
        ) as worn
    """)


def _reading_payloads(readings: str) -> str:
    """Readings (position, device, happens, heart_rate) as messages."""
    return f"""
        select
            position,
            cast({_device("device")} as string) as message_key,
            concat(
                '{{{{"device_id":', {_device("device")}, ',"time":', happens,
                ',"heartrate":', heart_rate, '}}}}'
            ) as payload,
            happens + 1 as sent_at
        from ({readings}) as readings
    """


def _device(member: str) -> str:
    return f"({member} + {FIRST_DEVICE})"


def _profile_changes(members: int) -> str:
    """All begin; one in four moves on the second day; one in fifty leaves on its evening."""
    return f"""
        select
            id as position,
            cast(user_id as string) as message_key,
            concat(
                '{{{{"user_id":', user_id, ',"update_type":"', update_type, '","timestamp":',
                happens,
                case when update_type = 'delete' then '' else concat(
                    ',"first_name":"First', member, '","last_name":"Last', member,
                    '","dob":"', dob, '","sex":"', case when member % 3 = 0 then 'M' else 'F' end,
                    '","gender":"', case when member % 3 = 0 then 'Male' else 'Female' end,
                    '","address":{{{{"street_address":"', member, ' Main St","city":"City',
                    member % 17 + change, '","state":"S', member % 5, '","zip":"',
                    10000 + member, '"}}}}'
                ) end,
                '}}}}'
            ) as payload,
            happens + 1 as sent_at
        from (
            select
                id,
                member,
                change,
                {FIRST_USER} + member as user_id,
                case change when 0 then 'new' when 1 then 'update' else 'delete' end as update_type,
                {EPOCH} + case change
                    when 0 then 0
                    when 1 then {DAYS_APART * 86_400 + 11 * 3600}
                    else {DAYS_APART * 86_400 + 23 * 3600}
                end as happens,
                case
                    when member % 2 = 0 then concat(birth_month, '/', birth_day, '/', birth_year)
                    else concat(birth_year, '-', birth_month, '-', birth_day)
                end as dob
            from (
                select
                    id,
                    id % {members} as member,
                    {_int(f"id / {members}")} as change,
                    cast(1945 + (id % {members}) * 7 % 60 as string) as birth_year,
                    lpad(cast(1 + (id % {members}) % 12 as string), 2, '0') as birth_month,
                    lpad(cast(1 + (id % {members}) % 28 as string), 2, '0') as birth_day
                from {{ids}}
            ) as numbered
            where
                change = 0
                or change = 1 and member % 4 = 1
                or change = 2 and member % 50 = 49
        ) as changes
    """


def _workout_events(members: int) -> str:
    """Per day two sessions; one member in ten does not stop the last one."""
    first, second = _WORKOUTS
    return f"""
        select
            id as position,
            cast(user_id as string) as message_key,
            concat(
                '{{{{"user_id":', user_id, ',"workout_id":', 1 + number % 2, ',"timestamp":',
                happens,
                ',"action":"', action, '","session_id":', 1 + {_int("number / 2")}, '}}}}'
            ) as payload,
            happens + 1 as sent_at
        from (
            select
                id,
                number,
                {FIRST_USER} + member as user_id,
                case event % 2 when 0 then 'start' else 'stop' end as action,
                {EPOCH} + {_int("number / 2")} * {DAYS_APART * 86_400} + {_WEAR_STARTS}
                    + case event % 4
                        when 0 then {first[0]}
                        when 1 then {first[1]}
                        when 2 then {second[0]}
                        else {second[1]}
                    end as happens
            from (
                select
                    id,
                    id % {members} as member,
                    {_int(f"id / {members}")} as event,
                    {_int(f"id / {members} / 2")} as number
                from {{ids}}
            ) as numbered
            where not (event = 7 and member % 10 = 9)
        ) as events
    """


def _registrations() -> str:
    """Everyone's device and MAC, from the day before the first."""
    return f"""
        select
            id as position,
            concat(
                cast({FIRST_USER} + id as string), ',', cast({_device("id")} as string), ',',
                {_mac("id")}, ',', cast({EPOCH - 86_400} as string)
            ) as raw,
            cast({FIRST_USER} + id as string) as user_id,
            cast({_device("id")} as string) as device_id,
            {_mac("id")} as mac_address,
            cast({EPOCH - 86_400} as string) as registration_timestamp
        from {{ids}}
    """


def _hand_ons() -> str:
    """Devices (not MACs) that have another owner on the second day."""
    member, day = f"id * {HAND_ON_EVERY}", EPOCH + DAYS_APART * 86_400
    user = f"cast({FIRST_USER} + {member} + 1 as string)"
    device = f"cast({_device(member)} as string)"
    mac = _mac(f"({member} + 1)")
    return f"""
        select
            1000000000 + id as position,
            concat({user}, ',', {device}, ',', {mac}, ',', cast({day} as string)) as raw,
            {user} as user_id,
            {device} as device_id,
            {mac} as mac_address,
            cast({day} as string) as registration_timestamp
        from {{ids}}
    """


def _mac(member: str) -> str:
    digits = f"lpad(cast({member} as string), 8, '0')"
    parts = ", ".join(f"substr({digits}, {at}, 2)" for at in (1, 3, 5, 7))
    return f"concat_ws(':', '02', '00', {parts})"


def _logins(members: int) -> str:
    """A visit a day, first open, then with its logout; one member in ten never logs out."""
    return f"""
        select
            id as position,
            concat(mac_address, ',', gym, ',', login, ',', logout) as raw,
            mac_address,
            gym,
            login,
            logout
        from (
            select
                id,
                {_mac("member")} as mac_address,
                cast(member % 5 as string) as gym,
                cast({_VISIT[0]} + opens as string) as login,
                case event % 2 when 0 then '' else cast({_VISIT[1]} + opens as string) end as logout
            from (
                select
                    id,
                    id % {members} as member,
                    {_int(f"id / {members}")} as event,
                    {EPOCH} + {_int(f"id / {members} / 2")} * {DAYS_APART * 86_400}
                        + {_WEAR_STARTS} as opens
                from {{ids}}
            ) as numbered
            where not (event = 3 and member % 10 = 8)
        ) as logins
    """


def _kafka(topic: str, messages: str, offset: str = _OFFSET_IN_ORDER) -> str:
    """Messages (position, message_key, payload, sent_at) with the columns of bronze.

    offset: of a message in its partition; in a history without holes, as in a topic.
    """
    return f"""
        select
            cast(message_key as binary) as `key`,
            cast(payload as binary) as `value`,
            cast(null as array<struct<`key`: string, `value`: binary>>) as headers,
            '{topic}' as topic,
            cast(position % 2 as int) as `partition`,
            cast({offset} as bigint) as `offset`,
            timestamp_seconds(sent_at) as `timestamp`,
            cast(0 as int) as topic_epoch,
            cast(null as string) as source_file,
            timestamp '{_ARRIVED}' as ingested_at,
            cast(null as string) as record_id,
            cast(null as timestamp) as erased_at
        from ({messages}) as messages
    """


def _file(feed: str, rows: str) -> str:
    """Rows (position, raw, the feed's columns) with the columns of bronze."""
    from ingestion.feeds import FILE_FEEDS

    columns = next(known.columns for known in FILE_FEEDS if known.name == feed)
    return f"""
        select
            raw,
            {", ".join(columns)},
            '{feed}/bench.csv' as source_file,
            timestamp '{_ARRIVED}' as source_modified_at,
            timestamp '{_ARRIVED}' as ingested_at,
            concat('{feed}#', cast(position as string)) as record_id,
            cast(null as timestamp) as erased_at
        from ({rows}) as file_rows
    """
