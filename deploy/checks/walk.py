"""A first deployment, releases and a developer's copy, by the real Databricks CLI.

    python -m deploy.checks.walk       prints what the CLI prints; stops at the first surprise

The steps of .github/workflows/deploy.yml are run as they stand, signed in as GitHub signs in, first
for merges to an empty dev, then for tags; a developer's commands follow. The workspace is
`fake_workspace`, the project a copy with a history of its own. `databricks` must be on PATH.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from deploy.checks.fake_workspace import (
    ACCOUNT,
    DEPLOY,
    INGEST,
    TRANSFORM,
    Directory,
    Workspace,
    serving,
)

ROOT = Path(__file__).parents[2]
ADA = "ada@example.com"


class Surprise(Exception):
    """A command did not end as it must; the message says which and what it printed."""


def variables(environment: str) -> dict[str, str]:
    """What Terraform's output `bundle_variables` holds for an environment."""
    return {
        "storage_account": f"stfitbit{environment}",
        "storage_credential": f"fitbit-{environment}",
        "kafka_bootstrap_servers": "events.example.com:9093",
        "secret_scope": "fitbit",
        "deploy_principal": DEPLOY,
        "ingest_principal": INGEST,
        "transform_principal": TRANSFORM,
        "alert_email": "team@example.com",
    }


def evaluate(expression: str, context: dict[str, str]) -> str:
    """A workflow's expression of names, strings, `==`, `!=`, `&&` and `||`, as GitHub does."""
    result = ""
    for alternative in expression.split("||"):
        for term in alternative.split("&&"):
            left, comparison, right = re.split(r"\s*(==|!=|$)\s*", term.strip(), maxsplit=1)
            value = _value(left, context)
            if comparison:
                holds = (value == _value(right, context)) == (comparison == "==")
                value = "true" if holds else ""
            result = value
            if not value:
                break
        if result:
            return result
    return result


def _value(word: str, context: dict[str, str]) -> str:
    return word[1:-1] if word.startswith("'") else context.get(word, "")


def workflow(root: Path) -> dict[str, Any]:
    """The workflow that deploys."""
    found: dict[str, Any] = yaml.safe_load((root / ".github/workflows/deploy.yml").read_text())
    return found


class Project:
    """A copy of what git would take, on its own `main`, with one workspace to deploy to."""

    def __init__(self, root: Path, folder: Path, environment: str) -> None:
        self.folder, self.environment = folder, environment
        self.workspace = Workspace(Directory.of(environment))
        self.address = ""
        listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        if (root / ".git").exists():
            names = subprocess.run(listed, cwd=root, capture_output=True, text=True, check=True)
            files = [name for name in names.stdout.split("\0") if (root / name).is_file()]
        else:
            files = [str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()]
        for name in files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / name, folder / name)
        self._git("init", "--quiet", "--initial-branch", "main")
        self.commit("a project")

    def _git(self, *words: str) -> str:
        who = ["-c", "user.name=walk", "-c", "user.email=walk@example.com"]
        done = subprocess.run(
            ["git", *who, *words], cwd=self.folder, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, message: str) -> None:
        self._git("add", "--all")
        self._git("commit", "--quiet", "--allow-empty", "--message", message)
        self._git("update-ref", "refs/remotes/origin/main", "HEAD")

    def _run(self, words: list[str], environment: dict[str, str]) -> str:
        ours = ("DATABRICKS_", "BUNDLE_", "GITHUB_", "ACTIONS_", "TARGET")
        base = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
        # `uv`, with which the bundle builds the wheel, may stand beside this Python.
        base["PATH"] = f"{base['PATH']}{os.pathsep}{Path(sys.executable).parent}"
        quiet = {"DATABRICKS_CONFIG_FILE": os.devnull, "DATABRICKS_CACHE_ENABLED": "false"}
        done = subprocess.run(
            words,
            cwd=self.folder,
            env=base | quiet | environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=600,
        )
        print(done.stdout, flush=True)
        if done.returncode:
            raise Surprise(f"{' '.join(words[-1:])} ended with {done.returncode}:\n{done.stdout}")
        return done.stdout

    def release(self, kind: str) -> None:
        """All steps of the workflow's job `bundle`, for a push of a branch or a tag."""
        job = workflow(self.folder)["jobs"]["bundle"]
        if kind == "tag":
            self._git("checkout", "--quiet", "--detach")
        context = {
            "github.ref_type": kind,
            "vars.DATABRICKS_HOST": self.address,
            "vars.DATABRICKS_ACCOUNT_ID": ACCOUNT,
            "vars.DATABRICKS_CLIENT_ID": DEPLOY,
            "vars.BUNDLE_VARIABLES": json.dumps(variables(self.environment)),
        }

        def filled(given: dict[str, str]) -> dict[str, str]:
            return {
                key: re.sub(r"\$\{\{(.*?)\}\}", lambda m: evaluate(m[1], context), value)
                for key, value in given.items()
            }

        shared = filled(job["env"]) | {
            "GITHUB_SHA": self._git("rev-parse", "HEAD"),
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.address}/github?version=1",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "a job's own",
        }
        for step in job["steps"]:
            if "run" in step and evaluate(step.get("if", "'yes'"), context):
                print(f"[{kind}] {step['run'].strip()}", flush=True)
                self._run(["bash", "-e", "-c", step["run"]], shared | filled(step.get("env", {})))

    def bundle(self, who: str, *words: str) -> str:
        """`databricks bundle <words>` as somebody."""
        print(f"[{who}] databricks bundle {' '.join(words)}", flush=True)
        signed_in = {"DATABRICKS_HOST": self.address, "DATABRICKS_TOKEN": who}
        return self._run(["databricks", "bundle", *words], signed_in)

    def refused(self, sentence: str, who: str, *words: str) -> None:
        """The same, if it must fail with this sentence and change nothing but the caller's own."""
        before = self.of_others(who)
        try:
            self.bundle(who, *words)
        except Surprise as surprise:
            if sentence not in str(surprise):
                raise
        else:
            raise Surprise(f"`databricks bundle {' '.join(words)}` by {who} was not refused")
        expect("nothing of others is touched", self.of_others(who), before)

    def of_others(self, who: str) -> str:
        """Securables, grants and files that are not `who`'s."""
        workspace = self.workspace
        others = {key for key, found in workspace.securables.items() if found["owner"] != who}
        return repr(
            (
                sorted((key, workspace.securables[key]) for key in others),
                sorted((key, sorted(workspace.grants.get(key, {}).items())) for key in others),
                sorted(path for path in workspace.files if who not in path),
            )
        )


def expect(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise Surprise(f"{what}: {found}, not {wanted}")


@contextmanager
def project(root: Path, environment: str) -> Iterator[Project]:
    """A project with its workspace, which runs as long as the block."""
    with tempfile.TemporaryDirectory() as folder:
        made = Project(root, Path(folder), environment)
        with serving(made.workspace) as made.address:
            yield made


def _prepare(copy: Project, target: str) -> None:
    """What step 8 of docs/deployment.md asks of a person."""
    given = copy.folder / f".databricks/bundle/{target}/variable-overrides.json"
    given.parent.mkdir(parents=True, exist_ok=True)
    given.write_text(json.dumps(variables(copy.environment)))


def dev(root: Path) -> None:
    """Merges: the first to an empty workspace, a second one, then what must be refused."""
    with project(root, "dev") as copy:
        copy.release("branch")
        workspace = copy.workspace
        expect("dev is built", workspace.filled, {"fitbit_dev"})
        expect("dev's policies spare who builds", workspace.spared, {"fitbit_dev": {DEPLOY}})
        expect("nothing runs by itself in dev", list(active(workspace)), [])
        for job in ("erasure", "maintenance"):
            copy.bundle(DEPLOY, "run", job, "--target", "dev")
        # Only the wheel's version is new; all else is as it was left.
        planned = copy.bundle(DEPLOY, "plan", "--target", "dev")
        changes = re.findall(r"^(?:[a-z]+ \w+\.\S+|Plan: .*(?=, \d+ unchanged))", planned, re.M)
        expect("a second plan", changes, _SECOND_PLAN)
        copy.commit("a change")
        copy.release("branch")
        _prepare(copy, "dev")
        copy.refused("contain the current username", ADA, "deploy", "--target", "dev")
        copy.refused("prevent_destroy", DEPLOY, "destroy", "--auto-approve", "--target", "dev")


_SECOND_PLAN = [
    "update jobs.erasure",
    "update jobs.ingest",
    "update jobs.ingest_scheduled",
    "Plan: 0 to add, 3 to change, 0 to delete",
]


def personal(root: Path) -> None:
    """A developer's own copy beside dev, from first to last; dev never changes."""
    with project(root, "dev") as copy:
        copy.release("branch")
        before = copy.of_others(ADA)
        _prepare(copy, "personal")
        target = ("--target", "personal")
        copy.bundle(ADA, "validate", "--strict", *target)
        copy.bundle(ADA, "deploy", *target)
        for job in ("setup", "ingest_scheduled", "build", "erasure", "maintenance"):
            copy.bundle(ADA, "run", job, *target)
        expect("catalogs", copy.workspace.filled, {"fitbit_dev", "fitbit_dev_ada"})
        copy.bundle(ADA, "plan", *target)
        copy.bundle(ADA, "destroy", "--auto-approve", *target)
        expect("dev after a developer's copy", copy.of_others(ADA), before)
        owners = {found["owner"] for found in copy.workspace.securables.values()}
        expect("what is left", owners, {DEPLOY})
        copy.refused("already exists", ADA, "deploy", "--var", "catalog=fitbit_dev", *target)


def prod(root: Path) -> None:
    """Tags: the first, then one whose code the running job must take up."""
    with project(root, "prod") as copy:
        copy.release("tag")
        first = running(copy.workspace)
        copy.commit("another release")
        copy.release("tag")
        if running(copy.workspace) == first:
            raise Surprise(f"the job that runs without end still runs {first}")
        for job in ("ingest_scheduled", "build", "erasure", "maintenance"):
            copy.bundle(DEPLOY, "run", job, "--target", "prod")
        expect(
            "prod's policies spare who builds", copy.workspace.spared["fitbit_prod"], {TRANSFORM}
        )
        copy.bundle(DEPLOY, "plan", "--target", "prod")
        _prepare(copy, "prod")
        copy.refused("CAN_READ on /Workspace/Users/", ADA, "deploy", "--target", "prod")
        copy.refused("prevent_destroy", DEPLOY, "destroy", "--auto-approve", "--target", "prod")


def active(workspace: Workspace) -> Iterator[dict[str, Any]]:
    for key in workspace.jobs:
        yield from workspace.active(key)


def running(workspace: Workspace) -> str:
    """The wheel of the one job that runs."""
    found = list(active(workspace))
    if len(found) != 1:
        errors = [run["error"] for run in workspace.runs.values() if run.get("error")]
        raise Surprise(f"{len(found)} jobs run: {'; '.join(errors)}")
    return str(found[0]["settings"]["tasks"][0]["libraries"][0]["whl"])


WALKS: dict[str, Callable[[Path], None]] = {"dev": dev, "personal": personal, "prod": prod}


def main() -> int:
    for name, walk in WALKS.items():
        print(f"== {name}", flush=True)
        try:
            walk(ROOT)
        except Surprise as surprise:
            print(f"{name}: {surprise}", file=sys.stderr)
            return 1
    print("All as it must be.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
