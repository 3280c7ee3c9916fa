"""Files of the landing zone: how they are written, and the records in them."""

import gzip
import json

from .case import (
    ACCEPTED,
    LOGOUT_IGNORED,
    MIDNIGHT,
    Case,
    Landed,
    Row,
    at,
    mac,
    owned,
    rejected,
)

WRONG = rejected("wrong_type")
MISSING = rejected("missing_field")
MALFORMED = rejected("malformed")
BAD_TIME = rejected("timestamp_out_of_range")


def _visit(name: str, gym: str, login: float, logout: float | None) -> Row:
    return {
        "mac_address": mac(name),
        "gym_id": gym,
        "login_at": at(login),
        "logout_at": None if logout is None else at(logout),
    }


def _csv() -> Case:
    m = MIDNIGHT
    swapped = (
        '\ufefflogout, ROOM ,login,"Gym",mac_address\r\n'
        f'{m + 60},"upstairs, left",{m},csv-g,{mac("CSV-A")}\r\n'
        "\r\n"
        "   \r\n"
        f",,{m},csv-g,{mac('csv-b')}\r\n"
        f'{m + 60}.0,"a ""quoted"" room",{m}.0,csv-g,{mac("csv-c")}'
    )
    d, e, f, k = (mac(f"csv-{letter}") for letter in "defk")
    bare = f.replace(":", "")
    rows = (
        (f"{d},csv-g,{m},{m + 60}", ACCEPTED),
        (f"{d},csv-g,{m},{m + 60}", ACCEPTED),
        (f" {e} , csv-g , {m} , {m + 60} ", ACCEPTED),
        (f"{e.replace(':', '-').upper()},csv-h,{m},", ACCEPTED),
        (f"{bare},csv-g,{m},{m + 60}", ACCEPTED),
        (f"{bare[:4]}.{bare[4:8]}.{bare[8:]},csv-h,{m},", ACCEPTED),
        (f"{mac('csv-n')},csv-g,1.7000064e9,{m + 60}", ACCEPTED),
        (f"{mac('csv-o')},csv-g,{m},true", LOGOUT_IGNORED),
        (f"{mac('csv-p')},12.0,2023-11-15T01:00+01:00,NULL", ACCEPTED),
        # Other marks than those around a field are characters; an odd number of them is an error.
        (f'{mac("csv-q")}," csv-g, ""x""",{m},', WRONG),
        (f'{mac("csv-q")}," csv-g, x ",{m},', ACCEPTED),
        (f'{d},"csv-g,{m},', MALFORMED),
        (f"{d},csv-g,{m},{m + 60},one,more", MALFORMED),
        (f"{d},csv-g,{m}", MALFORMED),
        (f"{d},csv-g", MALFORMED),
        (f",csv-g,{m},", MISSING),
        (f"{k},,{m},", MISSING),
        (f"{k},NULL,{m},", MISSING),
        (f'"NULL",csv-g,{m},', MISSING),
        (f"{k},csv-g,\\N,", MISSING),
        (f"csv-k,csv-g,{m},", WRONG),
        (f"{k[:-1]},csv-g,{m},", WRONG),
        (f"{k.replace(':', '-', 1)},csv-g,{m},", WRONG),
        (f"\0,csv-g,{m},", WRONG),
        (f"{k},csv-g,yesterday,", WRONG),
        (f"{k},csv-g,NaN,", WRONG),
        (f"{k},2.02E+09,{m},", WRONG),
        (f"{k},csv-g,{m}000,", BAD_TIME),
    )
    rough = "".join(f"{line}\n" for line, _ in rows)
    return Case(
        "csv",
        "CSV by its own header: columns in any order, surplus ones, a byte-order mark, CRLF, "
        "blank lines, no final newline, quotes.",
        files=(
            Landed("gym_logins", "csv_swapped.csv", swapped.encode(), (ACCEPTED,) * 3),
            Landed(
                "gym_logins",
                "csv_rough.csv.gz",
                gzip.compress(b"mac_address,gym,login,logout\n" + rough.encode()),
                tuple(outcome for _, outcome in rows),
            ),
        ),
        rows={
            "gym_visits": [
                _visit("csv-a", "csv-g", 0, 60),
                _visit("csv-b", "csv-g", 0, None),
                _visit("csv-c", "csv-g", 0, 60),
                _visit("csv-d", "csv-g", 0, 60),
                _visit("csv-e", "csv-g", 0, 60),
                _visit("csv-e", "csv-h", 0, None),
                _visit("csv-f", "csv-g", 0, 60),
                _visit("csv-f", "csv-h", 0, None),
                _visit("csv-n", "csv-g", 0, 60),
                _visit("csv-o", "csv-g", 0, None),
                _visit("csv-p", "12", 0, None),
                _visit("csv-q", "csv-g, x", 0, None),
            ]
        },
    )


def _headers() -> Case:
    line = f"{mac('head-m')},head-g,{MIDNIGHT},\n"
    return Case(
        "head",
        "A header that names a column twice, or none, makes every line malformed.",
        files=(
            Landed(
                "gym_logins",
                "head_twice.csv",
                f"mac_address,gym,login,GYM\n{line}{line}".encode(),
                (MALFORMED, MALFORMED),
            ),
            Landed("gym_logins", "head_none.csv", f"{line}{line}".encode(), (MALFORMED, MALFORMED)),
        ),
        rows={"gym_visits": []},
    )


def _ndjson() -> Case:
    m = MIDNIGHT

    def line(letter: str, gym: str = '"5"', more: str = "", login: object = m) -> str:
        return f'{{"mac_address": "{mac(f"ndj-{letter}")}", "gym": {gym}, "login": {login}{more}}}'

    lines = (
        (line("A", "5", f', "logout": {m + 60.5}'), ACCEPTED),
        (line("b", "5.0", ', "x": [1]', f'"{m}"'), ACCEPTED),
        (line("c", more=', "logout": null'), ACCEPTED),
        (line("d", more=', "logout": ""'), ACCEPTED),
        (line("e", more=', "logout": []'), LOGOUT_IGNORED),
        (line("f", more=f', "logout": {m}'), LOGOUT_IGNORED),
        (line("g").upper(), ACCEPTED),
        (line("h", "5.5"), ACCEPTED),
        (line("i", "true"), WRONG),
        (line("i").replace('"mac_address": "', '"mac_address": "x'), WRONG),
        (line("i", '["5"]'), WRONG),
        (line("i", login="false"), WRONG),
        (f'{{"mac_address": "{mac("ndj-i")}", "gym": "5"}}', MISSING),
        (f'{{"mac_address": null, "gym": "5", "login": {m}}}', MISSING),
        ("{}", MISSING),
        (line("i")[:-1], MALFORMED),
        (line("i", more=', "x": NaN'), MALFORMED),
        (line("i", more=', "gym": "5"'), MALFORMED),
        (line("i", more=', "Gym": "5"'), MALFORMED),
        (line("j", more=', "x": 1, "X": 2'), ACCEPTED),
        ("[1, 2]", MALFORMED),
        ("null", MALFORMED),
        (line("i") + " and more", MALFORMED),
        (line("i") + "] x", MALFORMED),
    )
    text = "\ufeff" + "\r\n\n".join(line for line, _ in lines)
    return Case(
        "ndj",
        "A line of JSON is one object; its keys are found whatever their case.",
        files=(
            Landed(
                "gym_logins",
                "ndj_lines.ndjson",
                text.encode(),
                tuple(outcome for _, outcome in lines),
            ),
        ),
        rows={
            "gym_visits": [
                _visit("ndj-a", "5", 0, 60.5),
                *(_visit(f"ndj-{letter}", "5", 0, None) for letter in "bcdefgj"),
                _visit("ndj-h", "5.5", 0, None),
            ]
        },
    )


def _ndjson_with_csv_in_its_name() -> Case:
    m = MIDNIGHT
    lines = (
        f'{{"mac_address": "{mac("dotcsv-a")}", "gym": 5.0, "login": {m}}}',
        f'{{"mac_address": "{mac("dotcsv-b")}", "gym": true, "login": {m}}}',
        "null",
    )
    return Case(
        "dotcsv",
        "What a file is, the end of its name says.",
        files=(
            Landed(
                "gym_logins",
                "dotcsv.csv.ndjson",
                "\n".join(lines).encode(),
                (ACCEPTED, WRONG, MALFORMED),
            ),
        ),
        rows={"gym_visits": [_visit("dotcsv-a", "5", 0, None)]},
    )


def _registered() -> Case:
    m = MIDNIGHT
    text = (
        "registration_timestamp,mac_address,colour,device_id,user_id\n"
        f"{m},{mac('REG-M')},red,reg-d,reg-u\n"
        f"{m}.5,,red,reg-e,reg-u\n"
        f",{mac('reg-n')},red,reg-e,reg-u\n"
        f"{m},{mac('reg-n')},red,,reg-u\n"
        f"{m},{mac('reg-n')},red,reg-e,\n"
        f"then,{mac('reg-n')},red,reg-e,reg-u\n"
        f"5,{mac('reg-n')},red,reg-e,reg-u\n"
        f"{m + 9}.25,{mac('reg-n')},red,873001.0,reg-u\n"
    )
    return Case(
        "reg",
        "A registration needs user, device, MAC and time.",
        files=(
            Landed(
                "registered_users",
                "reg_users.csv",
                text.encode(),
                (ACCEPTED, *[MISSING] * 4, WRONG, BAD_TIME, ACCEPTED),
            ),
        ),
        rows={
            "device_registrations": [
                owned(kind, identifier, "reg-u", at(seconds), None)
                for kind, identifier, seconds in (
                    ("device", "reg-d", 0),
                    ("mac", mac("reg-m"), 0),
                    ("device", "873001", 9.25),
                    ("mac", mac("reg-n"), 9.25),
                )
            ]
        },
        ids=frozenset({"873001"}),
    )


def _envelopes() -> Case:
    """Kafka Connect's file sink of a topic, landed."""

    def value(seconds: float, rate: object) -> dict[str, object]:
        return {"device_id": "sink-d", "time": MIDNIGHT + seconds, "heartrate": rate}

    def line(content: object, **more: object) -> str:
        place = {"topic": "bpm", "partition": 0, "offset": 0, "timestamp": MIDNIGHT * 1000}
        return json.dumps({"key": "sink-d", "value": content, **place, **more})

    lines = (
        (line(json.dumps(value(0, 60))), ACCEPTED),
        (line(value(1, 61)), ACCEPTED),
        (line(value(2, "62.0"), surplus={"a": 1}), ACCEPTED),
        (line(value(2, 62), offset=7), ACCEPTED),
        # A payload with a field `value` of its own is a value.
        (json.dumps({**value(4, 64), "value": 5}), ACCEPTED),
        ("null", MALFORMED),
        (line(None), rejected("missing_value")),
        (line("  "), rejected("missing_value")),
        (line("{"), MALFORMED),
        (line([value(3, 63)]), MALFORMED),
        (line("[]"), MALFORMED),
        (line({"time": MIDNIGHT, "heartrate": 60}), MISSING),
    )
    users = (
        json.dumps(
            {
                "key": "sink-u",
                "value": {"user_id": "sink-u", "update_type": "new", "timestamp": MIDNIGHT},
                "timestamp": MIDNIGHT * 1000,
            }
        ),
        json.dumps({"key": "sink-u", "value": None, "timestamp": (MIDNIGHT + 30) * 1000}),
        json.dumps({"key": "sink-u", "value": None}),
    )
    return Case(
        "sink",
        "Envelopes in files: the value is a string or an object; offsets repeat and mean nothing.",
        files=(
            Landed(
                "bpm",
                "sink_bpm.json.gz",
                gzip.compress("\n".join(text for text, _ in lines).encode()),
                tuple(outcome for _, outcome in lines),
            ),
            Landed(
                "user_info",
                "sink_users.ndjson",
                "\n".join(users).encode(),
                (ACCEPTED, ACCEPTED, MISSING),
            ),
        ),
        rows={
            "heart_rates": [
                {"device_id": "sink-d", "measured_at": at(i), "heart_rate_bpm": 60 + i}
                for i in (0, 1, 2, 4)
            ],
            "user_profile_history": [
                {"user_id": "sink-u", "valid_from": at(0), "valid_to": at(30)}
            ],
        },
    )


def _long_columns() -> Case:
    """A megabyte in each column; the record alone suffers."""
    registration = {
        "user_id": "wide-u",
        "device_id": "wide-d",
        "mac_address": mac("wide-m"),
        "registration_timestamp": str(MIDNIGHT),
    }
    login = {"mac_address": mac("wide-m"), "gym": "wide-g", "login": str(MIDNIGHT), "logout": ""}
    texts = ("x" * 900_000, "9" * 900_000, ":" * 900_000)
    files = []
    for feed, row in (("registered_users", registration), ("gym_logins", login)):
        lines = [",".join(row)]
        for number, column in enumerate(row):
            lines.append(",".join({**row, column: texts[number % 3]}.values()))
        outcomes = tuple(LOGOUT_IGNORED if column == "logout" else WRONG for column in row)
        files.append(Landed(feed, f"wide_{feed}.csv", "\n".join(lines).encode(), outcomes))
    return Case(
        "wide",
        "No column, however long, does more than reject its record.",
        files=tuple(files),
        rows={"device_registrations": [], "gym_visits": [_visit("wide-m", "wide-g", 0, None)]},
    )


CASES = (
    _csv(),
    _headers(),
    _ndjson(),
    _ndjson_with_csv_in_its_name(),
    _registered(),
    _envelopes(),
    _long_columns(),
)
