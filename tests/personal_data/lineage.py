"""Which columns of silver and gold carry the value of a personal column of staging.

Read from the models' SQL, rendered without a database (`tests/dbt_context`). A column carries the
value of another if it is that value, picked, cast, trimmed or put into a list or struct; an age, a
hash, a count or a comparison no longer is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import sqlglot
import yaml
from sqlfluff.core import FluffConfig, Linter
from sqlglot import exp
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope

Column = tuple[str, str]
"""Model and column."""

# What is computed from a value and does not give it away. A macro's whole_years() is made of these.
_LOSING = (exp.Year, exp.Month, exp.Day, exp.Count, exp.CountIf, exp.SHA2, exp.Predicate)


@dataclass(frozen=True)
class Model:
    """`tags` by column: the value of `personal_data`, or None. `sql` is empty for a snapshot."""

    name: str
    layer: str
    path: Path
    tags: Mapping[str, str | None]
    relation: str = ""

    @property
    def is_staging(self) -> bool:
        return self.layer == "staging"


def models(root: Path) -> dict[str, Model]:
    """Models, seeds' aside, and snapshots, by name."""
    found = {}
    for path in sorted([*root.glob("models/*/*.yml"), *root.glob("snapshots/*.yml")]):
        document: dict[str, Any] = yaml.safe_load(path.read_text()) or {}
        for entry in [*document.get("models", []), *document.get("snapshots", [])]:
            tags = {
                column["name"]: column.get("config", {}).get("meta", {}).get("personal_data")
                for column in entry.get("columns", [])
            }
            found[entry["name"]] = Model(
                entry["name"],
                path.parent.name,
                path.with_name(f"{entry['name']}.sql"),
                tags,
                entry.get("relation", ""),
            )
    return found


def bronze(root: Path) -> dict[Column, str | None]:
    """The value of `personal_data` of each column of bronze, by table and column."""
    document = yaml.safe_load((root / "models/staging/sources.yml").read_text())
    (source,) = document["sources"]
    return {
        (table["name"], column["name"]): column.get("config", {})
        .get("meta", {})
        .get("personal_data")
        for table in source["tables"]
        for column in table["columns"]
    }


def carried(root: Path, known: Mapping[str, Model]) -> dict[Column, set[str]]:
    """For each column behind staging: the tags of the staging columns whose value it carries."""
    schema: dict[str, object] = {
        name: dict.fromkeys(model.tags, "string") for name, model in known.items()
    }
    for path in root.glob("seeds/*.csv"):
        header = path.read_text().splitlines()[0].split(",")
        schema[path.stem] = dict.fromkeys(header, "string")

    @cache
    def tags(column: Column) -> frozenset[str]:
        name, of = column
        if name not in known:
            return frozenset()
        model = known[name]
        if model.is_staging:
            tag = model.tags.get(of)
            return frozenset([tag] if tag else [])
        return frozenset(tag for source in sources(column) for tag in tags(source))

    def sources(column: Column) -> set[Column]:
        model = known[column[0]]
        if model.relation:
            return {(model.relation.removeprefix("ref('").removesuffix("')"), column[1])}
        return set(_sources(scope_of(model.name), column[1]))

    @cache
    def scope_of(name: str) -> Scope:
        tree = sqlglot.parse_one(_rendered(root, known[name].path), dialect="databricks")
        qualified = qualify(
            tree, dialect="databricks", schema=schema, validate_qualify_columns=False
        )
        scope = build_scope(qualified)
        assert scope is not None, name
        return scope

    return {
        (name, column): set(tags((name, column)))
        for name, model in known.items()
        if not model.is_staging
        for column in model.tags
    }


def _rendered(root: Path, path: Path) -> str:
    config = FluffConfig.from_path(str(path))
    rendered = Linter(config=config).render_file(str(path), config)
    return str(rendered.templated_variants[0])


def _sources(scope: Scope, name: str) -> Iterator[Column]:
    """Columns of tables whose value the column `name` of a scope carries."""
    if isinstance(scope.expression, exp.SetOperation):
        # Branches give their columns the same names here (sqlfluff sees to it).
        for branch in scope.union_scopes:
            yield from _sources(branch, name)
        return
    query = scope.expression
    assert isinstance(query, exp.Query)
    for selected in query.selects:
        if name not in _names(selected):
            continue
        for column in _carrying(_value_of(selected, name)):
            source = scope.sources.get(column.table)
            if isinstance(source, Scope):
                yield from _sources(source, column.name)
            elif isinstance(source, exp.Table):
                yield source.name, column.name


def _names(selected: exp.Expr) -> list[str]:
    if isinstance(selected, exp.Aliases):
        return [alias.name for alias in selected.expressions]
    return [selected.alias_or_name]


def _value_of(selected: exp.Expr, name: str) -> exp.Expr:
    """What is selected as `name`: all of it, but of stack(n, …) as (a, b) every second argument."""
    if isinstance(selected, exp.Aliases):
        names, arguments = _names(selected), selected.this.expressions
        # The number of rows comes first, which is no value.
        values = arguments[len(arguments) % len(names) :]
        return exp.Tuple(expressions=values[names.index(name) :: len(names)])
    return selected


def _carrying(expression: exp.Expr) -> Iterator[exp.Column]:
    """The columns whose value survives in the value of an expression."""
    if isinstance(expression, exp.Column):
        yield expression
    elif isinstance(expression, exp.If):
        for part in (expression.args.get("true"), expression.args.get("false")):
            if part is not None:
                yield from _carrying(part)
    elif isinstance(expression, exp.Case):
        for part in (*expression.args["ifs"], expression.args.get("default")):
            if part is not None:
                yield from _carrying(part)
    elif isinstance(expression, exp.Window):
        yield from _carrying(expression.this)
    elif not isinstance(expression, _LOSING):
        for part in expression.iter_expressions():
            yield from _carrying(part)
