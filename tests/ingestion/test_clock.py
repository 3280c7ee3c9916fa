"""Arrivals told by a wrong clock are put right, once, and nothing else is touched."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from ingestion.clock import Correction, moment_of, shift_of
from ingestion.feeds import IngestionError
from tests.ingestion.drills import Drills

BEHIND = timedelta(days=400)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2d3h", 183_600), ("-45m", -2700), ("90s", 90), ("1d 2h 3m 4s", 93_784), ("+1h", 3600)],
)
def test_shifts(text: str, seconds: int) -> None:
    assert shift_of(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "-", "3", "h", "1.5h", "3h2d", "1w"])
def test_what_is_no_shift(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        shift_of(text)


def test_times_are_utc_unless_they_say_otherwise() -> None:
    assert moment_of("2024-03-01T12:00+02:00") == moment_of("2024-03-01 10:00")
    assert moment_of("2024-03-01") == datetime(2024, 3, 1, tzinfo=UTC)


def test_what_cannot_be_meant() -> None:
    start = datetime(2024, 3, 1, tzinfo=UTC)
    with pytest.raises(IngestionError, match="earlier first"):
        Correction(start, start, BEHIND).check()
    with pytest.raises(IngestionError, match="corrects nothing"):
        Correction(start, start + BEHIND, timedelta()).check()


def test_arrivals_are_corrected_once(drills: Drills) -> None:
    landed = drills.home.landing / "gym_logins"
    landed.mkdir(exist_ok=True)
    (landed / "clock.csv").write_text("mac_address,gym,login,logout\nm,1,1,\n")
    drills.produce("bpm", 20)
    drills.drain("--feed", "bpm", "--feed", "gym_logins")
    # As a host whose clock is 400 days behind would have written them.
    for table in ("bpm", "gym_logins"):
        drills.workspace.sql(
            f"update bronze.{table} set ingested_at = ingested_at - interval 400 days "
            "where ingested_at > current_timestamp() - interval 1 hour"
        )
    drills.produce("bpm", 5)
    drills.drain("--feed", "bpm")
    query = (
        "select count(*) as n, count_if(ingested_at < current_timestamp() - interval 300 days) "
        "as wrong, sum(hash(`offset`, value)) as content from bronze.bpm"
    )
    (before,) = drills.workspace.sql(query)
    assert before["wrong"] >= 20
    window = ("--from", "2000-01-01", "--to", f"{datetime.now(UTC) - timedelta(days=300):%F}")

    with drills.ingesting("--feed", "workout", "--continuous") as ingestion:
        drills.produce("workout", 1)
        ingestion.until_batches(1)
        refused = drills.workspace.run("clock", *window, "--shift", "400d", check=False)
        assert refused.returncode == 1
        assert "being ingested by process" in refused.stderr
        ingestion.terminate()
    future = drills.workspace.run("clock", *window, "--shift", "900d", check=False)
    assert future.returncode == 1
    assert "in the future" in future.stderr
    would = drills.workspace.run("clock", *window, "--shift", "400d", "--dry-run").stdout
    assert f"bpm {before['wrong']:,}" in would
    assert drills.workspace.sql(query) == [before]

    assert (
        f"bpm {before['wrong']:,}"
        in drills.workspace.run("clock", *window, "--shift", "400d").stdout
    )
    (after,) = drills.workspace.sql(query)
    assert (after["n"], after["wrong"], after["content"]) == (before["n"], 0, before["content"])
    again = drills.workspace.run("clock", *window, "--shift", "400d").stdout
    assert "bpm" not in again, "once"
    changed = "where _change_type = 'update_postimage'"
    version = drills.version("bpm")
    assert drills.workspace.sql(
        f"select count(*) as n from table_changes('bronze.bpm', {version}) {changed}"
    ) == [{"n": before["wrong"]}]
    # Ingestion goes on where it was.
    drills.produce("bpm", 5)
    drills.drain("--feed", "bpm")
    drills.assert_bronze("bpm")
