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
    owned,
    rejected,
)

WRONG = rejected("wrong_type")
MISSING = rejected("missing_field")
MALFORMED = rejected("malformed_json")
NO_OBJECT = rejected("not_an_object")
BAD_TIME = rejected("timestamp_out_of_range")


def _visit(mac: str, gym: str, login: float, logout: float | None) -> Row:
    return {
        "mac_address": mac,
        "gym_id": gym,
        "login_at": at(login),
        "logout_at": None if logout is None else at(logout),
    }


def _csv() -> Case:
    m = MIDNIGHT
    swapped = (
        "\ufefflogout,room,login,gym,mac_address\r\n"
        f'{m + 60},"upstairs, left",{m},csv-g,CSV-A\r\n'
        "\r\n"
        "   \r\n"
        f",,{m},csv-g,csv-b\r\n"
        f'{m + 60}.0,"a ""quoted"" room",{m}.0,csv-g,csv-c'
    )
    rough = (
        "mac_address,gym,login,logout\n"
        f"csv-d,csv-g,{m},{m + 60}\n"
        f"csv-d,csv-g,{m},{m + 60}\n"
        f" csv-e , csv-g , {m} , {m + 60} \n"
        f"csv-f,csv-g,{m},{m + 60},one,more\n"
        f"csv-g,csv-g,{m}\n"
        f"csv-h,csv-g\n"
        f",csv-g,{m},\n"
        f"csv-i,,{m},\n"
        f'csv-j,"csv-g,{m},\n'
        f"csv-k,csv-g,yesterday,\n"
        f"csv-l,csv-g,NaN,\n"
        f"csv-m,csv-g,{m}000,\n"
        f"csv-n,csv-g,1.7000064e9,{m + 60}\n"
        f"csv-o,csv-g,{m},true\n"
        f"csv-p,12.0,{m},\n"
    )
    fates = (
        ACCEPTED,
        ACCEPTED,
        ACCEPTED,
        ACCEPTED,
        ACCEPTED,
        MISSING,
        MISSING,
        MISSING,
        MALFORMED,
        WRONG,
        WRONG,
        BAD_TIME,
        ACCEPTED,
        LOGOUT_IGNORED,
        ACCEPTED,
    )
    return Case(
        "csv",
        "CSV by its own header: columns in any order, surplus ones, a byte-order mark, CRLF, "
        "blank lines, no final newline, quotes.",
        files=(
            Landed("gym_logins", "csv_swapped.csv", swapped.encode(), (ACCEPTED,) * 3),
            Landed("gym_logins", "csv_rough.csv.gz", gzip.compress(rough.encode()), fates),
        ),
        rows={
            "gym_visits": [
                _visit("csv-a", "csv-g", 0, 60),
                _visit("csv-b", "csv-g", 0, None),
                _visit("csv-c", "csv-g", 0, 60),
                _visit("csv-d", "csv-g", 0, 60),
                _visit("csv-e", "csv-g", 0, 60),
                _visit("csv-f", "csv-g", 0, 60),
                _visit("csv-g", "csv-g", 0, None),
                _visit("csv-n", "csv-g", 0, 60),
                _visit("csv-o", "csv-g", 0, None),
                _visit("csv-p", "12", 0, None),
            ]
        },
    )


def _ndjson() -> Case:
    m = MIDNIGHT
    lines = (
        (f'{{"mac_address": "NDJ-A", "gym": 5, "login": {m}, "logout": {m + 60.5}}}', ACCEPTED),
        (f'{{"login": "{m}", "gym": 5.0, "mac_address": "ndj-b", "x": [1]}}', ACCEPTED),
        (f'{{"mac_address": "ndj-c", "gym": "5", "login": {m}, "logout": null}}', ACCEPTED),
        (f'{{"mac_address": "ndj-d", "gym": "5", "login": {m}, "logout": ""}}', ACCEPTED),
        (f'{{"mac_address": "ndj-e", "gym": "5", "login": {m}, "logout": []}}', LOGOUT_IGNORED),
        (f'{{"mac_address": "ndj-f", "gym": "5", "login": {m}, "logout": {m}}}', LOGOUT_IGNORED),
        (f'{{"mac_address": "ndj-g", "gym": true, "login": {m}}}', WRONG),
        (f'{{"mac_address": ["ndj-h"], "gym": "5", "login": {m}}}', WRONG),
        (f'{{"mac_address": "ndj-i", "gym": 5.5, "login": {m}}}', WRONG),
        ('{"mac_address": "ndj-j", "gym": "5", "login": false}', WRONG),
        ('{"mac_address": "ndj-k", "gym": "5"}', MISSING),
        (f'{{"mac_address": null, "gym": "5", "login": {m}}}', MISSING),
        (f'{{"mac_address": "ndj-l", "gym": "5", "login": {m}', MALFORMED),
        (f'{{"mac_address": "ndj-m", "gym": "5", "login": {m}, "x": NaN}}', MALFORMED),
        (f'{{"mac_address": "ndj-n", "gym": "5", "gym": "5", "login": {m}}}', MALFORMED),
        ("[1, 2]", NO_OBJECT),
        ("null", NO_OBJECT),
        (f'{{"mac_address": "ndj-o", "gym": "5", "login": {m}}} and more', ACCEPTED),
    )
    text = "\ufeff" + "\r\n\n".join(line for line, _ in lines)
    return Case(
        "ndj",
        "Lines of JSON have the types of JSON.",
        files=(
            Landed(
                "gym_logins", "ndj_lines.ndjson", text.encode(), tuple(fate for _, fate in lines)
            ),
        ),
        rows={
            "gym_visits": [
                _visit("ndj-a", "5", 0, 60.5),
                *(_visit(f"ndj-{letter}", "5", 0, None) for letter in "bcdefo"),
            ]
        },
    )


def _ndjson_with_csv_in_its_name() -> Case:
    m = MIDNIGHT
    lines = (
        f'{{"mac_address": "dotcsv-a", "gym": 5.0, "login": {m}}}',
        f'{{"mac_address": "dotcsv-b", "gym": true, "login": {m}}}',
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
                (ACCEPTED, WRONG, NO_OBJECT),
            ),
        ),
        rows={"gym_visits": [_visit("dotcsv-a", "5", 0, None)]},
    )


def _registered() -> Case:
    m = MIDNIGHT
    text = (
        "registration_timestamp,mac_address,colour,device_id,user_id\n"
        f"{m},REG-M,red,reg-d,reg-u\n"
        f"{m}.5,,red,reg-e,reg-u\n"
        f",reg-n,red,reg-e,reg-u\n"
        f"{m},reg-n,red,,reg-u\n"
        f"{m},reg-n,red,reg-e,\n"
        f"then,reg-n,red,reg-e,reg-u\n"
        f"5,reg-n,red,reg-e,reg-u\n"
        f"{m + 9}.25,reg-n,red,873001.0,reg-u\n"
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
                    ("mac", "reg-m", 0),
                    ("device", "873001", 9.25),
                    ("mac", "reg-n", 9.25),
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
        (line(None), rejected("missing_value")),
        (line("  "), rejected("missing_value")),
        (line("{"), MALFORMED),
        (line([value(3, 63)]), NO_OBJECT),
        (line("[]"), NO_OBJECT),
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
                tuple(fate for _, fate in lines),
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
                for i in range(3)
            ],
            "user_profile_history": [
                {"user_id": "sink-u", "valid_from": at(0), "valid_to": at(30)}
            ],
        },
    )


CASES = (_csv(), _ndjson(), _ndjson_with_csv_in_its_name(), _registered(), _envelopes())
