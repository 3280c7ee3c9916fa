"""Payloads, types and ranges: section 3 of the design, value by value."""

import json
from collections.abc import Sequence

from .case import (
    ACCEPTED,
    MIDNIGHT,
    Case,
    Message,
    Outcome,
    Row,
    at,
    bpm,
    bpm_written,
    message,
    profile,
    rejected,
    session_row,
    workout,
)

WRONG = rejected("wrong_type")
MISSING = rejected("missing_field")
MALFORMED = rejected("malformed")
NO_VALUE = rejected("missing_value")
BAD_TIME = rejected("timestamp_out_of_range")
BAD_RATE = rejected("heart_rate_out_of_range")


def _rates() -> Case:
    """Each rate on its own second; `(JSON as written, the rate that stands or the outcome)`."""
    tag = "rates"
    tried: Sequence[tuple[str, float | Outcome]] = (
        ("0", BAD_RATE),
        ("-5", BAD_RATE),
        ("null", MISSING),
        ('""', MISSING),
        ('"  "', MISSING),
        ('"abc"', WRONG),
        ('"72d"', WRONG),
        ('"72f"', WRONG),
        ('"0x48"', WRONG),
        ('"7 2"', WRONG),
        ('"72,5"', WRONG),
        ('"NaN"', WRONG),
        ('"Infinity"', WRONG),
        ('"-inf"', WRONG),
        ("1e999", WRONG),
        ('"1e999"', WRONG),
        ("true", WRONG),
        ("false", WRONG),
        ("[72]", WRONG),
        ("[]", WRONG),
        ('{"value": 72}', WRONG),
        ("{}", WRONG),
        ("29", BAD_RATE),
        ("29.99", BAD_RATE),
        ('"29.99999999999999"', BAD_RATE),
        ('"30.000000000000000000000000000000000000000"', WRONG),
        ("30", 30),
        ('"72"', 72),
        ('" 73 "', 73),
        ('"74.0"', 74),
        ('"7.5e1"', 75),
        ("7.6E+1", 76),
        ("77.5", 77.5),
        ("220", 220),
        ("220.01", BAD_RATE),
        ("221", BAD_RATE),
    )
    messages = []
    rows: list[Row] = []
    for i, (written, result) in enumerate(tried):
        outcome = result if isinstance(result, Outcome) else ACCEPTED
        messages.append(bpm_written('"rates-d"', str(MIDNIGHT + i), written, outcome))
        if not isinstance(result, Outcome):
            rows.append({"device_id": "rates-d", "measured_at": at(i), "heart_rate_bpm": result})
    return Case(
        tag,
        "Heart rates are numbers, also as text, from 30 to 220.",
        tuple(messages),
        rows={"heart_rates": rows},
    )


def _times() -> Case:
    tried: Sequence[tuple[str, int | Outcome]] = (
        (f"{MIDNIGHT}", at(0)),
        (f"{MIDNIGHT}.25", at(0.25)),
        (f"{MIDNIGHT}.500001", at(0.500001)),
        (f'"{MIDNIGHT + 1}"', at(1)),
        (f'" {MIDNIGHT + 2}.0 "', at(2)),
        (f'"{MIDNIGHT + 3}.75"', at(3.75)),
        ("1.7000064e9", at(0)),
        ('"1.700006404e9"', at(4)),
        ("946684800", 946_684_800_000_000),
        ("946684799.999", BAD_TIME),
        ("0", BAD_TIME),
        ("-1", BAD_TIME),
        (f"{MIDNIGHT}000", BAD_TIME),
        (f'"{MIDNIGHT}000"', BAD_TIME),
        ("4102444800", BAD_TIME),
        ("1e300", BAD_TIME),
        ("null", MISSING),
        ('" "', MISSING),
        ('"2023-11-15T00:00:00Z"', at(0)),
        ('"2023-11-15 00:00"', at(0)),
        ('" 2023-11-15T02:00:01.1234567 +02:00 "', at(1.123456)),
        ('"2023-11-14T18:30-0530"', at(0)),
        ('"2023-11-15T01:00+01"', at(0)),
        ('"2023-11-15T18:00+18:00"', at(0)),
        ('"2023-11-15T18:00+18:01"', WRONG),
        ('"2023-11-15T00:00+00:60"', WRONG),
        ('"2023-11-15T24:00"', WRONG),
        ('"2023-02-29T00:00"', WRONG),
        ('"2023-11-15"', WRONG),
        ('"2023-11-15t00:00"', WRONG),
        ('"2023-11-15T00:00:00,5"', WRONG),
        ('"0001-01-01T00:00+18:00"', BAD_TIME),
        ('"9999-12-31T23:59"', BAD_TIME),
        ('"1e-2000000000"', BAD_TIME),
        ('"1e2000000000"', WRONG),
        ('"' + "1" * 41 + '"', WRONG),
        ("true", WRONG),
        ("[1700006400]", WRONG),
        ("{}", WRONG),
    )
    messages = []
    rows: list[Row] = []
    for i, (written, result) in enumerate(tried):
        device = f"times-{i}"
        outcome = result if isinstance(result, Outcome) else ACCEPTED
        messages.append(bpm_written(f'"{device}"', written, "60", outcome))
        if not isinstance(result, Outcome):
            rows.append({"device_id": device, "measured_at": result})
    return Case(
        "times",
        "Times are epoch seconds or ISO 8601, from 2000 on; milliseconds for seconds lie far "
        "in the future.",
        tuple(messages),
        rows={"heart_rates": rows},
    )


def _ids() -> Case:
    tried: Sequence[tuple[str, str | Outcome]] = (
        ("871001", "871001"),
        ("871002.0", "871002"),
        ('"871003"', "871003"),
        ('"871004.0"', "871004"),
        ('" 871005 "', "871005"),
        ("8.71006e5", "871006"),
        ('"ids-user1_070be4a0"', "ids-user1_070be4a0"),
        ('"ids-12.5"', "ids-12.5"),
        ('"ids-ÄÖ 漢"', "ids-ÄÖ 漢"),
        ('"871007.00"', "871007"),
        ("871008.5", "871008.5"),
        ('"ids-' + "é" * 124 + '"', "ids-" + "é" * 124),
        ('"ids-' + "é" * 125 + '"', WRONG),
        ('"2.02E+09"', WRONG),
        ('"ids-\\u0007"', WRONG),
        ('"ids-\\"a"', WRONG),
        ('"{ids}"', WRONG),
        ('"false"', WRONG),
        ("true", WRONG),
        ("[1]", WRONG),
        ('{"id": 1}', WRONG),
        ("null", MISSING),
        ('""', MISSING),
        ('"\\t "', MISSING),
    )
    messages = []
    rows: list[Row] = []
    for i, (written, result) in enumerate(tried):
        outcome = result if isinstance(result, Outcome) else ACCEPTED
        messages.append(bpm_written(written, str(MIDNIGHT + i), "60", outcome))
        if not isinstance(result, Outcome):
            rows.append({"device_id": result, "measured_at": at(i)})
    return Case(
        "ids",
        "Ids are trimmed text, digits without a fraction of zeros, not what spreadsheets make.",
        tuple(messages),
        rows={"heart_rates": rows},
        ids=frozenset(row["device_id"] for row in rows),
    )


def _one_id_however_written() -> Case:
    """Three spellings of one user are one member, over three feeds."""
    return Case(
        "sameid",
        '12474, "12474" and 12474.0 are one user.',
        (
            message(
                "user_info",
                f'{{"user_id": 872474, "update_type": "new", "timestamp": {MIDNIGHT}, "sex": "F"}}',
            ),
            message(
                "user_info",
                f'{{"user_id": "872474", "update_type": "update", "timestamp": '
                f'{MIDNIGHT + 5}, "sex": "M"}}',
            ),
            message(
                "user_info",
                f'{{"user_id": 872474.0, "update_type": "update", "timestamp": '
                f'{MIDNIGHT + 9}, "sex": "X"}}',
            ),
            workout(872474, 1, 0, "start"),
            workout("872474", "1", 60, "stop"),
            workout(872474.0, 2.0, 90, "start"),
            workout("872474.0", "2.0", 100, "stop"),
        ),
        rows={
            "user_profile_history": [
                {"user_id": "872474", "sex": "F", "valid_from": at(0), "valid_to": at(5)},
                {"user_id": "872474", "sex": "M", "valid_from": at(5), "valid_to": at(9)},
                {"user_id": "872474", "sex": "X", "valid_from": at(9), "valid_to": None},
            ],
            "workout_sessions": [
                session_row("872474", "1", 0, 60),
                session_row("872474", "2", 90, 100),
            ],
        },
        ids=frozenset({"872474"}),
    )


def _payloads() -> Case:
    """Payloads as bytes; those accepted hold the reading 60 of second i on `payload-i`."""
    tag = "payload"
    good = '"device_id": "payload-%d", "time": %d, "heartrate": 60'
    tried: Sequence[tuple[bytes | None, Outcome]] = (
        (None, NO_VALUE),
        (b"", NO_VALUE),
        (b" \t\r\n ", NO_VALUE),
        (b"not json", MALFORMED),
        (b"{", MALFORMED),
        (b'{"device_id": "payload-x", "time": 170000', MALFORMED),
        (b"{'device_id': 'x'}", MALFORMED),
        (b'{@, "x": NaN}', MALFORMED),
        (b'{@, "x": -Infinity}', MALFORMED),
        (b'{@, "heartrate": 61}', MALFORMED),
        (b'{@, "more": {"a": 1, "a": 1}}', MALFORMED),
        (b"{@,}", MALFORMED),
        (b'{@, "x": 01}', MALFORMED),
        (b'{@, "x": "\xff"}', MALFORMED),
        (b'{@, \xff"x": 1}', MALFORMED),
        (b'{@, "x": "\xff"} \xff', MALFORMED),
        (b"{@\xff", MALFORMED),
        (b"\xff{@}", MALFORMED),
        (b"\xff", MALFORMED),
        (b"NaN", MALFORMED),
        (b"null", MALFORMED),
        (b"true", MALFORMED),
        (b"[{@}]", MALFORMED),
        (b"[]", MALFORMED),
        (b'"{}"', MALFORMED),
        (b"72", MALFORMED),
        (b"{}", MISSING),
        (b"{@}", ACCEPTED),
        (b" \n{@}\r\n", ACCEPTED),
        (b"\xef\xbb\xbf{@}", ACCEPTED),
        (b" \xef\xbb\xbf\n{@}", ACCEPTED),
        (b"\xef\xbb\xbf", NO_VALUE),
        (b"\x0b{@}", MALFORMED),
        (b"{@} and more {", MALFORMED),
        (b"{@}{@}", MALFORMED),
        (b"{@},{}", MALFORMED),
        (b'{@}, "x": {}', MALFORMED),
        (b"{@}] x", MALFORMED),
        (b"{@}} x", MALFORMED),
        (b"{@}\xff", MALFORMED),
        (b'{@, "x": "\xef\xbf\xbd"}', ACCEPTED),
        (b'{@, "x": "}]"}', ACCEPTED),
        (b'{@, "x": [{}]}', ACCEPTED),
        (b'{@, "x": "\\ud800"}', ACCEPTED),
        (b'{@, "x": ' + b"[" * 199 + b"]" * 199 + b"}", ACCEPTED),
        (b'{@, "x": ' + b"[" * 200 + b"]" * 200 + b"}", MALFORMED),
        (b"[" * 100_000, MALFORMED),
        (b'{@, "x": [' + b"{}," * 1000 + b"{}]}", ACCEPTED),
        (b'{@, "x": "' + b'[{\\"' * 1000 + b'"}', ACCEPTED),
        (b'{@, "x": ' + b"1" * 1000 + b"}", ACCEPTED),
        (b'{@, "x": ' + b"1" * 1001 + b"}", MALFORMED),
        (b'{@, "x": 1e-2000000000}', ACCEPTED),
        (b'{@, "' + b"n" * 50_000 + b'": 1}', ACCEPTED),
        (b'{@, "' + b"n" * 50_001 + b'": 1}', MALFORMED),
        (b'{@, "unknown": [1, {"deep": null}], "": ""}', ACCEPTED),
        (b'{"extra": true, "heartrate": 60, "device_id": "payload-%d", "time": %d}', ACCEPTED),
    )
    messages = []
    rows: list[Row] = []
    for i, (value, outcome) in enumerate(tried):
        if value is not None:
            value = value.replace(b"@", (good % (i, MIDNIGHT + i)).encode())
            if b"%d" in value:
                value %= (i, MIDNIGHT + i)
        messages.append(Message("bpm", value, key=f"payload-{i}".encode(), outcome=outcome))
        if outcome == ACCEPTED:
            rows.append({"device_id": f"payload-{i}", "measured_at": at(i), "heart_rate_bpm": 60})
    return Case(
        tag,
        "A payload is exactly one JSON object; keys may come in any order, unknown ones too.",
        tuple(messages),
        rows={"heart_rates": rows},
    )


def _order_of_reasons() -> Case:
    jump = {"user_id": "order-u", "workout_id": 2, "session_id": 3, "timestamp": 5}
    change = {"user_id": "order-u", "timestamp": 5}
    return Case(
        "order",
        "The first reason of the list is over the whole record.",
        (
            bpm_written("true", '"x"', '""', MISSING),
            bpm_written('"order-d"', "5", '"x"', WRONG),
            bpm_written('"order-d"', "5", "5", BAD_TIME),
            message("bpm", {"time": MIDNIGHT, "heartrate": 60}, MISSING),
            message("workout", {**jump, "action": "jump"}, rejected("unknown_action")),
            message("workout", {**jump, "action": "jump", "timestamp": "x"}, WRONG),
            message("workout", {**jump, "action": "jump", "session_id": None}, MISSING),
            message("workout", {**jump, "action": 5}, rejected("unknown_action")),
            message("workout", {**jump, "action": True}, rejected("unknown_action")),
            message("workout", {**jump, "action": ["start"]}, rejected("unknown_action")),
            message("workout", {**jump, "action": " "}, MISSING),
            message("workout", {**jump, "action": "start"}, BAD_TIME),
            message("workout", jump, MISSING),
            message(
                "user_info", {**change, "update_type": "upsert"}, rejected("unknown_update_type")
            ),
            message("user_info", {**change, "update_type": 1}, rejected("unknown_update_type")),
            message("user_info", {**change, "update_type": {}}, rejected("unknown_update_type")),
            message("user_info", {**change, "update_type": "delete"}, BAD_TIME),
            message("user_info", change, MISSING),
            Message(
                "user_info",
                json.dumps({"timestamp": MIDNIGHT, "update_type": "new"}).encode(),
                b"order-u",
                outcome=MISSING,
            ),
        ),
        rows={"heart_rates": [], "workout_sessions": [], "user_profile_changes": []},
    )


def _tombstones() -> Case:
    return Case(
        "tomb",
        "A null value on user_info is a delete: its user is the key, its time Kafka's.",
        (
            profile("tomb-u", 0, "new", sex="F"),
            Message("user_info", None, b"tomb-u", (MIDNIGHT + 10) * 1000),
            Message("user_info", None, None, outcome=MISSING),
            Message("user_info", None, b"", outcome=MISSING),
            Message("user_info", None, b"  ", outcome=MISSING),
            Message("user_info", None, b"tomb-\xff", outcome=WRONG),
            Message("user_info", None, b"tomb-\xff", 5000, outcome=WRONG),
            Message("user_info", None, b"tomb-u", 5000, outcome=BAD_TIME),
            Message("user_info", None, b'"tomb-u"', (MIDNIGHT + 20) * 1000),
            Message("user_info", None, b'{"id": "tomb-u"}', outcome=WRONG),
            Message("user_info", b"", b"tomb-u", outcome=NO_VALUE),
            Message("workout", None, b"tomb-u", outcome=NO_VALUE),
        ),
        rows={
            "user_profile_changes": [
                {"user_id": "tomb-u", "changed_at": at(0), "sex": "F"},
                {"user_id": "tomb-u", "changed_at": at(10), "sex": None},
                {"user_id": "tomb-u", "changed_at": at(20), "sex": None},
            ],
            "user_profile_history": [
                {"user_id": "tomb-u", "valid_from": at(0), "valid_to": at(10), "sex": "F"}
            ],
            "user_profiles": [],
        },
    )


def _profile_fields() -> Case:
    address = {"street_address": 12, "city": " X ", "state": "", "zip": 90000.0}
    tried: Sequence[tuple[dict[str, object], Row]] = (
        ({"dob": "02/29/2000"}, {"date_of_birth": "2000-02-29"}),
        ({"dob": " 2000-02-29 "}, {"date_of_birth": "2000-02-29"}),
        ({"dob": "02/29/2001"}, {"date_of_birth": None}),
        ({"dob": "31/12/2000"}, {"date_of_birth": None}),
        ({"dob": "someday"}, {"date_of_birth": None}),
        ({"dob": 20000229}, {"date_of_birth": None}),
        ({"dob": True}, {"date_of_birth": None}),
        ({"dob": "2023-11-15"}, {"date_of_birth": "2023-11-15"}),
        ({"dob": "2023-11-16"}, {"date_of_birth": None}),
        ({"dob": "1903-11-15"}, {"date_of_birth": "1903-11-15"}),
        ({"dob": "1902-11-14"}, {"date_of_birth": None}),
        ({"sex": " F ", "gender": ""}, {"sex": "F", "gender": None}),
        ({"sex": 1, "gender": 1.5}, {"sex": "1", "gender": "1.5"}),
        ({"sex": True, "gender": []}, {"sex": "true", "gender": None}),
        ({"sex": "{F}", "gender": "[]"}, {"sex": None, "gender": None}),
        (
            {"first_name": {}, "last_name": 'Ö\'Neil "x"'},
            {"first_name": None, "last_name": 'Ö\'Neil "x"'},
        ),
        (
            {"address": address},
            {"street_address": "12", "city": "X", "state": None, "zip_code": "90000"},
        ),
        ({"address": {"zip": "90000"}}, {"city": None, "zip_code": "90000"}),
        ({"address": {"zip": 90000}}, {"zip_code": "90000"}),
        ({"address": {"zip": "90001.00"}}, {"zip_code": "90001"}),
        ({"address": {"zip": "-5.0"}}, {"zip_code": "-5.0"}),
        ({"address": {"zip": "01234"}}, {"zip_code": "01234"}),
        ({"address": "Main St"}, {"street_address": None, "city": None}),
        ({"address": ["Main St"]}, {"street_address": None, "city": None}),
        ({"address": None}, {"street_address": None, "city": None}),
    )
    messages = [
        profile(f"fields-{i}", 0, "new", **fields)  # type: ignore[arg-type]
        for i, (fields, _) in enumerate(tried)
    ]
    return Case(
        "fields",
        "An optional field that cannot be used is null; the record stays.",
        tuple(messages),
        rows={
            "user_profiles": [{"user_id": f"fields-{i}", **row} for i, (_, row) in enumerate(tried)]
        },
    )


def _fractions() -> Case:
    return Case(
        "fraction",
        "Times are exact to the microsecond.",
        (
            bpm("fraction-d", 0.25, 60),
            bpm("fraction-d", 0.5, 61),
            bpm("fraction-d", 0.500001, 62),
            *(workout("fraction-u", 1, *event) for event in ((0.125, "start"), (0.875, "stop"))),
        ),
        rows={
            "heart_rates": [
                {"device_id": "fraction-d", "measured_at": at(0.25), "heart_rate_bpm": 60},
                {"device_id": "fraction-d", "measured_at": at(0.5), "heart_rate_bpm": 61},
                {"device_id": "fraction-d", "measured_at": at(0.500001), "heart_rate_bpm": 62},
            ],
            "workout_sessions": [session_row("fraction-u", "1", 0.125, 0.875)],
        },
    )


def _long_texts() -> Case:
    """A megabyte in each field, and in the key; the record alone suffers."""
    long = "x" * 900_000
    reading = {"device_id": "long-d", "time": MIDNIGHT, "heartrate": 60}
    event = {
        "user_id": "long-u",
        "workout_id": 1,
        "session_id": 1,
        "timestamp": MIDNIGHT,
        "action": "start",
    }
    change = {"user_id": "long-u", "timestamp": MIDNIGHT, "update_type": "new"}
    texts = (long, "9" * 900_000, "[" * 900_000, "\\" * 400_000)
    words = {"action": "unknown_action", "update_type": "unknown_update_type"}
    return Case(
        "long",
        "No text, however long, does more than reject its record.",
        (
            *(
                message(
                    feed,
                    {**payload, field: texts[i % 4]},
                    rejected(words.get(field, "wrong_type")),
                )
                for feed, payload in (("bpm", reading), ("workout", event), ("user_info", change))
                for i, field in enumerate(payload)
            ),
            *(
                Message("user_info", None, text.encode(), outcome=WRONG)
                for text in (long, '"' * 900_000)
            ),
            message("user_info", {**change, "sex": long, "dob": long, "address": "[" * 900_000}),
        ),
        rows={"user_profiles": [{"user_id": "long-u", "sex": long, "date_of_birth": None}]},
    )


CASES = (
    _rates(),
    _times(),
    _ids(),
    _one_id_however_written(),
    _payloads(),
    _order_of_reasons(),
    _tombstones(),
    _profile_fields(),
    _fractions(),
    _long_texts(),
)
