"""What dbt's manifest says: metrics that counters show, descriptions, entities."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ingestion import bronze
from lakehouse import dbt
from lakehouse.dashboard.definition import Definition, Json
from lakehouse.home import CHECKOUT
from tests.dashboard.browser import opened
from tests.dashboard.conftest import Written
from tests.dashboard.metrics import BY_HAND, saved_statement, statements
from tests.dashboard.test_page import TABS


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with dbt's manifests; parsing refuses metrics that are not valid."""
    folder = tmp_path_factory.mktemp("dbt")
    subprocess.run(
        [
            *dbt.command("--quiet", "--warn-error", "parse", "--no-partial-parse"),
            *("--target-path", folder, "--log-path", folder),
        ],
        check=True,
    )
    return folder


@pytest.fixture(scope="module")
def manifest(parsed: Path) -> Json:
    read: Json = json.loads((parsed / "manifest.json").read_text(encoding="utf-8"))
    return read


def test_metrics_and_saved_queries_are_described(manifest: Json) -> None:
    found = [*manifest["metrics"].values(), *manifest["saved_queries"].values()]
    assert len(found) > len(manifest["saved_queries"]) > 0
    assert [one["name"] for one in found if not one["description"]] == []


def test_metrics_are_what_sql_by_hand_gives(parsed: Path, many: Written) -> None:
    sql = statements(parsed / "semantic_manifest.json", list(BY_HAND))
    for name, by_hand in BY_HAND.items():
        (found,), (wanted,) = (
            many.gold.query(sql[name]).values[0],
            many.gold.query(by_hand).values[0],
        )
        assert float(found) == pytest.approx(float(wanted), rel=1e-9), name


def test_saved_queries_are_sql(parsed: Path, manifest: Json, many: Written) -> None:
    for saved in manifest["saved_queries"].values():
        sql = saved_statement(parsed / "semantic_manifest.json", saved["name"])
        assert many.gold.query(sql).values, saved["name"]


def shared(definition: Definition, manifest: Json) -> list[tuple[str, str]]:
    """(dataset, measure) of the dashboard's measures that are metrics: they have one name."""
    metrics = {metric["name"] for metric in manifest["metrics"].values()}
    return [(d.name, name) for d in definition.datasets for name in d.measures if name in metrics]


def test_measures_with_a_metrics_name_are_the_metric(
    browser: Any, many: Written, definition: Definition, parsed: Path, manifest: Json
) -> None:
    measures = shared(definition, manifest)
    assert ("health", "records_rejected") in measures
    with opened(browser, many.path, tab=TABS[0]) as page:
        ask = "([dataset, name]) => dashboard.measure(dataset, name)"
        shown = {name: page.evaluate(ask, [dataset, name]) for dataset, name in measures}
    sql = statements(parsed / "semantic_manifest.json", list(shown))
    wanted = {name: float(many.gold.query(sql[name]).values[0][0]) for name in shown}
    assert shown == pytest.approx(wanted, rel=1e-9)


def test_everything_is_described(manifest: Json) -> None:
    nodes = [*manifest["nodes"].values(), *manifest["sources"].values()]
    missing = [
        name
        for node in nodes
        if node["resource_type"] in ("model", "seed", "snapshot", "source")
        for name, text in [
            (node["name"], node["description"]),
            *((f"{node['name']}.{c['name']}", c["description"]) for c in node["columns"].values()),
        ]
        if not text
    ]
    assert missing == []
    # An enforced contract lists every column.
    gold = [n for n in nodes if n["resource_type"] == "model" and n["schema"] == "gold"]
    assert len(gold) > 7
    assert [n["name"] for n in gold if not n["contract"]["enforced"]] == []


def test_sources_have_the_columns_of_bronze(manifest: Json) -> None:
    tables = {table.name: table.columns for table in bronze.TABLES}
    for source in manifest["sources"].values():
        assert set(source["columns"]) == set(tables[source["name"]]), source["name"]


def test_the_diagram_shows_tables_and_columns_that_are_there(manifest: Json) -> None:
    columns = {node["name"]: set(node["columns"]) for node in manifest["nodes"].values()}
    diagram = (CHECKOUT / "docs/images/entities.svg").read_text(encoding="utf-8")
    boxes = re.findall(r"<g>(.*?)</g>", diagram, re.S)
    shown = {}
    for box in boxes:
        (table,) = re.findall(r'class="on"[^>]*>(\w+)<', box)
        texts = re.findall(r'code"[^>]*>([^<]+)<', box)
        shown[table] = {name for text in texts for name in text.split(", ")} - {"…"}
    assert {name for name, found in shown.items() if not found <= columns[name]} == set()
    gold = {n["name"] for n in manifest["nodes"].values() if n["schema"] == "gold"}
    assert gold - shown.keys() <= {"dates"}
