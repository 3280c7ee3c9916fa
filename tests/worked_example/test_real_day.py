"""An hour of the sample's real day, counted in the file: docs/worked-example.md and the oracle."""

import csv
import gzip
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ..oracle import FileRecord, KafkaRecord, Record, compute

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "samples" / "heartrate_seconds_2016-04-26.csv.gz"
PAGE = (ROOT / "docs" / "worked-example.md").read_text()
TEN = datetime(2016, 4, 26, 10, tzinfo=UTC).timestamp()
ARRIVAL = int(TEN + 86_400) * 1_000_000
BOUNDS = {
    "reserve": ("109.358", "134.572", "166.0895"),
    "maximum": ("92.5", "129.5", "157.25"),
}
#: Out of range, fat burn, cardio, peak.
SECONDS = {"reserve": (480, 1855, 1265, 0), "maximum": (0, 1900, 1700, 0)}
MINUTES = {
    "reserve": ("8.00", "30.92", "21.08", "0.00"),
    "maximum": ("0.00", "31.67", "28.33", "0.00"),
}
ACTIVE = {"reserve": "73.08", "maximum": "88.33"}


def readings() -> list[tuple[float, int]]:
    with gzip.open(SAMPLE, "rt") as file:
        rows = [
            (datetime.strptime(row["Time"], "%m/%d/%Y %I:%M:%S %p"), int(row["Value"]))
            for row in csv.DictReader(file)
        ]
    return sorted((time.replace(tzinfo=UTC).timestamp(), bpm) for time, bpm in rows)


READINGS = readings()


def standing() -> Iterable[tuple[int, float]]:
    """Heart rate and seconds of the readings from 10:00 to 11:00."""
    for (at, bpm), (following, _) in pairwise(READINGS):
        if TEN <= at < TEN + 3600:
            yield bpm, min(60, following - at, TEN + 3600 - at)


@pytest.mark.parametrize("basis", BOUNDS)
def test_the_hour_is_that_of_the_file(basis: str) -> None:
    edges = [Fraction(0), *map(Fraction, BOUNDS[basis]), Fraction(999)]
    counted = tuple(
        sum(seconds for bpm, seconds in standing() if lower <= bpm < upper)
        for lower, upper in pairwise(edges)
    )
    assert counted == SECONDS[basis]
    calm = [bpm for at, bpm in READINGS if TEN - 7200 <= at < TEN - 5400]
    assert (len(READINGS), len(calm), sum(calm)) == (5586, 184, 10_843)


def test_the_page_has_these_numbers() -> None:
    for number in (
        *(edge for edges in BOUNDS.values() for edge in edges),
        *(f"{seconds:,} s" for zones in SECONDS.values() for seconds in zones if seconds),
        *(minutes for zones in MINUTES.values() for minutes in zones),
        *ACTIVE.values(),
    ):
        assert number in PAGE, number


@pytest.mark.parametrize("basis", BOUNDS)
def test_the_oracle_counts_the_same(basis: str) -> None:
    """The hour as a session of a member of 35, whose readings are the file's."""

    def sent(feed: str, payload: dict[str, Any]) -> Record:
        return KafkaRecord(
            feed=feed,
            key=None,
            value=json.dumps(payload).encode(),
            timestamp=0,
            ingested_at=ARRIVAL,
            topic=feed,
            topic_epoch=0,
            partition=0,
        )

    def event(action: str, at: float) -> Record:
        ids = {"user_id": "u", "workout_id": "w", "session_id": "1"}
        return sent("workout", {**ids, "action": action, "timestamp": at})

    born = {"user_id": "u", "update_type": "new", "timestamp": TEN, "dob": "1981-01-01"}
    owned = {"user_id": "u", "device_id": "d", "mac_address": "aa:00:00:00:00:00"}
    tables = compute(
        [
            FileRecord(
                "registered_users", "", {**owned, "registration_timestamp": str(TEN)}, ARRIVAL
            ),
            sent("user_info", born),
            # The reading of 10:00:00 is in the hour; a session begins before its readings.
            event("start", TEN - 0.000001),
            event("stop", TEN + 3600),
            *(
                sent("bpm", {"device_id": "d", "time": at, "heartrate": bpm})
                for at, bpm in READINGS
            ),
        ],
        zone_rule=basis,
    )
    (day,), (hour,) = tables["daily_heart_rates"], tables["workout_bpm_summary"]
    assert (day["resting_bpm_estimate"], day["zone_basis"]) == (Decimal("58.93"), basis)
    assert hour["age"] == 35
    zones = ("out_of_range", "fat_burn", "cardio", "peak")
    assert tuple(str(hour[f"{zone}_minutes"]) for zone in zones) == MINUTES[basis]
    bounds = tuple(hour[f"{zone}_from_bpm"] for zone in zones[1:])
    assert bounds == tuple(Fraction(edge) for edge in BOUNDS[basis])
