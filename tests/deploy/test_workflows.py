"""GitHub's workflows, read without GitHub."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.deploy import workflows
from tests.deploy.test_bundle import dbt_parameters

Mutant = Callable[[str, str, str], Path]
FOLDER = ".github/workflows"


@pytest.fixture
def makefile(root: Path) -> str:
    return (root / "Makefile").read_text()


def test_workflows_are_sound(root: Path, makefile: str) -> None:
    assert workflows.check(root, makefile) == []
    assert workflows.zizmor(root) == []


def test_a_pull_request_meets_the_real_tools(root: Path) -> None:
    """Which `make test` lacks: the Databricks CLI and actionlint come from no package registry."""
    steps = yaml.safe_load((root / FOLDER / "checks.yml").read_text())["jobs"]["deployment"][
        "steps"
    ]
    used = " ".join(step.get("uses", "") + step.get("run", "") for step in steps)
    for part in (
        "databricks/setup-cli",
        "deploy.checks.walk",
        "tests/deploy/test_workspace.py",
        "deploy.checks.terraform real",
        "actionlint",
    ):
        assert part in used
    versions = set(
        re.findall(
            r"databricks/setup-cli@\S+ # v([\d.]+)",
            "".join(path.read_text() for path in (root / FOLDER).glob("*.yml")),
        )
    )
    (wanted,) = versions
    least = yaml.safe_load((root / "databricks.yml").read_text())["bundle"][
        "databricks_cli_version"
    ]
    assert tuple(map(int, wanted.split("."))) >= tuple(
        map(int, least.removeprefix(">= ").split("."))
    )


MUTANTS = [
    ("checks.yml", "3d3c42e5aac5ba805825da76410c181273ba90b1", "0" * 40, "pinned in two ways"),
    ("checks.yml", "make test", "make tests", "make tests does not exist"),
    ("deploy.yml", "vars.DATABRICKS_CLIENT_ID", "secrets.DATABRICKS_CLIENT_ID", "a stored secret"),
    ("deploy.yml", "vars.DATABRICKS_HOST", "vars.WORKSPACE", "does not say what WORKSPACE is"),
    ("deploy.yml", "bundle run setup", "bundle run set-up", "no job set-up"),
    ("deploy.yml", "run ingest --restart --no-wait", "run ingest --no-wait", "deploy.yml: restarts ingest if, and only if"),
    ("../../databricks.yml", "pause_status: UNPAUSED", "pause_status: PAUSED", "deploy.yml: restarts ingest if, and only if"),
    ("deploy.yml", "needs: checks", "needs: check", "needs check, which is not there"),
    ("deploy.yml", "    environment: ${{ github.ref_type == 'tag' && 'prod' || 'dev' }}\n", "", "a token without an environment"),
    ("deploy.yml", "    timeout-minutes: 60\n", "", "bundle: no timeout"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new", "fault"), MUTANTS)
def test_workflow_mutant_is_caught(
    mutant: Mutant, makefile: str, file: str, old: str, new: str, fault: str
) -> None:
    found = workflows.check(mutant(f"{FOLDER}/{file}", old, new), makefile)
    assert any(fault in text for text in found), found


@pytest.mark.parametrize(
    ("file", "old", "new", "rule"),
    [
        ("checks.yml", "@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1", "@v7", "unpinned-uses"),
        ("slim.yml", "  pull_request:", "  pull_request_target:", "dangerous-triggers"),
        ("slim.yml", "permissions: {}\n", "", "excessive-permissions"),
        ("deploy.yml", "      - run: databricks bundle validate", "      - run: echo ${{ github.head_ref }}\n      - run: databricks bundle validate", "template-injection"),
        ("deploy.yml", "persist-credentials: false", "persist-credentials: true", "artipacked"),
        ("deploy.yml", "permissions: {}", "permissions: write-all", "excessive-permissions"),
        ("deploy.yml", "    steps:", "    step:", "failed to load"),
        ("deploy.yml", "    runs-on: ubuntu", "    run-on: ubuntu", "failed to load"),
    ],
)  # fmt: skip
def test_zizmor_catches(mutant: Mutant, file: str, old: str, new: str, rule: str) -> None:
    found = workflows.zizmor(mutant(f"{FOLDER}/{file}", old, new))
    assert any(rule in line for line in found), found


def test_slim_ci_builds_what_changed(root: Path) -> None:
    (command,) = workflows.dbt_commands(root)
    given = dbt_parameters(command)
    assert given["select"] == ("state:modified+",)
    assert (given["defer"], str(given["state"]), given["target"]) == (True, "state", "dev")
    assert "'source_catalog'" in (root / "models/staging/sources.yml").read_text()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (" --defer", ""),
        ("state:modified+ --defer", "state:modified --defer"),
        ("--state state", "--state target"),
        ("dbt build --target dev", "dbt build --target prod"),
    ],
)
def test_a_wrong_slim_command_is_caught(mutant: Mutant, old: str, new: str) -> None:
    with pytest.raises(AssertionError):
        test_slim_ci_builds_what_changed(mutant(f"{FOLDER}/slim.yml", old, new))


def test_the_nightly_run_leaves_nothing_out(root: Path) -> None:
    """Drills too, and `make test` with each end of the versions of Java and Python."""
    document = yaml.safe_load((root / FOLDER / "nightly.yml").read_text())
    # YAML 1.1 reads `on` as a boolean.
    assert document[True].keys() == {"schedule", "workflow_dispatch"}
    jobs = document["jobs"]
    runs = {key: [s["run"] for s in job["steps"] if "run" in s][-1] for key, job in jobs.items()}
    assert runs == {"test": "make test", "drills": "make test-drills"}
    assert jobs["test"]["strategy"]["matrix"] == {"java": ["17", "21"], "python": ["3.11", "3.13"]}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("make test-drills", "make test"),
        ('["17", "21"]', '["17"]'),
        ("  schedule:\n", "  pull_request:\n"),
    ],
)
def test_a_nightly_run_that_leaves_out_is_caught(mutant: Mutant, old: str, new: str) -> None:
    with pytest.raises(AssertionError):
        test_the_nightly_run_leaves_nothing_out(mutant(f"{FOLDER}/nightly.yml", old, new))
