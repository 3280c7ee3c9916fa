"""Landed files to rows: no line but blank ones is dropped, and nothing is interpreted."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from ingestion.feeds import FILE_FEEDS
from ingestion.files import Row, moment, parse_envelopes, parse_rows, record_id
from ingestion.sources import arrow_parser

COLUMNS = FILE_FEEDS[1].columns  # mac_address, gym, login, logout


def rows(content: str | bytes, name: str = "a.csv") -> list[Row]:
    data = content.encode() if isinstance(content, str) else content
    return list(parse_rows(COLUMNS)(name, data))


def values(row: Row) -> tuple[str | None, ...]:
    return tuple(row[column] for column in COLUMNS)


def test_columns_are_mapped_by_the_name_in_the_header() -> None:
    found = rows(" Logout,gym,surplus,MAC_ADDRESS,login\n2,g,x,m,1\n")
    assert [values(row) for row in found] == [("m", "g", "1", "2")]
    assert found[0]["raw"] == "2,g,x,m,1"


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfmac_address,gym,login,logout\r\n\r\nm,g,1,\r\n  \r\nn,h,2,3",
        "mac_address,gym,login,logout\nm,g,1,\nn,h,2,3\n".encode("utf-16"),
        gzip.compress(b"\n\nmac_address,gym,login,logout\nm,g,1,\n\nn,h,2,3"),
    ],
    ids=["BOM, CRLF, blank lines, no final newline", "UTF-16", "gzip"],
)
def test_how_the_file_is_written_does_not_matter(content: bytes) -> None:
    assert [values(row) for row in rows(content)] == [("m", "g", "1", ""), ("n", "h", "2", "3")]


def test_a_line_that_cannot_be_split_is_kept_whole() -> None:
    found = rows('mac_address,gym,login,logout\n"m,g,1,\nn,"h" x,2,3\no,g,3,4\n')
    assert [values(row) for row in found] == [(None,) * 4, (None,) * 4, ("o", "g", "3", "4")]
    assert [row["raw"] for row in found] == ['"m,g,1,', 'n,"h" x,2,3', "o,g,3,4"]


def test_missing_and_surplus_fields() -> None:
    found = rows('login,mac_address\n1\n2,m,more\n"3","m ""q"""\n')
    assert [values(row) for row in found] == [
        ("", "", "1", ""),
        ("m", "", "2", ""),
        ('m "q"', "", "3", ""),
    ]


def test_without_a_header_every_line_is_kept_unmapped() -> None:
    found = rows("m,g,1,2\nn,h,3,4\n")
    assert [(row["raw"], values(row)) for row in found] == [
        ("m,g,1,2", (None,) * 4),
        ("n,h,3,4", (None,) * 4),
    ]


def test_empty_files_and_lone_headers_have_no_rows() -> None:
    assert rows("") == rows("\n \n") == rows("mac_address,gym\n") == rows(b"\xef\xbb\xbf") == []


def test_json_numbers_keep_their_spelling() -> None:
    line = '{"login": 1577836800.0, "mac_address": 12474.0, "gym": 1e3, "logout": null, "x": 1}'
    found = rows(line, "a.json")
    assert values(found[0]) == ("12474.0", "1e3", "1577836800.0", None)
    assert found[0]["raw"] == line


def test_json_values_of_other_types_are_text() -> None:
    found = rows('{"gym": true, "login": [1, {"a": 2.50}], "logout": {"b": "c"}}', "a.ndjson")
    assert values(found[0]) == (None, "true", '[1,{"a":2.50}]', '{"b":"c"}')


@pytest.mark.parametrize(
    "line",
    [
        '{"gym": 1',
        "[1]",
        "null",
        "3",
        '{"gym": NaN}',
        '{"gym": 1, "gym": 1}',
        "not json",
        "[" * 9999,
    ],
    ids=lambda line: str(line)[:20],
)
def test_json_lines_that_are_no_sound_object_are_kept_whole(line: str) -> None:
    found = rows(line, "a.jsonl")
    assert values(found[0]) == (None,) * 4
    assert found[0]["raw"] == line


def test_what_follows_the_first_json_value_is_not_looked_at() -> None:
    assert values(rows('{"gym": "g"} trailing {', "a.json")[0]) == (None, "g", None, None)


def test_text_that_no_column_can_hold_is_escaped() -> None:
    row = rows('{"gym": "\\ud800"}', "a.json")[0]
    assert row["gym"] == "\\ud800"
    assert rows(b"mac_address,gym,login,logout\n\xff,g,1,2\n")[0]["mac_address"] == "\\xff"


def test_json_is_told_from_csv_by_name_else_by_content() -> None:
    assert values(rows('{"gym": "g"}', "drop-0001")[0])[1] == "g"
    assert values(rows("gym\ng\n", "drop-0001")[0])[1] == "g"


def test_a_damaged_gzip_stream_keeps_the_lines_before_the_damage_and_says_so() -> None:
    text = "mac_address,gym,login,logout\n" + "".join(f"m{i},g,{i},\n" for i in range(50_000))
    found = rows(gzip.compress(text.encode())[:-2000], "a.csv.gz")
    assert 0 < len(found) < 50_001
    assert "damaged file" in found[-1]["raw"]
    assert values(found[-1]) == (None,) * 4


def test_record_ids_are_stable_and_unique() -> None:
    content = "mac_address,gym,login,logout\nm,g,1,\n\nm,g,1,\n"
    first = [row["record_id"] for row in rows(content)]
    assert first == [row["record_id"] for row in rows(content)]
    assert first == [record_id("a.csv", 2), record_id("a.csv", 4)]
    assert len({*first, *(row["record_id"] for row in rows(content, "b.csv"))}) == 4


def envelopes(*lines: str) -> list[Row]:
    return list(parse_envelopes("bpm")("f.json", "\n".join(lines).encode()))


def test_envelopes_with_a_value_as_text_or_object() -> None:
    value = '{"device_id": 1.0, "time": 1577836800}'
    text, nested = envelopes(
        json.dumps({"key": "1", "value": value, "topic": "b", "partition": 1, "offset": 7}),
        f'{{"key": 12474, "value": {value}, "timestamp": 1577836800}}',
    )
    assert (text["key"], text["value"], text["topic"]) == (b"1", value.encode(), "b")
    assert (text["partition"], text["offset"], text["timestamp"]) == (1, 7, None)
    assert nested["key"] == b"12474"
    assert nested["value"] == b'{"device_id":1.0,"time":1577836800}'
    assert nested["topic"] == "bpm"
    assert nested["record_id"] == record_id("f.json", 2)


def test_a_null_value_is_a_tombstone() -> None:
    (row,) = envelopes('{"key": "7", "value": null, "timestamp": "2020-01-01T00:00:00Z"}')
    assert (row["key"], row["value"]) == (b"7", None)
    assert row["timestamp"] == datetime(2020, 1, 1, tzinfo=UTC)


def test_lines_that_are_no_envelope_are_values() -> None:
    lines = ['{"device_id": 1, "time": 2}', "{broken", '["a"]', '{"value": 1, "value": 2}']
    assert [(row["key"], row["value"]) for row in envelopes(*lines)] == [
        (None, line.encode()) for line in lines
    ]


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


@pytest.mark.parametrize("given", [None, "", "soon", True, [1], -5, "1e99"])
def test_envelope_times_that_are_none(given: object) -> None:
    assert moment(given) is None


def test_files_that_bronze_holds_are_passed_over() -> None:
    columns = {"raw": "string", **dict.fromkeys(COLUMNS, "string")}
    columns |= {"source_file": "string", "record_id": "string"}
    names = ["a.csv", "b.csv", "c.csv"]
    batch = pa.RecordBatch.from_pydict(
        {"source_file": names, "content": [b"gym\n1\n", b"gym\n2\n", b"gym\n3\n"]}
    )
    convert = arrow_parser(parse_rows(COLUMNS), columns, frozenset({"b.csv"}))
    found = [row["gym"] for out in convert([batch]) for row in out.to_pylist()]
    assert found == ["1", "3"]
