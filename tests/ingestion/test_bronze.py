"""What arrives is in bronze as it came, once; through a real broker, files and Spark."""

from __future__ import annotations

import gzip
import json

from tests.ingestion.drills import Drills, Record

_ODD: list[Record] = [
    (b"k", b'{"user_id": 1}', [("trace", b"\x00\xff")]),
    (None, b"", []),
    (b"7", None, []),
    (b"\xff\xfe", b"\xff not UTF-8", [("a", b"1"), ("a", b"")]),
    (b"big", b"x" * 900_000, []),
    (b"wide", json.dumps({f"k{i}": i for i in range(10_000)}).encode(), []),
]


def test_kafka_records_arrive_as_they_were_sent(drills: Drills) -> None:
    sent = drills.send("user_info", _ODD)
    log = drills.drain("--feed", "user_info")
    rows = drills.workspace.sql("select * from bronze.user_info")
    found = {(row["partition"], row["offset"]): row for row in rows}
    assert len(rows) == len(_ODD)
    for place, (key, value, headers) in zip(sent, _ODD, strict=True):
        row = found[place]
        assert (row["key"], row["value"]) == (key, value)
        assert [(h["key"], h["value"]) for h in row["headers"] or []] == headers
        assert (row["topic"], row["topic_epoch"]) == ("user_info", 0)
        assert row["timestamp"] is not None
        assert row["source_file"] is row["record_id"] is row["erased_at"] is None
    # Both partitions, read by different tasks, carry the time of the micro-batch.
    assert len({row["ingested_at"] for row in rows}) == 1
    assert "feed=user_info batch=0 rows=6 offsets=0:0-3,1:0-3 seconds=" in log


def test_a_drain_without_anything_new_writes_nothing(drills: Drills) -> None:
    drills.produce("workout", 50)
    drills.drain()
    tables = ("user_info", "bpm", "workout", "registered_users", "gym_logins")

    def versions() -> list[int]:
        return [
            drills.workspace.sql(f"describe history bronze.{table} limit 1")[0]["version"]
            for table in tables
        ]

    before = versions()
    drills.drain()
    assert versions() == before
    drills.assert_bronze("workout")


def test_files_are_mapped_by_their_own_headers_and_read_once(drills: Drills) -> None:
    landing = drills.home.landing
    (landing / "gym_logins" / "2026" / "01").mkdir(parents=True)
    (landing / "gym_logins" / "2026" / "01" / "a b.csv").write_bytes(
        b'\xef\xbb\xbfgym,logout,mac_address,login,more\r\n\r\n1,,AA,10.5,x\r\n"broken,1\r\n2,20,BB,15,'
    )
    (landing / "registered_users" / "r.ndjson.gz").write_bytes(
        gzip.compress(
            b'{"user_id": 12474.0, "x": 1, "device_id": "d", "mac_address": null}\nnull\n'
        )
    )
    (landing / "registered_users" / ".hidden.csv").write_bytes(b"user_id\nnever\n")
    (landing / "bpm").mkdir(exist_ok=True)
    (landing / "bpm" / "sink.json").write_bytes(
        b'{"key":"9","value":{"heartrate":70},"topic":"bpm","partition":0,"offset":0,'
        b'"timestamp":1577836800123}\n{"heartrate":71}\n'
    )
    drills.drain()
    columns = (
        "raw, mac_address, gym, login, logout, source_file, source_modified_at is not null as m"
    )
    logins = drills.workspace.sql(
        f"select {columns} from bronze.gym_logins order by record_id is null"
    )
    assert sorted(tuple(row.values()) for row in logins if row["gym"]) == [
        ("1,,AA,10.5,x", "AA", "1", "10.5", "", "2026/01/a b.csv", True),
        ("2,20,BB,15,", "BB", "2", "15", "20", "2026/01/a b.csv", True),
    ]
    assert [row["raw"] for row in logins if not row["gym"]] == ['"broken,1']
    users = drills.workspace.sql("select * from bronze.registered_users order by raw desc")
    assert [row["user_id"] for row in users] == ["12474.0", None]
    assert {row["source_file"] for row in users} == {"r.ndjson.gz"}
    envelopes = drills.workspace.sql("select * from bronze.bpm where source_file is not null")
    assert {(row["key"], row["value"]) for row in envelopes} == {
        (b"9", b'{"heartrate":70}'),
        (None, b'{"heartrate":71}'),
    }
    assert {str(row["timestamp"])[:23] for row in envelopes} == {"None", "2020-01-01 00:00:00.123"}

    counts = "select (select count(*) from bronze.gym_logins) + (select count(*) from bronze.bpm) n"
    before = drills.workspace.sql(counts)
    (landing / "gym_logins" / "late.csv").write_text("mac_address,gym,login,logout\nCC,3,1,2\n")
    drills.drain()
    after = drills.workspace.sql(counts)
    assert after[0]["n"] == before[0]["n"] + 1


def test_envelope_times_and_kafka_rows_share_a_table(drills: Drills) -> None:
    drills.produce("bpm", 100)
    drills.drain("--feed", "bpm")
    drills.assert_bronze("bpm")
