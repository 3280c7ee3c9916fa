"""The rules of the house: what dbt-bouncer holds must be found by it, and the rest stands here."""

from __future__ import annotations

import ast
import copy
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.landed import GOLD, SILVER

ROOT = Path(__file__).resolve().parents[2]
Manifest = dict[str, Any]
# What each layer may read; sources are bronze.
_READS = {
    "staging": {"bronze", "staging"},
    "silver": {"staging", "silver", "snapshots", "seeds"},
    "snapshots": {"silver"},
    "gold": {"silver", "gold", "snapshots", "seeds"},
}
# Views of silver on gold, for readers outside: no model reads them.
_ON_GOLD = {"user_bins", "member_day_zones"}
# Percent of a layer's characters that may be Jinja other than config, ref, source and this.
_JINJA = {"staging": 30, "silver": 20, "gold": 15}
_TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.S)
_STOCK = re.compile(
    r"\{\{\s*(config\(.*?\)|(ref|source)\([^()]*\)|this)\s*\}\}|(ref|source)\([^()]*\)", re.S
)


def wrong_reads(manifest: Manifest) -> Iterator[str]:
    """Of models and the snapshot, also through a macro or a view."""
    nodes = manifest["nodes"]
    for node in nodes.values():
        if node["resource_type"] not in ("model", "snapshot"):
            continue
        name, layer = node["name"], _layer(node)
        may = _READS[layer] | ({"gold"} if name in _ON_GOLD else set())
        for read in (nodes.get(i) or manifest["sources"][i] for i in node["depends_on"]["nodes"]):
            if _layer(read) not in may or read["name"] in _ON_GOLD:
                yield f"{name} is {layer} and reads {read['name']}, which is {_layer(read)}"


def _layer(node: dict[str, Any]) -> str:
    folder = node["original_file_path"].split("/")[-2]
    return "bronze" if node["resource_type"] == "source" else str(folder)


def jinja_share(layer: Path) -> float:
    """Percent, without blanks and comments."""
    files = [
        re.sub(r"\{#.*?#\}|--[^\n]*", "", p.read_text(), flags=re.S) for p in layer.glob("*.sql")
    ]
    tags = [_STOCK.sub("", tag) for text in files for tag in _TAG.findall(text)]
    return 100 * _solid(tags) / _solid(files)


def _solid(texts: list[str]) -> int:
    return sum(len(re.sub(r"\s", "", text)) for text in texts)


def imported(code: str) -> set[str]:
    """Packages that a module imports, inside functions as well."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add((node.module or "").partition(".")[0])
    return found


def importers(package: str, of: str, root: Path) -> Iterator[str]:
    """Modules of a package that import another."""
    for path in root.glob(f"{package}/**/*.py"):
        if of in imported(path.read_text()):
            yield path.name


def test_models_are_sql() -> None:
    for layer, most in _JINJA.items():
        assert jinja_share(ROOT / "models" / layer) <= most, layer


@pytest.mark.parametrize(
    ("package", "other"), [("ingestion", "lakehouse"), ("lakehouse", "tests"), ("bench", "tests")]
)
def test_packages_do_not_import_what_stands_on_them(package: str, other: str) -> None:
    assert list(importers(package, other, ROOT)) == []


def test_a_wrong_import_is_caught(tmp_path: Path) -> None:
    (tmp_path / "ingestion").mkdir()
    (tmp_path / "ingestion/cli.py").write_text("def f():\n    from lakehouse.home import Home\n")
    assert list(importers("ingestion", "lakehouse", tmp_path)) == ["cli.py"]


def test_layers_read_what_they_may(manifest: Manifest) -> None:
    assert list(wrong_reads(manifest)) == []


_MODEL = "model.fitbit_lakehouse."


@pytest.mark.parametrize(
    ("node", "read", "fault"),
    [
        (_MODEL + "dates", _MODEL + "stg_kafka__bpm", "which is staging"),
        (_MODEL + "dates", "source.fitbit_lakehouse.bronze.bpm", "gold and reads bpm"),
        (_MODEL + "gym_visits", _MODEL + "gym_summary", "which is gold"),
        (_MODEL + "gym_visits", "source.fitbit_lakehouse.bronze.erasure_key", "which is bronze"),
        (_MODEL + "gym_visits", _MODEL + "user_bins", "which is silver"),
        (_MODEL + "stg_kafka__bpm", "seed.fitbit_lakehouse.age_bands", "which is seeds"),
        (
            "snapshot.fitbit_lakehouse.user_profile_history",
            _MODEL + "stg_kafka__user_info",
            "which is staging",
        ),
    ],
)
def test_a_wrong_read_is_caught(manifest: Manifest, node: str, read: str, fault: str) -> None:
    edited = copy.deepcopy(manifest)
    edited["nodes"][node]["depends_on"]["nodes"].append(read)
    (found,) = wrong_reads(edited)
    assert fault in found


def test_a_macro_that_reads_bronze_counts(manifest: Manifest) -> None:
    read = manifest["nodes"][_MODEL + "stg_kafka__workout"]["depends_on"]["nodes"]
    assert "source.fitbit_lakehouse.bronze.erasure_key" in read  # by erasure_pads() alone


def test_what_is_against_the_rules_is_caught(manifest: Manifest, tmp_path: Path) -> None:
    """Each rule of dbt-bouncer.yml with a pattern of ours, by a node that breaks it."""
    edited = copy.deepcopy(manifest)
    nodes = edited["nodes"]
    nodes[_MODEL + "records"]["raw_code"] += "\n" * 150
    nodes[_MODEL + "dates"]["raw_code"] += "\n{% if is_incremental() %}{% endif %}"
    nodes[_MODEL + "heart_rates"]["raw_code"] += "\n{{ only('select a from b') }}"
    edited["macros"]["macro.fitbit_lakehouse.mean"]["macro_sql"] += "{{ modules.re.search(a, b) }}"
    (tmp_path / "manifest.json").write_text(json.dumps(edited))
    rules = (ROOT / "dbt-bouncer.yml").read_text().replace("dir: target", f"dir: {tmp_path}")
    (tmp_path / "rules.yml").write_text(rules)
    done = subprocess.run(
        [
            *(str(Path(sys.executable).parent / "dbt-bouncer"), "run"),
            *("--config-file", str(tmp_path / "rules.yml")),
            *("--output-file", str(tmp_path / "found.json")),
        ],
        capture_output=True,
        timeout=300,
    )
    assert done.returncode == 1
    found = json.loads((tmp_path / "found.json").read_text())
    failed = [one["check_run_id"] for one in found if one["outcome"] == "failed"]
    assert sorted(re.sub(r":\d+:", " ", one.removeprefix("check_")) for one in failed) == [
        "macro_code_does_not_contain_regexp_pattern mean",
        "model_code_does_not_contain_regexp_pattern dates",
        "model_code_does_not_contain_regexp_pattern heart_rates",
        "model_max_number_of_lines records",
    ]


def test_every_table_is_compared_with_the_oracle() -> None:
    """All but the calendar, which holds nothing of records."""
    folders = ("models/silver", "models/gold", "snapshots")
    names = {path.stem for folder in folders for path in (ROOT / folder).glob("*.sql")}
    names |= {path.stem for path in (ROOT / "snapshots").glob("*.yml")}
    assert names - {"dates"} == {*SILVER, *GOLD}
