"""The jobs' own commands against a workspace: the wheel, and dbt with production's profile."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from lakehouse import kafka
from tests.deploy import bundle
from tests.deploy.bundle import Bundle
from tests.deploy.conftest import start_task
from tests.deploy.test_bundle import VALUES
from tests.support import Workspace

pytestmark = pytest.mark.drill


@pytest.fixture(scope="module")
def filled(workspace: Workspace) -> Workspace:
    """With something to take in from every feed."""
    workspace.run("simulate", "--users", "2", "--days", "1", "--seed", "407")
    return workspace


def test_the_wheel_fills_bronze(filled: Workspace, job_python: Path, root: Path) -> None:
    """`ingest_scheduled`, with the node's variables led to the workspace."""
    job = Bundle(root, "prod", VALUES).job("ingest_scheduled")
    (task,) = job["tasks"]
    (cluster,) = [c["new_cluster"] for c in job["job_clusters"]]
    home = filled.home
    here = {
        "FITBIT_INGEST_CATALOG": "",
        "FITBIT_INGEST_LANDING": str(home.landing),
        "FITBIT_INGEST_CHECKPOINTS": str(home.checkpoints),
        "FITBIT_INGEST_LEASES": str(home.leases),
        **{
            f"FITBIT_INGEST_KAFKA_{name.upper().replace('.', '_')}": value
            for name, value in kafka.client_settings(home).items()
        },
    }
    assert set(cluster["spark_env_vars"]) == set(here)
    before = rows(filled)
    done = start_task(
        job_python,
        *task["python_wheel_task"]["parameters"],
        timeout=300,
        environment={**here, "FITBIT_INGEST_SPARK_REMOTE": home.connect_url},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    after = rows(filled)
    assert all(after[feed] > before[feed] for feed in after), (after, done.stderr[-3000:])


def rows(workspace: Workspace) -> dict[str, int]:
    feeds = ("user_info", "bpm", "workout", "registered_users", "gym_logins")
    counts = " union all ".join(
        f"select '{f}' as feed, count(*) as n from bronze.{f}" for f in feeds
    )
    return {row["feed"]: row["n"] for row in workspace.sql(counts)}


@pytest.fixture(scope="module")
def production_profile(
    filled: Workspace, root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """profiles.yml whose `prod` differs in the transport alone: plain HTTP to the loopback."""
    profiles = yaml.safe_load((root / "profiles.yml").read_text())
    outputs: dict[str, Any] = profiles["fitbit_lakehouse"]["outputs"]
    outputs["prod"]["connection_parameters"] = outputs["local"]["connection_parameters"]
    folder = tmp_path_factory.mktemp("profiles")
    (folder / "profiles.yml").write_text(yaml.safe_dump(profiles))
    return folder


@pytest.mark.parametrize(
    ("task", "more"),
    [
        ("jobs.build.freshness", []),
        # One model, what it reads, and their tests: that all of them build is shown elsewhere.
        (
            "jobs.build.build",
            ["--select", "+stg_kafka__bpm", "--indirect-selection", "cautious"],
        ),
    ],
)
def test_dbt_as_the_job_calls_it(
    filled: Workspace,
    production_profile: Path,
    root: Path,
    tmp_path: Path,
    task: str,
    more: list[str],
) -> None:
    given = Bundle(root, "prod", VALUES | {"catalog": "lakehouse"})
    (words,) = [words for where, words in bundle.dbt_commands(given) if where == task]
    done = subprocess.run(
        [Path(sys.executable).parent / words[0], *words[1:], *more],
        cwd=root,
        env={
            **filled.environment,
            "DBT_HOST": filled.home.endpoint_url,
            "DBT_ACCESS_TOKEN": filled.home.token,
            "DBT_PROFILES_DIR": str(production_profile),
            "DBT_TARGET_PATH": str(tmp_path / "target"),
            "DBT_LOG_PATH": str(tmp_path / "logs"),
        },
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert "Done." in done.stdout or "Completed successfully" in done.stdout
