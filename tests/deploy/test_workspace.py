"""The fake workspace refuses what a real one would; the CLI's walk against it, where there is one."""

from __future__ import annotations

import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from deploy.checks import walk
from deploy.checks.fake_workspace import (
    ACCOUNT,
    DEPLOY,
    INGEST,
    TRANSFORM,
    Directory,
    Workspace,
    serving,
)

Json = dict[str, Any]
Mutant = Callable[[str, str, str], Path]
ADA, BEN = "ada@example.com", "ben@example.com"
UC = "/api/2.1/unity-catalog"
HOME = f"/Workspace/Users/{DEPLOY}"
LAKE = "abfss://managed@lake.example/fitbit_prod"


class Client:
    """Asks as somebody; answers are (status, body)."""

    def __init__(self, address: str) -> None:
        self.address = address

    def ask(
        self, who: str, method: str, url: str, body: Any = None, **query: str
    ) -> tuple[int, Any]:
        given = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.address}{url}?{urlencode(query)}",
            data=None if body is None else given,
            headers={"Authorization": f"Bearer {who}"},
            method=method,
        )
        if not isinstance(body, bytes):
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def done(self, who: str, method: str, url: str, body: Any = None, **query: str) -> Any:
        status, answer = self.ask(who, method, url, body, **query)
        assert status == 200, answer
        return answer

    def refused(self, who: str, method: str, url: str, body: Any = None, **query: str) -> str:
        status, answer = self.ask(who, method, url, body, **query)
        assert 400 <= status < 500, answer
        return str(answer["message"])


@pytest.fixture
def workspace() -> Workspace:
    return Workspace(Directory.of("prod"))


@pytest.fixture
def client(workspace: Workspace) -> Iterator[Client]:
    with serving(workspace) as address:
        yield Client(address)


LOCATION = {
    "name": "lake",
    "url": LAKE,
    "credential_name": "fitbit-prod",
    "enable_file_events": False,
}


def test_who_is_unknown_is_refused(client: Client) -> None:
    assert "nobody is called eve" in client.refused("eve", "GET", "/api/2.0/preview/scim/v2/Me")
    assert client.ask(ADA, "GET", "/api/2.0/nothing")[0] == 501


@pytest.mark.parametrize(
    ("who", "change", "sentence"),
    [
        (ADA, {}, "ada@example.com lacks CREATE EXTERNAL_LOCATION on the metastore"),
        (DEPLOY, {"credential_name": "other"}, "storage credential other does not exist"),
        (DEPLOY, {"enable_file_events": True}, "need exactly one queue"),
        (DEPLOY, {"enable_file_events": None}, "need exactly one queue"),
        (DEPLOY, {"name": "first"}, "'first' already exists"),
        (DEPLOY, {"url": f"{LAKE}/first/deeper"}, "overlaps with external_location first"),
    ],
)
def test_external_locations(client: Client, who: str, change: Json, sentence: str) -> None:
    path = f"{UC}/external-locations"
    client.done(DEPLOY, "POST", path, LOCATION | {"name": "first", "url": f"{LAKE}/first"})
    body = {k: v for k, v in (LOCATION | change).items() if v is not None}
    assert sentence in client.refused(who, "POST", path, body)
    # A sibling whose name begins alike is no overlap.
    client.done(DEPLOY, "POST", path, LOCATION | {"url": f"{LAKE}/first_of_all"})


def test_catalogs_and_what_is_in_them(client: Client) -> None:
    client.done(DEPLOY, "POST", f"{UC}/external-locations", LOCATION)
    catalog = {"name": "fitbit_prod", "storage_root": f"{LAKE}/tables"}
    elsewhere = catalog | {"storage_root": "abfss://other@lake.example/x"}
    assert "no external location" in client.refused(DEPLOY, "POST", f"{UC}/catalogs", elsewhere)
    client.done(DEPLOY, "POST", f"{UC}/catalogs", catalog)
    schema = {"name": "gold", "catalog_name": "fitbit_prod"}
    assert "lacks CREATE SCHEMA" in client.refused(BEN, "POST", f"{UC}/schemas", schema)
    client.done(DEPLOY, "POST", f"{UC}/schemas", schema)
    grants = f"{UC}/permissions/schema/fitbit_prod.gold"

    def change(principal: str, *privileges: str) -> Json:
        return {"changes": [{"principal": principal, "add": [*privileges]}]}

    assert "Could not find nobody" in client.refused(
        DEPLOY, "PATCH", grants, change("nobody", "SELECT")
    )
    assert "no privilege USE_CATALOG" in client.refused(
        DEPLOY, "PATCH", grants, change(BEN, "USE_CATALOG")
    )
    assert "does not own" in client.refused(BEN, "PATCH", grants, change(BEN, "SELECT"))
    client.done(DEPLOY, "PATCH", grants, change(BEN, "SELECT"))
    drop = f"{UC}/catalogs/fitbit_prod"
    assert "does not own" in client.refused(BEN, "DELETE", drop, force="true")
    assert "is not empty" in client.refused(DEPLOY, "DELETE", drop)
    assert "is not empty" in client.refused(DEPLOY, "DELETE", f"{UC}/external-locations/lake")
    client.done(DEPLOY, "DELETE", drop, force="true")
    assert client.ask(DEPLOY, "GET", f"{UC}/schemas/fitbit_prod.gold")[0] == 404


def test_files_belong_to_whose_home_they_are_in(client: Client) -> None:
    path = f"/api/2.0/workspace-files/import-file/{quote(HOME[1:] + '/b/x', safe='')}"
    assert "parent folder" in client.refused(DEPLOY, "POST", path, b"1")
    client.done(DEPLOY, "POST", "/api/2.0/workspace/mkdirs", {"path": f"{HOME}/b"})
    client.done(DEPLOY, "POST", path, b"1")
    assert "already exists" in client.refused(DEPLOY, "POST", path, b"2", overwrite="false")
    where = {"path": f"{HOME}/b"}
    assert "no CAN_READ" in client.refused(BEN, "GET", "/api/2.0/workspace/get-status", **where)
    folder = client.done(DEPLOY, "GET", "/api/2.0/workspace/get-status", **where)["object_id"]
    rights = f"/api/2.0/permissions/directories/{folder}"

    def given(name: str) -> Json:
        return {"access_control_list": [{"group_name": name, "permission_level": "CAN_READ"}]}

    assert "does not exist" in client.refused(DEPLOY, "PUT", rights, given("nobody"))
    client.done(DEPLOY, "PUT", rights, given("fitbit-operators"))
    client.done(BEN, "GET", "/api/2.0/workspace/get-status", **where)
    assert "no CAN_EDIT" in client.refused(BEN, "POST", path, b"3", overwrite="true")


def test_a_workflow_signs_in_by_the_accounts_policy(client: Client) -> None:
    form = {"subject_token": f"workflow for {ACCOUNT}", "client_id": DEPLOY}

    def exchanged(**change: str) -> tuple[int, Any]:
        return client.ask("", "POST", "/oidc/v1/token", urlencode(form | change).encode())

    assert exchanged()[1]["access_token"] == DEPLOY
    assert exchanged(subject_token="workflow for somebody else")[0] == 401
    assert exchanged(client_id=TRANSFORM)[0] == 401


# A bundle in small, for what runs meet.


def deployed(client: Client, workspace: Workspace) -> Json:
    """Files, catalog, warehouse, dashboard; every right there is. Returns a job of all tasks."""
    client.done(DEPLOY, "POST", "/api/2.0/workspace/mkdirs", {"path": HOME})
    for name, text in (
        ("w.whl", ""),
        ("dbt_project.yml", ""),
        ("profiles.yml", "    prod:\n"),
        ("p.sql", ""),
    ):
        workspace.files[f"{HOME}/{name}"] = text.encode()
    readers = [
        {"service_principal_name": who, "permission_level": "CAN_READ"}
        for who in (INGEST, TRANSFORM)
    ]
    workspace.rights[f"directories/{workspace.folders[HOME]}"] = readers
    client.done(DEPLOY, "POST", f"{UC}/external-locations", LOCATION)
    client.done(DEPLOY, "POST", f"{UC}/catalogs", {"name": "c", "storage_root": f"{LAKE}/tables"})
    for name in ("bronze", "silver", "gold", "ops"):
        client.done(DEPLOY, "POST", f"{UC}/schemas", {"name": name, "catalog_name": "c"})
    volume = {"name": "landing", "catalog_name": "c", "schema_name": "bronze"}
    client.done(DEPLOY, "POST", f"{UC}/volumes", volume | {"storage_location": f"{LAKE}/landing"})
    everything = {
        "USE_CATALOG",
        "USE_SCHEMA",
        "SELECT",
        "MODIFY",
        "CREATE_TABLE",
        "APPLY_TAG",
        "WRITE_VOLUME",
    }
    workspace.grants["catalog", "c"] = {INGEST: everything, TRANSFORM: everything}
    warehouse = client.done(DEPLOY, "POST", "/api/2.0/sql/warehouses", {"name": "w"})["id"]
    board = client.done(DEPLOY, "POST", "/api/2.0/lakeview/dashboards", {"display_name": "d"})
    workspace.rights[f"sql/warehouses/{warehouse}"] += [
        {"group_name": "users", "permission_level": "CAN_USE"}
    ]
    workspace.rights[f"dashboards/{board['dashboard_id']}"] += readers
    node = {
        "FITBIT_INGEST_CATALOG": "c",
        "LANDING": "/Volumes/c/bronze/landing",
        "JAAS": "{{secrets/s/k}}",
    }
    ingest = {
        "task_key": "ingest",
        "job_cluster_key": "node",
        "libraries": [{"whl": f"{HOME}/w.whl"}],
    }
    build = f"""dbt build --target prod --vars '{{"http_path":"/{warehouse}","catalog":"c"}}'"""
    parameters = {"catalog": "c", "stewards": "fitbit-stewards", "transform": TRANSFORM}
    return {
        "clusters": [{"job_cluster_key": "node", "new_cluster": {"spark_env_vars": node}}],
        "ingest": [ingest],
        "build": [
            {"task_key": "build", "dbt_task": {"project_directory": HOME, "commands": [build]}},
            {"task_key": "d", "dashboard_task": {"dashboard_id": board["dashboard_id"]}},
        ],
        "setup": [
            {
                "task_key": "p",
                "sql_task": {"file": {"path": f"{HOME}/p.sql"}, "parameters": parameters},
            }
        ],
    }


def run(client: Client, made: Json, job: str, who: str) -> str:
    """The reasons for which a job's tasks fail as `who`; empty if they do not."""
    settings = {"name": job, "tasks": made[job], "job_clusters": made["clusters"]}
    settings["run_as"] = {"service_principal_name": who}
    key = client.done(DEPLOY, "POST", "/api/2.2/jobs/create", settings)["job_id"]
    number = client.done(DEPLOY, "POST", "/api/2.2/jobs/run-now", {"job_id": key})["run_id"]
    found = client.done(DEPLOY, "GET", "/api/2.2/jobs/runs/get", run_id=str(number))
    reasons = [
        client.done(DEPLOY, "GET", "/api/2.2/jobs/runs/get-output", run_id=str(t["run_id"]))[
            "error"
        ]
        for t in found["tasks"]
    ]
    assert (found["state"]["result_state"] == "SUCCESS") == (not any(reasons))
    return "; ".join(filter(None, reasons))


def test_jobs_that_may_do_their_work_succeed(client: Client, workspace: Workspace) -> None:
    made = deployed(client, workspace)
    order = [("setup", DEPLOY), ("ingest", INGEST), ("build", TRANSFORM)]
    assert [run(client, made, job, who) for job, who in order] == ["", "", ""]


FAULTS: list[tuple[str, str, Callable[[Workspace, Json], object], str]] = [
    ("ingest", INGEST, lambda s, m: s.files.pop(f"{HOME}/w.whl"), "there is no"),
    ("ingest", INGEST, lambda s, m: s.rights.pop(f"directories/{s.folders[HOME]}"), f"{INGEST} may not read"),
    ("ingest", INGEST, lambda s, m: s.grants["catalog", "c"][INGEST].discard("WRITE_VOLUME"), "may not write to volume"),
    ("ingest", INGEST, lambda s, m: s.grants["catalog", "c"][INGEST].discard("CREATE_TABLE"), "lacks CREATE_TABLE on c.bronze"),
    ("ingest", TRANSFORM, lambda s, m: None, "may not read the secret scope"),
    ("build", TRANSFORM, lambda s, m: None, "nothing has been ingested"),
    ("build", TRANSFORM, lambda s, m: s.grants["catalog", "c"][TRANSFORM].discard("APPLY_TAG"), "lacks APPLY_TAG on c.silver"),
    ("build", TRANSFORM, lambda s, m: s.spared.update(c={DEPLOY}), "who would write masked values"),
    ("build", TRANSFORM, lambda s, m: s.files.update({f"{HOME}/profiles.yml": b""}), "has no output prod"),
    ("build", TRANSFORM, lambda s, m: [s.rights.pop(k) for k in list(s.rights) if "dash" in k], "may not see the dashboard"),
    ("build", TRANSFORM, lambda s, m: [s.rights.pop(k) for k in list(s.rights) if "ware" in k], "may not use the warehouse"),
    ("setup", TRANSFORM, lambda s, m: None, "does not own c"),
    ("setup", DEPLOY, lambda s, m: m["setup"][0]["sql_task"]["parameters"].update(transform="nobody"), "there is no principal nobody"),
]  # fmt: skip


@pytest.mark.parametrize(("job", "who", "fault", "reason"), FAULTS)
def test_a_run_fails_for_what_would_stop_it(
    client: Client,
    workspace: Workspace,
    job: str,
    who: str,
    fault: Callable[[Workspace, Json], object],
    reason: str,
) -> None:
    made = deployed(client, workspace)
    # Rights are one set for both identities until a fault takes one away.
    table = workspace.grants["catalog", "c"]
    workspace.grants["catalog", "c"] = {name: set(held) for name, held in table.items()}
    fault(workspace, made)
    assert reason in run(client, made, job, who)


def test_nobody_runs_as_another_without_the_right(client: Client, workspace: Workspace) -> None:
    settings = {"name": "x", "tasks": [], "run_as": {"service_principal_name": TRANSFORM}}
    assert "may not run a job as" in client.refused(ADA, "POST", "/api/2.2/jobs/create", settings)


def test_a_run_without_end_keeps_what_it_began_with(client: Client, workspace: Workspace) -> None:
    settings: Json = {"name": "one", "tasks": [], "continuous": {}}
    key = client.done(DEPLOY, "POST", "/api/2.2/jobs/create", settings)["job_id"]

    def running() -> list[str]:
        found = client.done(DEPLOY, "GET", "/api/2.2/jobs/runs/list", job_id=str(key))["runs"]
        return [run["run_name"] for run in found]

    new = {"job_id": key, "new_settings": settings | {"name": "two"}}
    client.done(DEPLOY, "POST", "/api/2.2/jobs/reset", new)
    assert running() == ["one"]
    assert "may not change" in client.refused(ADA, "POST", "/api/2.2/jobs/reset", new)
    client.done(DEPLOY, "POST", "/api/2.2/jobs/run-now", {"job_id": key})
    assert running() == ["two"]


@pytest.mark.parametrize(
    ("kind", "variables", "runner"),
    [
        ("tag", {}, "ubuntu-24.04"),
        ("branch", {}, "ubuntu-24.04"),
        ("tag", {"vars.RUNNER_DEV": "d"}, "ubuntu-24.04"),
        ("tag", {"vars.RUNNER_PROD": "p", "vars.RUNNER_DEV": "d"}, "p"),
        ("branch", {"vars.RUNNER_PROD": "p"}, "ubuntu-24.04"),
        ("branch", {"vars.RUNNER_PROD": "p", "vars.RUNNER_DEV": "d"}, "d"),
    ],
)
def test_a_release_runs_inside_the_network_of_its_environment(
    root: Path, kind: str, variables: dict[str, str], runner: str
) -> None:
    job = walk.workflow(root)["jobs"]["bundle"]
    expression = job["runs-on"].removeprefix("${{").removesuffix("}}")
    assert walk.evaluate(expression, {"github.ref_type": kind, **variables}) == runner


def test_a_runner_named_in_the_environment_is_caught(mutant: Mutant) -> None:
    """There it is empty when GitHub picks one."""
    project = mutant(DEPLOY_YML, "vars.RUNNER_PROD", "vars.RUNNER")
    with pytest.raises(AssertionError):
        test_a_release_runs_inside_the_network_of_its_environment(
            project, "tag", {"vars.RUNNER_PROD": "p"}, "p"
        )


DEPLOY_YML, STORAGE = ".github/workflows/deploy.yml", "deploy/bundle/storage.yml"
# Who makes this mistake meets it in the walk.
WALKED = [
    ("dev", STORAGE, "    landing_files:\n", "    landing:\n", "multiple resources or scripts have been defined with the same key"),
    ("dev", STORAGE, "      enable_file_events: false\n", "", "need exactly one queue"),
    ("dev", "databricks.yml", "default: ${workspace.current_user.userName}", "default: ${var.transform_principal}", "who would write masked values"),
    ("dev", DEPLOY_YML, "          databricks bundle run ingest_scheduled --target dev\n", "", "nothing has been ingested"),
    ("dev", DEPLOY_YML, "AUDIENCE: ${{ vars.DATABRICKS_ACCOUNT_ID }}", "AUDIENCE: ${{ vars.DATABRICKS_HOST }}", "asks for another audience"),
    ("dev", "databricks.yml", "    workspace: &deployer\n      # One fixed place: a second person deploying meets the first copy, not a new one.\n      root_path: /Workspace/Users/${var.deploy_principal}/", "    workspace: &deployer\n      root_path: ~/", "requires destructive actions"),
    ("dev", "databricks.yml", "prevent_destroy: true", "prevent_destroy: false", "was not refused"),
    ("dev", "databricks.yml", "    - deploy/maintenance\n", "", "optimize.sql"),
    ("personal", "databricks.yml", "      catalog: fitbit_dev_${workspace.current_user.short_name}\n", "      catalog: fitbit_dev\n", "already exists"),
    ("personal", "databricks.yml", "      profile: dev\n", "", "profiles.yml has no output personal"),
    ("prod", "databricks.yml", "      - level: CAN_VIEW\n        service_principal_name: ${var.ingest_principal}\n", "", "may not read /Workspace/Users"),
    ("prod", "deploy/bundle/warehouse.yml", "          group_name: users\n", "          group_name: ${var.operators_group}\n", "already has permissions set for 'fitbit-operators'"),
    ("prod", STORAGE, "        # Ingestion makes the folder of each feed; erasure empties lines.\n        - principal: ${var.ingest_principal}\n          privileges: [READ_VOLUME, WRITE_VOLUME]", "        - principal: ${var.ingest_principal}\n          privileges: [READ_VOLUME]", "may not write to volume fitbit_prod.bronze.landing"),
    ("prod", DEPLOY_YML, "        run: databricks bundle run ingest --restart --no-wait --target prod\n", "        run: echo\n", "still runs"),
    ("prod", "databricks.yml", "        erasure:\n          run_as:\n            service_principal_name: ${var.ingest_principal}\n", "", "may not read the secret scope"),
    ("dev", "databricks.yml", "default: fitbit-gym-managers", "default: fitbit-managers", "Could not find fitbit-managers"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new"), [walked[1:4] for walked in WALKED])
def test_a_walked_mistake_can_be_made(mutant: Mutant, file: str, old: str, new: str) -> None:
    """Also where no CLI is: what a mutant replaces is still there."""
    mutant(file, old, new)


if shutil.which("databricks"):

    @pytest.mark.parametrize("name", walk.WALKS)
    def test_the_cli_deploys(root: Path, name: str) -> None:
        walk.WALKS[name](root)

    @pytest.mark.parametrize(("name", "file", "old", "new", "sentence"), WALKED)
    def test_the_cli_finds(
        mutant: Mutant, name: str, file: str, old: str, new: str, sentence: str
    ) -> None:
        with pytest.raises(walk.Surprise) as surprise:
            walk.WALKS[name](mutant(file, old, new))
        assert sentence in str(surprise.value)
