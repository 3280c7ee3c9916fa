"""Two kills while records flow, one of each kind, in the midst of a micro-batch; a second start
between them; and what is seen.

More of them, at random and at full speed: `python -m tests.soak --kills 20`.
"""

from __future__ import annotations

import urllib.request

from tests.ingestion.drills import Drills
from tests.support import until

BPM = ("--feed", "bpm", "--continuous")
# Fewer records than come: there is always a micro-batch to meet.
SMALL = {
    "FITBIT_INGEST_MAX_OFFSETS_PER_TRIGGER": "200",
    "FITBIT_INGEST_TRIGGER_SECONDS": "0.1",
}


def test_a_kill_of_ingestion_a_second_start_and_a_kill_of_spark_while_producing(
    drills: Drills,
) -> None:
    with drills.producing("bpm"):
        with drills.ingesting(*BPM, **SMALL) as ingestion:
            ingestion.until_batches(2)
            port = drills.home.metrics_port
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
                metrics = answer.read().decode()
            assert 'fitbit_ingest_up{feed="bpm"} 1.0' in metrics
            assert 'fitbit_ingest_lag_records{feed="bpm",partition="1"}' in metrics
            drills.kill_in_mid_batch("bpm", ingestion.process.pid)
            ingestion.process.wait()
        with drills.ingesting(*BPM, **SMALL) as ingestion:
            ingestion.until_batches(1)
            second = drills.drain("--feed", "bpm", check=False)
            assert f"Feed bpm is being ingested by process {ingestion.process.pid}" in second
            drills.kill_spark_in_mid_batch("bpm")
            assert ingestion.process.wait(120) == 1
            assert "start Spark again" in ingestion.log
        drills.workspace.run("up")
    drills.drain("--feed", "bpm")
    drills.assert_bronze("bpm")
    # Killed, it writes down no more than until 30 s before; the drain wrote down all that it did.
    found = drills.workspace.sql(
        "select sum(rows) as rows, max_by(lag_records, started_at) as lag "
        "from bronze.ingestion_batches where feed = 'bpm'"
    )
    assert found[0]["rows"] > 0
    assert found[0]["lag"] == 0
    assert not list(drills.home.leases.glob("*.json"))


def test_sigterm_lets_the_micro_batch_end(drills: Drills) -> None:
    with drills.producing("bpm"), drills.ingesting(*BPM, **SMALL) as ingestion:
        ingestion.until_batches(1)
        batch = drills.until_under_way("bpm")
        assert ingestion.terminate() == 0
        assert drills.newest("bpm", "commits") >= batch
        assert f" batch={batch} " in ingestion.log
    until(lambda: not list(drills.home.leases.glob("*.json")))
    drills.drain("--feed", "bpm")
    drills.assert_bronze("bpm")
