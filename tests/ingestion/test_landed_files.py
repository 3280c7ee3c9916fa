"""Landed files into bronze, on Spark and Delta: each version once, none passed over."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import pytest

from ingestion import bronze, commits, sources
from ingestion.config import Config
from ingestion.feeds import FILE_FEEDS, IngestionError
from ingestion.landing import Folder
from ingestion.scrub import scrub
from lakehouse.warehouse import spark_session
from tests.ingestion.drills import Drills
from tests.support import until

HEADER = "mac_address,gym,login,logout\n"
CENTURY = 100 * 365 * 86400


def rows(drills: Drills, name: str) -> list[dict[str, Any]]:
    return drills.workspace.sql(
        "select gym, raw, record_id, source_file, source_version from bronze.gym_logins "
        f"where source_file like '{name}' order by gym"
    )


@pytest.fixture
def folder(drills: Drills) -> Path:
    path = drills.home.landing / "gym_logins"
    path.mkdir(exist_ok=True)
    return path


def test_files_of_any_name_time_and_form_are_read_once(drills: Drills, folder: Path) -> None:
    names = ["any-10:30.csv", "any-Ж.csv", "any-it's \\ 100%.csv", "any/deep/a.csv"]
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{HEADER}m,{number},1,2\n")
    latin = Path(os.fsdecode(os.fsencode(folder) + b"/any-caf\xe9.csv"))
    latin.write_text(f"{HEADER}m,4,1,2\n")
    os.utime(folder / names[0], (2**31 + CENTURY, 2**31 + CENTURY))
    (folder / "any" / "deep" / "back").symlink_to(folder)
    (folder / "any-empty.csv").write_text(HEADER)
    (folder / "any-damaged.csv.gz").write_bytes(gzip.compress(HEADER.encode() * 99)[:-9])
    told = drills.workspace.run("audit", check=False).stdout
    assert "files not read yet, gym_logins: 'any-Ж.csv', " in told
    assert " and 3 more" in told
    assert "any-empty" not in told
    environment = {"LC_ALL": "C", "LANG": "C"}
    assert "gym_logins=6" in drills.drain("--feed", "gym_logins", environment=environment)
    found = rows(drills, "any%")
    assert [row["gym"] for row in found] == [None, "0", "1", "2", "3", "4"]
    assert [row["source_file"] for row in found[1:]] == [*names, "any-caf\\xe9.csv"]
    assert "any-damaged.csv.gz" in found[0]["raw"]
    assert "files not read" not in drills.workspace.run("status").stdout
    before = drills.version("gym_logins")
    assert "gym_logins=0" in drills.drain("--feed", "gym_logins", environment=environment)
    assert drills.version("gym_logins") == before, "nothing new, nothing committed"


def test_a_changed_file_is_a_new_one(drills: Drills, folder: Path) -> None:
    path = folder / "changed.csv"
    path.write_text(f"{HEADER}m,1,1,2\n")
    drills.drain("--feed", "gym_logins")
    with path.open("a") as file:
        file.write("m,2,1,2\n")
    drills.drain("--feed", "gym_logins")
    drills.drain("--feed", "gym_logins")
    found = rows(drills, "changed.csv")
    assert [row["gym"] for row in found] == ["1", "1", "2"]
    assert len({row["record_id"] for row in found}) == 3
    assert {row["source_version"].split("-")[0] for row in found} == {"37", "45"}


def test_a_file_that_is_being_written_is_left_until_it_rests(drills: Drills, folder: Path) -> None:
    with drills.ingesting("--feed", "gym_logins", "--continuous") as ingestion:
        until(lambda: "feed=gym_logins" in ingestion.log or ingestion.process.poll() is None)
        path = folder / "slowly.csv"
        path.write_text(HEADER)
        with path.open("a") as file:
            for number in range(60):
                file.write(f"m,{number},1,2\n")
                file.flush()
        until(lambda: len(rows(drills, "slowly.csv")) >= 60)
        assert ingestion.terminate() == 0
    assert len({row["gym"] for row in rows(drills, "slowly.csv")}) == 60


def test_a_scrubbed_file_stays_known_and_is_scrubbed_again(drills: Drills, folder: Path) -> None:
    path = folder / "scrubbed.csv"
    path.write_text(f"{HEADER}m,1,1,2\nm,2,1,2\nm,3,1,2\n")
    drills.drain("--feed", "gym_logins")
    for gym in ("1", "2"):
        drills.workspace.sql(
            "update bronze.gym_logins set raw = null, gym = null, erased_at = current_timestamp() "
            f"where source_file = 'scrubbed.csv' and gym = '{gym}'"
        )
        with spark_session(drills.home) as spark:
            assert scrub(spark, str(drills.home.landing)) == 1
            assert scrub(spark, str(drills.home.landing)) == 0
    assert path.read_text() == f"{HEADER}\n\nm,3,1,2\n"
    drills.drain("--feed", "gym_logins")
    assert [row["gym"] for row in rows(drills, "scrubbed.csv")] == [None, None, "3"]


def test_a_replayed_past_arrives_when_it_was_sent(drills: Drills, folder: Path) -> None:
    path = folder / "replayed.csv"
    path.write_text(f"{HEADER}m,1,1,2\n")
    os.utime(path, (1_460_000_000, 1_460_000_000))
    producer = drills.producer()
    sent = producer.send("workout", value=b"replayed", timestamp_ms=1_460_000_000_000).get(60)
    producer.close()
    drills.ledger.setdefault("workout", set()).add((sent.partition, sent.offset))
    drills.drain(environment={"FITBIT_INGEST_ARRIVAL": "sent"})
    for table, of_it in (
        ("gym_logins", "source_file like '%replayed.csv'"),
        ("workout", "cast(value as string) = 'replayed'"),
    ):
        [row] = drills.workspace.sql(
            f"select unix_seconds(ingested_at) as at from bronze.{table} where {of_it}"
        )
        assert row["at"] == 1_460_000_000


def test_two_writers_of_one_batch_write_it_once(drills: Drills, folder: Path) -> None:
    """As when Spark's server carries on with what a killed process had begun."""
    (folder / "twice.csv").write_text(f"{HEADER}m,1,1,2\n")
    feed = FILE_FEEDS[1]
    table = bronze.table_name(feed.table)
    files = [file for file in Folder(folder).files() if file.name == "twice.csv"]
    with spark_session(drills.home) as spark:
        number = commits.next_number(spark, table, feed.name)
        landed = sources.landed_rows(spark, Config(), feed, files)
        written = [commits.append(landed, table, feed.name, number, lambda: None) for _ in range(2)]
        assert written == [1, None]
        assert commits.next_number(spark, table, feed.name) == number + 1

        def revoked() -> None:
            raise IngestionError("the lease was revoked")

        with pytest.raises(IngestionError):
            commits.append(landed, table, feed.name, number + 1, revoked)
    drills.drain("--feed", "gym_logins")
    assert len(rows(drills, "twice.csv")) == 1


def test_tables_of_the_first_edition_are_taken_over(drills: Drills, folder: Path) -> None:
    """Its rows name no version: their files are known by name and time, and are not read again."""
    path = folder / "earlier.csv"
    path.write_text(f"{HEADER}m,1,1,2\n")
    drills.drain("--feed", "gym_logins")
    drills.workspace.sql(
        "update bronze.gym_logins set source_version = null, source_modified_at = "
        "date_trunc('millisecond', source_modified_at) where source_file = 'earlier.csv'"
    )
    drills.drain("--feed", "gym_logins")
    assert len(rows(drills, "earlier.csv")) == 1
    with spark_session(drills.home) as spark:
        spark.sql("create schema earlier")
        name = bronze.table_name("gym_logins", schema="earlier")
        columns = [c for c in spark.table("bronze.gym_logins").columns if c != "source_version"]
        spark.sql(
            f"create table {name} using delta as select {', '.join(columns)} from "
            "bronze.gym_logins limit 0"
        )
        (table,) = (table for table in bronze.TABLES if table.name == "gym_logins")
        bronze.add_columns(spark, table, name)
        assert spark.table(name).columns[-1] == "source_version"
        spark.sql("drop schema earlier cascade")
