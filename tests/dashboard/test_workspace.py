"""Dashboard, members' file, metrics and docs of a workspace: the worked example and the cases."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from lakehouse.dashboard.definition import Definition
from lakehouse.dashboard.sources import endpoint
from lakehouse.home import CHECKOUT
from tests.dashboard.browser import opened, ready
from tests.dashboard.metrics import BY_HAND, saved_statement, statements
from tests.dashboard.test_metrics import shared
from tests.dashboard.test_page import TABS, choose, differences
from tests.landed import Landed
from tests.support import Workspace

DOCS = ("index.html", "lineage.html", "freshness.html", "runs.html")


@pytest.fixture(scope="module")
def workspace(example_workspace: Workspace, landed_cases: Landed) -> Workspace:
    assert landed_cases.records
    return example_workspace


@pytest.fixture(scope="module")
def member(workspace: Workspace) -> str:
    """A member with readings and a workout."""
    rows = workspace.sql("select max(user_id) as user_id from gold.workout_bpm_summary")
    return str(rows[0]["user_id"])


@pytest.fixture(scope="module")
def pages(workspace: Workspace, member: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("pages") / "fitbit.html"
    done = workspace.run("dashboard", "--out", out, "--members", member)
    assert done.stdout.split() == [str(out), str(out.with_name("fitbit.members.html"))]
    return out


@pytest.fixture(scope="module")
def docs(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    out = tmp_path_factory.mktemp("docs")
    done = workspace.run("docs", "--out", out)
    assert done.stdout.split() == [str(out / name) for name in DOCS]
    yield out


def test_the_definition_has_no_faults_on_the_workspace(workspace: Workspace) -> None:
    assert "no faults" in workspace.run("dashboard", "--check").stdout


def test_every_number_is_that_of_sql_on_gold_filtered_or_not(
    workspace: Workspace, pages: Path, definition: Definition, browser: Any
) -> None:
    with endpoint(workspace.home) as gold, opened(browser, pages, tab=TABS[0]) as page:
        for tab in TABS:
            page.locator(f"#tab-{tab}").click()
            ready(page, tab)
            assert differences(page, gold, definition, tab, {}) == []
        choose(page, "filter-feed", "bpm")
        ready(page, "pipeline")
        assert differences(page, gold, definition, "pipeline", {"feed": "feed = 'bpm'"}) == []
        page.locator("#tab-how-full").click()
        choose(page, "filter-gym", "late-g")
        ready(page, "how-full")
        assert differences(page, gold, definition, "how-full", {"gym": "gym = 'late-g'"}) == []


def test_measures_with_a_metrics_name_are_the_metric_on_gold(
    workspace: Workspace, pages: Path, definition: Definition, browser: Any
) -> None:
    parsed = workspace.home.root / "dbt" / "target"
    manifest = json.loads((parsed / "manifest.json").read_text(encoding="utf-8"))
    measures = shared(definition, manifest)
    with opened(browser, pages, tab=TABS[0]) as page:
        ask = "([dataset, name]) => dashboard.measure(dataset, name)"
        shown = {name: page.evaluate(ask, [dataset, name]) for dataset, name in measures}
    sql = statements(parsed / "semantic_manifest.json", list(shown))
    wanted = {name: float(next(iter(workspace.sql(sql[name])[0].values()))) for name in shown}
    assert shown == pytest.approx(wanted, rel=1e-9)


def test_metrics_are_what_sql_by_hand_gives_on_gold(workspace: Workspace) -> None:
    parsed = workspace.home.root / "dbt" / "target" / "semantic_manifest.json"

    def number(sql: str) -> float | None:
        (value,) = workspace.sql(sql)[0].values()
        return None if value is None else float(value)

    for name, sql in statements(parsed, list(BY_HAND)).items():
        wanted = number(BY_HAND[name].replace(" from ", " from gold."))
        found = number(sql)
        assert found == (None if wanted is None else pytest.approx(wanted, rel=1e-9)), name
    names = json.loads(parsed.read_text(encoding="utf-8"))["saved_queries"]
    for saved in names:
        workspace.sql(saved_statement(parsed, saved["name"]))


def test_each_table_of_gold_has_an_example_that_runs(workspace: Workspace, member: str) -> None:
    path = workspace.home.root / "dbt" / "target" / "manifest.json"
    nodes = json.loads(path.read_text(encoding="utf-8"))["nodes"].values()
    gold = [n for n in nodes if n["resource_type"] == "model" and n["schema"] == "gold"]
    assert gold
    for node in gold:
        example = node["config"]["meta"]["example"]
        wanted = {"user_id": member, "date": "2026-03-01"}
        workspace.sql(example, {k: v for k, v in wanted.items() if f":{k}" in example})


def test_the_members_day_agrees_with_gold(
    workspace: Workspace, pages: Path, member: str, browser: Any
) -> None:
    path = pages.with_name("fitbit.members.html")
    assert path.stat().st_mode & 0o077 == 0
    zones = workspace.sql(
        "select time_zone from silver.member_zones where user_id = :member", {"member": member}
    )
    zone = zones[0]["time_zone"] if zones else "UTC"
    workout = workspace.sql(
        "select *, from_utc_timestamp(started_at, :zone) as local_start"
        " from gold.workout_bpm_summary where user_id = :member order by started_at desc limit 1",
        {"member": member, "zone": zone},
    )[0]
    day = workout["workout_date"]
    readings = workspace.sql(
        "select count(distinct date_trunc('minute', measured_at)) as minutes,"
        " min(heart_rate_bpm) as lowest from silver.heart_rates where user_id = :member"
        " and cast(from_utc_timestamp(measured_at, :zone) as date) = cast(:day as date)",
        {"member": member, "zone": zone, "day": str(day)},
    )[0]
    with opened(browser, path, tab="day") as shown:
        shown.locator("#day").select_option(str(day))
        ready(shown, "day")
        text = shown.locator("#page-day").inner_text()
        found = shown.evaluate(
            "() => members.stepsOf(members.state.day.start, members.state.day.count)"
        )
    assert f"{workout['local_start']:%H:%M}" in text
    assert f"{workout['avg_bpm']:.1f}" in text
    if workout["city"]:
        assert workout["city"] in text
    assert len(found) == readings["minutes"]
    assert min(step["lowest"] for step in found) == readings["lowest"]


def test_an_unknown_member_ends_in_a_sentence(workspace: Workspace, tmp_path: Path) -> None:
    done = workspace.run(
        "dashboard", "--out", tmp_path / "x.html", "--members", "nobody", check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("lakehouse: gold knows no member nobody")
    assert not list(tmp_path.iterdir())


def test_docs_open_as_files(docs: Path, browser: Any) -> None:
    for name, word in zip(
        DOCS,
        ("Fitbit lakehouse", "fitbit_lakehouse", "bronze.gym_logins", "Runs of dbt"),
        strict=True,
    ):
        context = browser.new_context()
        context.set_default_timeout(180_000)
        try:
            page = context.new_page()
            outside: list[str] = []
            page.on("request", lambda request, seen=outside: seen.append(request.url))
            page.goto((docs / name).as_uri())
            page.wait_for_function("word => document.body.innerText.includes(word)", arg=word)
            assert [url for url in outside if re.match(r"https?://", url)] == [], name
        finally:
            context.close()


def test_the_lineage_goes_from_source_columns_to_gold(docs: Path) -> None:
    found = json.loads((docs / "artifacts/lineage/colibri-manifest.json").read_text())
    parents: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for edge in found["lineage"]["edges"]:
        to, of = (
            (edge[node].split(".")[-1], edge[column].lower())
            for node, column in (("target", "targetColumn"), ("source", "sourceColumn"))
        )
        if edge["sourceColumn"]:
            parents.setdefault(to, set()).add(of)
    reached, fresh = set(), {("daily_heart_rates", "max_bpm")}
    while fresh:
        reached |= fresh
        fresh = {of for to in fresh for of in parents.get(to, ())} - reached
    assert ("heart_rates", "heart_rate_bpm") in reached
    assert ("bpm", "value") in reached


def test_the_catalog_has_every_relation_and_column_with_type_and_comment(
    workspace: Workspace, docs: Path
) -> None:
    manifest = json.loads((docs / "artifacts" / "manifest.json").read_text())
    catalog = json.loads((docs / "artifacts" / "catalog.json").read_text())
    assert not catalog["errors"]
    built = {
        key: node
        for key, node in manifest["nodes"].items()
        if node["resource_type"] in ("model", "seed", "snapshot")
    }
    assert set(catalog["nodes"]) == set(built)
    assert set(catalog["sources"]) == set(manifest["sources"])
    # The adapter gives dbt no comments of columns in the catalog, on Databricks neither: dbt's site
    # has them from the manifest, everybody else from the tables.
    views, schemas = "system.information_schema", "table_schema in ('bronze', 'silver', 'gold')"
    tables = {
        (row["table_schema"], row["table_name"]): row["comment"]
        for row in workspace.sql(
            f"select table_schema, table_name, comment from {views}.tables where {schemas}"
        )
    }
    columns = {
        (row["table_schema"], row["table_name"], row["column_name"]): row
        for row in workspace.sql(
            "select table_schema, table_name, column_name, full_data_type, comment"
            f" from {views}.columns where {schemas}"
        )
    }
    listed_columns = {
        key: table["columns"] for key, table in {**catalog["nodes"], **catalog["sources"]}.items()
    }
    faults = []
    for key, node in {**built, **manifest["sources"]}.items():
        place = (node["schema"], node.get("alias") or node["identifier"])
        listed = listed_columns[key]
        if set(listed) != set(node["columns"]):
            faults.append(f"{key}: {sorted(set(listed) ^ set(node['columns']))}")
        if not node["description"]:
            faults.append(f"{key} has no description")
        if not tables[place] or (key in built and not _same(tables[place], node["description"])):
            faults.append(f"{key} has the comment {tables[place]!r}")
        for name, column in node["columns"].items():
            stored = columns[(*place, name)]
            if not column["description"]:
                faults.append(f"{key}.{name} has no description")
            if not stored["comment"] or (
                key in built and not _same(stored["comment"], column["description"])
            ):
                faults.append(f"{key}.{name} has the comment {stored['comment']!r}")
            if not stored["full_data_type"] or listed[name]["type"] != stored["full_data_type"]:
                faults.append(f"{key}.{name} has the type {listed[name]['type']!r}")
    assert faults == []


def _same(comment: str, description: str) -> bool:
    return comment.strip() == description.strip()


def test_the_dashboard_is_an_exposure_with_owner_and_address(docs: Path) -> None:
    manifest = json.loads((docs / "artifacts" / "manifest.json").read_text())
    exposure = manifest["exposures"]["exposure.fitbit_lakehouse.fitbit_dashboard"]
    assert exposure["owner"]["email"]
    assert exposure["url"].startswith("https://")
    tables = set(re.findall(r"\b(?:FROM|JOIN) (\w+)", " ".join(_sql(Definition.read()))))
    refs = {node.split(".")[-1] for node in exposure["depends_on"]["nodes"]}
    metrics = {key.split(".")[-1] for key in manifest["metrics"]}
    assert refs - metrics == tables
    assert refs & metrics == {name for _, name in shared(Definition.read(), manifest)}


def _sql(definition: Definition) -> list[str]:
    return [dataset.sql for dataset in definition.datasets]


def test_no_personal_value_or_payload_is_in_the_artifacts(workspace: Workspace, docs: Path) -> None:
    personal = workspace.sql(
        "select first_name, last_name, street_address, zip_code, cast(date_of_birth as string)"
        " as born from silver.user_profile_history"
    )
    # Short words, 'Al' say, stand in any text.
    values = {str(v) for row in personal for v in row.values() if v is not None and len(str(v)) > 5}
    macs = workspace.sql("select distinct mac_address as mac from gold.gym_summary")
    values |= {row["mac"] for row in macs}
    payloads = workspace.sql("select distinct cast(value as string) as v from bronze.user_info")
    values |= {row["v"] for row in payloads if row["v"] and len(row["v"]) > 12}
    assert len(values) > 10
    # What the sources of the project say themselves, in unit tests say, is no leak.
    # Nor are words of the pages' own programs.
    own = "\n".join(
        path.read_text(encoding="utf-8", errors="replace")
        for package in ("dbt.task.docs", "dbt_colibri")
        for folder in (find_spec(package) or pytest.fail(package)).submodule_search_locations or ()
        for path in Path(folder).rglob("*.html")
    )
    own += "\n".join(
        path.read_text(encoding="utf-8")
        for folder in ("models", "macros", "snapshots", "seeds", "tests/dbt")
        for path in (CHECKOUT / folder).rglob("*.*")
        if path.suffix in (".sql", ".yml", ".csv", ".md")
    )
    found = []
    for path in sorted(docs.rglob("*.*")):
        if path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            found += [f"{path.name}: {v}" for v in values if v in text and v not in own]
    assert found == []
