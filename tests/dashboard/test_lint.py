"""The definition has no faults, and the linter finds each kind of fault that is put into it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import duckdb
import pytest
import vl_convert

from lakehouse.dashboard import lint
from lakehouse.dashboard.definition import CUSTOM, Definition
from tests.dashboard.gold import Gold, contracts

Json = dict[str, Any]


@pytest.fixture(scope="module")
def gold() -> Gold:
    return Gold.empty()


@pytest.fixture(scope="module")
def columns(definition: Definition, gold: Gold) -> dict[str, list[str]]:
    """Columns of each dataset, by running its SQL."""
    return {each.name: list(gold.query(each.sql).columns) for each in definition.datasets}


def test_the_definition_has_no_faults(
    definition: Definition, columns: dict[str, list[str]]
) -> None:
    assert lint.check(definition.raw, columns, contracts()) == []


def test_broken_sql_does_not_pass(gold: Gold, definition: Definition) -> None:
    broken = definition.datasets[0].sql.replace("peak_members", "peak_member")
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


def _lines(raw: Json, of: str, old: str, new: str) -> None:
    lines = dataset(raw, of)["queryLines"]
    assert any(old in line for line in lines)
    lines[:] = [line.replace(old, new) for line in lines]


def _vega_lite(raw: Json, name: str, old: str, new: str) -> None:
    text = spec(raw, name)["jsonSpec"]["spec"]
    assert old in text
    spec(raw, name)["jsonSpec"]["spec"] = text.replace(old, new)


def _column(raw: Json, name: str, title: str) -> Json:
    columns = spec(raw, name)["encodings"]["columns"]
    found: Json = next(column for column in columns if column["displayName"] == title)
    return found


MUTANTS: dict[str, tuple[Callable[[Json], object], str]] = {
    "field name unlike the encoding": (
        lambda raw: fields(raw, "visits-28")[0].update(name="visits"),
        "is no field of the query",
    ),
    "column that the SQL does not give": (
        lambda raw: fields(raw, "visits-a-day")[0].update(expression="`day`"),
        "gym_days has no column day",
    ),
    "measure over a missing column": (
        lambda raw: measure(raw, "gym_days", "all_visits").update(expression="SUM(`visit`)"),
        "gives no column visit",
    ),
    "measure that does not exist": (
        lambda raw: fields(raw, "visits-28")[0].update(expression="MEASURE(`vists`)"),
        "no such measure",
    ),
    "a group without its guard": (
        lambda raw: _lines(raw, "zones_by_age", "HAVING COUNT(DISTINCT user_id) >= 5", ""),
        "rows about fewer than 5 members",
    ),
    "guard of four members": (
        lambda raw: _lines(raw, "zones_by_age", ">= 5", ">= 4"),
        "rows about fewer than 5 members",
    ),
    "a guard of rows, not of members": (
        lambda raw: _lines(raw, "zones_by_age", "COUNT(DISTINCT user_id)", "COUNT(*)"),
        "rows about fewer than 5 members",
    ),
    "a guard of something else": (
        lambda raw: dataset(raw, "zones_by_age")["queryLines"].append(" OR age_band = '95+'"),
        "rows about fewer than 5 members",
    ),
    "a guard for one half only": (
        lambda raw: dataset(raw, "at_risk")["queryLines"].insert(
            0, "SELECT user_id, 'x', 1 FROM member_activity UNION ALL "
        ),
        "rows about fewer than 5 members",
    ),
    "the highest of a group": (
        lambda raw: _lines(raw, "workouts_by_age", "SUM(max_bpm) AS", "MAX(max_bpm) AS"),
        "MAX shows a value of one member",
    ),
    "an id in a row": (
        lambda raw: _lines(raw, "zones_by_age", "SELECT age_band, who,", "SELECT user_id, who,"),
        "shows user_id",
    ),
    "single rows of members": (
        lambda raw: _lines(raw, "gym_days", "FROM gym_days d", "FROM gym_summary d"),
        "rows about fewer than 5 members",
    ),
    "a table that managers may not read": (
        lambda raw: _lines(raw, "gym_days", "FROM gym_days d", "FROM pipeline_health d"),
        "how-full: its readers may not read pipeline_health",
    ),
    "an expression of another language": (
        lambda raw: fields(raw, "visits-28")[0].update(expression="PERCENTILE(`visits`, 0.5)"),
        "not among the functions",
    ),
    "dataset that does not exist": (
        lambda raw: item(raw, "visits-28")["widget"]["queries"][0]["query"].update(
            datasetName="visit"
        ),
        "there is no dataset visit",
    ),
    "unused dataset": (
        lambda raw: raw["datasets"].append({**dataset(raw, "months"), "name": "spare"}),
        "dataset spare: no widget uses it",
    ),
    "dataset twice": (
        lambda raw: raw["datasets"].append(copy.deepcopy(dataset(raw, "months"))),
        "dataset months: the name occurs twice",
    ),
    "lines that join": (
        lambda raw: dataset(raw, "months").update(
            queryLines=[line.strip() for line in dataset(raw, "months")["queryLines"]]
        ),
        "join without a space",
    ),
    "two statements": (
        lambda raw: dataset(raw, "months")["queryLines"].append("; SELECT 1"),
        "more than one statement",
    ),
    "qualified table": (
        lambda raw: _lines(raw, "gym_days", "FROM gym_days d", "FROM gold.gym_days d"),
        "gold.gym_days is qualified",
    ),
    "table that does not exist": (
        lambda raw: _lines(raw, "gym_days", "FROM gym_days d", "FROM gym_dais d"),
        "there is no table gym_dais",
    ),
    "overlap": (
        lambda raw: item(raw, "members-now")["position"].update(x=2),
        "overlaps peak-share",
    ),
    "outside the grid": (
        lambda raw: item(raw, "by-gym")["position"].update(x=1),
        "outside the grid",
    ),
    "widget name twice": (
        lambda raw: item(raw, "by-gym")["widget"].update(name="peak-share"),
        "widget peak-share: the name occurs twice",
    ),
    "old version of a widget": (
        lambda raw: spec(raw, "peak-share").update(version=1),
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
    "a part that the page does not draw": (
        lambda raw: spec(raw, "visits-a-day").update(mark={"layout": "group"}),
        "mark is not drawn",
    ),
    "axis without a scale": (
        lambda raw: spec(raw, "busy-hours")["encodings"]["x"].pop("scale"),
        "x has no scale.type",
    ),
    "no title": (lambda raw: spec(raw, "busy-hours")["frame"].update(title=""), "no title"),
    "no unit": (
        lambda raw: spec(raw, "peak-share")["frame"].update(title="How full"),
        "no unit in the title",
    ),
    "a comparison without words": (
        lambda raw: spec(raw, "peak-share")["encodings"]["target"].pop("displayName"),
        "target has no displayName",
    ),
    "a pivot without colours": (
        lambda raw: spec(raw, "cohort-pivot")["encodings"]["cell"]["fields"][0].pop("style"),
        "the cells have no colour scale",
    ),
    "an operator of another language": (
        lambda raw: _column(raw, "feeds", "Rejected")["style"]["rules"][0]["condition"].update(
            operator="over"
        ),
        "operator over is not known",
    ),
    "a condition on a number": (
        lambda raw: _column(raw, "feeds", "Rejected")["style"]["rules"][0]["condition"][
            "operand"
        ].update(value=0.05),
        "a condition's value is no text",
    ),
    "a goal as a number": (
        lambda raw: spec(raw, "zone-minutes-by-age")["annotations"][0]["encodings"]["x"].update(
            dataValue=150
        ),
        "an annotation is a vertical-line at a number, as text",
    ),
    "a custom visualization as an object": (
        lambda raw: spec(raw, "today")["jsonSpec"].update(spec={}),
        "no text of JSON",
    ),
    "a custom visualization over other data": (
        lambda raw: _vega_lite(raw, "today", '"databricks_query"', '"gym_days"'),
        "the data are not databricks_query",
    ),
    "a custom visualization from elsewhere": (
        lambda raw: _vega_lite(
            raw, "bpm-per-workout", '{"name":"databricks_query"}', '{"url":"https://example.com"}'
        ),
        "reaches for an address",
    ),
    "a custom visualization of one width": (
        lambda raw: _vega_lite(raw, "bpm-per-workout", '"width":"container"', '"width":500'),
        "not that of the container",
    ),
    "a custom visualization of an unknown field": (
        lambda raw: _vega_lite(raw, "bpm-per-workout", '"field":"lowest"', '"field":"least"'),
        "'least' is not among its fields",
    ),
    "a custom visualization that leaves out a field": (
        lambda raw: _vega_lite(raw, "bpm-per-workout", '"field":"mean"', '"field":"highest"'),
        "'mean' is not used",
    ),
    "a filter that misses a dataset": (
        lambda raw: item(raw, "filter-gym")["widget"]["queries"].pop(0),
        "gym does not reach dataset gym_days",
    ),
    "no filter for the feed": (
        lambda raw: raw["pages"][-1]["layout"].remove(item(raw, "filter-feed")),
        "there is none for feed",
    ),
    "members counted twice": (
        lambda raw: spec(raw, "filter-who").pop("selection"),
        "who overlap",
    ),
    "a member's data on an operator page": (
        lambda raw: item(raw, "by-gym")["widget"]["queries"][0]["query"].update(
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
def test_the_linter_finds(name: str, definition: Definition, columns: dict[str, list[str]]) -> None:
    change, finding = MUTANTS[name]
    raw = copy.deepcopy(definition.raw)
    change(raw)
    # An id that the changed SQL gives.
    given = {**columns, "zones_by_age": ["user_id"]} if finding == "shows user_id" else columns
    found = lint.check(raw, given, contracts())
    assert any(finding in each for each in found), found


def test_custom_visualizations_are_vega_lite(definition: Definition) -> None:
    for _, widget in definition.widgets():
        if widget.get("spec", {}).get("widgetType") == CUSTOM:
            vega_lite = json.loads(widget["spec"]["jsonSpec"]["spec"])
            # What AI/BI gives to a specification by name.
            given = {"colors": {"textPrimary": {}, "textSecondary": {}}, "mode": "light"}
            given["dashboardTheme"] = {"visualizationColors": ["#0072B2"] * 8}
            params = [{"name": name, "value": value} for name, value in given.items()]
            vega = vl_convert.vegalite_to_vega({**vega_lite, "params": params}, vl_version="6.4")
            assert vega["marks"], widget["name"]
