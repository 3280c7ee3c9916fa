"""The project as dbt parses it, once for all rules."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lakehouse.home import CHECKOUT


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Shared: who changes it changes a copy."""
    target = tmp_path_factory.mktemp("parsed")
    subprocess.run(
        [
            *(str(Path(sys.executable).parent / "dbt"), "--quiet", "parse"),
            *("--target-path", str(target), "--log-path", str(target)),
        ],
        cwd=CHECKOUT,
        check=True,
        timeout=300,
    )
    found: dict[str, Any] = json.loads((target / "manifest.json").read_text())
    return found
