"""The models shown in docs/incremental.md pass the linter, as a copy of them must."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from lakehouse.client import copy_project

ROOT = Path(__file__).resolve().parents[2]


def test_models_of_the_guide_pass_the_linter(tmp_path: Path) -> None:
    project = tmp_path / "project"
    copy_project(project)
    shutil.copy(ROOT / ".sqlfluff", project)
    shutil.copytree(ROOT / "tests/dbt_context", project / "tests/dbt_context")
    guide = (ROOT / "docs/incremental.md").read_text()
    shown = re.findall(r"^```sql\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)
    assert len(shown) == 2
    models: list[Path] = []
    for number, text in enumerate(shown):
        # Remarks beside the code are the page's, and would make its lines too long.
        text = re.sub(r" +-- .*", "", text)
        models.append(project / f"models/gold/shown_{number}.sql")
        models[-1].write_text(text)
    done = subprocess.run(
        [Path(sys.executable).parent / "sqlfluff", "lint", "--nocolor", *models],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout
