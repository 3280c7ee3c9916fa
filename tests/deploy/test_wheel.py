"""The wheel of the jobs: built, installed where nothing else is, and started as a job starts it."""

from __future__ import annotations

import configparser
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deploy.conftest import built, start_task


def test_wheel_holds_ingestion_and_no_spark(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if not name.startswith("fitbit_ingestion-")} == {
        "ingestion"
    }
    (file,) = [name for name in names if name.endswith("METADATA")]
    assert "pyspark" not in zipfile.ZipFile(wheel).read(file).decode()
    (file,) = [name for name in names if name.endswith("entry_points.txt")]
    points = configparser.ConfigParser()
    points.read_string(zipfile.ZipFile(wheel).read(file).decode())
    # Not `main`, whose exit code a task would not see.
    assert dict(points["console_scripts"]) == {
        "fitbit-ingest": "ingestion.cli:job",
        "fitbit-erase": "ingestion.erasure:job",
    }


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"../../ingestion" = "ingestion"', '"../../ingestion" = "ingest"'),
        ('    "kafka-python', '    "pyspark",\n    "kafka-python'),
        ("ingestion.cli:job", "ingestion.cli:main"),
    ],
)
def test_a_wrong_wheel_is_caught(
    mutant: Callable[[str, str, str], Path], tmp_path: Path, old: str, new: str
) -> None:
    wheel = built(mutant("deploy/wheel/pyproject.toml", old, new), tmp_path / "wheel")
    with pytest.raises(AssertionError):
        test_wheel_holds_ingestion_and_no_spark(wheel)


def test_help(job_python: Path) -> None:
    done = start_task(job_python, "--help")
    assert done.returncode == 0, done.stderr
    assert "--continuous" in done.stdout


def test_every_module_loads(job_python: Path, root: Path) -> None:
    """With what a job has, and nothing of the workspace on a laptop."""
    modules = sorted(
        f"ingestion.{p.stem}" for p in (root / "ingestion").glob("*.py") if p.stem != "__main__"
    )
    code = "import sys, " + ", ".join(modules) + "; assert 'lakehouse' not in sys.modules"
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
    done = start_task(job_python, environment={"FITBIT_INGEST_LANDING": "/nowhere"})
    assert done.returncode == 1
    assert "'checkpoints' is missing" in done.stderr
    assert "Traceback" not in done.stderr


def test_settings_of_the_job_are_read(job_python: Path, tmp_path: Path) -> None:
    """All but the last setting: the one that is missing is named, so the others were taken."""
    settings = {
        f"FITBIT_INGEST_{key}": str(tmp_path) for key in ("LANDING", "CHECKPOINTS", "LEASES")
    }
    done = start_task(job_python, "--continuous", environment=settings)
    assert done.returncode == 1
    assert "'bootstrap.servers' is missing" in done.stderr
