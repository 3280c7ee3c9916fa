"""Faults while records flow: each leaves exactly the acknowledged records in bronze."""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.ingestion.drills import Drills
from tests.support import until

pytestmark = pytest.mark.timeout(1800)

KILLS = int(os.environ.get("INGESTION_KILLS", "2"))
"""How often the ingest process is killed; the soak does it 20 times."""
# Small micro-batches, so that a kill meets one in its middle.
SMALL = {"FITBIT_INGEST_MAX_OFFSETS_PER_TRIGGER": "400"}


def test_kill_of_the_ingest_process_and_a_second_start(drills: Drills) -> None:
    moment = random.Random(7)
    with drills.producing("bpm"):
        for _ in range(KILLS):
            with drills.ingesting("--feed", "bpm", "--continuous", **SMALL) as ingestion:
                ingestion.until_batches(2)
                time.sleep(moment.uniform(0, 2))
                ingestion.kill()
        with drills.ingesting("--feed", "bpm", "--continuous", **SMALL) as ingestion:
            ingestion.until_batches(1)
            refused = drills.drain("--feed", "bpm", check=False)
            assert f"Feed bpm is being ingested by process {ingestion.process.pid}" in refused
            assert ingestion.terminate() == 0
    drills.drain("--feed", "bpm")
    drills.assert_bronze("bpm")


def test_the_query_of_a_killed_process_stops_by_itself(drills: Drills) -> None:
    lease = drills.home.leases / "bpm.json"
    with drills.ingesting("--feed", "bpm", "--continuous") as ingestion:
        drills.produce("bpm", 10)
        ingestion.until_batches(1)
        ingestion.kill()
        died = time.monotonic()
        until(lambda: not lease.exists())
    # The warden looks every 2 s for a heartbeat older than 10 s; a busy machine takes longer.
    assert time.monotonic() - died < 40
    before = drills.bronze("bpm")
    drills.produce("bpm", 10)
    time.sleep(5)
    assert drills.bronze("bpm") == before
    drills.drain("--feed", "bpm")
    drills.assert_bronze("bpm")


def test_kill_of_spark_in_mid_batch(drills: Drills) -> None:
    drills.produce("bpm", 6_000)
    with drills.ingesting("--feed", "bpm", "--continuous", **SMALL) as ingestion:
        ingestion.until_batches(2)
        drills.space.kill("spark")
        assert ingestion.process.wait(120) == 1
        assert "start Spark again" in ingestion.log
    drills.space.run("up")
    drills.drain("--feed", "bpm")
    drills.assert_bronze("bpm")


def test_broker_restart_while_producing(drills: Drills) -> None:
    with drills.ingesting("--feed", "bpm", "--continuous") as ingestion:
        with drills.producing("bpm"):
            ingestion.until_batches(1)
            drills.space.kill("kafka")
            time.sleep(3)
            drills.space.run("up")
            seen = ingestion.batches()
            ingestion.until_batches(seen + 2)
        assert ingestion.terminate() == 0
        assert "Traceback" not in ingestion.log
    drills.drain("--feed", "bpm")
    drills.assert_bronze("bpm")


def _remove_newest_commit(checkpoint: Path) -> None:
    max((checkpoint / "commits").glob("[0-9]*"), key=lambda path: int(path.name)).unlink()


def _truncate_newest_offsets(checkpoint: Path) -> None:
    newest = max((checkpoint / "offsets").glob("[0-9]*"), key=lambda path: int(path.name))
    newest.write_text("v1\n")


def _empty_metadata(checkpoint: Path) -> None:
    (checkpoint / "metadata").write_text("")


@pytest.mark.parametrize(
    "damage", [shutil.rmtree, _remove_newest_commit, _truncate_newest_offsets, _empty_metadata]
)
def test_damaged_checkpoints(drills: Drills, damage: Callable[[Path], None]) -> None:
    checkpoint = drills.home.checkpoints / "workout"
    if not checkpoint.exists():
        drills.produce("workout", 100)
        drills.drain("--feed", "workout")
    damage(checkpoint)
    drills.produce("workout", 100)
    drills.drain("--feed", "workout")
    drills.assert_bronze("workout")


def test_a_checkpoint_restored_from_a_backup(drills: Drills) -> None:
    checkpoint = drills.home.checkpoints / "workout"
    drills.produce("workout", 20)
    drills.drain("--feed", "workout")
    shutil.copytree(checkpoint, drills.home.root / "backup")
    for _ in range(2):
        drills.produce("workout", 20)
        drills.drain("--feed", "workout")
    shutil.rmtree(checkpoint)
    shutil.copytree(drills.home.root / "backup", checkpoint)
    drills.produce("workout", 20)
    assert "starts a new checkpoint from bronze" in drills.drain("--feed", "workout")
    drills.assert_bronze("workout")


def test_expired_records_stop_the_feed_until_the_loss_is_accepted(drills: Drills) -> None:
    drills.produce("workout", 40)
    drills.drain("--feed", "workout")
    drills.produce("workout", 60)
    from kafka import TopicPartition

    end = max(offset for partition, offset in drills.ledger["workout"] if partition == 0)
    admin = drills.admin()
    admin.delete_records({TopicPartition("workout", 0): end - 4})
    admin.close()
    expired = {(0, offset) for offset in range(end - 29, end - 4)}
    drills.ledger["workout"] -= expired
    log = drills.drain("--feed", "workout", check=False)
    assert "partition 0: " in log
    assert "--accept-data-loss" in log
    drills.drain("--feed", "workout", "--accept-data-loss")
    rows = set(drills.bronze("workout"))
    assert drills.ledger["workout"] <= rows
    assert not rows & expired
    gaps = drills.space.sql("select * from bronze.ingestion_gaps")
    assert [(g["partition"], g["from_offset"], g["to_offset"]) for g in gaps] == [
        (0, end - 29, end - 4)
    ]
    drills.drain("--feed", "workout")
    assert set(drills.bronze("workout")) == rows


def test_a_topic_created_anew_is_refused_until_it_is_meant(drills: Drills) -> None:
    drills.produce("user_info", 10)
    drills.drain("--feed", "user_info")
    old = len(drills.bronze("user_info"))
    admin = drills.admin()
    admin.delete_topics(["user_info"])
    until(lambda: _create(admin, "user_info"))
    admin.close()
    drills.ledger["user_info"] = set()
    drills.produce("user_info", 30)
    log = drills.drain("--feed", "user_info", check=False)
    assert "--new-topic" in log
    drills.drain("--feed", "user_info", "--new-topic")
    drills.produce("user_info", 5)
    drills.drain("--feed", "user_info")
    drills.assert_bronze("user_info")
    counts = drills.space.sql(
        "select topic_epoch, count(*) as n from bronze.user_info group by 1 order by 1"
    )
    assert [tuple(row.values()) for row in counts] == [(0, old), (1, 35)]


def _create(admin: object, topic: str) -> bool:
    from kafka.errors import TopicAlreadyExistsError

    try:
        admin.create_topics({topic: {"num_partitions": 2, "replication_factor": 1}})  # type: ignore[attr-defined]
    except TopicAlreadyExistsError:
        return False
    return True
