"""The definition has no faults, and the linter finds each kind of fault that is put into it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import duckdb
import pytest
import yaml

from local.dashboard import lint
from local.dashboard.definition import Definition
from local.home import CHECKOUT
from tests.dashboard.gold import Gold, contracts

Json = dict[str, Any]


@pytest.fixture(scope="module")
def gold() -> Gold:
    return Gold.empty()


@pytest.fixture(scope="module")
def columns(definition: Definition, gold: Gold) -> dict[str, list[str]]:
    """Columns of each dataset, by running its SQL."""
    return {each.name: list(gold.query(each.sql).columns) for each in definition.datasets}


@pytest.fixture(scope="module")
def metrics() -> list[str]:
    models = yaml.safe_load((CHECKOUT / "models/semantic_models.yml").read_text())
    return [metric["name"] for metric in models["metrics"]]


def test_the_definition_has_no_faults(
    definition: Definition, columns: dict[str, list[str]], metrics: list[str]
) -> None:
    assert lint.check(definition.raw, columns, metrics, contracts()) == []


def test_each_counter_has_a_metric_and_there_are_ten_at_most(
    definition: Definition, metrics: list[str]
) -> None:
    named = [
        widget["spec"]["frame"]["description"].removeprefix("Metric: ")
        for _, widget in definition.widgets()
        if widget.get("spec", {}).get("widgetType") == "counter"
    ]
    assert sorted(named) == sorted(metrics)
    assert len(metrics) <= 10


def test_broken_sql_does_not_pass(gold: Gold, definition: Definition) -> None:
    broken = definition.datasets[0].sql.replace("minutes_in_gym", "minutes_in_gim")
    with pytest.raises(duckdb.Error):
        gold.query(broken)


def dataset(raw: Json, name: str) -> Json:
    found: Json = next(each for each in raw["datasets"] if each["name"] == name)
    return found


def item(raw: Json, name: str) -> Json:
    found: Json = next(
        each for page in raw["pages"] for each in page["layout"] if each["widget"]["name"] == name
    )
    return found


def fields(raw: Json, name: str) -> list[Json]:
    found: list[Json] = item(raw, name)["widget"]["queries"][0]["query"]["fields"]
    return found


def spec(raw: Json, name: str) -> Json:
    found: Json = item(raw, name)["widget"]["spec"]
    return found


def measure(raw: Json, of: str, name: str) -> Json:
    found: Json = next(m for m in dataset(raw, of)["columns"] if m["displayName"] == name)
    return found


def _lines(raw: Json, old: str, new: str) -> None:
    lines = dataset(raw, "visits")["queryLines"]
    assert any(old in line for line in lines)
    lines[:] = [line.replace(old, new) for line in lines]


MUTANTS: dict[str, tuple[Callable[[Json], object], str]] = {
    "field name unlike the encoding": (
        lambda raw: fields(raw, "gym-visits")[0].update(name="visits"),
        "is no field of the query",
    ),
    "column that the SQL does not give": (
        lambda raw: fields(raw, "visits-per-day")[0].update(expression="`day`"),
        "visits has no column day",
    ),
    "measure over a missing column": (
        lambda raw: measure(raw, "visits", "gym_visits").update(
            expression="CASE WHEN COUNT(DISTINCT `member`) >= 5 THEN SUM(`visit`) END"
        ),
        "gives no column visit",
    ),
    "measure that does not exist": (
        lambda raw: fields(raw, "gym-visits")[0].update(expression="MEASURE(`vists`)"),
        "no such measure",
    ),
    "measure without its guard": (
        lambda raw: measure(raw, "visits", "gym_visits").update(expression="SUM(`visits`)"),
        "groups of fewer than 5",
    ),
    "guard of four members": (
        lambda raw: measure(raw, "workouts", "workouts").update(
            expression="CASE WHEN COUNT(DISTINCT `member`) >= 4 THEN COUNT(*) END"
        ),
        "groups of fewer than 5",
    ),
    "aggregate beside the measures": (
        lambda raw: fields(raw, "gym-visits")[0].update(expression="SUM(`visits`)"),
        "groups of fewer than 5",
    ),
    "members one by one": (
        lambda raw: fields(raw, "gym-minutes-per-member")[0].update(expression="`member`"),
        "shows members one by one",
    ),
    "single rows of members": (
        lambda raw: item(raw, "league-table")["widget"]["queries"][0]["query"].update(
            disaggregated=True
        ),
        "disaggregated",
    ),
    "an expression of another language": (
        lambda raw: fields(raw, "gym-visits")[0].update(expression="PERCENTILE(`visits`, 0.5)"),
        "not among the functions",
    ),
    "dataset that does not exist": (
        lambda raw: item(raw, "gym-visits")["widget"]["queries"][0]["query"].update(
            datasetName="visit"
        ),
        "there is no dataset visit",
    ),
    "unused dataset": (
        lambda raw: raw["datasets"].append({**dataset(raw, "days"), "name": "spare"}),
        "dataset spare: no widget uses it",
    ),
    "dataset twice": (
        lambda raw: raw["datasets"].append(copy.deepcopy(dataset(raw, "days"))),
        "dataset days: the name occurs twice",
    ),
    "lines that join": (
        lambda raw: dataset(raw, "visits").update(
            queryLines=[line.strip() for line in dataset(raw, "visits")["queryLines"]]
        ),
        "join without a space",
    ),
    "two statements": (
        lambda raw: dataset(raw, "visits")["queryLines"].append("; SELECT 1"),
        "more than one statement",
    ),
    "qualified table": (
        lambda raw: _lines(raw, "FROM gym_summary", "FROM gold.gym_summary"),
        "gold.gym_summary is qualified",
    ),
    "table that does not exist": (
        lambda raw: _lines(raw, "FROM gym_summary", "FROM gym_summaries"),
        "there is no table gym_summaries",
    ),
    "overlap": (
        lambda raw: item(raw, "visiting-members")["position"].update(x=2),
        "overlaps gym-visits",
    ),
    "outside the grid": (
        lambda raw: item(raw, "league-table")["position"].update(x=1),
        "outside the grid",
    ),
    "widget name twice": (
        lambda raw: item(raw, "league-table")["widget"].update(name="gym-visits"),
        "widget gym-visits: the name occurs twice",
    ),
    "old version of a widget": (
        lambda raw: spec(raw, "gym-visits").update(version=1),
        "counter has version 1",
    ),
    "unknown widget": (
        lambda raw: spec(raw, "busy-hours").update(widgetType="heat-map"),
        "unknown widgetType heat-map",
    ),
    "missing encoding": (
        lambda raw: spec(raw, "busy-hours")["encodings"].pop("color"),
        "no encoding color",
    ),
    "axis without a scale": (
        lambda raw: spec(raw, "busy-hours")["encodings"]["x"].pop("scale"),
        "x has no scale.type",
    ),
    "no title": (lambda raw: spec(raw, "busy-hours")["frame"].update(title=""), "no title"),
    "no unit": (
        lambda raw: spec(raw, "median-duration")["frame"].update(title="Median duration"),
        "no unit in the title",
    ),
    "counter without a metric": (
        lambda raw: spec(raw, "gym-visits")["frame"].pop("description"),
        "names no metric",
    ),
    "unknown metric": (
        lambda raw: spec(raw, "gym-visits")["frame"].update(description="Metric: visits"),
        "there is no metric visits",
    ),
    "a filter that misses a dataset": (
        lambda raw: item(raw, "filter-gender")["widget"]["queries"].pop(0),
        "gender does not reach dataset visits",
    ),
    "no filter for the city": (
        lambda raw: raw["pages"][0]["layout"].remove(item(raw, "filter-city")),
        "there is none for city",
    ),
    "a member's data on an operator page": (
        lambda raw: item(raw, "league-table")["widget"]["queries"][0]["query"].update(
            datasetName="member_visits"
        ),
        "shows nothing else",
    ),
    "page of an unknown type": (
        lambda raw: raw["pages"][1].update(pageType="PAGE_TYPE_CANVASS"),
        "pageType is PAGE_TYPE_CANVASS",
    ),
    "old grid": (
        lambda raw: raw["pages"][1].update(layoutVersion="GRID_V0"),
        "layoutVersion is GRID_V0",
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_the_linter_finds(
    name: str, definition: Definition, columns: dict[str, list[str]], metrics: list[str]
) -> None:
    change, finding = MUTANTS[name]
    raw = copy.deepcopy(definition.raw)
    change(raw)
    found = lint.check(raw, columns, metrics, contracts())
    assert any(finding in each for each in found), found
