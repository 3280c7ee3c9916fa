"""Checks of .github/workflows that zizmor lacks: no secrets, and everything they call exists."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.bundle import Bundle


def check(root: Path, makefile: str) -> list[str]:
    faults: list[str] = []
    pins: dict[str, set[str]] = {}
    page = (root / "docs/deployment.md").read_text()
    for path in sorted((root / ".github/workflows").glob("*.yml")):
        text = path.read_text()
        faults += [f"{path.name}: {fault}" for fault in _one(root, text, makefile, page)]
        for line in re.findall(r"uses: (.*)", text):
            pins.setdefault(line.split("@")[0], set()).add(line)
    endless = Bundle(root, "prod").resources["jobs"]["ingest"]["continuous"]["pause_status"]
    releases = (root / ".github/workflows/deploy.yml").read_text()
    if (endless == "UNPAUSED") != ("bundle run ingest --restart --no-wait" in releases):
        faults.append("deploy.yml: restarts ingest if, and only if, it runs without end in prod")
    faults += [f"{name}: pinned in two ways" for name, lines in pins.items() if len(lines) > 1]
    return faults


def _one(root: Path, text: str, makefile: str, page: str) -> Iterator[str]:
    if "secrets." in text:
        yield "a stored secret: OIDC needs none"
    for name in sorted(set(re.findall(r"vars\.(\w+)", text))):
        if f"`{name}`" not in page:
            yield f"docs/deployment.md does not say what {name} is"
    document: dict[Any, Any] = yaml.safe_load(text)
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    jobs = set(Bundle(root, "prod").resources["jobs"])
    for key, job in document["jobs"].items():
        if not job.get("timeout-minutes"):
            yield f"{key}: no timeout"
        if "id-token" in job.get("permissions", {}) and not job.get("environment"):
            yield f"{key}: a token without an environment"
        for needed in [job["needs"]] if isinstance(job.get("needs"), str) else job.get("needs", []):
            if needed not in document["jobs"]:
                yield f"{key}: needs {needed}, which is not there"
        for step in job["steps"]:
            run = step.get("run", "")
            for target in re.findall(r"\bmake ([\w-]+)", run):
                if target not in targets:
                    yield f"{key}: make {target} does not exist"
            for name in re.findall(r"databricks bundle run (\S+)", run):
                if name not in jobs:
                    yield f"{key}: the bundle has no job {name}"
            for target in re.findall(r"--target (dev|prod|\"\$TARGET\"|\S+)", run):
                if target not in ("dev", "prod", '"$TARGET"'):
                    yield f"{key}: no target {target}"


def dbt_commands(root: Path) -> Iterator[list[str]]:
    for path in sorted((root / ".github/workflows").glob("*.yml")):
        for line in path.read_text().splitlines():
            if match := re.search(r"uv run --frozen (dbt .*)", line):
                yield shlex.split(match[1])


def zizmor(root: Path) -> list[str]:
    """Its findings, one a line, and what is no workflow by GitHub's schema. It asks nobody."""
    program = Path(sys.executable).parent / "zizmor"
    options = ("--offline", "--no-progress", "--strict-collection", "--persona=auditor")
    done = subprocess.run(
        [program, *options, "--format=github", root / ".github"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    found = [line for line in done.stdout.splitlines() if line.startswith("::")]
    # 0: nothing found, 10 to 14: findings by severity; else it could not read a file.
    if done.returncode not in (0, 10, 11, 12, 13, 14):
        found.append(f"zizmor: {done.stderr}")
    return found
