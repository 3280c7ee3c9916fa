"""Whatever carries a personal value is tagged so, and gold holds nearly none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.personal_data.lineage import Column, Model, bronze, carried, models

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def known() -> dict[str, Model]:
    return models(ROOT)


@pytest.fixture(scope="module")
def carrying(known: dict[str, Model]) -> dict[Column, set[str]]:
    return carried(ROOT, known)


def test_what_carries_a_personal_value_is_tagged(
    known: dict[str, Model], carrying: dict[Column, set[str]]
) -> None:
    untagged = {
        f"{name}.{column}": sorted(tags)
        for (name, column), tags in carrying.items()
        if tags and {known[name].tags[column]} != tags
    }
    assert untagged == {}


def test_no_tag_without_a_reason(known: dict[str, Model], carrying: dict[Column, set[str]]) -> None:
    needless = [
        f"{name}.{column}"
        for (name, column), tags in carrying.items()
        # An age by day is computed from a birth date and tells it.
        if known[name].tags[column] not in (None, "age") and not tags
    ]
    assert needless == []


def test_bronze_is_tagged_where_staging_takes_personal_values_from(
    known: dict[str, Model],
) -> None:
    """A payload as a whole; a column of a file that is one of staging's personal columns."""
    personal = {
        (column, tag)
        for model in known.values()
        if model.is_staging
        for column, tag in model.tags.items()
        if tag
    }
    for (table, column), tag in bronze(ROOT).items():
        wanted = "payload" if column in ("value", "raw") else dict(personal).get(column)
        assert tag == wanted, f"{table}.{column}"


def test_the_lineage_reaches_through(carrying: dict[Column, set[str]]) -> None:
    """Through unions, windows, structs, the snapshot and macros; not through what loses a value."""
    assert carrying["device_registrations", "identifier"] == {"mac_address"}
    assert carrying["user_profiles", "date_of_birth"] == {"birth_date"}
    assert carrying["gym_summary", "mac_address"] == {"mac_address"}
    assert carrying["profile_versions", "date_of_birth"] == {"birth_date"}
    assert carrying["user_bins", "age_band"] == set()
    assert carrying["workout_bpm_summary", "age"] == set()


def test_gold_holds_one_personal_column(
    known: dict[str, Model], carrying: dict[Column, set[str]]
) -> None:
    in_gold = {
        column for column, tags in carrying.items() if tags and known[column[0]].layer == "gold"
    }
    assert in_gold == {("gym_summary", "mac_address")}
