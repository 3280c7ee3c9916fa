"""Faults while records flow: each leaves exactly the acknowledged records in bronze."""

from __future__ import annotations

import json
import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from kafka import KafkaProducer

from ingestion import lease, sessions
from lakehouse import kafka
from tests.ingestion.drills import Drills
from tests.support import until

pytestmark = [pytest.mark.drill, pytest.mark.timeout(1800)]

KILLS = int(os.environ.get("INGESTION_KILLS", "2"))
"""How often the ingest process is killed; `tests.soak --kills` does it with Spark, too."""
AWAY_SECONDS = 60
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
    # The watchdog looks every 2 s for a heartbeat older than 10 s; a busy machine takes longer.
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
        drills.workspace.kill("spark")
        assert ingestion.process.wait(120) == 1
        assert "start Spark again" in ingestion.log
    drills.workspace.run("up")
    drills.drain("--feed", "bpm")
    drills.assert_bronze("bpm")


def test_kills_while_files_are_read(drills: Drills) -> None:
    """A file is a batch here: each kill meets one in its middle, and each line comes once."""
    query = "select source_file, raw from bronze.gym_logins where source_file like 'killed-%'"
    landed = []
    for number in range(40):
        lines = [json.dumps({"mac_address": f"{number}-{line}"}) for line in range(50)]
        path = drills.home.landing / "gym_logins" / f"killed-{number}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(lines) + "\n")
        landed += [(path.name, line) for line in lines]
    one = {"FITBIT_INGEST_MAX_FILES_PER_TRIGGER": "1"}
    with drills.ingesting("--feed", "gym_logins", **one) as ingestion:
        ingestion.until_batches(2)
        ingestion.kill()
    with drills.ingesting("--feed", "gym_logins", **one) as ingestion:
        ingestion.until_batches(2)
        drills.workspace.kill("spark")
        assert ingestion.process.wait(120) == 1
    drills.workspace.run("up")
    assert 0 < len(drills.workspace.sql(query)) < len(landed), "the kills came too late"
    drills.drain("--feed", "gym_logins")
    rows = [(row["source_file"], row["raw"]) for row in drills.workspace.sql(query)]
    assert sorted(rows) == sorted(landed)


def test_broker_restart_while_producing(drills: Drills) -> None:
    since = drills.workspace.sql("select unix_millis(current_timestamp()) as now")[0]["now"]
    some = {"FITBIT_INGEST_MAX_OFFSETS_PER_TRIGGER": "5000"}
    with drills.ingesting("--feed", "bpm", "--continuous", **some) as ingestion:
        with drills.producing("bpm"):
            ingestion.until_batches(1)
            drills.workspace.kill("kafka")
            time.sleep(AWAY_SECONDS)  # what the producer sends meanwhile waits in its memory
            away = ingestion.batches()
            drills.workspace.run("up")
            ingestion.until_batches(away + 2)
        assert ingestion.terminate() == 0
        assert "Traceback" not in ingestion.log
    drills.drain("--feed", "bpm")
    drills.assert_bronze("bpm")
    # All that had waited came at once: more than a micro-batch takes. In the end nothing is left.
    lag = drills.workspace.sql(
        "select max(lag_records) as most, max_by(lag_records, started_at) as newest "
        "from bronze.ingestion_batches "
        f"where feed = 'bpm' and started_at > timestamp_millis({since})"
    )
    assert lag[0]["most"] > 0
    assert lag[0]["newest"] == 0


def test_a_query_that_somebody_stops_is_a_fault(drills: Drills) -> None:
    with drills.ingesting("--feed", "workout", "--continuous") as ingestion:
        drills.produce("workout", 10)
        ingestion.until_batches(1)
        owner = lease.read(drills.home.leases / "workout.json")
        assert owner is not None
        # Attached, and not left again: that would close the session, which is told apart.
        for query in sessions.attach(drills.home.connect_url, owner.sessions[0]).streams.active:
            query.stop()
        assert ingestion.process.wait(60) == 1
        assert "stopped from outside" in ingestion.log


def test_files_and_kafka_append_to_one_table_side_by_side(drills: Drills) -> None:
    landing = drills.home.landing / "bpm"
    landing.mkdir(exist_ok=True)
    both = ("--feed", "bpm", "--feed", "bpm_files", "--continuous")
    before = drills.workspace.sql(
        "select count(*) as n from bronze.bpm where source_file is not null"
    )
    with drills.producing("bpm"), drills.ingesting(*both, **SMALL) as ingestion:
        ingestion.until_batches(2)
        for number in range(10):
            partial = landing / f".beside-{number}.json"
            partial.write_text('{"value":{"heartrate":70}}\n')
            partial.rename(landing / f"beside-{number}.json")
            ingestion.until_batches(ingestion.batches() + 2)
        assert ingestion.terminate() == 0
        assert "restart=" not in ingestion.log
    drills.drain("--feed", "bpm", "--feed", "bpm_files")
    drills.assert_bronze("bpm")
    after = drills.workspace.sql(
        "select count(*) as n from bronze.bpm where source_file is not null"
    )
    assert after[0]["n"] == before[0]["n"] + 10


def test_a_batch_that_is_in_the_table_is_skipped_when_it_is_repeated(drills: Drills) -> None:
    """As after a crash between Delta's commit and the checkpoint's."""
    drills.produce("workout", 50)
    drills.drain("--feed", "workout")
    checkpoint = drills.home.checkpoints / "workout"
    metadata = (checkpoint / "metadata").read_text()
    before = drills.version("workout")
    _remove_newest_commit(checkpoint)
    drills.drain("--feed", "workout")
    assert drills.version("workout") == before
    assert (checkpoint / "metadata").read_text() == metadata, "a new checkpoint was made"
    assert drills.under_way("workout") is None
    drills.assert_bronze("workout")


def test_a_table_that_lost_rows_gets_them_again_though_kafka_has_nothing_new(
    drills: Drills,
) -> None:
    drills.produce("workout", 20)
    drills.drain("--feed", "workout")
    before = drills.version("workout")
    drills.produce("workout", 20)
    drills.drain("--feed", "workout")
    drills.workspace.sql(f"restore table bronze.workout to version as of {before}")
    assert "starts a new checkpoint from bronze" in drills.drain("--feed", "workout")
    drills.assert_bronze("workout")


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
    gaps = drills.workspace.sql("select * from bronze.ingestion_gaps")
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
    counts = drills.workspace.sql(
        "select topic_epoch, count(*) as n from bronze.user_info group by 1 order by 1"
    )
    assert [tuple(row.values()) for row in counts] == [(0, old), (1, 35)]


def test_a_topic_created_anew_while_it_is_read_stops_its_feed_alone(drills: Drills) -> None:
    both = ("--feed", "user_info", "--feed", "bpm")
    with drills.ingesting(*both, "--continuous") as ingestion:
        drills.produce("user_info", 40)
        ingestion.until_batches(1)
        admin = drills.admin()
        admin.delete_topics(["user_info"])
        until(lambda: _create(admin, "user_info"))
        admin.close()
        until(lambda: "feed=user_info ended" in ingestion.log)
        # Who notices first: the look at its id, or Spark, which finds fewer records than it read.
        assert "--new-topic" in ingestion.log or "DATA_LOSS" in ingestion.log
        # The other feed goes on, and this one can be mended beside it.
        drills.ledger["user_info"] = set()
        assert "--new-topic" in drills.drain("--feed", "user_info", check=False)
        drills.produce("user_info", 10)
        drills.drain("--feed", "user_info", "--new-topic")
        drills.assert_bronze("user_info")
        drills.produce("bpm", 10)
        until(lambda: drills.ledger["bpm"] <= set(drills.bronze("bpm")))
        assert ingestion.terminate() == 1


def test_partitions_added_are_read_from_their_first_record(drills: Drills) -> None:
    with drills.ingesting("--feed", "user_info", "--continuous") as ingestion:
        drills.produce("user_info", 10)
        ingestion.until_batches(1)
        admin = drills.admin()
        admin.create_partitions({"user_info": 3})
        admin.close()
        producer = drills.producer()
        sent = [producer.send("user_info", b"new", partition=2) for _ in range(10)]
        producer.flush()
        producer.close()
        drills.ledger["user_info"] |= {(2, future.get(60).offset) for future in sent}
        until(lambda: sum(p == 2 for p, _ in drills.bronze("user_info")) == 10)
        assert ingestion.terminate() == 0
    drills.assert_bronze("user_info")


def test_aborted_transactions_are_not_read_and_leave_holes_that_sparse_feeds_may_have(
    drills: Drills,
) -> None:
    producer = KafkaProducer(
        **kafka.client_options(drills.home), transactional_id="drill", acks="all"
    )
    producer.init_transactions()
    for value, end in ((b"kept", "commit"), (b"dropped", "abort"), (b"kept", "commit")):
        producer.begin_transaction()
        for _ in range(3):
            producer.send("user_info", value, partition=0)
        producer.flush()
        getattr(producer, f"{end}_transaction")()
    producer.close()
    drills.drain("--feed", "user_info")
    rows = drills.workspace.sql(
        "select value from bronze.user_info where value in ('kept', 'dropped')"
    )
    assert [row["value"] for row in rows] == [b"kept"] * 6
    assert "not sound" in drills.workspace.run("audit", check=False).stdout
    sparse = {"FITBIT_INGEST_SPARSE_FEEDS": "user_info"}
    assert "0 partitions not sound" in drills.workspace.run("audit", environment=sparse).stdout


def _create(admin: object, topic: str) -> bool:
    from kafka.errors import TopicAlreadyExistsError

    try:
        admin.create_topics({topic: {"num_partitions": 2, "replication_factor": 1}})  # type: ignore[attr-defined]
    except TopicAlreadyExistsError:
        return False
    return True
