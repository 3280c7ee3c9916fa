"""Each table, macro and command that rights, jobs, workflows and runbooks name is in the project."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.deploy import bundle, governance, workflows
from tests.deploy.bundle import TARGETS, Bundle

_TABLE = re.compile(r"`?\.?\b(bronze|silver|gold)\.(\w+)")
_PAGES = ("docs/governance.md", "docs/deployment.md", "docs/runbooks/deploy-*.md")


def relations(root: Path) -> set[str]:
    """Tables and views as `schema.name`: of dbt, of ingestion, of the policies."""
    found = {f"{p.parent.name}.{p.stem}" for p in root.glob("models/*/*.sql")}
    found = {name.replace("staging.", "silver.") for name in found}
    found |= {
        f"silver.{p.stem}" for p in [*root.glob("seeds/*.csv"), *root.glob("snapshots/*.yml")]
    }
    declared = yaml.safe_load((root / "models/staging/sources.yml").read_text())["sources"]
    found |= {f"bronze.{table['name']}" for source in declared for table in source["tables"]}
    found |= set(governance.access(root)["kept_by"])
    # The volumes, which share the names' form.
    return found | {"gold.artifacts", "bronze.landing", "bronze.metadata"}


def named(root: Path) -> Iterator[tuple[str, str]]:
    """Where a relation is named, and as what."""
    rights = governance.access(root)
    for schema, given in rights["layers"].items():
        for tables in given.values():
            yield from (("access.yml", f"{schema}.{t}") for t in tables if isinstance(tables, list))
    for layer, tables in {"gold": rights["personal_in_gold"].values()}.items():
        yield from (("access.yml", f"{layer}.{t}") for group in tables for t in group)
    for script in ("grants", "policies"):
        groups = ("stewards", "analysts", "operators", "gym_managers")
        values = {n: n for n in ("catalog", *groups, "ingest", "transform")}
        for text in governance.statements(root / f"deploy/governance/{script}.sql", values):
            if match := re.match(r"grant \w+ on table `catalog`\.(\w+\.\w+) to", text):
                yield f"{script}.sql", match[1]
    for page in (p for pattern in _PAGES for p in root.glob(pattern)):
        text = re.sub(r"\(\S+\.md\)|\]\([^)]*\)", "", page.read_text())
        yield from ((page.name, f"{m[1]}.{m[2]}") for m in _TABLE.finditer(text))


def faults(root: Path) -> Iterator[str]:
    known = relations(root)
    yield from (f"{where}: there is no {name}" for where, name in named(root) if name not in known)
    macros = {
        name
        for path in root.glob("macros/*.sql")
        for name in re.findall(r"{%-?\s*macro (\w+)\(", path.read_text())
    }
    nodes = {name.partition(".")[2] for name in known}
    commands = [c for t in TARGETS for c in bundle.dbt_commands(Bundle(root, t))]
    commands += [(".github", words) for words in workflows.dbt_commands(root)]
    texts = [(where, " ".join(words)) for where, words in commands]
    for page in (p for pattern in _PAGES for p in root.glob(pattern)):
        texts.append((page.name, page.read_text()))
    for where, text in texts:
        for name in re.findall(r"dbt run-operation (\w+)", text):
            if name not in macros:
                yield f"{where}: there is no macro {name}"
        for name in re.findall(r"dbt [^`\n]*--(?:select|exclude) \+?(\w+)\+?(?![\w:])", text):
            if name not in nodes:
                yield f"{where}: dbt has no node {name}"
        for module, action in re.findall(r"python -m (ingestion[\w.]*)(?: ([a-z]\w*))?", text):
            yield from _module(root, where, module, action)
    yield from _entry_points(root)


def _module(root: Path, where: str, module: str, action: str) -> Iterator[str]:
    path = root / module.replace(".", "/")
    source = path / "__main__.py" if path.is_dir() else path.with_suffix(".py")
    if not source.is_file():
        yield f"{where}: there is no {module}"
    elif action and f'"{action}"' not in source.read_text():
        yield f"{where}: {module} has no command {action}"


def _entry_points(root: Path) -> Iterator[str]:
    project = tomllib.loads((root / "deploy/wheel/pyproject.toml").read_text())["project"]
    for where, task in Bundle(root, "prod").tasks():
        if called := task.get("python_wheel_task"):
            if called["package_name"] != project["name"]:
                yield f"{where}: there is no package {called['package_name']}"
            target = project["scripts"].get(called["entry_point"])
            if target is None:
                yield f"{where}: the wheel has no entry point {called['entry_point']}"
                continue
            module, _, function = target.partition(":")
            source = root / f"{module.replace('.', '/')}.py"
            if not source.is_file() or f"def {function}(" not in source.read_text():
                yield f"{where}: there is no {target}"


def test_all_that_is_named_exists(root: Path) -> None:
    assert list(faults(root)) == []


MUTANTS = [
    ("deploy/governance/access.yml", "rejected_records, records", "rejected_records, outcomes", "access.yml: there is no silver.outcomes"),
    ("deploy/governance/access.yml", "[gym_summary]", "[gym_visits]", "there is no gold.gym_visits"),
    ("deploy/governance/grants.sql", ".silver.records", ".silver.outcomes", "grants.sql: there is no silver.outcomes"),
    ("deploy/governance/policies.sql", "'grant modify on table `', :catalog, '`.silver.member_access", "'grant modify on table `', :catalog, '`.silver.members", "policies.sql: there is no silver.members"),
    ("docs/runbooks/deploy-erasure.md", "`dbt build --target prod`", "`dbt run-operation erase`", "deploy-erasure.md: there is no macro erase"),
    ("docs/runbooks/deploy-erasure.md", "python -m ingestion.erasure forget", "python -m ingestion.erasure forgets", "has no command forgets"),
    ("docs/runbooks/deploy-erasure.md", "python -m ingestion.erasure blank", "python -m ingestion.erase blank", "there is no ingestion.erase"),
    ("docs/runbooks/deploy-backfill.md", "silver.rejected_records", "silver.refused_records", "there is no silver.refused_records"),
    ("deploy/bundle/jobs.yml", "entry_point: fitbit-ingest", "entry_point: ingest", "no entry point ingest"),
    ("deploy/bundle/jobs.yml", "package_name: fitbit_ingestion", "package_name: fitbit", "no package fitbit"),
    ("deploy/wheel/pyproject.toml", "ingestion.cli:job", "ingestion.cli:jobs", "there is no ingestion.cli:jobs"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new", "fault"), MUTANTS)
def test_a_name_without_a_thing_is_caught(
    mutant: Callable[[str, str, str], Path], file: str, old: str, new: str, fault: str
) -> None:
    found = list(faults(mutant(file, old, new)))
    assert any(fault in text for text in found), found
