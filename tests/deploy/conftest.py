"""A copy of what is deployed, to be broken."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_PARTS = (
    "databricks.yml",
    "dbt_project.yml",
    "profiles.yml",
    "deploy",
    "models",
    "snapshots",
    "dashboards",
    ".github",
    "docs",
)


@pytest.fixture
def root() -> Path:
    return ROOT


@pytest.fixture
def mutant(tmp_path: Path) -> Callable[[str, str, str], Path]:
    """Copies the deployed files and replaces `old` by `new` in one of them (all occurrences)."""
    copied = tmp_path / "project"

    def make(file: str, old: str, new: str) -> Path:
        if not copied.exists():
            copied.mkdir()
            for part in _PARTS:
                source = ROOT / part
                if source.is_dir():
                    shutil.copytree(
                        source, copied / part, ignore=shutil.ignore_patterns("dist", ".terraform")
                    )
                elif source.exists():
                    shutil.copy(source, copied / part)
        path = copied / file
        text = path.read_text()
        assert old in text, f"{file} no longer holds {old!r}: this mutant tests nothing"
        path.write_text(text.replace(old, new))
        return copied

    return make
