"""What is deployed: a copy to be broken, and the wheel where a job would find it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from importlib import metadata, util
from pathlib import Path

import pytest

from deploy.checks import terraform
from deploy.checks.terraform import State
from tests.deploy.bundle import Bundle

ROOT = Path(__file__).parents[2]
_PARTS = (
    "databricks.yml",
    "dbt_project.yml",
    "profiles.yml",
    "deploy",
    "models",
    "macros",
    "seeds",
    "snapshots",
    "tests/dbt",
    "dashboards",
    ".github",
    "docs",
    "pyproject.toml",
    "uv.lock",
    "ingestion",
)


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def states() -> dict[str, State]:
    """What `terraform test` applies, by run. That it passes is the first test of all."""
    return terraform.applied(ROOT / "deploy/azure")


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


# What the Databricks runtime brings along, as far as ingestion imports it.
_RUNTIME = (
    "pyspark",
    "py4j",
    "pyarrow",
    "pandas",
    "numpy",
    "grpc",
    "grpc_status",
    "google",
    "dateutil",
    "pytz",
    "six",
    "tzdata",
    "typing_extensions",
    "zstandard",
)

# How a Python wheel task calls an entry point: the function, without a look at what it returns.
_TASK = """
import sys
from importlib.metadata import distribution
sys.argv[1:] = sys.argv[2:] if sys.argv[1:2] == ["--"] else sys.argv[1:]
points = distribution("fitbit_ingestion").entry_points
(point,) = [p for p in points if p.group == "console_scripts" and p.name == "fitbit-ingest"]
point.load()()
"""


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(ROOT, tmp_path_factory.mktemp("wheel"))


def built(root: Path, copied: Path) -> Path:
    """The wheel of the project in `root`, by the bundle's own command, in a copy of its parts."""
    artifact = Bundle(root, "prod").config["artifacts"]["ingestion"]
    for part in ("ingestion", artifact["path"]):
        shutil.copytree(
            root / part, copied / part, ignore=shutil.ignore_patterns("dist", "__pycache__")
        )
    uv = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{uv}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run(
        artifact["build"].split(),
        cwd=copied / artifact["path"],
        env=environment,
        check=True,
        timeout=120,
    )
    return next(copied.joinpath(artifact["path"], "dist").glob("*.whl"))


@pytest.fixture(scope="session")
def job_python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with the wheel, what it requires, and the runtime's packages; no project around."""
    home = tmp_path_factory.mktemp("job")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
    (packages,) = home.glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    required = [
        re.split(r"[<>=~!;\[ ]", r)[0] for r in _metadata(packages).get_all("Requires-Dist", [])
    ]
    for name in [*_RUNTIME, *(_module(r) for r in required)]:
        found = util.find_spec(name)
        if found is None or found.origin is None:
            paths = list(found.submodule_search_locations or []) if found else []
            assert paths, name
            (packages / name).symlink_to(paths[0])
        else:
            origin = Path(found.origin)
            (
                packages / (origin.parent.name if origin.name == "__init__.py" else origin.name)
            ).symlink_to(origin.parent if origin.name == "__init__.py" else origin)
    return home / "bin/python"


def _metadata(packages: Path) -> metadata.PackageMetadata:
    (found,) = [
        d for d in metadata.distributions(path=[str(packages)]) if d.name == "fitbit_ingestion"
    ]
    return found.metadata


def _module(distribution: str) -> str:
    return {"kafka-python": "kafka", "prometheus-client": "prometheus_client"}[distribution]


def start_task(
    python: Path, *arguments: str, environment: Mapping[str, str] | None = None, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Call the wheel's entry point as a job does, with these variables and no others."""
    return subprocess.run(
        [python, "-I", "-c", _TASK, "--", *arguments],
        capture_output=True,
        text=True,
        cwd=python.parent,
        env={"PATH": os.environ["PATH"], **(environment or {})},
        timeout=timeout,
    )
