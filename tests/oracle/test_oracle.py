"""The oracle's own tests: every expectation is derived by hand from the design's text."""

import gzip
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from .clocks import day_begins, hour_at, local_date
from .compare import assert_same, compare
from .decode import Rejected, decode
from .gold import minutes, union_micros
from .load import from_bronze_rows, from_envelopes, from_landed
from .records import FileRecord, KafkaRecord, Record
from .tables import compute

# 2023-11-15 00:00:00 UTC, and an arrival one day later.
MIDNIGHT = 1_700_006_400
ARRIVAL = (MIDNIGHT + 86_400) * 1_000_000


def us(seconds: float | str) -> int:
    """Microseconds of MIDNIGHT + seconds."""
    return int((MIDNIGHT + Decimal(str(seconds))) * 1_000_000)


def kafka(feed: str, value: Any, **more: Any) -> KafkaRecord:
    if isinstance(value, Mapping):
        value = json.dumps(value)
    if isinstance(value, str):
        value = value.encode()
    fields: dict[str, Any] = {
        "key": None,
        "timestamp": us(0),
        "ingested_at": ARRIVAL,
        "topic": feed,
        "topic_epoch": 0,
        "partition": 0,
    }
    return KafkaRecord(feed=feed, value=value, **(fields | more))


def bpm(device: Any, at: Any, rate: Any, **more: Any) -> KafkaRecord:
    time = MIDNIGHT + at if isinstance(at, (int, float)) else at
    return kafka("bpm", {"device_id": device, "time": time, "heartrate": rate}, **more)


def workout(user: Any, at: float, action: Any, session: Any = 1, **more: Any) -> KafkaRecord:
    payload = {
        "user_id": user,
        "workout_id": "w",
        "timestamp": MIDNIGHT + at,
        "action": action,
        "session_id": session,
    }
    return kafka("workout", payload | more)


def profile(user: Any, at: float, update_type: str = "update", **more: Any) -> KafkaRecord:
    record = {name: more.pop(name) for name in ("offset", "timestamp", "key") if name in more}
    payload = {"user_id": user, "timestamp": MIDNIGHT + at, "update_type": update_type}
    return kafka("user_info", payload | more, **record)


def mac_of(name: str) -> str:
    """A MAC address for a short name, in the order and the case of names."""
    digits = name.lower().encode().hex().ljust(12, "0")
    mac = ":".join(digits[i : i + 2] for i in range(0, 12, 2))
    return mac.upper() if name.isupper() else mac


def registered(user: str, device: str, mac: str, at: float) -> FileRecord:
    columns = {
        "user_id": user,
        "device_id": device,
        "mac_address": mac_of(mac),
        "registration_timestamp": str(MIDNIGHT + at),
    }
    return FileRecord("registered_users", "", columns, ARRIVAL)


def login(mac: str, gym: str, at: float, logout: Any = "") -> FileRecord:
    if isinstance(logout, (int, float)):
        logout = str(MIDNIGHT + logout)
    columns = {
        "mac_address": mac_of(mac),
        "gym": gym,
        "login": str(MIDNIGHT + at),
        "logout": logout,
    }
    return FileRecord("gym_logins", "", columns, ARRIVAL)


def reason(record: Record) -> str | None:
    try:
        decode(record)
    except Rejected as rejected:
        return rejected.reason
    return None


def outcome(record: Record, field: str) -> Any:
    """The reason, or a field of the typed event."""
    try:
        event, _ = decode(record)
    except Rejected as rejected:
        return rejected.reason
    return getattr(event, field)


def pick(rows: list[dict[str, Any]], *columns: str) -> list[tuple[Any, ...]]:
    return sorted((tuple(row[name] for name in columns) for row in rows), key=repr)


GOOD = f'"device_id":"d","time":{MIDNIGHT},"heartrate":60'


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "missing_value"),
        (b"", "missing_value"),
        (b" \t\r\n", "missing_value"),
        (b"{", "malformed"),
        (b"{" + GOOD.encode() + b"} x", "malformed"),
        (b"{" + GOOD.encode() + b"}, {}", "malformed"),
        (b"{" + GOOD.encode() + b"} \xff", "malformed"),
        (b"{}] x", "malformed"),
        (b"{}} x", "malformed"),
        (b"\xef\xbb\xbf", "missing_value"),
        (b"\x0b{" + GOOD.encode() + b"}", "malformed"),
        (b"{" + GOOD.encode() + b', "x":' + b"[" * 199 + b"]" * 199 + b"}", None),
        (b"{" + GOOD.encode() + b', "x":' + b"[" * 200 + b"]" * 200 + b"}", "malformed"),
        (b"{" + GOOD.encode() + b', "x":' + b"1" * 1000 + b"}", None),
        (b"{" + GOOD.encode() + b', "x":' + b"1" * 1001 + b"}", "malformed"),
        (b"{" + GOOD.encode() + b', "' + b"n" * 50_001 + b'":1}', "malformed"),
        (b"\xef\xbb\xbf{" + GOOD.encode() + b"}", None),
        (b"  {" + GOOD.encode() + b', "more": {"x": [1]}}', None),
        (b"{" + GOOD.encode() + b', "x": "\xff"}', "malformed"),
        (b"{" + GOOD.encode() + b', "x": NaN}', "malformed"),
        (b"{" + GOOD.encode() + b', "x": -Infinity}', "malformed"),
        (b"NaN", "malformed"),
        (b"{" + GOOD.encode() + b', "time": 1}', "malformed"),
        (b"{" + GOOD.encode() + b', "x": {"a": 1, "a": 1}}', "malformed"),
        (b"{" + GOOD.encode() + b', "x": 01}', "malformed"),
        (b"{" + GOOD.encode() + b', "x": "a\nb"}', "malformed"),
        (b"[" * 100_000, "malformed"),
        (b"null", "malformed"),
        (b"null {", "malformed"),
        (b"[{}]", "malformed"),
        (b'"{}"', "malformed"),
        (b"12", "malformed"),
        (b"{}", "missing_field"),
    ],
)
def test_payloads(value: bytes | None, expected: str | None) -> None:
    assert reason(kafka("bpm", value)) == expected


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (0, "heart_rate_out_of_range"),
        (-5, "heart_rate_out_of_range"),
        (None, "missing_field"),
        ("", "missing_field"),
        ("  ", "missing_field"),
        ("abc", "wrong_type"),
        ("72d", "wrong_type"),
        ("NaN", "wrong_type"),
        ("Infinity", "wrong_type"),
        ("1e999", "wrong_type"),
        ("0x48", "wrong_type"),
        ("7 2", "wrong_type"),
        ("٧٢", "wrong_type"),
        (True, "wrong_type"),
        ([72], "wrong_type"),
        ({}, "wrong_type"),
        (29, "heart_rate_out_of_range"),
        ("29.999999999999999999999", 30),
        ("29.99999999999999", "heart_rate_out_of_range"),
        ("1" + "0" * 40, "wrong_type"),
        (30, 30),
        ("72", 72),
        (" 72.0 ", 72),
        ("7.2e1", 72),
        (72.5, Fraction(145, 2)),
        (220, 220),
        (220.001, "heart_rate_out_of_range"),
        (221, "heart_rate_out_of_range"),
    ],
)
def test_heart_rates(rate: Any, expected: Any) -> None:
    assert outcome(bpm("d", 0, rate), "bpm") == expected


def test_numbers_that_json_writes_but_no_double_holds() -> None:
    assert reason(kafka("bpm", f'{{"device_id":"d","time":{MIDNIGHT},"heartrate":1e999}}')) == (
        "wrong_type"
    )


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("12474", "12474"),
        ("12474.0", "12474"),
        ("12474.00", "12474"),
        ("1.2474e4", "12474"),
        ("-0", "0"),
        ('"12474"', "12474"),
        ('" 12474 "', "12474"),
        ('"12474.0"', "12474"),
        ('"user1_070be4a0"', "user1_070be4a0"),
        ('"1e3"', "1e3"),
        ("12474.5", "12474.5"),
        ('"12474.00"', "12474"),
        ('"2.02E+09"', "wrong_type"),
        ('"2.02E09"', "2.02E09"),
        ('"true"', "wrong_type"),
        ('"TRUE"', "TRUE"),
        ('"a\\u0000"', "wrong_type"),
        ('"{a}"', "wrong_type"),
        ('"' + "é" * 128 + '"', "é" * 128),
        ('"' + "é" * 129 + '"', "wrong_type"),
        ("true", "wrong_type"),
        ("[]", "wrong_type"),
        ('{"id": 1}', "wrong_type"),
        ("null", "missing_field"),
        ('" "', "missing_field"),
    ],
)
def test_ids(written: str, expected: str) -> None:
    record = kafka("bpm", f'{{"device_id":{written},"time":{MIDNIGHT},"heartrate":60}}')
    assert outcome(record, "device_id") == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("1700006400", us(0)),
        ("1700006400.25", us("0.25")),
        ("1700006400.0000007", us(0) + 1),
        ("1700006400.0000002", us(0)),
        ('"1700006400.5"', us("0.5")),
        ("1.7000064e9", us(0)),
        ('"2023-11-15"', "wrong_type"),
        ('"2023-11-15T00:00"', us(0)),
        ('"2023-11-15 00:00:00.1234567Z"', us("0.123456")),
        ('"2023-11-15T02:00:01 +02"', us(1)),
        ('"2023-11-14T18:30:00-0530"', us(0)),
        ('"2023-11-15T18:00+18:00"', us(0)),
        ('"2023-11-15T18:01+18:01"', "wrong_type"),
        ('"2023-11-15T01:00+00:60"', "wrong_type"),
        ('"2023-11-15T24:00"', "wrong_type"),
        ('"2023-02-30T00:00"', "wrong_type"),
        ('"0001-01-01T00:00+18:00"', "timestamp_out_of_range"),
        ("1e300", "timestamp_out_of_range"),
        ("-1e-2000000000", "timestamp_out_of_range"),
        ("false", "wrong_type"),
        ("1700006400000", "timestamp_out_of_range"),
        ("946684799.999999", "timestamp_out_of_range"),
        # Half a microsecond before 2000 is rounded into it.
        ("946684799.9999995", 946_684_800_000_000),
        # The arrival is 86,400 s later, one day more is the last moment taken.
        ("1700179200", us(172_800)),
        ("1700179200.000001", "timestamp_out_of_range"),
    ],
)
def test_times(written: str, expected: Any) -> None:
    record = kafka("bpm", f'{{"device_id":"d","time":{written},"heartrate":60}}')
    assert outcome(record, "measured_at") == expected


def test_the_first_reason_is_over_the_whole_record() -> None:
    assert reason(kafka("bpm", '{"device_id": true, "time": "x", "heartrate": ""}')) == (
        "missing_field"
    )
    assert reason(kafka("bpm", '{"device_id": "d", "time": 5, "heartrate": "x"}')) == "wrong_type"
    assert reason(kafka("bpm", '{"device_id": "d", "time": 5, "heartrate": 5}')) == (
        "timestamp_out_of_range"
    )
    jumped = {"user_id": 1, "workout_id": 2, "session_id": 3, "timestamp": 5, "action": "jump"}
    assert reason(kafka("workout", jumped)) == "unknown_action"
    assert reason(kafka("workout", jumped | {"timestamp": "x"})) == "wrong_type"
    assert reason(kafka("workout", jumped | {"action": 5})) == "unknown_action"
    assert reason(kafka("workout", jumped | {"action": ["start"]})) == "unknown_action"
    assert reason(kafka("workout", jumped | {"session_id": None})) == "missing_field"
    assert reason(kafka("user_info", {"user_id": 1, "timestamp": 5, "update_type": "x"})) == (
        "unknown_update_type"
    )
    assert reason(kafka("user_info", {"user_id": 1, "timestamp": 5, "update_type": "new"})) == (
        "timestamp_out_of_range"
    )


def test_a_payload_without_its_id_is_missing_a_field_whatever_the_key() -> None:
    payload = {"timestamp": MIDNIGHT, "update_type": "new"}
    assert reason(kafka("user_info", payload, key=b"7")) == "missing_field"


def test_tombstones() -> None:
    assert reason(kafka("user_info", None)) == "missing_field"
    assert reason(kafka("user_info", None, key=b" ")) == "missing_field"
    assert reason(kafka("user_info", None, key=b"7\xff")) == "wrong_type"
    assert reason(kafka("user_info", b" ", key=b"7")) == "missing_value"
    assert reason(kafka("user_info", None, key=b"7", timestamp=5)) == "timestamp_out_of_range"
    assert reason(kafka("bpm", None, key=b"7")) == "missing_value"
    assert reason(kafka("user_info", None, key=b'{"id": 7}')) == "wrong_type"
    quoted, _ = decode(kafka("user_info", None, key=b'"7"', timestamp=us("1.5")))
    assert quoted == decode(profile(7, 1.5, "delete"))[0]
    event, _ = decode(kafka("user_info", None, key=b" 7.0 ", timestamp=us("1.5")))
    assert event == decode(profile(7, 1.5, "delete", first_name="ignored"))[0]


def changes(*records: Record) -> list[dict[str, Any]]:
    return compute(records)["user_profile_changes"]


@pytest.mark.parametrize(
    ("dob", "expected"),
    [
        ("02/29/2000", date(2000, 2, 29)),
        (" 2000-02-29 ", date(2000, 2, 29)),
        ("02/29/2001", None),
        ("13/01/2000", None),
        ("1/5/1990", None),
        ("1990", None),
        (19900101, None),
        ("2023-11-15", date(2023, 11, 15)),
        ("2023-11-16", None),
        # On 2023-11-15 who was born on 1902-11-16 is 120, who was born a day before is 121.
        ("1902-11-16", date(1902, 11, 16)),
        ("1902-11-15", None),
    ],
)
def test_birth_dates(dob: Any, expected: date | None) -> None:
    assert pick(changes(profile("u", 0, dob=dob)), "date_of_birth") == [(expected,)]


def test_optional_fields() -> None:
    row = changes(
        profile(
            "u",
            0,
            sex=" F ",
            gender="",
            first_name=True,
            last_name=["x"],
            address={"street_address": 12.50, "city": {"a": 1}, "state": "CA", "zip": 90000.0},
        )
    )[0]
    assert [row[name] for name in ("sex", "gender", "first_name", "last_name")] == [
        "F",
        None,
        "true",
        None,
    ]
    assert [row[name] for name in ("street_address", "city", "state", "zip_code")] == [
        "12.5",
        None,
        "CA",
        "90000",
    ]
    assert pick(changes(profile("u", 0, address="Main St")), "city", "zip_code") == [(None, None)]


def test_file_records_are_judged_by_their_columns() -> None:
    def columns(mac: str, gym: str, login: str) -> FileRecord:
        fields = {"mac_address": mac, "gym": gym, "login": login, "logout": None}
        return FileRecord("gym_logins", "", fields, ARRIVAL)

    assert reason(FileRecord("gym_logins", '1,"2', None, ARRIVAL)) == "malformed"
    assert reason(FileRecord("gym_logins", " ", None, ARRIVAL)) == "missing_value"
    assert reason(columns("AABBCC000001", "", "x")) == "missing_field"
    assert reason(columns("AABBCC000001", "5.0", "x")) == "wrong_type"
    assert reason(columns("AABBCC000001", "true", str(MIDNIGHT))) == "wrong_type"
    for mac in ("AA:BB:CC:00:00:01", "aa-bb-cc-00-00-01", " aabb.cc00.0001 ", "AABBCC000001"):
        rows = compute([columns(mac, "5.00", f"{MIDNIGHT}.0")])["gym_visits"]
        assert pick(rows, "mac_address", "gym_id", "login_at", "logout_at") == [
            ("aa:bb:cc:00:00:01", "5", us(0), None)
        ]
    for mac in ("AA:BB-CC:00:00:01", "aabbcc00000", "aabbcc00000g", "aa bb cc 00 00 01"):
        assert reason(columns(mac, "5", str(MIDNIGHT))) == "wrong_type"


def test_logouts_that_count_as_none() -> None:
    later = str((ARRIVAL // 1_000_000) + 86_401)
    records = [login("m", str(i), 10, out) for i, out in enumerate(["x", 10, 9, later, 86_411])]
    tables = compute([*records, login("m", "open", 10), login("m", "closed", 10, 11)])
    visits = {row["gym_id"]: row["logout_at"] for row in tables["gym_visits"]}
    assert visits == dict.fromkeys(["0", "1", "2", "3", "4", "open"]) | {"closed": us(11)}
    assert pick(tables["feed_arrivals"], "accepted", "logouts_ignored") == [(7, 5)]
    assert pick(tables["records"], "is_logout_ignored") == [(False,)] * 2 + [(True,)] * 5


def test_device_ownership() -> None:
    tables = compute(
        [
            registered("a", "d1", "M1", 100),
            registered("a", "d1", "m1", 200),
            registered("b", "d1", "m2", 300),
            registered("10", "d2", "m3", 100),
            registered("9", "d2", "m4", 100),
            bpm("d1", 0, 60),
            bpm("d1", 299.999999, 61),
            bpm("d1", 300, 62),
            bpm("d3", 0, 63),
        ]
    )
    columns = ("kind", "identifier", "user_id", "registered_at", "owned_from", "owned_to")
    assert pick(tables["device_registrations"], *columns) == [
        ("device", "d1", "a", us(100), None, us(300)),
        ("device", "d1", "b", us(300), us(300), None),
        ("device", "d2", "9", us(100), None, None),
        ("mac", mac_of("m1"), "a", us(100), None, None),
        ("mac", mac_of("m2"), "b", us(300), None, None),
        ("mac", mac_of("m3"), "10", us(100), None, None),
        ("mac", mac_of("m4"), "9", us(100), None, None),
    ]
    assert pick(tables["heart_rates"], "heart_rate_bpm", "user_id") == [
        (60, "a"),
        (61, "a"),
        (62, "b"),
        (63, None),
    ]
    assert pick(tables["unowned_activity"], "feed", "date", "records") == [
        ("bpm", date(2023, 11, 15), 1)
    ]


def test_the_lowest_of_several_readings_stands() -> None:
    tables = compute([bpm("d", 0, 70), bpm("d", 0.0000001, 60), bpm("d", 0, "70"), bpm("d", 0, 80)])
    assert pick(tables["heart_rates"], "heart_rate_bpm", "num_values") == [(60, 3)]
    assert pick(tables["feed_arrivals"], "received", "accepted") == [(4, 4)]


def test_visits_take_the_greatest_logout() -> None:
    records = [login("M", "g", 0), login("m", "g", 0, 50), login("m", "g", 0, 90)]
    tables = compute([*records, login("m", "g", 0, 90), login("m", "g", 0, 50)])
    assert pick(tables["gym_visits"], "logout_at") == [(us(90),)]
    assert pick(tables["feed_arrivals"], "accepted", "logouts_ignored") == [(5, 0)]


def test_sessions() -> None:
    def sessions(*events: tuple[float, str]) -> list[tuple[Any, ...]]:
        rows = compute([workout("u", at, action) for at, action in events])["workout_sessions"]
        return pick(rows, "started_at", "ended_at", "status")

    assert sessions((0, "start"), (60, "stop")) == [(us(0), us(60), "completed")]
    assert sessions((0, "start"), (0, "start"), (60, "stop"), (60, "stop")) == [
        (us(0), us(60), "completed")
    ]
    assert sessions((0, "start"), (10_799.999999, "stop")) == [
        (us(0), us("10799.999999"), "completed")
    ]
    assert sessions((0, "start"), (10_800, "stop")) == [(us(0), us(10_800), "too_long")]
    assert sessions((0, "start")) == [(us(0), None, "open")]
    assert sessions((60, "stop")) == [(None, us(60), "orphan_stop")]
    rows = compute([workout("u", 60, "stop"), workout("u", 70, "start")])["workout_sessions"]
    assert pick(rows, "began_at", "is_orphan") == [(us(60), True), (us(70), False)]
    # At one instant the stop goes first: it is an orphan, and the start stays open.
    assert sessions((60, "start"), (60, "stop")) == [
        (us(60), None, "open"),
        (None, us(60), "orphan_stop"),
    ]
    # A double start, then a second stop.
    assert sessions((0, "start"), (10, "start"), (20, "stop"), (30, "stop")) == [
        (us(0), None, "open"),
        (us(10), us(20), "completed"),
        (None, us(30), "orphan_stop"),
    ]
    # A stop and the next start at one time.
    assert sessions((0, "start"), (10, "stop"), (10, "start"), (20, "stop")) == [
        (us(0), us(10), "completed"),
        (us(10), us(20), "completed"),
    ]


def history(*records: Record) -> list[tuple[Any, ...]]:
    rows = compute(records)["user_profile_history"]
    return pick(rows, "valid_from", "valid_to", "is_current", "city")


def moved(at: float, city: str, **more: Any) -> KafkaRecord:
    return profile("u", at, address={"city": city}, **more)


def test_history() -> None:
    a, b, b_again, gone, back = (
        moved(0, "A"),
        moved(11, "B"),
        moved(20, "B"),
        profile("u", 96, "delete"),
        moved(100.5, "B"),
    )
    expected = [
        (us("100.5"), None, True, "B"),
        (us(0), us(11), False, "A"),
        (us(11), us(96), False, "B"),
    ]
    assert history(a, b, b_again, gone, back) == sorted(expected, key=repr)
    assert history(back, gone, b_again, b, a, a) == sorted(expected, key=repr)
    # A late change splits a version; the later B then is a version of its own.
    assert history(a, b, b_again, moved(15, "C")) == [
        (us(0), us(11), False, "A"),
        (us(11), us(15), False, "B"),
        (us(15), us(20), False, "C"),
        (us(20), None, True, "B"),
    ]
    assert compute([a, gone])["user_profiles"] == []
    assert pick(compute([a, b])["user_profiles"], "user_id", "city") == [("u", "B")]


def test_two_different_changes_at_one_time() -> None:
    def stands(*records: KafkaRecord) -> list[tuple[Any, ...]]:
        return pick(changes(*records), "update_type", "city")

    first, second = moved(0, "A", offset=5), moved(0, "B", offset=7)
    assert stands(first, second) == stands(second, first) == [("update", "B")]
    # A repeat of A after B does not make A appear later.
    assert stands(first, second, moved(0, "A", offset=9)) == [("update", "B")]
    # B repeated early in the topic appears first there.
    assert stands(first, second, moved(0, "B", offset=1)) == [("update", "A")]
    assert stands(first, moved(0, "B", offset=1, timestamp=us(1))) == [("update", "B")]
    assert stands(profile("u", 0, "delete", offset=4), first) == [("update", "A")]
    assert stands(profile("u", 0, "delete", offset=6), first) == [("delete", None)]
    # One without a whole place comes before all that have one, then the greater JSON text stands.
    nowhere = moved(0, "C", offset=None)
    assert stands(first, nowhere) == [("update", "A")]
    assert stands(nowhere, moved(0, "D", offset=None)) == [("update", "D")]
    assert stands(nowhere, moved(0, "C", offset=6), first) == [("update", "C")]


def test_workout_summary_and_zones() -> None:
    # Age 40: HRmax 180, zones from 90, 126 and 153.
    records: list[Record] = [
        registered("u", "d", "m", 9999),
        registered("u", "e", "n", 9999),
        profile("u", 5000, dob="1983-11-15", gender="w", address={"city": "A", "state": "S"}),
        workout("u", 0, "start"),
        workout("u", 300, "stop"),
        bpm("d", 0, 200),  # at the start: not in the session
        bpm("d", 10, 89),  # 5 s out of range
        bpm("d", 15, 90),  # 60 s fat burn at most
        bpm("d", 100, 126),  # 20 s cardio: the next reading is the other device's
        bpm("e", 120, 153),  # least device at 120 is d
        bpm("d", 120, 152.5),  # 60 s cardio
        bpm("d", 290, 153),  # 10 s peak, cut at the end
        bpm("d", 300, 180),  # at the end: counts, but stands for nothing
        bpm("d", 351, 150),
        bpm("d", 369, 140),
    ]
    row = compute(records)["workout_bpm_summary"][0]
    assert (row["age"], row["age_band"], row["city"]) == (40, "35-45", "A")
    assert (row["min_bpm"], row["max_bpm"], row["num_recordings"]) == (89, 180, 7)
    assert row["avg_bpm"] == Fraction("943.5") / 7
    assert row["out_of_range_minutes"] == Decimal("0.08")
    assert row["fat_burn_minutes"] == Decimal("1.00")
    assert row["cardio_minutes"] == Decimal("1.33")
    assert row["peak_minutes"] == Decimal("0.17")
    # 351 and 369 are both 9 s from 360: the earlier one.
    assert row["heart_rate_recovery_bpm"] == 30
    # Tanaka: 208 - 28 = 180 as well; at 41 the two differ.
    assert compute(records, hr_max="tanaka")["workout_bpm_summary"][0] == row
    day = compute(records)["daily_heart_rates"][0]
    # In the day 200 stands for 10 s, 180 for 51 s, 150 for 18 s and 140 for 60 s: peak 71 s,
    # cardio 158 s, fat burn 60 s, out of range 5 s.
    assert day["active_zone_minutes"] == Decimal("8.63")  # 60 + 2 * (158 + 71) = 518 s
    assert day["covered_minutes"] == Decimal("4.90")


def test_summaries_without_a_profile() -> None:
    base: list[Record] = [
        registered("u", "d", "m", 0),
        workout("u", 0, "start"),
        workout("u", 60, "stop"),
        bpm("d", 30, 100),
    ]
    for more in ([], [moved(-5, "A"), profile("u", -1, "delete")]):
        row = compute([*base, *more])["workout_bpm_summary"][0]
        assert (row["age"], row["age_band"], row["city"], row["peak_minutes"]) == (
            None,
            "invalid age",
            None,
            None,
        )
    assert compute([*base[:3], bpm("d", 61, 100)])["workout_bpm_summary"] == []


@pytest.mark.parametrize(
    ("dob", "age", "band"),
    [
        ("2005-11-16", 17, "under 18"),
        ("2005-11-15", 18, "18-25"),
        ("1998-11-15", 25, "25-35"),
        ("1928-11-15", 95, "95+"),
        ("1928-11-16", 94, "85-95"),
    ],
)
def test_ages(dob: str, age: int, band: str) -> None:
    records: list[Record] = [
        registered("u", "d", "m", 0),
        workout("u", 0, "start"),
        workout("u", 60, "stop"),
    ]
    tables = compute([*records, bpm("d", 30, 100), profile("u", 0, dob=dob)])
    assert pick(tables["workout_bpm_summary"], "age", "age_band") == [(age, band)]
    assert pick(tables["user_bins"], "age_band") == [(band,)]
    assert pick(tables["daily_heart_rates"], "age_band") == [(band,)]
    assert pick(tables["member_day_zones"], "age", "cardio_from_bpm") == [
        (age, Fraction(7, 10) * (220 - age))
    ]


def test_gym_summary() -> None:
    records: list[Record] = [
        registered("u", "d", "m1", 0),
        registered("u", "e", "m2", 0),
        login("m1", "g1", 0, 7200),
        login("m2", "g1", 3600, 7200),
        login("m2", "g0", 3600, 5000),
        login("m1", "g1", 20_000),
        login("m9", "g1", 0, 60),
    ]
    sessions = {
        # key: (start, stop, the visit by (mac, gym, login))
        "a": (0, 600),  # the visit of m1 at 0
        "b": (300, 900),  # overlaps a: the union counts once
        "c": (5000, 5060),  # latest login, least MAC, then least gym: m2 at g0, ends there
        "d": (5000.5, 5060),  # g0 is over by then: g1
        "e": (7200, 7300),  # start at the logout is inside
        "f": (7201, 7300),  # outside
        "h": (20_000 + 86_399, 20_000 + 86_460),  # open visit: just inside 24 h
        "i": (20_000 + 86_400, 20_000 + 86_460),  # just outside
    }
    for name, (start, stop) in sessions.items():
        records.append(workout("u", start, "start", name))
        records.append(workout("u", stop, "stop", name))
    rows = {
        (row["mac_address"], row["gym_id"], row["login_at"]): (
            [session["session_id"] for session in row["sessions"]],
            row["minutes_in_gym"],
            row["minutes_exercising"],
        )
        for row in compute(records)["gym_summary"]
    }
    assert rows == {
        (mac_of("m1"), "g1", us(0)): (["a", "b"], Decimal("120.00"), Decimal("15.00")),
        (mac_of("m2"), "g0", us(3600)): (["c"], Decimal("23.33"), Decimal("1.00")),
        (mac_of("m2"), "g1", us(3600)): (["d", "e"], Decimal("60.00"), Decimal("2.66")),
        (mac_of("m1"), "g1", us(20_000)): (["h"], None, Decimal("1.02")),
        (mac_of("m9"), "g1", us(0)): ([], Decimal("1.00"), Decimal("0.00")),
    }
    # An earlier end of the open visit: the user's next login elsewhere.
    records.append(login("m2", "g0", 106_399, 106_400))
    held = {
        (row["mac_address"], row["login_at"]): [s["session_id"] for s in row["sessions"]]
        for row in compute(records)["gym_summary"]
    }
    assert held[mac_of("m1"), us(20_000)] == []
    assert held[mac_of("m2"), us(106_399)] == ["h", "i"]


def test_hours_and_days_cut_what_stands() -> None:
    records: list[Record] = [registered("u", "d", "m", 0), bpm("d", 3570, 60), bpm("d", 3640, 70)]
    rows = compute([*records, bpm("d", 86_399, 80)])
    assert pick(rows["hourly_heart_rates"], "hour_at", "num_readings", "covered_minutes") == [
        (us(0), 1, Decimal("0.50")),
        (us(3600), 1, Decimal("1.00")),
        (us(82_800), 1, Decimal("0.02")),
    ]
    day = rows["daily_heart_rates"][0]
    assert (day["date"], day["avg_bpm"], day["covered_minutes"]) == (
        date(2023, 11, 15),
        70,
        Decimal("2.02"),
    )
    assert day["fat_burn_minutes"] is None
    assert day["active_zone_minutes"] is None


def test_resting_estimate() -> None:
    def resting(*readings: Record) -> Any:
        rows = compute([registered("u", "d", "m", 0), *readings])["daily_heart_rates"]
        return rows[0]["resting_bpm_estimate"]

    # Ten readings a minute apart cover 10 minutes; 50 alone covers one, however low it is.
    ten = [bpm("d", 60 * i, 60 + i % 2) for i in range(10)]
    assert resting(*ten, bpm("d", 1800, 50)) == Fraction("60.5")
    assert resting(*ten[:9], bpm("d", 539, 60)) is None
    # The lower of two half hours; what the last reading stands is cut at the half hour's end.
    assert resting(*ten, *(bpm("d", 1800 + 60 * i, 55) for i in range(10))) == 55
    assert resting(*(bpm("d", 1230 + 60 * i, 55) for i in range(10))) is None
    # Another device of the member at the same instants: the mean takes its readings too, the
    # minutes do not count them again.
    both: list[Record] = [registered("u", "e", "n", 0)]
    both += [bpm("e", 60 * i, 80 + i % 2) for i in range(10)]
    assert resting(*ten, *both) == Fraction("70.5")
    assert resting(*ten[:9], bpm("d", 539, 60), *both[:10]) is None


def test_occupancy() -> None:
    records: list[Record] = [
        registered("u", "d", "m1", 0),
        registered("u", "e", "m2", 0),
        login("m1", "g", 0, 1800),
        login("m2", "g", 900, 3600),
        login("m3", "g", 1800, 7201),
        login("m4", "g", 1800, 1801),
        login("m5", "g", 10_800),
    ]
    columns = ("hour_at", "check_ins", "visits", "peak_members", "members_at_end")
    assert pick(compute(records)["gym_hourly_occupancy"], *columns) == [
        (us(0), 4, 4, 3, 1),  # m1 leaves as m3 and m4 come: u, m3, m4; m3 stays
        (us(3600), 0, 1, 1, 1),
        (us(7200), 0, 1, 1, 0),
        (us(10_800), 1, 1, 1, 1),  # m5 comes at the newest time, and is there at it
    ]


def occupied(*records: Record, hours: float = 3) -> list[tuple[Any, ...]]:
    """Hours since midnight, visits and who is there at the end."""
    rows = compute(records, open_visit_presence_hours=hours)["gym_hourly_occupancy"]
    rows.sort(key=lambda row: (row["gym_id"], row["hour_at"]))
    return [
        (r["gym_id"], (r["hour_at"] - us(0)) // 3_600_000_000, r["visits"], r["members_at_end"])
        for r in rows
    ]


def test_presence_of_open_visits() -> None:
    h = 3600
    come, gone = login("m", "g", 1800), login("n", "h", 1800, 2000)
    # Alone it lasts for the instant itself; a newest time on the hour is in that hour.
    assert occupied(come) == [("g", 0, 1, 1)]
    assert occupied(come, login("n", "h", 1800, h)) == [
        *(("g", 0, 1, 1), ("g", 1, 1, 1)),
        *(("h", 0, 1, 0),),
    ]
    # Three hours end it: at 3:30 it is gone, also if that is the newest time.
    for at in (1800 + 3 * h, 8 * h):
        found = occupied(come, login("n", "h", at - 60, at))
        assert found[:4] == [("g", 0, 1, 1), ("g", 1, 1, 1), ("g", 2, 1, 1), ("g", 3, 1, 0)]
    # An ignored logout is no newest time.
    assert occupied(come, login("n", "h", 1800, 40 * h)) == [("g", 0, 1, 1), ("h", 0, 1, 1)]
    # The visitor's next login ends it in another gym, not another visitor's.
    assert occupied(come, gone, login("m", "k", h)) == [
        *(("g", 0, 1, 0), ("h", 0, 1, 0), ("k", 1, 1, 1)),
    ]
    both = [registered("u", "d", "m", 0), registered("u", "e", "n", 0)]
    assert occupied(*both, come, login("n", "h", 2000, 2100)) == [("g", 0, 1, 0), ("h", 0, 1, 0)]
    # None at all: a check-in.
    assert occupied(come, login("n", "h", 8 * h), hours=0)[0] == ("g", 0, 0, 0)


def test_local_clocks() -> None:
    """Half hours, autumn's two hours, days without a midnight."""
    at = us(0)  # 2023-11-15
    assert hour_at(at, "Asia/Kolkata") == us(-1800)
    assert local_date(at, "America/Los_Angeles") == date(2023, 11, 14)
    fall = 1_730_610_000_000_000  # 2024-11-03 05:00, 01:00 in New York for the first time
    assert hour_at(fall + 5, "America/New_York") == fall
    assert hour_at(fall + 3_600_000_005, "America/New_York") == fall + 3_600_000_000
    assert day_begins(date(2018, 11, 4), "America/Sao_Paulo") == 1_541_300_400_000_000  # 03:00
    assert day_begins(date(2023, 3, 26), "Asia/Beirut") == 1_679_781_600_000_000
    assert day_begins(date(2023, 10, 29), "Asia/Beirut") == 1_698_530_400_000_000
    assert day_begins(date(2024, 11, 3), "America/Havana") == 1_730_606_400_000_000


def test_zones() -> None:
    gyms = [{"gym_id": "1", "gym_name": "One", "time_zone": "Asia/Tokyo", "capacity": "5"}]
    records: list[Record] = [
        profile("u", 0, address={"state": " ca"}),
        profile("u", 10, "delete"),
        profile("v", 0, address={"state": "CA"}),
        profile("v", 10, address={"state": "Bavaria"}),
        login("m", "1", 15 * 3600 - 1),
        login("m", "1", 15 * 3600),
        login("m", "2", 0),
    ]
    tables = compute(
        records,
        gym_locations=gyms,
        state_time_zones={"CA": "America/Los_Angeles"},
        default_time_zone="Asia/Kolkata",
    )
    assert pick(tables["member_zones"], "user_id", "time_zone") == [
        ("u", "America/Los_Angeles"),
        ("v", "Asia/Kolkata"),
    ]
    rows = sorted(pick(tables["gyms"], "gym_id", "gym_name", "time_zone", "capacity"))
    assert rows == [("1", "One", "Asia/Tokyo", 5), ("2", "2", "Asia/Kolkata", None)]
    assert pick(tables["gym_summary"], "gym_id", "visit_date", "local_hour") == [
        ("1", date(2023, 11, 15), 23),
        ("1", date(2023, 11, 16), 0),
        ("2", date(2023, 11, 15), 5),
    ]


def test_gym_days() -> None:
    day = 86_400
    names = "abcdef"
    records: list[Record] = [
        *(registered(name, name, name, -4 * day) for name in names),
        *(login(name, "g", -3 * day, 60 - 3 * day) for name in names[:5]),
        login("x", "g", -3 * day, 63.6 - 3 * day),
        *(login(name, "g", -2 * day, 60 - 2 * day) for name in names[:5]),
        login("f", "g", -2 * day),
        *(login(name, "g", -day) for name in names[:5]),
        login("x", "g", -day, 600 - day),
        *(login(name, "h", 0, 60) for name in names[:4]),
    ]
    columns = ("visits", "members", "new_members", "mean_minutes", "peak_members", "peak_hour")
    tables = compute(records)
    assert set(pick(tables["gym_days"], *columns, "is_suppressed")) == {
        (6, 5, 5, Decimal("1.01"), 6, 0, False),
        (6, 6, None, None, 6, 0, False),
        (6, 5, 0, Decimal("10.00"), 6, 0, False),
        (None, None, None, None, None, None, True),
    }
    shown = [row for row in tables["gym_hours"] if not row["is_suppressed"]]
    assert {row["gym_id"] for row in shown} == {"g"}
    assert all(row["members_at_end"] in (None, 0, 5, 6) for row in shown)


def test_member_activity() -> None:
    day = 86_400
    records: list[Record] = [
        registered("u", "d", "m", 0),
        registered("v", "e", "n", 0),
        profile("w", 0, "new"),
        login("m", "g", 0, 60),
        login("m", "g", day),
        login("n", "g", 10 * day, 10 * day + 30),
        workout("u", 8 * day, "start"),
        workout("u", 8 * day + 90, "stop"),
        workout("v", 8 * day, "start"),
    ]
    late = [
        FileRecord(r.feed, r.raw, r.columns, us(40 * day))
        if isinstance(r, FileRecord)
        else kafka(r.feed, r.value, ingested_at=us(40 * day))
        for r in records
    ]
    rows = {
        row["user_id"]: row for row in compute(late, as_of_date="2023-11-29")["member_activity"]
    }
    columns = (
        "logins",
        "logins_7_days",
        "logins_28_days",
        "workouts",
        "workouts_7_days",
        "exercise_minutes",
    )
    # 2023-11-29 is day 14: 7 days are 8 to 14, 14 days are 1 to 14.
    assert [rows["u"][name] for name in columns] == [2, 0, 2, 1, 1, Decimal("1.50")]
    assert [rows["v"][name] for name in columns] == [1, 1, 1, 0, 0, Decimal("0.00")]
    assert (rows["u"]["first_visit_at"], rows["u"]["last_visit_at"]) == (us(0), us(day))
    assert (rows["u"]["gym_minutes"], rows["u"]["is_inactive"]) == (Decimal("1.00"), False)
    assert (rows["w"]["first_visit_at"], rows["w"]["is_inactive"]) == (None, True)
    # One day less is known of them than 14.
    earlier = compute(late, as_of_date="2023-11-27")["member_activity"]
    assert {row["is_inactive"] for row in earlier} == {None}
    rows = {
        row["user_id"]: row for row in compute(late, as_of_date="2023-12-07")["member_activity"]
    }
    assert (rows["u"]["is_inactive"], rows["v"]["is_inactive"]) == (True, False)
    # By default the newest day of readings, login or start of a completed session: day 10.
    assert {r["user_id"]: r["logins_7_days"] for r in compute(late)["member_activity"]} == {
        "u": 0,
        "v": 1,
        "w": 0,
    }


def test_members_of_facts() -> None:
    """A visit's profile is that of its login, a day's that of its first instant."""
    records: list[Record] = [
        registered("u", "d", "m", 0),
        moved(-10, "A", dob="2005-11-15"),
        moved(50, "B"),
        profile("u", 100, "delete"),
        login("m", "g", 49),
        login("m", "g", 50),
        login("m", "g", 100),
        login("n", "g", 50),
        bpm("d", 70, 60),
        bpm("d", 86_400, 60, ingested_at=ARRIVAL + 1_000_000),
        workout("v", 0, "start"),
    ]
    tables = compute(records)
    assert pick(tables["gym_summary"], "login_at", "user_id", "age_band", "city") == [
        (us(49), "u", "18-25", "A"),
        (us(50), "u", "invalid age", "B"),
        (us(50), None, "invalid age", None),
        (us(100), "u", "invalid age", None),
    ]
    assert pick(tables["daily_heart_rates"], "date", "age_band", "city") == [
        (date(2023, 11, 15), "18-25", "A"),
        (date(2023, 11, 16), "invalid age", None),
    ]
    assert pick(tables["profile_versions"], "city", "in_force_from", "in_force_to") == [
        ("A", -2_208_988_800_000_000, us(50)),
        ("B", us(50), us(100)),
    ]
    # Who is gone or has no profile is a member still, on 2023-11-16.
    assert pick(tables["user_bins"], "user_id", "age_band", "city", "as_of_date") == [
        ("u", "invalid age", None, date(2023, 11, 16)),
        ("v", "invalid age", None, date(2023, 11, 16)),
    ]
    # Without any day, as of none.
    rows = compute([moved(0, "A"), workout("v", 0, "start")])["member_activity"]
    assert pick(rows, "user_id", "city", "as_of_date") == [("u", None, None), ("v", None, None)]


def test_erased_users() -> None:
    records: list[Record] = [
        registered("a", "d", "m", 0),
        registered("b", "d", "m", 100),
        bpm("d", 50, 60),
        bpm("d", 150, 70),
        login("m", "g", 50, 60),
        profile("a", 0),
        workout("a", 0, "start"),
        kafka("bpm", None, is_erased=True),
    ]
    tables = compute(records, erased={"a"})
    assert pick(tables["device_registrations"], "kind", "user_id", "owned_from") == [
        ("device", "b", None),
        ("mac", "b", None),
    ]
    assert pick(tables["heart_rates"], "heart_rate_bpm", "user_id") == [(70, "b")]
    assert tables["gym_visits"] == tables["user_profiles"] == tables["workout_sessions"] == []
    assert sum(row["erased"] for row in tables["feed_arrivals"]) == 6


def test_health_counts_reconcile() -> None:
    records = [bpm("d", i, 20 + i, offset=i) for i in range(30)]
    tables = compute([*records, bpm("d", 15, 35, offset=99), bpm("d", 29, 50, offset=100)])
    row = tables["pipeline_health"][0]
    assert row["received"] == 32
    assert (row["accepted"], row["rejected"], row["erased"]) == (22, 10, 0)
    assert row["rejected_by_reason"] == [{"reason": "heart_rate_out_of_range", "records": 10}]
    assert row["max_lateness_seconds"] == 86_390
    # Readings 10 to 29, one again and one with another value arrive after 86,400 - i seconds.
    assert (row["late"], row["newest_event_at"]) == (22, us(29))
    assert pick(tables["unowned_activity"], "feed", "records") == [("bpm", 20)]
    assert row["p50_lateness_seconds"] == Fraction("86380.5")
    assert len(tables["rejected_records"]) == 10


def test_minutes_round_half_up() -> None:
    assert minutes(300_000) == Decimal("0.01")
    assert minutes(299_999) == Decimal("0.00")
    assert minutes(900_000) == Decimal("0.02")
    assert union_micros([(5, 6), (0, 2), (1, 3), (3, 4)]) == 5


def test_compare_finds_what_differs() -> None:
    expected = compute([registered("u", "d", "m", 0), bpm("d", 0, 60), bpm("d", 1, 61)])
    rows = expected["heart_rates"]
    as_sql = [
        {**row, "measured_at": datetime(2023, 11, 15, second=i, tzinfo=UTC), "more": 1}
        for i, row in enumerate(rows)
    ]
    assert compare(rows, as_sql, "heart_rates") == []
    iso = [{**row, "measured_at": row["measured_at"].isoformat()} for row in as_sql]
    assert_same(rows, iso, "heart_rates")
    east = timezone(timedelta(hours=2))
    moved_zone = [{**row, "measured_at": row["measured_at"].astimezone(east)} for row in as_sql]
    assert_same(rows, moved_zone, "heart_rates")
    found = compare(rows, [{**as_sql[0], "heart_rate_bpm": 62}], "heart_rates")
    assert len(found) == 2
    assert "heart_rate_bpm is 62, not 60" in found[0]
    assert "missing row (device_id='d', measured_at=2023-11-15 00:00:01.000000)" in found[1]
    assert "surplus row" in compare(rows[:1], as_sql, "heart_rates")[0]
    assert "2 rows instead of 1" in compare(rows, [*as_sql, as_sql[0]], "heart_rates")[0]
    assert "user_id in [" in compare(rows, [{"device_id": 1, "measured_at": 2}], "heart_rates")[0]
    day = expected["daily_heart_rates"]
    close = [{**day[0], "avg_bpm": 60.5 * (1 + 1e-10), "covered_minutes": 1.02}]
    assert_same(day, close, "daily_heart_rates")
    assert compare(day, [{**close[0], "avg_bpm": 60.5 * (1 + 1e-8)}], "daily_heart_rates")
    assert compare(day, [{**close[0], "covered_minutes": Decimal("1.01")}], "daily_heart_rates")
    visit = compute([login("m", "g", 0)])["gym_summary"]
    assert_same(visit, [{**visit[0], "sessions": "[]", "visit_date": "2023-11-15"}], "gym_summary")


def test_loading_files(tmp_path: Path) -> None:
    envelopes = tmp_path / "events.json.gz"
    lines = [
        {"topic": "bpm", "key": "d", "value": '{"a": 1}', "timestamp": 1_700_006_400_000},
        {"topic": "user_info", "key": "7", "value": None, "timestamp": 1_700_006_400_001},
    ]
    text = "\n".join(json.dumps(line) for line in lines)
    text += '\n\n{"value": {"a": 1.50, "a": 2}, "topic": "bpm", "key": null}\r\n'
    envelopes.write_bytes(gzip.compress(text.encode()))
    found = list(from_envelopes([envelopes], ingested_at=ARRIVAL))
    assert [(r.feed, r.key, r.value, r.offset) for r in found] == [
        ("bpm", b"d", b'{"a": 1}', 0),
        ("user_info", b"7", None, 0),
        ("bpm", None, b'{"a": 1.50, "a": 2}', 1),
    ]
    assert found[1].timestamp == us("0.001")
    assert found[2].timestamp is None

    logins = tmp_path / "logins.csv"
    logins.write_bytes(
        b"\xef\xbb\xbflogin,extra,gym,mac_address\r\n"
        b'1700006400,"a,b",g1,AABBCC000001\r\n\r\n"1700006400,x,g1,AABBCC000001\r\n1700006401,x\r\n'
        b'1700006400,a "b" c,"g,2 ",AABBCC000001\r\n1700006400,,NULL,AABBCC000001\r\n'
        b'1700006400,,"\\N",AABBCC000001\r\n1700006400,,g1,AABBCC000001,x'
    )
    rows = list(from_landed("gym_logins", logins, ingested_at=ARRIVAL))
    assert [reason(row) for row in rows] == [
        *(None, "malformed", "malformed", None, "missing_field", "missing_field", "malformed")
    ]
    assert pick(compute(rows)["gym_visits"], "gym_id") == [("g,2",), ("g1",)]
    for header, expected in (
        ("Login,GYM, mac_address ", [None]),
        ("login,gym,mac_address,Gym", ["malformed"]),
        ("a,b,c", ["malformed", "malformed"]),
    ):
        logins.write_text(f"{header}\n{MIDNIGHT},g,aabbcc000001\n")
        assert [reason(r) for r in from_landed("gym_logins", logins, ingested_at=ARRIVAL)] == (
            expected
        )
    lines_of_json = tmp_path / "logins.ndjson"
    lines_of_json.write_text(
        f'{{"Login": {MIDNIGHT}, "GYM": 5.0, "mac_address": "aabbcc000001"}}\n'
        f'{{"login": {MIDNIGHT}, "gym": 5, "Gym": 5, "mac_address": "aabbcc000001"}}\n'
        f'{{"login": {MIDNIGHT}, "gym": 5, "mac_address": "aabbcc000001"}} x\n[1]\n{{}}\n'
    )
    found_lines = from_landed("gym_logins", lines_of_json, ingested_at=ARRIVAL)
    assert [reason(row) for row in found_lines] == [
        *(None, "malformed", "malformed", "malformed", "missing_field")
    ]

    sink = tmp_path / "sink.json"
    sink.write_text('{"key": "7", "value": null, "topic": "t", "offset": 3}\nnonsense\n')
    landed = list(from_landed("user_info", sink, ingested_at=ARRIVAL))
    assert [reason(row) for row in landed] == ["missing_field", "malformed"]
    # A payload with a field `value` of its own is no envelope.
    sink.write_text("{" + GOOD + ', "value": 5}\n{"value": {' + GOOD + "}}\n")
    landed = list(from_landed("bpm", sink, ingested_at=ARRIVAL))
    assert [reason(row) for row in landed] == [None, None]


def test_loading_bronze_rows() -> None:
    at = datetime(2023, 11, 16, tzinfo=UTC)
    kafka_row = {
        "key": None,
        "value": "eyI=",
        "topic": "bpm",
        "topic_epoch": 0,
        "partition": 0,
        "offset": 1,
        "timestamp": "2023-11-15T00:00:00+00:00",
        "source_file": None,
        "record_id": None,
        "ingested_at": at,
        "erased_at": None,
    }
    record = next(from_bronze_rows("bpm", [kafka_row]))
    assert isinstance(record, KafkaRecord)
    assert (record.value, record.timestamp, record.ingested_at) == (b'{"', us(0), ARRIVAL)
    empty = {"mac_address": None, "gym": None, "login": None, "logout": None}
    common = {"raw": "1", "record_id": "x", "ingested_at": at, "erased_at": None, **empty}
    for name, expected in (("a.csv", "malformed"), ("a.json.gz", "malformed")):
        row = {**common, "source_file": name}
        assert reason(next(from_bronze_rows("gym_logins", [row]))) == expected
