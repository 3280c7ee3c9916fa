"""Dirt: every kind is there, is rejected for its reason, and changes no table of the lakehouse.

The judge is the oracle, which knows the contracts and nothing of the simulator.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lakehouse.home import FILE_FEEDS, TOPICS
from lakehouse.simulator.dirty_records import topic_kinds
from lakehouse.simulator.dirty_rows import row_kinds
from lakehouse.simulator.drops import FILE_FORMS
from lakehouse.simulator.output import write
from lakehouse.simulator.settings import Settings
from lakehouse.simulator.stream import Simulation
from tests.oracle import compute
from tests.oracle.load import from_envelopes, from_landed
from tests.oracle.records import Record

ARRIVED = datetime(2026, 1, 1, tzinfo=UTC)
# They say when and how things came, not what is so.
LINEAGE = {"records", "rejected_records", "feed_arrivals", "pipeline_health"}
RATES = [0.01, 0.5]


def simulate(folder: Path, dirty: float) -> dict[str, Any]:
    settings = Settings(users=14, days=2, seed=6, interval=240, dirty=dirty)
    write(Simulation(settings), folder)
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return manifest


def records(folder: Path) -> list[Record]:
    found: list[Record] = list(
        from_envelopes(sorted(folder.glob("envelopes-*")), ingested_at=ARRIVED)
    )
    for feed in FILE_FEEDS:
        for path in sorted(folder.glob(f"{feed}-*")):
            found += from_landed(feed, path, ingested_at=ARRIVED)
    return found


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    folder = tmp_path_factory.mktemp("clean") / "out"
    simulate(folder, 0)
    return dict(compute(records(folder)))


@pytest.fixture(scope="module", params=RATES)
def dirty(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    folder = tmp_path_factory.mktemp("dirty") / "out"
    manifest = simulate(folder, request.param)
    return manifest, dict(compute(records(folder)))


def test_a_clean_simulation_has_nothing_to_reject(clean: dict[str, list[Any]]) -> None:
    assert clean["rejected_records"] == []


@pytest.mark.parametrize("rate", [0.0001, 0.3])
def test_every_kind_is_there_at_any_rate(tmp_path: Path, rate: float) -> None:
    settings = Settings(users=14, days=2, seed=9, interval=600, dirty=rate)
    write(Simulation(settings), tmp_path / "out")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    wanted = {f"{t}.{kind.name}" for t in TOPICS for kind in topic_kinds(t)}
    wanted |= {f"{f}.{kind.name}" for f in FILE_FEEDS for kind in row_kinds(f)}
    wanted |= {f"{f}.{form}_{flag}" for f in FILE_FEEDS
               for form, flags in FILE_FORMS.items() for flag in flags}  # fmt: skip
    assert wanted - set(manifest["dirt"]) == set()


def test_bad_records_are_rejected_for_their_reason(
    dirty: tuple[dict[str, Any], dict[str, list[Any]]],
) -> None:
    manifest, tables = dirty
    counted: dict[str, dict[str, int]] = {}
    for row in tables["rejected_records"]:
        reasons = counted.setdefault(row["feed"], {})
        reasons[row["reason"]] = reasons.get(row["reason"], 0) + 1
    assert counted == manifest["rejected"]
    assert {reason for reasons in counted.values() for reason in reasons} == {
        "missing_value",
        "malformed",
        "missing_field",
        "wrong_type",
        "unknown_update_type",
        "unknown_action",
        "timestamp_out_of_range",
        "heart_rate_out_of_range",
    }


def test_dirt_changes_no_table(
    clean: dict[str, list[Any]], dirty: tuple[dict[str, Any], dict[str, list[Any]]]
) -> None:
    def content(rows: list[Any]) -> list[str]:
        # Dirt adds values to an instant, of which the lowest stands.
        return sorted(repr({**row, "num_values": None}) for row in rows)

    for table in clean.keys() - LINEAGE:
        assert content(clean[table]) == content(dirty[1][table]), table


def test_dirt_repeats_and_ignores_logouts(
    clean: dict[str, list[Any]], dirty: tuple[dict[str, Any], dict[str, list[Any]]]
) -> None:
    def count(tables: dict[str, list[Any]], name: str) -> int:
        return sum(row[name] for row in tables["feed_arrivals"])

    assert count(dirty[1], "accepted") > count(clean, "accepted")
    assert count(dirty[1], "logouts_ignored") > 0
