"""Erasure without Spark: hashes of ids, and lines of landed files."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import io
import stat
from pathlib import Path
from typing import Any

import pytest

from ingestion import landing, scrub
from ingestion.feeds import IngestionError
from ingestion.files import Source, lines_of, record_id
from ingestion.hashes import Hasher, user_ids
from ingestion.scrub import without_records

DROP = Source("drop.csv", "60-1", 60)
CSV = b"mac_address,gym\r\naa:01,g1\r\naa:02,g1\r\n\r\naa:03,g1"


@pytest.mark.parametrize(("given", "same"), [("12474", "12474"), ("12474.0", "12474"), ("é", "é")])
def test_the_hash_is_hmac(given: str, same: str) -> None:
    key = bytes(range(32))
    expected = hmac.new(key, f"user:{same}".encode(), hashlib.sha256).hexdigest()
    assert Hasher.of_key(key).user(given) == expected


def test_ids_are_lines() -> None:
    lines = [" a \n", "\n", "b\r\n", "a\n", "\ufeffé c+d/e\n"]
    assert user_ids(lines) == {"a": 1, "b": 3, "é c+d/e": 5}


def test_an_id_that_cannot_be_typed_is_a_json_string() -> None:
    lines = [r'"a\u0000b"', r'"Zo\u00eb"', '" c "', r'"half \ud800"']
    assert user_ids(lines) == {"a\0b": 1, "Zoë": 2, "c": 3, "half ?": 4}


def test_what_only_begins_like_one_is_told_by_its_line() -> None:
    with pytest.raises(IngestionError, match="Line 2 of the input") as fault:
        user_ids(["a", '"secret'])
    assert "secret" not in str(fault.value)


def erased(*numbers: int) -> dict[str, bool]:
    return {record_id(DROP, number): True for number in numbers}


def test_others_envelopes_lose_their_keys() -> None:
    place = b'"metadata":{"topic":"bpm","key":"p"}'
    lines = b'{"key":"p","value":{"bpm":98.50}}\r\n{"value":"1"}\n{%b,"value":"2","headers":["p"]}'
    given = {record_id(DROP, number): False for number in (1, 2, 3)}
    after = without_records(lines % place, DROP, given)
    assert after == (
        b'{"value":{"bpm":98.50}}\r\n{"value":"1"}\n{"metadata":{"topic":"bpm"},"value":"2"}'
    )
    assert without_records(after, DROP, {record_id(DROP, 3): False}) is after
    # A key that was empty when it came is nobody's.
    empty = b'{"key":"","value":"1","headers":["h"]}'
    assert without_records(empty, DROP, given) is empty


def test_lines_of_erased_records_are_emptied() -> None:
    after = without_records(CSV, DROP, erased(3, 5))
    assert after == b"mac_address,gym\r\naa:01,g1\r\n\r\n\r\n"
    # The others keep their numbers, and so their record_id.
    assert [number for number, *_ in lines_of(io.BytesIO(after), len(after))] == [1, 2]


def test_without_erased_records_a_file_stays_as_it_is() -> None:
    assert without_records(CSV, DROP, erased(9)) is CSV
    assert without_records(CSV, DROP._replace(version="60-2"), erased(3)) is CSV


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_keep_their_encoding(encoding: str) -> None:
    content = "gym\nZürich\nÖland\n".encode(encoding)
    after = without_records(content, DROP, erased(2))
    assert after == "gym\n\nÖland\n".encode(encoding)


def test_bytes_that_are_no_text_stay() -> None:
    assert without_records(b"gym\na\n\xff\xfe!\n", DROP, erased(2)) == b"gym\n\n\xff\xfe!\n"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_odd_utf16_keeps_its_bytes(encoding: str) -> None:
    """Half a surrogate pair, and half a character at the end."""
    mark = "\ufeff".encode(encoding)
    lines = ["gym\n", "\ud800a\n", "b\r\n", "\udc80\n"]
    first, odd, gone, other = (line.encode(encoding, "surrogatepass") for line in lines)
    content = mark + first + odd + gone + other + b"x"
    after = without_records(content, DROP, erased(3))
    assert after == mark + first + odd + "\r\n".encode(encoding) + other + b"x"
    numbers = [[n for n, *_ in lines_of(io.BytesIO(c), len(c))] for c in (content, after)]
    assert numbers == [[1, 2, 3, 4, 5], [1, 2, 4, 5]]


def test_a_line_is_what_the_reader_takes_for_one() -> None:
    content = b"gym\n\x1c\nb\n"
    assert [number for number, *_ in lines_of(io.BytesIO(content), 9)] == [1, 2, 3]
    assert without_records(content, DROP, erased(2)) == b"gym\n\nb\n"


@pytest.mark.parametrize("cut", [4, 9, 20, 40])
def test_torn_gzip_ends_nothing(cut: int) -> None:
    zipped = gzip.compress(CSV)
    for torn in (zipped[:-cut], zipped[:12] + b"\xff" * cut + zipped[12 + cut :]):
        without_records(torn, DROP, erased(2))


def test_gzip_stays_gzip_and_loses_what_is_damaged() -> None:
    zipped = gzip.compress(CSV)
    assert gzip.decompress(without_records(zipped, DROP, erased(2))).splitlines()[1] == b""
    damaged = without_records(zipped[:-6], DROP, erased(2))
    assert b"aa:01" not in gzip.decompress(damaged)


def test_a_file_written_anew_meanwhile_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / DROP.name
    path.write_bytes(CSV)
    listed = landing.file_at(path, path.name)

    def slowly(*given: Any) -> bytes:
        path.write_bytes(CSV + b"\r\naa:04,g1")
        return without_records(*given)

    notes: list[landing.LandedFile] = []
    monkeypatch.setattr(scrub, "without_records", slowly)
    assert not scrub.scrub_file(listed, DROP, erased(3), notes.append)
    assert (path.read_bytes(), notes) == (CSV + b"\r\naa:04,g1", [])
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_what_a_link_leads_to_is_scrubbed(tmp_path: Path) -> None:
    kept, link = tmp_path / "kept.csv", tmp_path / f"{'long' * 62}.csv"
    kept.write_bytes(CSV)
    kept.chmod(0o600)
    link.symlink_to(kept)
    notes: list[landing.LandedFile] = []
    assert scrub.scrub_file(landing.file_at(link, link.name), DROP, erased(3), notes.append)
    assert link.is_symlink()
    assert kept.read_bytes() == without_records(CSV, DROP, erased(3))
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert [note.version for note in notes] == [landing.file_at(link, link.name).version]
