"""`ingestion.erasure` on bronze and staging: whose records are found, emptied and exported."""

from __future__ import annotations

import hashlib
import hmac
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ingestion import erasure, hashes
from ingestion.feeds import IngestionError
from ingestion.literals import literal
from ingestion.persons import PLACES, NotBuilt
from lakehouse.dbt import WITHOUT_TESTS
from lakehouse.warehouse import spark_session
from tests.cases.case import Case, mac
from tests.erasure import world
from tests.landed import publish
from tests.oracle import compute
from tests.oracle.load import bronze_query, from_bronze_rows
from tests.oracle.records import FEEDS, Record
from tests.support import Workspace, running

IDS = f"\n  {world.PERSON} \n{world.ODD}\n{json.dumps(world.UNTYPED)}\n{world.HALF_WRITTEN}\n"
_STAGING = ("build", "-s", "+device_registrations", "path:models/staging", *WITHOUT_TESTS)
_DELETED = """
    insert into bronze.source_deletes
    select distinct '{0}', 'jdbc:db', to_json(struct({1})), current_timestamp() from bronze.{0}
"""


def land(workspace: Workspace, case: Case, folder: Path) -> None:
    """Send a case's messages, land its files, and ingest."""
    publish(workspace.home, (case,))
    for file in case.files:
        path = folder / file.name
        path.write_bytes(file.content)
        workspace.run("land", file.feed, path)
    workspace.run("ingest")


def land_world(workspace: Workspace, folder: Path) -> None:
    """The world, a copy that was broken off, rows that a database has no more, who may see whom."""
    (workspace.home.landing / "gym_logins" / ".drop.csv.part").write_text(world.LEFTOVER)
    land(workspace, world.WORLD, folder)
    workspace.sql(_DELETED.format("registered_users", "user_id, device_id, registration_timestamp"))
    workspace.sql(_DELETED.format("gym_logins", "mac_address, gym, login"))
    workspace.sql("create schema if not exists silver")
    workspace.sql(
        "create table silver.member_access as "
        "select distinct 'coach' as principal, user_id from bronze.registered_users"
    )


def content(workspace: Workspace) -> str:
    """All that bronze and staging hold, bytes and dates as text."""
    bronze = ("user_info", "bpm", "workout", "registered_users", "gym_logins", "source_deletes")
    names = [f"bronze.{name}" for name in bronze] + ["silver.member_access"]
    names += [f"silver.{place.staging}" for place in PLACES]
    rows = [workspace.sql(f"select * from {name}") for name in names]
    return json.dumps(rows, default=as_text, ensure_ascii=False)


def as_text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def traces(workspace: Workspace) -> list[str]:
    held = content(workspace).lower()
    return [trace for trace in world.TRACES if trace.lower() in held]


def erased(workspace: Workspace) -> dict[str, set[str]]:
    """Places of the records in bronze that are erased, and of those without a key."""
    return {
        place.feed: {
            row["place"]
            for row in workspace.sql(
                f"select {place.record_key('old')} as place from bronze.{place.feed} as old "
                "where erased_at is not null"
            )
        }
        for place in PLACES
    }


def commits(workspace: Workspace) -> list[int]:
    tables = [f"bronze.{place.feed}" for place in PLACES]
    tables += ["bronze.source_deletes", "bronze.erased_registrations", "silver.member_access"]
    return [workspace.sql(f"describe history {table} limit 1")[0]["version"] for table in tables]


def exported(
    workspace: Workspace, ids: str, check: bool = True
) -> subprocess.CompletedProcess[str]:
    return workspace.run("export", stdin=ids, check=check)


@contextmanager
def without_key(workspace: Workspace) -> Iterator[None]:
    before = workspace.sql("describe history bronze.erasure_key limit 1")[0]["version"]
    workspace.sql("delete from bronze.erasure_key")
    yield
    workspace.sql(f"restore table bronze.erasure_key to version as of {before}")


@dataclass(frozen=True)
class Story:
    before: list[Record]
    seen: list[str]
    unbuilt: str
    unknown: tuple[str, list[int], list[int]]
    export: list[dict[str, Any]]
    of_nobody: subprocess.CompletedProcess[str]
    file_mode: int
    changed: list[dict[str, int]]
    erased: dict[str, set[str]]
    traces: list[str]
    keys: list[str]
    deletes: list[str]
    access: set[str]
    lost: tuple[str, str]
    hashes: list[dict[str, str]]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    told: dict[str, Any] = {}
    with running(tmp_path_factory.mktemp("erasure")) as workspace:
        land_world(workspace, tmp_path_factory.mktemp("world"))
        ids = hashes.user_ids(IDS.splitlines())
        with spark_session(workspace.home) as spark, pytest.raises(NotBuilt) as early:
            erasure.forget(spark, ids)
        told["unbuilt"] = str(early.value)
        workspace.dbt(*_STAGING)
        told["before"] = [
            r for feed in FEEDS for r in from_bronze_rows(feed, workspace.sql(bronze_query(feed)))
        ]
        told["seen"] = traces(workspace)
        with spark_session(workspace.home) as spark:
            counted = commits(workspace)
            with pytest.raises(IngestionError) as fault:
                erasure.forget(spark, {**ids, "nobody-there": 7})
            told["unknown"] = (str(fault.value), counted, commits(workspace))
        told["of_nobody"] = exported(workspace, "nobody-there\n", check=False)
        file = tmp_path_factory.mktemp("out") / "persons.ndjson"
        with file.open("w") as out:
            file.chmod(0o644)
            subprocess.run(
                [sys.executable, "-m", "lakehouse.cli", "export"],
                env=workspace.environment,
                input=IDS,
                stdout=out,
                text=True,
                check=True,
            )
        told["file_mode"] = file.stat().st_mode & 0o777
        told["export"] = [json.loads(line) for line in file.read_text().splitlines()]
        with spark_session(workspace.home) as spark:
            erasure.forget(spark, ids)
        told["lost"] = lost_key(workspace, ids)
        workspace.dbt(*_STAGING)
        with spark_session(workspace.home) as spark:
            first = erasure.blank(spark)
            counted = commits(workspace)
            told["changed"] = [first, erasure.blank(spark)]
            assert commits(workspace) == counted
            told["hashes"] = [hashed_in_sql(spark, one) for one in ("7", world.ODD)]
        workspace.dbt(*_STAGING)
        told["erased"] = erased(workspace)
        told["traces"] = traces(workspace)
        told["keys"] = [
            str(row["key"])
            for feed in ("workout", "bpm")
            for row in workspace.sql(f"select cast(key as string) as key from bronze.{feed}")
            if row["key"]
        ]
        gone = workspace.sql("select record_key from bronze.source_deletes")
        told["deletes"] = [row["record_key"] for row in gone]
        access = workspace.sql("select user_id from silver.member_access")
        told["access"] = {row["user_id"] for row in access}
        yield Story(**told)


def lost_key(workspace: Workspace, ids: dict[str, int]) -> tuple[str, str]:
    """What a build and the next erasure say without the key."""
    with without_key(workspace):
        done = workspace.dbt("build", "-s", "stg_kafka__workout", *WITHOUT_TESTS, check=False)
        with spark_session(workspace.home) as spark, pytest.raises(IngestionError) as fault:
            erasure.forget(spark, ids)
    assert done.returncode == 1
    return done.stdout, str(fault.value)


def hashed_in_sql(spark: Any, identifier: str) -> dict[str, str]:
    [row] = spark.sql(
        f"select {hashes.keyed_hash('user', literal(identifier))} as hash from {hashes.pads()}"
    ).collect()
    return {"sql": row.hash, "python": hashes.hasher(spark).user(identifier)}


def test_the_persons_were_there(story: Story) -> None:
    assert story.seen == list(world.TRACES)


def test_before_silver_is_built_nobody_is_known(story: Story) -> None:
    assert "run `dbt build`" in story.unbuilt


def test_an_unknown_id_changes_nothing(story: Story) -> None:
    sentence, before, after = story.unknown
    assert "on line 7 of the input" in sentence
    assert "nobody-there" not in sentence
    assert before == after


def test_nothing_of_the_persons_is_left(story: Story) -> None:
    assert story.traces == []


def test_others_records_stay(story: Story) -> None:
    """Also those under an erased person's key, which go; and all that names no erased person."""
    assert story.keys == []
    expected = compute(story.before, erased={world.PERSON, world.ODD})
    accepted = {row["feed"]: row["received"] - row["erased"] for row in expected["feed_arrivals"]}
    held = dict.fromkeys(accepted, 0)
    for record in story.before:
        held[record.feed] += 1
    for feed, places in story.erased.items():
        assert len(places) >= held[feed] - accepted[feed], feed
    assert {feed: len(places) for feed, places in story.erased.items()} == world.ERASED_RECORDS


def test_erasing_again_changes_nothing(story: Story) -> None:
    first, again = story.changed
    assert set(first) >= {f"`bronze`.`{place.feed}`" for place in PLACES}
    assert again == {}


def test_what_databases_lost_and_who_sees_whom_is_cleaned(story: Story) -> None:
    held = " ".join(story.deletes).lower()
    assert story.deletes
    assert [trace for trace in world.TRACES if trace.lower() in held] == []
    assert story.access >= {world.BEFORE, world.AFTER, world.OTHER}
    assert not story.access & {*world.ERASED}


def test_an_export_lists_what_an_erasure_takes(story: Story) -> None:
    listed: dict[str, set[str]] = {place.feed: set() for place in PLACES}
    for line in story.export:
        assert line["user_id"] in world.ERASED
        schema, _, table = line["table"].partition(".")
        row = line["row"]
        if schema == "bronze" and table in listed and ("value" in row or "raw" in row):
            place = [row.get(n) for n in ("topic", "topic_epoch", "partition", "offset")]
            listed[table].add(row["record_id"] or "/".join(map(str, place)))
    assert listed == story.erased
    assert "Otto" not in json.dumps(story.export)


def test_an_export_has_the_tables_of_silver(story: Story) -> None:
    owned = [line["row"] for line in story.export if line["table"] == "silver.device_registrations"]
    assert {row["identifier"] for row in owned} == {
        *(world.BAND, world.WATCH, world.ODD_BAND),
        *(mac(name) for name in (world.TAG, world.CARD, world.ODD_CARD)),
    }
    tables = {line["table"] for line in story.export}
    assert {f"silver.{place.staging}" for place in PLACES} <= tables
    assert {"bronze.source_deletes", "silver.member_access"} <= tables


def test_an_export_is_its_owners_alone(story: Story) -> None:
    assert story.file_mode == 0o600


def test_an_export_of_nobody_is_a_sentence(story: Story) -> None:
    assert story.of_nobody.returncode == 1
    assert "on line 1 of the input" in story.of_nobody.stderr
    assert story.of_nobody.stdout == ""
    assert "Traceback" not in story.of_nobody.stderr


def test_a_lost_key_lets_nobody_back_in(story: Story) -> None:
    build, next_erasure = story.lost
    assert "bronze.erasure_key is lost" in build
    assert "Restore the key" in next_erasure


def test_a_hash_in_sql_is_that_in_python(story: Story) -> None:
    assert all(one["sql"] == one["python"] for one in story.hashes)


def test_the_hash_is_hmac() -> None:
    key = bytes(range(32))
    expected = hmac.new(key, b"user:7", hashlib.sha256).hexdigest()
    assert hashes.Hasher.of_key(key).user("7") == expected
