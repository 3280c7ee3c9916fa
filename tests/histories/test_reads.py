"""A build reads of its large inputs what the new records touch: shown by Delta's scan metrics."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.event_log import EventLog, Scan, java_options
from ingestion import sessions
from tests.histories import sequence
from tests.histories.history import EPOCH, Entry, Records
from tests.landed import differences_from_oracle, read
from tests.support import Workspace, running

pytestmark = [pytest.mark.drill, pytest.mark.timeout(1800)]

DAYS = 20
USER, DEVICE = "reads-u", "reads-d"
# Written anew in files of a day each, as arrival in order and clustering leave large tables.
BY_DAY = {
    "silver.stg_kafka__bpm": "measured_at",
    "silver.heart_rates": "measured_at",
    "silver.workout_heart_rates": "measured_at",
    "gold.hourly_heart_rates": "hour_at",
    "gold.daily_heart_rates": "date",
    "gold.workout_bpm_summary": "started_at",
}


def reading(records: Records, at: float, bpm: int) -> Entry:
    payload = {"device_id": DEVICE, "time": at, "heartrate": bpm}
    return records.message("bpm", DEVICE, payload, at)


def history(records: Records) -> list[list[Entry]]:
    """Day by day, a reading every 10 minutes and a workout of one member."""
    registration = {
        "user_id": USER,
        "device_id": DEVICE,
        "mac_address": "aa:00:5e:00:53:aa",
        "registration_timestamp": str(EPOCH - 86_400),
    }
    days = []
    for day in range(DAYS):
        start = EPOCH + day * 86_400
        found = [reading(records, start + 600 * i, 60 + i % 90) for i in range(144)]
        for action, at in (("start", start + 36_000), ("stop", start + 39_000)):
            event = {"user_id": USER, "workout_id": day, "session_id": 1, "action": action}
            found.append(records.message("workout", USER, {**event, "timestamp": at}, at))
        days.append(found)
    days[0].append(records.row("registered_users", registration))
    return days


@pytest.fixture(scope="module")
def read_by_late_readings(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Workspace, list[Scan]]]:
    """A workspace with the history, and what the build behind two late readings scanned."""
    events = tmp_path_factory.mktemp("reads-log") / "events"
    log = EventLog(events)
    records = Records(901)
    with running(tmp_path_factory.mktemp("reads"), java_options(events)) as workspace:
        for day, entries in enumerate(history(records)):
            sequence.land(workspace, entries, 24 * day)
        sequence.build(workspace)
        with sessions.session(workspace.home.connect_url) as spark:
            for table, column in BY_DAY.items():
                days = spark.table(table).repartitionByRange(DAYS, column)
                # The same rows in other files: no change for whoever reads the feed.
                writer = days.write.format("delta").mode("overwrite")
                writer.option("dataChange", "false").saveAsTable(table)
        before = log.position()
        # On the 3rd and the 9th day, in a workout.
        late = [reading(records, EPOCH + day * 86_400 + 37_001, 188) for day in (2, 8)]
        sequence.land(workspace, late, 24 * DAYS)
        sequence.build(workspace)
        yield workspace, log.scans(before, log.position())


def test_the_late_readings_are_in_the_tables(
    read_by_late_readings: tuple[Workspace, list[Scan]],
) -> None:
    workspace, _ = read_by_late_readings
    days = workspace.sql(
        "select date from gold.daily_heart_rates where max_bpm = 188 order by date"
    )
    assert [str(row["date"]) for row in days] == ["2026-03-03", "2026-03-09"]
    assert differences_from_oracle(read(workspace)) == []


@pytest.mark.parametrize("table", BY_DAY)
def test_only_files_of_the_touched_days_are_read(
    read_by_late_readings: tuple[Workspace, list[Scan]], table: str
) -> None:
    workspace, scans = read_by_late_readings
    held = workspace.sql(f"describe detail {table}")[0]["numFiles"]
    assert held >= DAYS
    of_table = sorted(scan.files for scan in scans if scan.table == table)
    assert of_table
    # The files of two days, and those that the build itself wrote.
    assert [files for files in of_table if files > 8] == []
