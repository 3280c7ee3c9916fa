"""Checks of the Data Factory pipeline and of the SQL it calls, without a factory or a server.

Expressions and the order of activities are evaluated by Data Factory's own engine, scripts parsed
by Microsoft's own parser, names taken from what Terraform applied with mocked providers. Each check
returns sentences, one a fault, none when all is well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from deploy.checks import dotnet
from deploy.checks.terraform import State
from ingestion.feeds import FILE_FEEDS

Activity = dict[str, Any]
_INNER = ("activities", "ifTrueActivities", "ifFalseActivities")
_POLICY_TYPES = {"Lookup", "Copy", "WebActivity", "SqlServerStoredProcedure"}
# What the source may answer: changes, none, and a first run.
_WINDOWS = [(5, 9), (9, 9), (-1, 0)]


@dataclass(frozen=True)
class Factory:
    """What the JSON of a pipeline may refer to: parameters by dataset, the other names."""

    datasets: dict[str, set[str]]
    linked: set[str]
    runtimes: set[str]
    parameters: dict[str, str]

    @staticmethod
    def of(state: State) -> Factory:
        prefix = "azurerm_data_factory_"
        (pipeline,) = state.all(f"{prefix}pipeline")
        return Factory(
            {d["name"]: set(d["parameters"] or {}) for d in state.all(f"{prefix}custom_dataset")},
            {v["name"] for v in state.all(f"{prefix}linked_service_")},
            {v["name"] for v in state.all(f"{prefix}integration_runtime_")},
            pipeline["parameters"],
        )


def check(azure: Path, factory: Factory) -> list[str]:
    documents = {}
    for path in sorted((azure / "pipelines").glob("*.json")):
        try:
            documents[path.stem] = json.loads(path.read_text())
        except json.JSONDecodeError as error:
            return [f"{path.name}: {error}"]
    activities = documents.pop("copy_changes")
    faults, statements = _scripts(azure / "sql")
    procedures = {s["name"]: set(s["parameters"]) for s in statements if "parameters" in s}
    for name, document in documents.items():
        used = set(re.findall(r"dataset\(\)\.(\w+)", json.dumps(document)))
        if used != factory.datasets.get(name):
            declared = sorted(factory.datasets.get(name, ()))
            faults.append(f"dataset {name}: declares {declared}, uses {sorted(used)}")
    for activity in _all(activities):
        faults += _activity(activity, factory, procedures)
        for key in _INNER:
            faults += _chain(activity["typeProperties"].get(key, []))
    faults += _tables(azure / "sql", statements)
    return faults or list(_runs(activities, factory))


def _activity(
    activity: Activity, factory: Factory, procedures: dict[str, set[str]]
) -> Iterator[str]:
    name, kind = activity["name"], activity["type"]
    own = {k: v for k, v in activity.items() if k != "typeProperties"}
    own["properties"] = {k: v for k, v in activity["typeProperties"].items() if k not in _INNER}
    if kind in _POLICY_TYPES:
        policy = activity.get("policy", {})
        if not 1 <= policy.get("retry", 0) <= 10:
            yield f"activity {name}: no retries"
        if not re.fullmatch(r"\d\.\d\d:\d\d:\d\d", policy.get("timeout", "")):
            yield f"activity {name}: no timeout"
        if kind == "Copy" and not (policy.get("secureInput") and policy.get("secureOutput")):
            yield f"activity {name}: rows may show in the run's log"
    if re.search(r"(?i)password|accountkey|sharedaccess|[?&]sig=", json.dumps(own)):
        yield f"activity {name}: a secret in the pipeline"
    for reference in _objects(own, "referenceName"):
        target = reference["referenceName"]
        known = {
            "DatasetReference": factory.datasets.keys(),
            "LinkedServiceReference": factory.linked,
            "IntegrationRuntimeReference": factory.runtimes,
        }[reference["type"]]
        if target not in known:
            yield f"activity {name}: Terraform makes no {reference['type']} {target}"
        elif target in factory.datasets:
            given, declared = set(reference.get("parameters", {})), factory.datasets[target]
            if given != declared:
                wanted = f"takes {sorted(declared)}, given {sorted(given)}"
                yield f"activity {name}: dataset {target} {wanted}"
    for key in ("sqlReaderStoredProcedureName", "storedProcedureName"):
        for call in _objects(own, key):
            procedure = re.sub(r"[\[\]]", "", call[key])
            given = set(call.get("storedProcedureParameters", {}))
            if procedure not in procedures:
                yield f"activity {name}: no procedure {procedure} in sql/"
            elif procedures[procedure] != given:
                takes = sorted(procedures[procedure])
                yield f"activity {name}: {procedure} takes {takes}, given {sorted(given)}"
    if kind == "WebActivity":
        signed_in = activity["typeProperties"].get("authentication")
        if signed_in != {"type": "MSI", "resource": "https://storage.azure.com/"}:
            yield f"activity {name}: not by managed identity"


def _chain(activities: list[Activity]) -> Iterator[str]:
    """Each waits for the one before: the engine runs them as listed, Data Factory all at once."""
    for before, after in pairwise(activities):
        wanted = {"activity": before["name"], "dependencyConditions": ["Succeeded"]}
        if wanted not in after["dependsOn"]:
            yield f"activity {after['name']}: does not wait for {before['name']}"


def _runs(activities: list[Activity], factory: Factory) -> Iterator[str]:
    """What each window does to the lake: whole files in ingestion's folders, then the watermark."""
    shown = deepcopy(activities)
    for activity in _all(shown):  # the engine evaluates these properties alone
        if activity["type"] == "Copy":
            activity["typeProperties"]["written"] = activity["outputs"][0]["parameters"]
    document = {
        "activities": shown,
        "parameters": {name: {"type": "string"} for name in factory.parameters},
    }
    feeds = {feed.name for feed in FILE_FEEDS}
    for low, high in _WINDOWS:
        window = {"firstRow": {"from_version": low, "to_version": high}}
        answer = dotnet.evaluate(document, factory.parameters, {"Open window": window})
        if "refused" in answer:
            yield f"window ({low}, {high}]: {answer['refused']}"
            continue
        lake = _Lake(factory.parameters["endpoint"])
        closed: list[str] = []
        for step in answer["seen"]:
            yield from lake.does(step)
            if step["name"] == "Close window":
                given = step["properties"]["storedProcedureParameters"]
                closed.append(given["feed"]["value"])
                if given["to_version"]["value"] != high:
                    yield f"window ({low}, {high}]: closed at {given['to_version']['value']}"
                if closed[-1] not in lake.published:
                    yield f"window ({low}, {high}]: closed before its file is published"
        expected = feeds if high > low else set()
        if set(closed) != expected or lake.published != expected:
            yield f"window ({low}, {high}]: copies {sorted(closed)}, not {sorted(expected)}"


class _Lake:
    """What ADLS does with a request: a rename needs its source, and a folder to go to."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.folders: set[str] = set()
        self.files: set[str] = set()
        self.published: set[str] = set()

    def does(self, step: Activity) -> Iterator[str]:
        properties = step["properties"]
        if step["type"] == "Copy":
            written = properties["written"]
            self.files.add(f"/landing/{written['folder']}/{written['file']}")
            if "/feeds/" in written["folder"]:
                yield f"{step['name']}: writes where ingestion reads; unfinished files would show"
            if properties["sink"]["formatSettings"].get("filePattern") != "setOfObjects":
                yield f"{step['name']}: ingestion reads one JSON object a line"
        elif step["type"] == "WebActivity":
            url = properties["url"]
            if properties["method"] != "PUT" or not url.startswith(self.endpoint):
                yield f"{step['name']}: {properties['method']} {url} is no change of the lake"
                return
            path, _, query = url.removeprefix(self.endpoint.rstrip("/")).partition("?")
            folder, _, name = path.rpartition("/")
            source = properties["headers"].get("x-ms-rename-source")
            if query == "resource=directory" and source is None:
                self.folders.add(path)
            elif source not in self.files:
                yield f"{step['name']}: 404 SourcePathNotFound {source}"
            elif folder not in self.folders:
                yield f"{step['name']}: 404 RenameDestinationParentPathNotFound {folder}"
            else:
                feed = folder.rpartition("/")[2]
                if not re.fullmatch(r"/landing/\w+/feeds/\w+", folder) or feed not in name:
                    yield f"{step['name']}: publishes {path}, where ingestion does not look"
                self.published.add(feed)


def _scripts(folder: Path) -> tuple[list[str], list[dict[str, Any]]]:
    """Faults of all files, and their statements."""
    faults, statements = [], []
    for path in sorted(folder.glob("*.sql")):
        script = dotnet.parse(path.read_text())
        faults += [f"{path.name}, {fault}" for fault in script["faults"]]
        statements += script["statements"]
    return faults, statements


def _tables(folder: Path, statements: list[dict[str, Any]]) -> Iterator[str]:
    """The source has the columns of the feeds, tracks their changes and tells them all."""
    options = [option for s in statements for option in s.get("options", [])]
    for option in ("ChangeTracking On", "AllowSnapshotIsolation On"):
        if option not in options:
            yield f"the database is not set to {option}"
    columns = {s["name"]: set(s["columns"]) for s in statements if "columns" in s}
    tracked = {s["name"] for s in statements if s.get("on")}
    text = "\n".join(path.read_text() for path in sorted(folder.glob("*.sql")))
    opens = text[text.find("etl.open_window") :].partition("\ngo\n")[0]
    for feed in FILE_FEEDS:
        table = f"dbo.{feed.name}"
        if columns.get(table) != {*feed.columns, "modified_at"}:
            found = sorted(columns.get(table, ()))
            yield f"{table}: columns {found}, the feed has {sorted(feed.columns)}"
        if table not in tracked:
            yield f"{table}: no change tracking"
        if f"'{feed.name}', -1" not in text:
            yield f"etl.watermarks: no first row for {feed.name}"
        changed = rf"changes {table}, @from_version\) as changed\s+where \S+operation <> 'D'"
        if not re.search(changed, opens):
            yield f"etl.open_window: opens for changes of {table} that leave no row to copy"
        for chosen in re.findall(
            rf"select\s([^;]*?)\sfrom (?:changetable\(changes )?{table}\b", text
        ):
            names = {c.strip().rpartition(".")[2] for c in chosen.split(",")}
            if len(names) > 1 and not set(feed.columns) <= names:
                yield f"etl.changes: {feed.name} without {sorted(set(feed.columns) - names)}"


def _all(activities: list[Activity]) -> Iterator[Activity]:
    for activity in activities:
        yield activity
        for key in _INNER:
            yield from _all(activity["typeProperties"].get(key, []))


def _objects(value: Any, key: str) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if key in value:
            yield value
        for inner in value.values():
            yield from _objects(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _objects(inner, key)
