"""`lakehouse audit` finds what is missing or there twice, and what has not been read."""

from __future__ import annotations

import os
import re
import time

import pytest

from ingestion import maintenance
from tests.ingestion.drills import Drills
from tests.support import until

pytestmark = pytest.mark.drill


def test_audit(drills: Drills) -> None:
    table = "bronze.workout"
    drills.produce("workout", 40)
    drills.drain("--feed", "workout")
    drills.produce("workout", 6)
    sound = drills.workspace.run("audit")
    assert "0 partitions not sound, 6 records not read yet" in sound.stdout

    at = drills.workspace.sql(f"describe history {table} limit 1")[0]["version"]
    drills.workspace.sql(f"delete from {table} where `partition` = 1 and `offset` in (3, 5)")
    drills.workspace.sql(f"insert into {table} select * from {table} where `offset` = 7")
    unsound = drills.workspace.run("audit", check=False)
    assert unsound.returncode == 1
    lines = [line.split() for line in unsound.stdout.splitlines() if "workout" in line]
    found = {line[2]: tuple(map(int, line[5:8])) for line in lines}
    assert {p: (repeats, missing) for p, (_, repeats, missing) in found.items()} == {
        "0": (1, 0),
        "1": (1, 2),
    }

    # The table goes back to what it was: the checkpoint no longer fits it, and nothing is lost.
    drills.workspace.sql(f"restore table {table} to version as of {at}")
    log = drills.drain("--feed", "workout")
    assert "feed=workout starts a new checkpoint from bronze" in log
    drills.assert_bronze("workout")
    assert "0 partitions not sound, 0 records" in drills.workspace.run("audit").stdout
    drills.produce("workout", 3)
    status = drills.workspace.run("status").stdout
    assert re.search(r"not read yet, by partition: .*workout 0:2 1:1", status), status
    drills.drain("--feed", "workout")


def test_small_files_become_few_and_hold_the_same(drills: Drills) -> None:
    for _ in range(3):
        drills.produce("workout", 10)
        drills.drain("--feed", "workout")
    before = _files(drills)
    content = "select count(*) as n, sum(hash(*)) as h from bronze.workout"
    held = drills.workspace.sql(content)
    done = drills.workspace.run("maintain", "--files", "3")
    assert before >= 3
    assert _files(drills) < before
    assert "0 tables compacted" not in done.stdout
    assert drills.workspace.sql(content) == held
    drills.produce("workout", 10)  # the checkpoint is still trusted: OPTIMIZE is no loss
    assert "new checkpoint" not in drills.drain("--feed", "workout")
    drills.assert_bronze("workout")


def test_care_beside_a_running_stream(drills: Drills) -> None:
    folder = drills.home.warehouse / "bronze.db" / "workout"
    old, young = folder / "part-left-40-days-ago.parquet", folder / "part-left-now.parquet"
    feed = ("--feed", "workout", "--continuous")
    with (
        drills.producing("workout"),
        drills.ingesting(*feed, FITBIT_INGEST_TRIGGER_SECONDS="0.1") as ingestion,
    ):
        until(lambda: _files(drills) >= maintenance.MANY_FILES, seconds=300)
        status = drills.workspace.run("status").stdout
        assert re.search(r"small files: .*workout \d+", status), status
        for left in (old, young):
            left.write_bytes(b"by a writer that died")
        long_ago = time.time() - 40 * 86_400
        os.utime(old, (long_ago, long_ago))
        done = drills.workspace.run("maintain")
        assert "0 tables compacted" not in done.stdout
        assert not old.exists()
        assert young.exists()
        ingestion.until_batches(ingestion.batches() + 3)
        assert "restart=" not in ingestion.log
    drills.drain("--feed", "workout")
    drills.assert_bronze("workout")


def _files(drills: Drills) -> int:
    return int(drills.workspace.sql("describe detail bronze.workout")[0]["numFiles"])
