"""Who may read whom: staging bronze, silver staging, gold silver; `ingestion` never `local`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_REF = re.compile(r"\bref\(\s*'(\w+)'")
_SOURCE = re.compile(r"\bsource\(")
# What each layer may name by ref().
_READS = {
    "staging": {"staging"},
    "silver": {"staging", "silver", "snapshots", "seeds"},
    "snapshots": {"silver"},
    "gold": {"silver", "gold", "snapshots", "seeds"},
}
# Views of silver on gold, for readers outside: no model reads them.
_ON_GOLD = {"user_bins", "member_day_zones"}


def layers(root: Path) -> dict[str, str]:
    """The layer of each model, snapshot and seed."""
    found = {path.stem: path.parent.name for path in root.glob("models/*/*.sql")}
    found |= {path.stem: "snapshots" for path in root.glob("snapshots/*.yml")}
    return found | {path.stem: "seeds" for path in root.glob("seeds/*.csv")}


def macros_on_sources(root: Path) -> set[str]:
    """Macros that name a source, or call one that does: a model reads bronze through them."""
    bodies = {
        name: body
        for path in root.glob("macros/**/*.sql")
        for name, body in re.findall(
            r"{% macro (\w+)\(.*?-?%}(.*?){%-? endmacro", path.read_text(), re.S
        )
    }
    found = {name for name, body in bodies.items() if _SOURCE.search(body)}
    while more := {name for name, body in bodies.items() if _calls(body, found)} - found:
        found |= more
    return found


def _calls(text: str, macros: set[str]) -> bool:
    return any(word in macros for word in re.findall(r"\b(\w+)\(", text))


def faults(root: Path) -> Iterator[str]:
    known, on_sources = layers(root), macros_on_sources(root)
    for path in [*root.glob("models/*/*.sql"), *root.glob("snapshots/*.yml")]:
        layer, text = known[path.stem], re.sub(r"--.*|{#.*?#}", "", path.read_text())
        for name in _REF.findall(text):
            may = _READS[layer] | ({"gold"} if path.stem in _ON_GOLD else set())
            if known[name] not in may or name in _ON_GOLD:
                yield f"{path.stem} is {layer} and reads {name}, which is {known[name]}"
        if layer != "staging" and (_SOURCE.search(text) or _calls(text, on_sources)):
            yield f"{path.stem} is {layer} and reads bronze"
    for path in root.glob("ingestion/**/*.py"):
        if "local" in imported(path.read_text()):
            yield f"{path.name} imports local"


def imported(code: str) -> set[str]:
    """Packages that a module imports, inside functions as well."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add((node.module or "").partition(".")[0])
    return found


def test_layers_read_what_they_may() -> None:
    assert "erasure_pads" in macros_on_sources(ROOT)
    assert list(faults(ROOT)) == []


@pytest.mark.parametrize(
    ("file", "more", "fault"),
    [
        ("models/gold/dates.sql", "{{ ref('stg_kafka__bpm') }}", "which is staging"),
        ("models/gold/dates.sql", "{{ source('bronze', 'bpm') }}", "gold and reads bronze"),
        ("models/silver/gym_visits.sql", "{{ ref('gym_summary') }}", "which is gold"),
        ("models/silver/gym_visits.sql", "{{ erasure_pads() }}", "reads bronze"),
        ("models/silver/gym_visits.sql", "{{ ref('user_bins') }}", "which is silver"),
        ("ingestion/cli.py", "def f():\n    from local.home import Home", "imports local"),
    ],
)  # fmt: skip
def test_a_wrong_read_is_caught(tmp_path: Path, file: str, more: str, fault: str) -> None:
    for pattern in (
        "models/*/*.sql",
        "macros/**/*.sql",
        "snapshots/*.yml",
        "seeds/*",
        "ingestion/*.py",
    ):
        for path in ROOT.glob(pattern):
            copy = tmp_path / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(path.read_text())
    with (tmp_path / file).open("a") as out:
        out.write(f"\n{more}\n")
    found = list(faults(tmp_path))
    assert any(fault in text for text in found), found
