"""Synthetic bronze: members who wear a device, by default on two days, a month apart; the same rows
each time.

A member has 5,000 readings a day, one each 5 seconds; two workouts and one gym visit a day; a
device, a MAC and a profile. Some change their profile, some never stop a workout or log out, some
devices are handed on, and a reading of a thousand comes twice. Readings, events and logins are in
order of time, so that also designs that need order get every row, and arrive as they happen.

The SQL is Spark's and DuckDB's alike: rows come from `ids`, a relation with one column `id`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DAY = 86_400
LAST_DAY = 1_774_915_200
"""Midnight before the last day's readings, 2026-03-31 UTC, in seconds."""
DAYS_APART = 30
"""So long before the last day there is a day with readings, on which late ones fall."""
EPOCH = LAST_DAY - DAYS_APART * DAY
"""Midnight of the first day, of a history of two days."""
READINGS_PER_DAY = 5_000
READING_SECONDS = 5
NEW_READINGS = 7_200
"""In an hour, of two members, one a second each: no more fit."""
READINGS_PER_FILE = 200_000
"""Of bronze, as if each were a micro-batch of ingestion."""
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
# Behind what bronze holds by then.
_OFFSET_OF_NEW_HOUR = """
    (
        select coalesce(max(held.`offset`) + 1, 0) from bronze.bpm as held
        where held.`partition` = position % 2
    ) + floor(position / 2)"""
# Where some events are left out; only small slices may be sorted.
_OFFSET_IN_ORDER = "row_number() over (partition by position % 2 order by position) - 1"


@dataclass(frozen=True)
class Size:
    """How much history there is; repeats come on top of `readings`.

    The days end with the last one, without a gap but before the second of fewer than 31.
    """

    readings: int
    days: int = 2

    @property
    def members(self) -> int:
        return max(2, math.ceil(self.readings / (self.days * READINGS_PER_DAY)))

    @property
    def first_day(self) -> int:
        """Its midnight, in seconds."""
        return LAST_DAY - max(DAYS_APART, self.days - 1) * DAY

    def day(self, number: str) -> str:
        """SQL: midnight of a day, the first of which is 0, in seconds."""
        return (
            f"case when {number} = 0 then {self.first_day} "
            f"else {LAST_DAY} - ({self.days - 1} - {number}) * {DAY} end"
        )


@dataclass(frozen=True)
class Slice:
    """The rows of one bronze table: a SELECT over `{ids}`, of so many ids."""

    table: str
    ids: int
    select: str


def history(size: Size) -> list[Slice]:
    """Everything up to the end of the last day."""
    members = size.members
    handed_on = len(range(0, members - 1, HAND_ON_EVERY))
    visits, events = members * 2 * size.days, members * 4 * size.days
    owners = _registrations(size.first_day)
    return [
        Slice("user_info", members * 3, _kafka("user_info", _profile_changes(size))),
        Slice("bpm", size.readings, _kafka("bpm", _readings(size), _OFFSET_OF_READING)),
        Slice("workout", events, _kafka("workout", _workout_events(size))),
        Slice("registered_users", members, _file("registered_users", owners)),
        Slice("registered_users", handed_on, _file("registered_users", _hand_ons())),
        Slice("gym_logins", visits, _file("gym_logins", _logins(size))),
    ]


def registrations(members: int) -> list[Slice]:
    """Owners of the devices from FIRST_DEVICE on, and nothing else."""
    return [Slice("registered_users", members, _file("registered_users", _registrations(EPOCH)))]


def new_hour(number: int, readings: int = NEW_READINGS, *, late: bool) -> Slice:
    """The readings of an hour behind the history, of two members; no two hours meet.

    late: one in a hundred of them is 30 days older.
    """
    older = f"case when id % 100 = 50 then {DAYS_APART * DAY} else 0 end" if late else "0"
    start = LAST_DAY + _NEW_HOURS_START + number * 3_600
    select = f"""
        select
            id as position,
            1 + id % 2 as device,
            {start} + cast(floor(floor(id / 2) * 7200 / {readings}) as bigint) - {older}
                as happens,
            65 + id % 11 as heart_rate
        from {{ids}}
    """
    messages = _reading_payloads(select)
    columns = _kafka("bpm", messages, _OFFSET_OF_NEW_HOUR, arrives=str(start + 3_600))
    return Slice("bpm", readings, columns)


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


def _readings(size: Size) -> str:
    members = size.members
    exercising = " or ".join(
        f"(slot * {READING_SECONDS} > {start} and slot * {READING_SECONDS} <= {end})"
        for start, end in _WORKOUTS
    )
    return _reading_payloads(f"""
        select
            2 * id + copy as position,
            member as device,
            {size.day("day")} + {_WEAR_STARTS}
                + slot * {READING_SECONDS} + member % {READING_SECONDS} as happens,
            58 + member % 20 + (slot * 7 + member * 13 + {_int("slot / 12")}) % 9
                + case when {exercising} then 70 else 0 end as heart_rate
        from (
            select
                id, copy,
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


def _numbered(size: Size) -> tuple[str, str]:
    """SQL: the member of an id, and how many times it was every member's turn before."""
    return f"(id % {size.members})", _int(f"id / {size.members}")


def _profile_changes(size: Size) -> str:
    """All begin; one in four moves on the last day; one in fifty leaves on its evening."""
    member, change = _numbered(size)
    year = f"cast(1945 + {member} * 7 % 60 as string)"
    month, day = (f"lpad(cast(1 + {member} % {n} as string), 2, '0')" for n in (12, 28))
    return f"""
        select
            id as position,
            cast({FIRST_USER} + member as string) as message_key,
            concat(
                '{{{{"user_id":', {FIRST_USER} + member, ',"update_type":"', update_type,
                '","timestamp":', happens,
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
                id, {member} as member, {change} as change,
                case {change} when 0 then 'new' when 1 then 'update' else 'delete' end
                    as update_type,
                case {change}
                    when 0 then {size.first_day}
                    when 1 then {LAST_DAY + 11 * 3600}
                    else {LAST_DAY + 23 * 3600}
                end as happens,
                case
                    when {member} % 2 = 0 then concat({month}, '/', {day}, '/', {year})
                    else concat({year}, '-', {month}, '-', {day})
                end as dob
            from {{ids}}
        ) as changes
        where change = 0 or change = 1 and member % 4 = 1 or change = 2 and member % 50 = 49
    """


def _workout_events(size: Size) -> str:
    """Per day two sessions; one member in ten does not stop the last one."""
    member, event = _numbered(size)
    number = _int(f"id / {size.members} / 2")
    (first_start, first_stop), (second_start, second_stop) = _WORKOUTS
    return f"""
        select
            id as position,
            cast({FIRST_USER} + {member} as string) as message_key,
            concat(
                '{{{{"user_id":', {FIRST_USER} + {member}, ',"workout_id":', 1 + {number} % 2,
                ',"timestamp":', happens,
                ',"action":"', case {event} % 2 when 0 then 'start' else 'stop' end,
                '","session_id":', 1 + {_int(f"{number} / 2")}, '}}}}'
            ) as payload,
            happens + 1 as sent_at
        from (
            select
                id,
                ({size.day(_int(f"{number} / 2"))}) + {_WEAR_STARTS} + case {event} % 4
                    when 0 then {first_start} when 1 then {first_stop}
                    when 2 then {second_start} else {second_stop}
                end as happens
            from {{ids}}
        ) as events
        where not ({event} = {4 * size.days - 1} and {member} % 10 = 9)
    """


def _registrations(first_day: int) -> str:
    """Everyone's device and MAC, from the day before the first."""
    return _registered("id", "id", "id", first_day - DAY)


def _hand_ons() -> str:
    """Devices (not MACs) that have another owner on the last day."""
    member = f"id * {HAND_ON_EVERY}"
    return _registered("1000000000 + id", f"({member} + 1)", member, LAST_DAY)


def _registered(position: str, user: str, device: str, at: int) -> str:
    """A device, perhaps of another one, by its new user, with the MAC of this user."""
    columns = {
        "user_id": f"cast({FIRST_USER} + {user} as string)",
        "device_id": f"cast({_device(device)} as string)",
        "mac_address": _mac(user),
        "registration_timestamp": f"cast({at} as string)",
    }
    raw = ", ',', ".join(columns.values())
    named = ", ".join(f"{value} as {name}" for name, value in columns.items())
    return f"select {position} as position, concat({raw}) as raw, {named} from {{ids}}"


def _mac(member: str) -> str:
    digits = f"lpad(cast({member} as string), 8, '0')"
    parts = ", ".join(f"substr({digits}, {at}, 2)" for at in (1, 3, 5, 7))
    return f"concat_ws(':', '02', '00', {parts})"


def _logins(size: Size) -> str:
    """A visit a day, first open, then with its logout; one member in ten never logs out."""
    member, event = _numbered(size)
    opens = f"({size.day(_int(f'id / {size.members} / 2'))}) + {_WEAR_STARTS}"
    return f"""
        select
            id as position,
            concat(mac_address, ',', gym, ',', login, ',', logout) as raw,
            mac_address, gym, login, logout
        from (
            select
                id,
                {_mac(member)} as mac_address,
                concat('gym-', {member} % 5) as gym,
                cast({_VISIT[0]} + {opens} as string) as login,
                case {event} % 2 when 0 then '' else cast({_VISIT[1]} + {opens} as string) end
                    as logout
            from {{ids}}
            where not ({event} = {2 * size.days - 1} and {member} % 10 = 8)
        ) as logins
    """


def _kafka(
    topic: str, messages: str, offset: str = _OFFSET_IN_ORDER, arrives: str = "sent_at + 4"
) -> str:
    """Messages (position, message_key, payload, sent_at) with the columns of bronze.

    offset: of a message in its partition; in a history without holes, as in a topic.
    arrives: in seconds.
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
            timestamp_seconds({arrives}) as ingested_at,
            cast(null as string) as record_id,
            cast(null as timestamp) as erased_at,
            cast(null as string) as source_version
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
            cast(null as timestamp) as erased_at,
            cast(null as string) as source_version
        from ({rows}) as file_rows
    """
