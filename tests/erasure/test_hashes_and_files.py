"""Erasure without Spark: hashes of ids, and lines of landed files."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import io

import pytest

from ingestion.erasure import Hasher, user_ids, without_records
from ingestion.files import Source, lines_of, record_id

DROP = Source("drop.csv", "60-1", 60)
CSV = b"mac_address,gym\r\naa:01,g1\r\naa:02,g1\r\n\r\naa:03,g1"


@pytest.mark.parametrize(("given", "same"), [("12474", "12474"), ("12474.0", "12474"), ("é", "é")])
def test_the_hash_is_hmac(given: str, same: str) -> None:
    key = bytes(range(32))
    expected = hmac.new(key, f"user:{same}".encode(), hashlib.sha256).hexdigest()
    assert Hasher.of_key(key).user(given) == expected


def test_ids_are_lines() -> None:
    assert user_ids([" a \n", "\n", "b\r\n", "a\n"]) == ["a", "b"]


def erased(*numbers: int) -> set[str]:
    return {record_id(DROP, number) for number in numbers}


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


def test_gzip_stays_gzip_and_loses_what_is_damaged() -> None:
    zipped = gzip.compress(CSV)
    assert gzip.decompress(without_records(zipped, DROP, erased(2))).splitlines()[1] == b""
    damaged = without_records(zipped[:-6], DROP, erased(2))
    assert b"aa:01" not in gzip.decompress(damaged)
