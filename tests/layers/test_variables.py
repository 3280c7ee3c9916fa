"""A variable that names no rule is refused by name, before anything is built."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("zones", "var zones is karvonen: it must be reserve or maximum"),
        ("hr_max_formula", "var hr_max_formula is karvonen: it must be fox or tanaka"),
    ],
)
def test_an_unknown_rule_is_refused(tmp_path: Path, name: str, sentence: str) -> None:
    done = subprocess.run(
        [
            *(str(Path(sys.executable).parent / "dbt"), "parse", "--no-partial-parse"),
            *("--vars", json.dumps({name: "karvonen"})),
            *("--target-path", str(tmp_path), "--log-path", str(tmp_path)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode != 0
    assert sentence in " ".join(done.stdout.split())
