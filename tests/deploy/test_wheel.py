"""The wheel of the jobs: built, installed where nothing else is, and started as a job starts it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata, util
from pathlib import Path

import pytest

# What the Databricks runtime brings along, as far as ingestion imports it.
_RUNTIME = ("pyspark", "py4j", "pyarrow", "pandas", "numpy", "grpc", "google", "dateutil", "pytz", "six", "tzdata", "typing_extensions")  # fmt: skip

# How a Python wheel task calls an entry point: the function, without a look at what it returns.
_TASK = """
import sys
from importlib.metadata import distribution
sys.argv[1:] = sys.argv[2:] if sys.argv[1:2] == ["--"] else sys.argv[1:]
points = distribution("fitbit_ingestion").entry_points
(point,) = [p for p in points if p.group == "console_scripts" and p.name == "fitbit-ingest"]
point.load()()
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by the bundle's own command."""
    from tests.deploy.bundle import Bundle

    root = Path(__file__).parents[2]
    artifact = Bundle(root, "prod").config["artifacts"]["ingestion"]
    copied = tmp_path_factory.mktemp("wheel")
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


@pytest.fixture(scope="module")
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


def run(python: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, "-I", "-c", _TASK, "--", *arguments],
        capture_output=True,
        text=True,
        cwd=python.parent,
        env={"PATH": os.environ["PATH"], **environment},
        timeout=60,
    )


def test_wheel_holds_ingestion_and_no_spark(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if not name.startswith("fitbit_ingestion-")} == {
        "ingestion"
    }
    (file,) = [name for name in names if name.endswith("METADATA")]
    assert "pyspark" not in zipfile.ZipFile(wheel).read(file).decode()


def test_help(job_python: Path) -> None:
    done = run(job_python, "--help")
    assert done.returncode == 0, done.stderr
    assert "--continuous" in done.stdout


def test_every_module_loads(job_python: Path, root: Path) -> None:
    """With what a job has, and nothing of the workspace on a laptop."""
    modules = sorted(
        f"ingestion.{p.stem}" for p in (root / "ingestion").glob("*.py") if p.stem != "__main__"
    )
    code = "import sys, " + ", ".join(modules) + "; assert 'local' not in sys.modules"
    done = subprocess.run(
        [job_python, "-I", "-c", code],
        capture_output=True,
        text=True,
        cwd=job_python.parent,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


def test_a_fault_fails_the_task(job_python: Path) -> None:
    """The task hears exceptions only: a fault must not pass for success."""
    done = run(job_python, FITBIT_INGEST_LANDING="/nowhere")
    assert done.returncode == 1
    assert "'checkpoints' is missing" in done.stderr
    assert "Traceback" not in done.stderr


def test_settings_of_the_job_are_read(job_python: Path, tmp_path: Path) -> None:
    """All but the last setting: the one that is missing is named, so the others were taken."""
    settings = {
        f"FITBIT_INGEST_{key}": str(tmp_path) for key in ("LANDING", "CHECKPOINTS", "LEASES")
    }
    done = run(job_python, "--continuous", **settings)
    assert done.returncode == 1
    assert "'bootstrap.servers' is missing" in done.stderr
