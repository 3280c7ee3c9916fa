"""Envelopes: what `replay` reads and `simulate --out` writes."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from lakehouse.envelopes import (
    Envelope,
    EnvelopeError,
    InputFileError,
    Nested,
    from_line,
    read_file,
    to_line,
)
from lakehouse.home import TOPICS


def parse(line: str) -> Envelope:
    return from_line(line, TOPICS)


def test_text_value() -> None:
    line = '{"topic":"bpm","key":"7","value":"{\\"a\\": 1}","timestamp":1741000000123}'
    assert parse(line) == Envelope("bpm", "7", '{"a": 1}', 1741000000123)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        # The bytes of a nested value are its producer's: spelling and repeated keys stay.
        ('{ "id" : 12474.0, "id":1E3 , "n":[1, {"b":"]}\\""}]}', None),
        ("[1, 2.50]", None),
        ("12474.0", None),
        ("true", None),
        ("null", "tombstone"),
        ('""', ""),
        ('"null"', "null"),
    ],
)
@pytest.mark.parametrize("before", [True, False])
def test_value_of_any_kind(written: str, kept: str | None, before: bool) -> None:
    value, rest = f'"value" : {written} ', '"topic":"workout","key":"1"'
    event = parse("{" + (f"{value},{rest}" if before else f"{rest},{value}") + "}")
    if kept == "tombstone":
        assert event.value is None
    else:
        assert event.value == (written if kept is None else kept)


@pytest.mark.parametrize(
    ("written", "milliseconds"),
    [
        ("1741000000123", 1741000000123),
        ("1741000000", 1741000000000),
        ("1741000000.25", 1741000000250),
        ('"1741000000"', 1741000000000),
        ('"1741000000.5"', 1741000000500),
        ('"2025-03-03T11:06:40Z"', 1741000000000),
        ('"2025-03-03T12:06:40.250+01:00"', 1741000000250),
        ('"2025-03-03 11:06:40"', 1741000000000),
        ("1741000000123000", 1741000000123),
        ("1.741e9", 1741000000000),
        ("99999999999999", 99999999999999),
        ('"9999-12-31T23:59:59.999Z"', 253402300799999),
        ("0", 0),
        ("null", None),
    ],
)
def test_timestamps(written: str, milliseconds: int | None) -> None:
    event = parse(f'{{"topic":"bpm","value":"x","timestamp":{written}}}')
    assert event.timestamp == milliseconds


def test_keys_and_headers() -> None:
    assert parse('{"topic":"bpm","value":"x"}').key is None
    assert parse('{"topic":"bpm","value":"x","key":12474.0}').key == "12474.0"
    assert parse('{"topic":"bpm","value":"x","key":{"id": 1.0}}').key == '{"id": 1.0}'
    assert parse('{"topic":"bpm","value":"x","key":[true]}').key == "[true]"


@pytest.mark.parametrize(
    "written",
    [
        '[{"key":"a","value":"é"},{"key":"a","value":null},{"key":"n","value":7.10}]',
        '["a","é","a",null,"n",7.10]',  # kcat -J
        '{"a":["é",null],"n":[7.10]}',  # kcat -J with a map
        '{"a":"é","a":null,"n":7.10}',
    ],
)
def test_headers(written: str) -> None:
    event = parse(f'{{"topic":"bpm","value":"x","headers":{written}}}')
    assert event.headers == (("a", "é".encode()), ("a", None), ("n", b"7.10"))


@pytest.mark.parametrize("written", ["null", "[]", "{}"])
def test_no_headers(written: str) -> None:
    assert parse(f'{{"topic":"bpm","value":"x","headers":{written}}}').headers == ()


def test_records_of_kcat() -> None:
    record = (
        '{"topic":"bpm","partition":0,"offset":7,"tstype":"create","ts":1709287200123,'
        '"broker":1,"headers":["trace","a1"],"key":"d","payload":"{\\"a\\": 1}"}'
    )
    expected = Envelope("bpm", "d", '{"a": 1}', 1709287200123, (("trace", b"a1"),))
    assert parse(record) == expected
    # Its times are milliseconds, also those of 1970; 0 of an unknown kind is none.
    assert parse(record.replace("1709287200123", "5000")).timestamp == 5000
    assert parse(record.replace("create", "unknown")).timestamp is None
    tombstone = parse('{"topic":"bpm","ts":5,"key":null,"payload":null}')
    assert tombstone == Envelope("bpm", None, None, 5)
    assert parse('{"topic":"bpm","ts":5,"payload":{"id" : 1.0}}').value == '{"id" : 1.0}'
    with pytest.raises(EnvelopeError, match="1709287200000000 lies outside of 1970 to 9999"):
        parse(record.replace("1709287200123", "1709287200000000"))


def test_kafka_connects_fields_are_ignored() -> None:
    line = (
        '{"partition":1,"offset":7,"topic":"bpm","key":"k","value":"v","timestamp":5000000000000}'
    )
    assert parse(line) == Envelope("bpm", "k", "v", 5000000000000)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("nothing", "not a JSON object"),
        ("[1]", "not a JSON object"),
        ('"text"', "not a JSON object"),
        ('{"topic":"bpm","value":"x"', "not a JSON object"),
        ('{"topic":"bpm","value":"x"} {}', "not a JSON object"),
        ("{" + '"a":[' * 100_000, "not a JSON object"),
        ('{"value":"x"}', "topic"),
        ('{"topic":"sleep","value":"x"}', "'sleep'"),
        ('{"topic":["bpm"],"value":"x"}', "topic"),
        ('{"topic":"bpm"}', "no value"),
        ('{"topic":"bpm","value":"x","value":"y"}', "twice"),
        ('{"topic":"bpm","value":"x","timestamp":"today"}', "timestamp"),
        ('{"topic":"bpm","value":"x","timestamp":true}', "timestamp"),
        ('{"topic":"bpm","value":"x","timestamp":NaN}', "timestamp"),
        ('{"topic":"bpm","value":"x","timestamp":-5}', "timestamp -5 lies outside of 1970"),
        ('{"topic":"bpm","value":"x","timestamp":1709287200000000000}', "outside of 1970 to 9999"),
        ('{"topic":"bpm","value":"x","timestamp":9223372036854775807}', "outside of 1970 to 9999"),
        ('{"topic":"bpm","value":"x","timestamp":"1969-12-31T23:59:59Z"}', "outside of 1970"),
        ('{"topic":"bpm","value":"x","timestamp":1e999}', "1e999 lies outside of 1970"),
        ('{"topic":"bpm","value":"x","timestamp":' + "9" * 1_000_000 + "}", "9… lies outside"),
        ('{"topic":"bpm","value":"x","timestamp":"' + "9" * 1_000_000 + '"}', "9… lies outside"),
        ('{"topic":"bpm","value":"x","timestamp":"٣"}', "no ISO time"),
        ('{"topic":"bpm","value":"x","timestamp":{}}', "no ISO time"),
        ('{"topic":"bpm","value":"x","headers":[{"key":"a"}]}', "headers"),
        ('{"topic":"bpm","value":"x","headers":"a"}', "headers"),
        ('{"topic":"bpm","value":"x","headers":["a"]}', "headers"),
        ('{"topic":"bpm","value":"x","headers":[null,"a"]}', "headers"),
        ('{"topic":"bpm","value":"x","headers":{"a":{"b":1}}}', "headers"),
        ('{"topic":"bpm","value":"x","headers":{"a":true}}', "headers"),
        ('{"topic":"bpm","value":"x","headers":{"a":"\\ud800"}}', "surrogate"),
        ('{"topic":"bpm","value":"x","headers":{"\\ud800":"a"}}', "surrogate"),
        ('{"topic":"bpm","value":"\\ud800"}', "surrogate"),
        ('{"topic":"bpm","payload":[],"key":"\\udc00"}', "surrogate"),
        ("Id,Time,Value", "heart rates need --device"),
    ],
)
def test_lines_that_are_no_envelopes(line: str, what: str) -> None:
    with pytest.raises(EnvelopeError, match=what):
        parse(line)


@pytest.mark.parametrize(
    "event",
    [
        Envelope("bpm", "1", '{"a":"é\\n"}', 5000000000000),
        Envelope("user_info", "1", None, 5000000000000),
        Envelope("user_info", None, "", None),
        Envelope("workout", "k", "v", 5000000000000, (("h", b"1"), ("h", None))),
        Nested("bpm", "1", '{"id": 1.0, "s":"}"}', 5000000000000),
    ],
)
def test_written_lines_are_read_back(event: Envelope) -> None:
    line = to_line(event)
    assert "\n" not in line
    assert parse(line) == event
    nested = isinstance(json.loads(line)["value"], dict)
    assert nested == isinstance(event, Nested)


def test_files_with_marks_blanks_and_gzip(tmp_path: Path) -> None:
    text = '\ufeff{"topic":"bpm","value":"1"}\r\n\r\n  \n{"topic":"bpm","value":"2"}'
    for name, content in (("a.json", text.encode()), ("b.json.gz", gzip.compress(text.encode()))):
        path = tmp_path / name
        path.write_bytes(content)
        assert [e.value for e in read_file(path, TOPICS)] == ["1", "2"]


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (b'{"topic":"bpm","value":"1"}\n\n{"topic":"x","value":"1"}\n', "a.json:3:"),
        (b'{"topic":"bpm","value":"1"}\n\xff\xfe\n', "a.json:2: the line is not UTF-8"),
        (
            gzip.compress(b'{"topic":"bpm","value":"1"}\n' * 99, mtime=0)[:-9],
            "a.json: cannot be read",
        ),
        (b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xff\xff", "a.json: cannot be read"),
        (
            b'{"topic":"bpm","value":"1"}\n{"topic":"bpm","value":"' + b"x" * 1000,
            "a.json:2: .*long",
        ),
    ],
)
def test_faults_name_file_and_line(
    tmp_path: Path, content: bytes, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakehouse.envelopes._MOST_LINE_BYTES", 1000)
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(InputFileError, match=where):
        list(read_file(path, TOPICS))


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="no such file"):
        list(read_file(tmp_path / "none.json", TOPICS))
