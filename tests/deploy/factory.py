"""Checks of the Data Factory pipeline and of the SQL it calls, without a factory or a server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import sqlfluff

from ingestion.feeds import FILE_FEEDS
from tests.deploy.hcl import Module, arguments, literal, references, strings

_FUNCTIONS = {"activity", "concat", "createArray", "dataset", "greater", "item", "pipeline"}
_POLICY_TYPES = {"Lookup", "Copy", "WebActivity", "SqlServerStoredProcedure"}
# Valid, and beyond sqlfluff's grammar.
_TRACKING = re.compile(
    r"^alter database current set change_tracking = on "
    r"\(change_retention = \d+ days, auto_cleanup = on\);$",
    re.M,
)
_TRACKED = re.compile(r"^alter table dbo\.\w+ enable change_tracking;$", re.M)
_FOLDERS = ("'/feeds/'", "'/unfinished/'")


def check(azure: Path) -> list[str]:
    faults: list[str] = []
    documents: dict[str, Any] = {}
    for path in sorted((azure / "pipelines").glob("*.json")):
        try:
            documents[path.name] = json.loads(path.read_text())
        except json.JSONDecodeError as error:
            return [f"{path.name}: {error}"]
    factory = _Factory(azure)
    faults += factory.files_used(documents)
    for block in factory.module.of("resource", "azurerm_data_factory_pipeline"):
        activities = documents[factory.file_of(block.body["activities_json"])]
        parameters = {key for key, _ in arguments(block.body.get("parameters", {}))}
        faults += factory.activities(activities, parameters, {})
        faults += _feeds(activities)
    faults += factory.dataset_files(documents)
    faults += [*_sql(azure / "sql")]
    return faults


class _Factory:
    """What factory.tf declares, by the names that JSON refers to it."""

    def __init__(self, azure: Path) -> None:
        self.module = Module.read(azure)
        self.datasets = {
            literal(b.body["name"]): b
            for b in self.module.of("resource", "azurerm_data_factory_custom_dataset")
        }
        self.linked = {
            literal(b.body["name"])
            for b in self.module.of("resource")
            if b.type.startswith("azurerm_data_factory_linked_service")
        }
        self.runtimes = {
            literal(b.body["name"])
            for b in self.module.of("resource", "azurerm_data_factory_integration_runtime_azure")
        }
        self.procedures = procedures(azure / "sql")

    def file_of(self, expression: str) -> str:
        return Path(re.findall(r"/pipelines/([\w.]+)", expression)[0]).name

    def files_used(self, documents: dict[str, Any]) -> Iterator[str]:
        named = {
            name
            for b in self.module.of("resource")
            for s in strings(b.body)
            for name in re.findall(r"/pipelines/([\w.]+\.json)", s)
        }
        for name in sorted(documents.keys() - named):
            yield f"{name}: nothing in factory.tf uses it"

    def dataset_files(self, documents: dict[str, Any]) -> Iterator[str]:
        for name, block in self.datasets.items():
            document = documents[self.file_of(block.body["type_properties_json"])]
            declared = {key for key, _ in arguments(block.body.get("parameters", {}))}
            used = {p for text in _texts(document) for p in re.findall(r"dataset\(\)\.(\w+)", text)}
            if declared != used:
                yield f"dataset {name}: declares {sorted(declared)}, uses {sorted(used)}"
            (linked,) = block.body["linked_service"]
            if not any(p[0].startswith("azurerm_data_factory_linked") for p in references(linked)):
                yield f"dataset {name}: no linked service"

    def activities(
        self, activities: list[dict[str, Any]], parameters: set[str], above: dict[str, str]
    ) -> Iterator[str]:
        """`above`: activities that an inner one may look at, with their types."""
        names = [a["name"] for a in activities]
        for name in {n for n in names if names.count(n) > 1}:
            yield f"activity {name}: the name is taken twice"
        after = {a["name"]: {d["activity"] for d in a.get("dependsOn", [])} for a in activities}
        for activity in activities:
            name, properties = activity["name"], activity["typeProperties"]
            for needed in sorted(after[name] - set(names)):
                yield f"activity {name}: depends on {needed}, which is not beside it"
            before = _upstream(name, after)
            if name in before:
                yield f"activity {name}: depends on itself"
            seen = above | {a["name"]: a["type"] for a in activities if a["name"] in before}
            inner = {
                key: properties[key]
                for key in ("activities", "ifTrueActivities", "ifFalseActivities")
                if key in properties
            }
            own = {k: v for k, v in activity.items() if k != "typeProperties"}
            own["typeProperties"] = {k: v for k, v in properties.items() if k not in inner}
            yield from self._one(name, activity, own, parameters, seen)
            for block in inner.values():
                yield from self.activities(block, parameters, seen)

    def _one(
        self,
        name: str,
        activity: dict[str, Any],
        own: dict[str, Any],
        parameters: set[str],
        seen: dict[str, str],
    ) -> Iterator[str]:
        if activity["type"] in _POLICY_TYPES:
            policy = activity.get("policy", {})
            if not 1 <= policy.get("retry", 0) <= 10:
                yield f"activity {name}: no retries"
            if not re.fullmatch(r"\d\.\d\d:\d\d:\d\d", policy.get("timeout", "")):
                yield f"activity {name}: no timeout"
            if activity["type"] == "Copy" and not (
                policy.get("secureInput") and policy.get("secureOutput")
            ):
                yield f"activity {name}: rows may show in the run's log"
        elif activity["type"] not in ("ForEach", "IfCondition"):
            yield f"activity {name}: unknown type {activity['type']}"
        for text in _texts(own):
            if text.startswith("@"):
                yield from _expression(name, text, parameters, seen)
            if re.search(r"(?i)password|accountkey|sharedaccess|[?&]sig=", text):
                yield f"activity {name}: a secret in the pipeline"
        for reference in _objects(own, "referenceName"):
            yield from self._reference(name, reference)
        for source in (
            *_objects(own, "sqlReaderStoredProcedureName"),
            *_objects(own, "storedProcedureName"),
        ):
            called = source.get(
                "sqlReaderStoredProcedureName", source.get("storedProcedureName", "")
            )
            given = set(source.get("storedProcedureParameters", {}))
            procedure = called.replace("[", "").replace("]", "")
            if procedure not in self.procedures:
                yield f"activity {name}: no procedure {procedure} in sql/"
            elif self.procedures[procedure] != given:
                wanted = sorted(self.procedures[procedure])
                yield f"activity {name}: {procedure} takes {wanted}, given {sorted(given)}"
        if activity["type"] == "WebActivity":
            authentication = activity["typeProperties"].get("authentication", {})
            if authentication != {"type": "MSI", "resource": "https://storage.azure.com/"}:
                yield f"activity {name}: not by managed identity"

    def _reference(self, name: str, reference: dict[str, Any]) -> Iterator[str]:
        target, kind = reference["referenceName"], reference["type"]
        known = {
            "DatasetReference": set(self.datasets),
            "LinkedServiceReference": self.linked,
            "IntegrationRuntimeReference": self.runtimes,
        }.get(kind, set())
        if target not in known:
            yield f"activity {name}: no {kind} {target} in factory.tf"
        elif kind == "DatasetReference":
            declared = {
                key for key, _ in arguments(self.datasets[target].body.get("parameters", {}))
            }
            given = set(reference.get("parameters", {}))
            if declared != given:
                wanted = f"takes {sorted(declared)}, given {sorted(given)}"
                yield f"activity {name}: dataset {target} {wanted}"


def _expression(name: str, text: str, parameters: set[str], seen: dict[str, str]) -> Iterator[str]:
    plain = re.sub(r"'[^']*'", "''", text)
    if plain.count("(") != plain.count(")") or text.count("'") % 2:
        yield f"activity {name}: unbalanced {text}"
    for function in re.findall(r"(\w+)\(", plain):
        if function not in _FUNCTIONS:
            yield f"activity {name}: unknown function {function}"
    for parameter in re.findall(r"pipeline\(\)\.parameters\.(\w+)", plain):
        if parameter not in parameters:
            yield f"activity {name}: no pipeline parameter {parameter}"
    for other in re.findall(r"activity\('([^']+)'\)", text):
        if other not in seen:
            yield f"activity {name}: looks at {other}, which need not have run before it"


def _upstream(name: str, after: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    ahead = set(after[name])
    while ahead:
        found |= ahead
        ahead = {n for a in ahead for n in after.get(a, ())} - found
    return found


def _feeds(activities: list[dict[str, Any]]) -> Iterator[str]:
    """The feeds copied are the file feeds that ingestion knows; whole files reach its folder."""
    texts = list(_texts(activities))
    copied = {n for text in texts if "createArray" in text for n in re.findall(r"'(\w+)'", text)}
    if copied != {feed.name for feed in FILE_FEEDS}:
        yield f"copies {sorted(copied)}, ingestion reads {sorted(f.name for f in FILE_FEEDS)}"
    for copy in _activities(activities, "Copy"):
        if any("/feeds" in text for text in _texts(copy["outputs"])):
            yield "Copy changes: writes where ingestion reads; unfinished files would be seen"
        if copy["typeProperties"]["sink"]["formatSettings"].get("filePattern") != "setOfObjects":
            yield "Copy changes: ingestion reads one JSON object a line"
    published = [a["typeProperties"] for a in _activities(activities, "WebActivity")]
    if not any(_FOLDERS[0].strip("'") in str(p["url"]) for p in published):
        yield "nothing is published to feeds/"


def procedures(folder: Path) -> dict[str, set[str]]:
    """Parameters by procedure, without the at sign."""
    text = "\n".join(path.read_text() for path in sorted(folder.glob("*.sql")))
    found = re.findall(r"create procedure (\w+\.\w+)\s*(.*?)\s+as\s+begin", text, re.S)
    return {name: set(re.findall(r"@(\w+)", arguments_)) for name, arguments_ in found}


@cache
def _parse(script: str) -> None:
    """Raises APIParsingError. A second a script: mutants share those that they leave alone."""
    sqlfluff.parse(script, dialect="tsql")


def _sql(folder: Path) -> Iterator[str]:
    """T-SQL that parses, with the columns that the feeds have."""
    text = ""
    for path in sorted(folder.glob("*.sql")):
        # sqlcmd's variables are put in before the server sees the script.
        script = path.read_text().replace("$(factory)", "factory")
        text += script
        script = _TRACKED.sub("", _TRACKING.sub("", script))
        try:
            _parse(script)
        except sqlfluff.api.simple.APIParsingError as error:
            yield f"{path.name}: {str(error).splitlines()[1].strip()}"
    if not _TRACKING.search(text):
        yield "change tracking is not switched on for the database"
    for feed in FILE_FEEDS:
        table = re.search(rf"create table dbo\.{feed.name} \((.*?)\n\);", text, re.S)
        columns = (
            set(re.findall(r"^    (\w+) ", table[1], re.M)) - {"constraint"} if table else set()
        )
        if columns != {*feed.columns, "modified_at"}:
            yield f"dbo.{feed.name}: columns {sorted(columns)}, the feed has {sorted(feed.columns)}"
        if f"alter table dbo.{feed.name} enable change_tracking" not in text:
            yield f"dbo.{feed.name}: no change tracking"
        if f"'{feed.name}', -1" not in text:
            yield f"etl.watermarks: no first row for {feed.name}"
        for chosen in re.findall(
            rf"select\s([^;]*?)\sfrom (?:changetable\(changes )?dbo\.{feed.name}\b", text
        ):
            names = {c.strip().rpartition(".")[2] for c in chosen.split(",")}
            if not set(feed.columns) <= names:
                yield f"etl.changes: {feed.name} without {sorted(set(feed.columns) - names)}"


def _texts(value: Any) -> Iterator[str]:
    return strings(value)


def _objects(value: Any, key: str) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if key in value:
            yield value
        for inner in value.values():
            yield from _objects(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _objects(inner, key)


def _activities(activities: list[dict[str, Any]], type_: str) -> Iterator[dict[str, Any]]:
    for activity in activities:
        if activity["type"] == type_:
            yield activity
        for key in ("activities", "ifTrueActivities", "ifFalseActivities"):
            yield from _activities(activity["typeProperties"].get(key, []), type_)
