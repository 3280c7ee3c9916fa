"""Finds a Java that Spark 4.2 and Kafka 4.1 both run on: 17 or 21."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lakehouse.home import WorkspaceError

ACCEPTED = (17, 21)
_WAY_OUT = (
    "install Java 17 or 21 (Debian: `apt install openjdk-17-jre-headless`, macOS: "
    "`brew install openjdk@21`) or set JAVA_HOME to one."
)


@dataclass(frozen=True)
class Java:
    """An executable and its major version."""

    path: Path
    version: int


def find_java(environment: Mapping[str, str] | None = None) -> Java:
    """Look in JAVA_HOME, then on PATH.

    Raises WorkspaceError, naming what was found, if there is none of an accepted version.
    """
    env = os.environ if environment is None else environment
    candidates = []
    if env.get("JAVA_HOME"):
        candidates.append(Path(env["JAVA_HOME"]) / "bin" / "java")
    on_path = shutil.which("java", path=env.get("PATH", os.defpath))
    if on_path:
        candidates.append(Path(on_path))
    seen = []
    for path in candidates:
        version = _version_of(path)
        if version in ACCEPTED:
            return Java(path, version)
        seen.append(f"{path} is {'version ' + str(version) if version else 'no working Java'}")
    if seen:
        raise WorkspaceError(f"No Java 17 or 21 ({'; '.join(seen)}): {_WAY_OUT}")
    raise WorkspaceError(f"Java was not found: {_WAY_OUT}")


def _version_of(path: Path) -> int | None:
    """Major version, or None if the file does not run (macOS has such a stub)."""
    try:
        done = subprocess.run(
            [str(path), "-version"],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r'version "(\d+)(?:\.(\d+))?', done.stdout + done.stderr)
    if done.returncode != 0 or found is None:
        return None
    major = int(found[1])
    return int(found[2]) if major == 1 and found[2] else major
