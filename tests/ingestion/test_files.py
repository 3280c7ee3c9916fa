"""Landed files to rows: no line but blank ones is dropped; lines are judged, fields are not."""

from __future__ import annotations

import gzip
import io
import json
import os
import tempfile
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from ingestion.feeds import ENVELOPE_FEEDS, FILE_FEEDS
from ingestion.files import (
    MAX_LINE,
    Row,
    Source,
    fields_of,
    moment,
    parse_envelopes,
    parse_rows,
    record_id,
)
from ingestion.sources import arrow_parser

COLUMNS = FILE_FEEDS[1].columns  # mac_address, gym, login, logout


def rows(content: str | bytes, name: str = "a.csv", version: str = "1-1") -> list[Row]:
    data = content.encode() if isinstance(content, str) else content
    return list(parse_rows(COLUMNS)(Source(name, version, len(data)), io.BytesIO(data)))


def values(row: Row) -> tuple[str | None, ...]:
    return tuple(row[column] for column in COLUMNS)


MALFORMED = (None,) * len(COLUMNS)


def test_columns_are_mapped_by_the_name_in_the_header() -> None:
    found = rows(' Logout,gym,surplus,"MAC_ADDRESS", login \n2,g,x,m,1\n')
    assert [values(row) for row in found] == [("m", "g", "1", "2")]
    assert found[0]["raw"] == "2,g,x,m,1"


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfmac_address,gym,login,logout\r\n\r\nm,g,1,\r\n \t \r\nn,h,2,3",
        "mac_address,gym,login,logout\nm,g,1,\nn,h,2,3\n".encode("utf-16"),
        gzip.compress(b"\n\nmac_address,gym,login,logout\nm,g,1,\n\nn,h,2,3"),
    ],
    ids=["BOM, CRLF, blank lines, no final newline", "UTF-16", "gzip"],
)
def test_how_the_file_is_written_does_not_matter(content: bytes) -> None:
    assert [values(row) for row in rows(content)] == [("m", "g", "1", ""), ("n", "h", "2", "3")]


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("a,b", ["a", "b"]),
        ("", [""]),
        ('"a,b",c', ["a,b", "c"]),
        ('a, "b,c" ', ["a", "b,c"]),
        ('"say ""hi""",b', ['say "hi"', "b"]),
        ('say "hi, all" now,b', ['say "hi, all" now', "b"]),
        ('"a" and "b",c', ['a" and "b', "c"]),
        ('"",""""', ["", '"']),
        (',"\ufeff",', ["", "\ufeff", ""]),
        ('"a,b', None),
        ('a,b"', None),
        ('"a,"b",c"x', ['"a,"b",c"x']),
    ],
)
def test_commas_and_quotation_marks(line: str, fields: list[str] | None) -> None:
    assert fields_of(line) == fields


@pytest.mark.parametrize(
    "line",
    ['"m,g,1,', "m,g,1", "m,g,1,,", "m,g,1,2,3", 'm,"g,1,2"', "came again,9", "\u00a0"],
)
def test_a_line_of_other_fields_than_its_header_is_malformed(line: str) -> None:
    found = rows(f"mac_address,gym,login,logout\n{line}\no,g,3,4\n")
    assert [values(row) for row in found] == [MALFORMED, ("o", "g", "3", "4")]
    assert found[0]["raw"] == line


def test_columns_that_a_readable_line_lacks_are_empty() -> None:
    assert [values(row) for row in rows('login,mac_address\n1,\n"3","m ""q"""\n')] == [
        ("", "", "1", ""),
        ('m "q"', "", "3", ""),
    ]


def test_null_and_backslash_n_are_empty() -> None:
    found = rows('mac_address,gym,login,logout\nNULL, \\N ,"NULL",x\nnull,\\n,NULLS,"\\N"\n')
    assert [values(row) for row in found] == [("", "", "", "x"), ("null", "\\n", "NULLS", "")]


def test_a_header_with_a_column_twice_makes_all_lines_malformed() -> None:
    found = rows("gym,login,x,GYM,x\ng,1,a,g,a\n\nh,2,b,h,b\n")
    assert [(row["raw"], values(row)) for row in found] == [
        ("g,1,a,g,a", MALFORMED),
        ("h,2,b,h,b", MALFORMED),
    ]
    assert values(rows("gym,x,X\ng,1,2\n")[0]) == ("", "g", "", "")


@pytest.mark.parametrize("first", ["m,g,1,2", '"gym,login', "{}"])
def test_without_a_header_every_line_is_malformed(first: str) -> None:
    found = rows(f"{first}\nn,h,3,4\n")
    assert [(row["raw"], values(row)) for row in found] == [
        (first, MALFORMED),
        ("n,h,3,4", MALFORMED),
    ]


def test_empty_files_and_lone_headers_have_no_rows() -> None:
    assert rows("") == rows("\n \n") == rows("mac_address,gym\n") == rows(b"\xef\xbb\xbf") == []


def test_json_numbers_keep_their_spelling() -> None:
    line = '{"login": 1577836800.0, "mac_address": 12474.0, "gym": 1e3, "logout": null, "x": 1}'
    found = rows(line, "a.json")
    assert values(found[0]) == ("12474.0", "1e3", "1577836800.0", "")
    assert found[0]["raw"] == line


def test_json_values_of_other_types_are_text() -> None:
    found = rows('{"GYM": true, "login": [1, {"a": 2.50}], "Logout": {"b": "ü"}}', "a.ndjson")
    assert values(found[0]) == ("", "true", '[1,{"a":2.50}]', '{"b":"ü"}')


def test_a_null_in_json_is_a_word() -> None:
    assert values(rows('{"gym": "NULL", "login": "\\\\N"}', "a.json")[0]) == ("", "NULL", "\\N", "")


def nested(levels: int) -> str:
    """An object with this many levels, itself the first."""
    return '{"gym":' + "[" * (levels - 1) + "]" * (levels - 1) + "}"


@pytest.mark.parametrize(
    "line",
    [
        '{"gym": 1',
        "[1]",
        "null",
        "3",
        "not json",
        '{"gym": NaN}',
        '{"gym": 1, "gym": 1}',
        '{"gym": 1, "x": [{"a": 1, "a": 2}]}',
        '{"gym": 1, "GYM": 1}',
        '{"gym": "g"} trailing {',
        '{"gym": "g"} {}',
        "[" * 9999,
        nested(201),
        nested(9999),
        '{"gym": ' + "1" * 1001 + "}",
        '{"x": 0.' + "1" * 999 + "}",
        '{"' + "n" * 50_001 + '": 1}',
    ],
    ids=lambda line: str(line)[:20],
)
def test_json_lines_that_are_not_one_sound_object_are_malformed(line: str) -> None:
    found = rows(f"{line}\n", "a.jsonl")
    assert [values(row) for row in found] == [MALFORMED]
    assert found[0]["raw"] == line


@pytest.mark.parametrize(
    "line",
    [
        nested(200),
        '{"gym": ' + "1" * 1000 + "}",
        '{"gym": 1, "' + "n" * 50_000 + '": 1}',
        '{"gym": 1, "x": 1, "X": 1}',
        '{"gym": "' + "g" * 1_000_000 + '"}',
        ' \t\ufeff {"gym": 1}\t',
    ],
    ids=lambda line: str(line)[:20],
)
def test_json_lines_at_the_limits_are_readable(line: str) -> None:
    assert rows(f'{{"gym": 0}}\n{line}', "a.json")[1]["gym"]


def test_bytes_that_are_no_text() -> None:
    assert rows('{"gym": "\\ud800"}', "a.json")[0]["gym"] == "\\ud800"
    header = b"mac_address,gym,login,logout\n"
    assert rows(header + b"\xff,g,1,2\n")[0]["mac_address"] == "\\xff"
    # As a character after a backslash it would make an escape, and the line JSON.
    broken = rows(b'{"gym": "\\\xff"}', "a.json")[0]
    assert (broken["raw"], values(broken)) == ('{"gym": "\\\\xff"}', MALFORMED)
    odd = "gym\ng".encode("utf-16") + b"\x41"
    assert rows(odd)[0]["gym"] == "g\\x41"


def test_json_is_told_from_csv_by_name_else_by_content() -> None:
    assert values(rows('{"gym": "g"}', "drop-0001")[0])[1] == "g"
    assert values(rows("gym\ng\n", "drop-0001")[0])[1] == "g"
    assert values(rows('{"gym": "g"}', "drop.csv.ndjson")[0])[1] == "g"


LINES = "mac_address,gym,login,logout\n" + "".join(f"m{i},g,{i},\n" for i in range(50_000))


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(LINES.encode())[:-2000],
        gzip.compress(LINES.encode())[:-8] + b"12345678",
        gzip.compress(LINES.encode()) + b"more",
        gzip.compress(bytes(300 * 2**20), 9),
    ],
    ids=["cut off", "checksum", "more behind it", "bomb"],
)
def test_a_damaged_file_is_one_malformed_line_that_names_it(content: bytes) -> None:
    (found,) = rows(content, "visits.csv.gz")
    assert "visits.csv.gz" in found["raw"]
    assert "Land it again" in found["raw"]
    assert values(found) == MALFORMED
    (landed,) = parse_envelopes("bpm", ())(Source("b", "1-1", len(content)), io.BytesIO(content))
    assert b"Land it again" in landed["value"]


def test_a_long_line_is_malformed_and_its_beginning_stands_for_it() -> None:
    content = f"mac_address,gym,login,logout\nm,g,1,{'x' * MAX_LINE}\r\nn,g,2,\n"
    long, next_one = rows(gzip.compress(content.encode()))
    assert values(long) == MALFORMED
    assert long["raw"].startswith("m,g,1,xxx")
    assert long["raw"].endswith(f"({MAX_LINE + 6} characters: too long for a record)")
    assert len(long["raw"]) < 1100
    assert values(next_one) == ("n", "g", "2", "")
    assert next_one["record_id"] == record_id(Source("a.csv", "1-1", 0), 3)


def test_memory_is_bounded_by_bytes() -> None:
    """A zipped line of 200 MB, and 400 lines of a megabyte on their way to Spark."""
    line = gzip.compress(b"mac_address,gym,login,logout\n" + bytes(200 * 2**20), 1)
    lines = gzip.compress(b"gym\n" + (b"x" * 2**20 + b"\n") * 300, 1)
    columns = {"raw": "string", **dict.fromkeys(COLUMNS, "string"), "source_file": "string"}
    with tempfile.TemporaryDirectory() as folder:
        listed = []
        for name, content in (("a.csv", line), ("b.csv", lines)):
            path = Path(folder, name)
            path.write_bytes(content)
            listed.append(
                {
                    "path": os.fsencode(path),
                    "source_file": name,
                    "source_version": "1-1",
                    "size": 10 * len(content),
                }
            )
        batch = pa.RecordBatch.from_pylist(listed)
        tracemalloc.start()
        convert = arrow_parser(parse_rows(COLUMNS), columns)
        count = sum(out.num_rows for out in convert(iter([batch])))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert count == 301
    assert peak < 150 * 2**20


def test_record_ids_are_stable_and_unique() -> None:
    content = "mac_address,gym,login,logout\nm,g,1,\n\nm,g,1,\n"
    first = [row["record_id"] for row in rows(content)]
    assert first == [row["record_id"] for row in rows(content)]
    source = Source("a.csv", "1-1", 0)
    assert first == [record_id(source, 2), record_id(source, 4)]
    others = [*rows(content, "b.csv"), *rows(content, version="1-2"), *rows(content, version="2-1")]
    assert len({*first, *(row["record_id"] for row in others)}) == 8


REQUIRED = ENVELOPE_FEEDS[1].required  # device_id, time, heartrate


def envelopes(*lines: str | bytes) -> list[Row]:
    content = b"\n".join(line.encode() if isinstance(line, str) else line for line in lines)
    parser = parse_envelopes("bpm", REQUIRED)
    return list(parser(Source("f.json", "1-1", len(content)), io.BytesIO(content)))


def test_envelopes_with_a_value_as_text_or_object() -> None:
    value = '{"device_id": 1.0, "time": 1577836800}'
    text, nested_value = envelopes(
        json.dumps({"key": "1", "value": value, "topic": "b", "partition": 1, "offset": 7}),
        f'{{"key": 12474, "value": {value}, "timestamp": 1577836800}}',
    )
    assert (text["key"], text["value"], text["topic"]) == (b"1", value.encode(), "b")
    assert (text["partition"], text["offset"], text["timestamp"]) == (1, 7, None)
    assert nested_value["key"] == b"12474"
    assert nested_value["value"] == b'{"device_id":1.0,"time":1577836800}'
    assert nested_value["topic"] == "bpm"
    assert nested_value["record_id"] == record_id(Source("f.json", "1-1", 0), 2)


def test_the_place_may_stand_in_metadata() -> None:
    place = {"timestamp": 1577836800123, "topic": "b", "partition": 0, "offset": 7}
    (row,) = envelopes(json.dumps({"key": "d", "value": "…", "headers": None, "metadata": place}))
    assert (row["topic"], row["partition"], row["offset"]) == ("b", 0, 7)
    assert row["timestamp"] == datetime(2020, 1, 1, 0, 0, 0, 123_000, tzinfo=UTC)
    (row,) = envelopes(json.dumps({"value": "…", "offset": 8, "metadata": place}))
    assert row["offset"] == 8


def test_a_null_value_is_a_tombstone() -> None:
    (row,) = envelopes('{"key": "7", "value": null, "timestamp": "2020-01-01T00:00:00Z"}')
    assert (row["key"], row["value"]) == (b"7", None)
    assert row["timestamp"] == datetime(2020, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "line",
    [
        '{"device_id": 1, "time": 2}',
        '{"device_id": 1, "time": 2, "heartrate": null, "value": 72, "key": "k"}',
        "{broken",
        '["a"]',
        '{"value": 1, "value": 2}',
        '{"Value": 1}',
        '{"value": 1} {"value": 2}',
        '{"value": ' + nested(400) + "}",
        "{}",
        b'{"value": "\xff"}',
    ],
    ids=lambda line: str(line)[:30],
)
def test_lines_that_are_no_envelope_are_values_as_they_came(line: str | bytes) -> None:
    (row,) = envelopes(line)
    expected = line.encode() if isinstance(line, str) else line
    assert (row["key"], row["value"], row["timestamp"]) == (None, expected, None)


def test_an_object_with_a_value_and_some_fields_of_a_payload_is_an_envelope() -> None:
    (row,) = envelopes('{"device_id": 1, "time": 2, "value": "v"}')
    assert row["value"] == b"v"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (1577836800, "2020-01-01T00:00:00+00:00"),
        ("1577836800", "2020-01-01T00:00:00+00:00"),
        (1577836800.25, "2020-01-01T00:00:00.250000+00:00"),
        (1577836800123, "2020-01-01T00:00:00.123000+00:00"),
        (1577836800123456, "2020-01-01T00:00:00.123456+00:00"),
        ("2020-01-01T02:00:00+02:00", "2020-01-01T00:00:00+00:00"),
        ("2020-01-01 00:00:00", "2020-01-01T00:00:00+00:00"),
    ],
)
def test_envelope_times(given: object, expected: str) -> None:
    found = moment(given)
    assert found is not None
    assert found.isoformat() == expected


@pytest.mark.parametrize(
    "given", [None, "", "soon", True, [1], -5, "1e99", "9" * 1_000_000, "0" * 99 + "1", 10**18]
)
def test_envelope_times_that_are_none(given: object) -> None:
    assert moment(given) is None
