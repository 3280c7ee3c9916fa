"""Holds what is deployed to deploy/governance/access.yml: grants, masks, filters, tags, page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.deploy.bundle import Bundle, read

Json = dict[str, Any]
_SCHEMA_PRIVILEGES = {"USE_SCHEMA", "CREATE_TABLE", "SELECT", "MODIFY", "APPLY_TAG"}


def access(root: Path) -> Json:
    return read(root / "deploy/governance/access.yml")


def check(root: Path) -> list[str]:
    rights = access(root)
    return [
        *_grants(Bundle(root, "prod"), rights),
        *_dev(Bundle(root, "dev"), Bundle(root, "prod"), rights),
        *_tables(root, rights),
        *_kept(root, rights),
        *_policies(root, rights),
        *_columns(root, rights),
        *_views(root, rights),
        *_dashboard(root, rights),
        *_page(root, rights),
    ]


def _grants(bundle: Bundle, rights: Json) -> Iterator[str]:
    def granted(kind: str) -> Iterator[tuple[str, str, set[str]]]:
        for body in bundle.resources[kind].values():
            for grant in body.get("grants", []):
                name = rights_name(rights, grant["principal"])
                yield body["name"], name, set(grant["privileges"])

    levels: dict[str, dict[str, Any]] = {}
    for schema, principal, privileges in granted("schemas"):
        if principal not in rights["principals"]:
            yield f"{schema}: {principal} is not in access.yml"
        if extra := privileges - _SCHEMA_PRIVILEGES:
            yield f"{schema}: {principal} gets {', '.join(sorted(extra))}"
        if "USE_SCHEMA" not in privileges:
            yield f"{schema}: {principal} lacks USE_SCHEMA"
        level = "write" if "MODIFY" in privileges else "read" if "SELECT" in privileges else "named"
        levels.setdefault(schema, {})[principal] = level
    for schema in sorted({*levels, *rights["layers"]}):
        wanted = {
            principal: "named" if isinstance(level, list) else level
            for principal, level in rights["layers"].get(schema, {}).items()
        }
        if levels.get(schema, {}) != wanted:
            yield f"{schema}: granted {levels.get(schema)}, access.yml says {wanted}"
    entered = {
        principal for _, principal, privileges in granted("catalogs") if "USE_CATALOG" in privileges
    }
    for principal in sorted({p for layer in rights["layers"].values() for p in layer} - entered):
        yield f"{principal} has no USE_CATALOG"
    volumes: dict[str, dict[str, str]] = {}
    for volume, principal, privileges in granted("volumes"):
        level = "write" if "WRITE_VOLUME" in privileges else "read"
        volumes.setdefault(volume, {})[principal] = level
    if volumes != rights["volumes"]:
        yield f"volumes: granted {volumes}, access.yml says {rights['volumes']}"


def _dev(dev: Bundle, prod: Bundle, rights: Json) -> Iterator[str]:
    for kind in ("catalogs", "schemas", "volumes"):
        for key, body in dev.resources[kind].items():
            shared = prod.resources[kind][key]["grants"]
            more = [grant for grant in body["grants"] if grant not in shared]
            wanted = rights["in_dev"] if kind == "catalogs" else {}
            given = {rights_name(rights, grant["principal"]): grant["privileges"] for grant in more}
            if given != wanted:
                yield f"dev, {kind}.{key}: also granted {given}, access.yml says {wanted}"


def rights_name(rights: Json, principal: str) -> str:
    """The name in access.yml of a principal in the bundle."""
    names = {f"${{var.{p['variable']}}}": name for name, p in rights["principals"].items()}
    return str(names.get(principal, principal))


def statements(path: Path, values: dict[str, str]) -> list[str]:
    """The statements that a script puts together with `concat` and executes."""
    text = re.sub(r"^--.*$", "", path.read_text(), flags=re.M)
    made = re.findall(
        r"set variable statement = concat\((.*?)\);\nexecute immediate statement;", text, re.S
    )
    found = []
    for body in made:
        parts = re.findall(r"'((?:[^'\\]|\\.)*)'|:(\w+)", body)
        left = re.sub(r"'(?:[^'\\]|\\.)*'|:\w+|[\s,]", "", body)
        assert not left, f"{path.name}: {left}"
        found.append(
            "".join(values[name] if name else text.replace("\\'", "'") for text, name in parts)
        )
    assert len(found) == text.count("execute immediate"), path.name
    return found


_VALUES = {
    "catalog": "fitbit",
    **{
        name: name
        for name in ("stewards", "analysts", "operators", "gym_managers", "ingest", "transform")
    },
}


def _tables(root: Path, rights: Json) -> Iterator[str]:
    done = {
        match.groups()
        for text in statements(root / "deploy/governance/grants.sql", _VALUES)
        if (match := re.fullmatch(r"grant select on table `fitbit`\.(\w+)\.(\w+) to `(\w+)`", text))
    }
    wanted = {
        (schema, table, principal)
        for schema, layer in rights["layers"].items()
        for principal, level in layer.items()
        if isinstance(level, list)
        for table in level
    }
    for schema, table, principal in sorted(done ^ wanted):
        yield f"{schema}.{table}: grants.sql and access.yml disagree on {principal}"


_KEPT = re.compile(r"grant modify on table `fitbit`\.(\w+\.\w+) to `(\w+)`")


def _kept(root: Path, rights: Json) -> Iterator[str]:
    made = statements(root / "deploy/governance/policies.sql", _VALUES)
    tables = {
        m[1] for text in made if (m := re.match(r"create table .*?`fitbit`\.(\w+\.\w+) ", text))
    }
    if tables != set(rights["kept_by"]):
        yield f"policies.sql makes {sorted(tables)}, access.yml says {sorted(rights['kept_by'])}"
    granted = {(m[1], m[2]) for text in made if (m := _KEPT.fullmatch(text))}
    if len(granted) != sum(text.startswith("grant ") for text in made):
        yield "policies.sql: grants more than the change of a table"
    wanted = {(name, keeper) for name, keepers in rights["kept_by"].items() for keeper in keepers}
    for name, keeper in sorted(granted ^ wanted):
        yield f"{name}: policies.sql and access.yml disagree on {keeper}"
    for name, keeper in sorted(wanted):
        if rights["layers"][name.partition(".")[0]].get(keeper) != "read":
            yield f"{name}: {keeper} may change what it cannot read"


_POLICY = re.compile(
    r"create or replace policy (\w+) on catalog `fitbit` comment '[^']+' "
    r"(column mask|row filter) `fitbit`\.silver\.(\w+) to (.*?) except (.*?) "
    r"for tables match columns (.*?) as (\w+) (?:on column|using columns) \(?(\w+)\)?"
)


def _policies(root: Path, rights: Json) -> Iterator[str]:
    made = statements(root / "deploy/governance/policies.sql", _VALUES)
    functions = {
        m[1]: m[2]
        for text in made
        if (m := re.match(r"create or replace function `fitbit`\.silver\.(\w+)\(\w+ (\w+)\)", text))
    }
    masks: dict[str, str] = {}
    filters: set[str] = set()
    for text in made:
        if not text.startswith("create or replace policy"):
            continue
        match = _POLICY.fullmatch(text)
        if not match:
            yield f"no policy: {text}"
            continue
        name, kind, function, to, excepted, condition, alias, on = match.groups()
        if function not in functions:
            yield f"policy {name}: no function {function}"
        if alias != on:
            yield f"policy {name}: matches {alias}, acts on {on}"
        if sorted(re.findall(r"`(\w+)`", excepted)) != sorted(rights["unmasked"]):
            yield f"policy {name}: excepts {excepted}, access.yml says {rights['unmasked']}"
        tags = re.findall(r"hasTagValue\('(\w+)', '(\w+)'\)", condition)
        if re.sub(r"hasTagValue\('\w+', '\w+'\)| or ", "", condition):
            yield f"policy {name}: condition {condition}"
        if kind == "column mask":
            if to != "`account users`":
                yield f"policy {name}: spares everyone but {to}"
            masks |= {value: function for key, value in tags if key == "personal_data"}
        else:
            filters |= {f"{key}={value}" for key, value in tags}
    if masks != rights["masks"]:
        yield f"policies mask {masks}, access.yml says {rights['masks']}"
    if filters != {"row_filter=member"}:
        yield f"policies filter by {sorted(filters)}"
    for value, function in rights["masks"].items():
        type_ = _MASKED.get(value, ("string",))[-1]
        if functions.get(function) != type_:
            yield f"{function} takes {functions.get(function)}, {value} is of type {type_}"


# Types of columns that a mask fits, if they are not text; it takes the last.
_MASKED: dict[str, tuple[str, ...]] = {"birth_date": ("date",), "age": ("int", "double")}


# Whoever knows a member's device or MAC address knows whose row it is.
_OF_ONE_MEMBER = {"device_id", "mac_address"}


def _columns(root: Path, rights: Json) -> Iterator[str]:
    for path in sorted([*root.glob("models/*/*.yml"), *root.glob("snapshots/*.yml")]):
        document = read(path)
        layer = "silver" if path.parent.name in ("staging", "snapshots") else path.parent.name
        for model in [*document.get("models", []), *document.get("snapshots", [])]:
            names = {column["name"] for column in model.get("columns", [])}
            if layer == "gold" and names & _OF_ONE_MEMBER and rights["row_filtered"] not in names:
                yield f"gold.{model['name']}: of single members, and no {rights['row_filtered']}"
            for column in model.get("columns", []):
                where = f"{layer}.{model['name']}.{column['name']}"
                tags = column.get("config", {}).get("databricks_tags", {})
                value = tags.get("personal_data")
                if (tags.get("row_filter") == "member") != (
                    layer == "gold" and column["name"] == rights["row_filtered"]
                ):
                    yield f"{where}: tag row_filter is {tags.get('row_filter')}"
                wanted = rights["personal_columns"].get(column["name"])
                if wanted and value != wanted:
                    yield f"{where}: tag personal_data is {value}, not {wanted}"
                if value is None:
                    continue
                if value not in rights["masks"]:
                    yield f"{where}: nothing masks {value}"
                elif column.get("data_type") not in (None, *_MASKED.get(value, ("string",))):
                    yield f"{where}: {rights['masks'][value]} does not fit {column['data_type']}"
                if layer == "gold" and model["name"] not in rights["personal_in_gold"].get(
                    value, []
                ):
                    yield f"{where}: personal in gold"


def _views(root: Path, rights: Json) -> Iterator[str]:
    """Policies look at who asks a view, not at its owner: filtered rows would make it partial."""
    filtered = {path.stem for path in root.glob("models/gold/*.yml") if _holds(path, rights)}
    for path in sorted(root.glob("models/gold/*.sql")):
        text = path.read_text()
        for name in sorted(set(re.findall(r"ref\('(\w+)'\)", text)) & filtered):
            if "materialized='view'" in text:
                yield f"gold.{path.stem}: a view over {name}, whose rows are filtered"


def _holds(path: Path, rights: Json) -> bool:
    (model,) = read(path)["models"]
    return rights["row_filtered"] in (column["name"] for column in model["columns"])


def _dashboard(root: Path, rights: Json) -> Iterator[str]:
    """Its readers query with their own rights: who a page is for may read what stands on it."""
    gold = rights["layers"]["gold"]
    definition = json.loads((root / "dashboards/fitbit.lvdash.json").read_text())
    reads = {}
    for dataset in definition["datasets"]:
        query = "".join(dataset["queryLines"])
        made = set(re.findall(r"(\w+)\s+as\s+\(", query, re.I))
        read = set(re.findall(r"(?:from|join)\s+([\w.`]+)", query, re.I)) - made
        reads[dataset["name"]] = read
        for name in sorted(read):
            if not (root / f"models/gold/{name}.sql").is_file():
                yield f"dashboard, {dataset['name']}: {name} is no table of gold"
    pages = {}
    for page in definition["pages"]:
        queries = [q for part in page["layout"] for q in part["widget"].get("queries", [])]
        used = {q["query"]["datasetName"] for q in queries}
        if page.get("pageType") != "PAGE_TYPE_GLOBAL_FILTERS":
            pages[page["displayName"]] = set().union(*(reads[name] for name in used))
    for group, given in rights["pages"].items():
        whole = gold[group] == "read"
        open_to = [name for name, read in pages.items() if whole or read <= set(gold[group])]
        if given != open_to:
            yield f"dashboard: {group} may read the pages {open_to}, access.yml says {given}"


def table(rights: Json) -> str:
    """The table of docs/governance.md."""
    names = [name for name in rights["principals"] if name not in rights["in_dev"]]
    rows = [["", *names], ["---"] * (len(names) + 1)]
    for layer, given in rights["layers"].items():
        cells = [
            ", ".join(f"`{t}`" for t in v) if isinstance(v := given.get(n), list) else v
            for n in names
        ]
        rows.append([f"tables of {layer}", *(c or "" for c in cells)])
    for name, keepers in rights["kept_by"].items():
        layer = rights["layers"][name.partition(".")[0]]
        levels = ["write" if n in keepers else layer.get(n) for n in names]
        # Named tables of a layer are others than this one.
        rows.append([f"`{name}`", *(v if isinstance(v, str) else "" for v in levels)])
    for volume, given in rights["volumes"].items():
        rows.append([f"volume {volume}", *(given.get(n, "") for n in names)])
    readers = {
        n
        for layer in ("silver", "gold")
        for n, v in rights["layers"][layer].items()
        if v in ("read", "write")
    }
    personal = [
        "value" if n in rights["unmasked"] else "null" if n in readers else "" for n in names
    ]
    rows.append(["names, addresses, birth dates, MACs", *personal])
    heart = [
        "all" if n in rights["unmasked"] else "those given" if n == "analysts" else ""
        for n in names
    ]
    rows.append(["rows of single members in gold", *heart])
    every = max(rights["pages"].values(), key=len)
    opened = [rights["pages"].get(n, []) for n in names]
    shown = ["all" if p == every else ", ".join(f"*{page}*" for page in p) for p in opened]
    rows.append(["pages of the dashboard", *shown])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _page(root: Path, rights: Json) -> Iterator[str]:
    page = (root / "docs/governance.md").read_text()
    if table(rights) not in page:
        yield f"docs/governance.md: its table is not this one:\n{table(rights)}"
