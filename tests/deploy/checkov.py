"""checkov in an environment of its own: it pins older versions of what dbt needs.

`python -m tests.deploy.checkov` makes it (`make test-setup` does); else the first test does.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

_REQUIREMENTS = Path(__file__).with_name("checkov.txt")


def program() -> Path:
    """Path of checkov, installed once for each set of pins, in the user's cache."""
    name = "checkov-" + hashlib.sha256(_REQUIREMENTS.read_bytes()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    home = cache / "fitbit-lakehouse" / f"{name}-py{version}"
    if not (home / "complete").exists():
        shutil.rmtree(home, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        python = str(home / "bin/python")
        uv = Path(sys.executable).with_name("uv")
        install = (
            [str(uv), "pip", "install", "--quiet", "--python", python]
            if uv.exists()
            else [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        )
        subprocess.run([*install, "--no-deps", "-r", str(_REQUIREMENTS)], check=True)
        (home / "complete").touch()
    return home / "bin/checkov"


if __name__ == "__main__":
    program()
