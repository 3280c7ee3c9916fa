"""The asset bundle: sound for both targets, and what jobs call is what the programs take."""

from __future__ import annotations

import os
import tomllib
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
import yaml
from dbt.adapters.databricks.handle import SqlUtils
from dbt.cli.main import cli as dbt
from dbt.config.runtime import load_profile
from dbt.flags import set_from_args
from dbt_common.context import set_invocation_context

from ingestion import cli as ingest
from ingestion import erasure, sessions
from ingestion.config import Config
from lakehouse.endpoint.session import SETTINGS
from tests.deploy import bundle
from tests.deploy.bundle import TARGETS, Bundle

Mutant = Callable[[str, str, str], Path]
VALUES = {
    "catalog": "fitbit_test",
    "storage_account": "lake",
    "storage_credential": "fitbit-test",
    "kafka_bootstrap_servers": "events.example:9093",
    "secret_scope": "fitbit",
    "deploy_principal": "00000000-0000-0000-0000-00000000000d",
    "ingest_principal": "00000000-0000-0000-0000-00000000000e",
    "transform_principal": "00000000-0000-0000-0000-00000000000f",
    "alert_email": "team@example.com",
}


def test_bundle_is_sound(root: Path) -> None:
    assert bundle.check(root) == []


JOBS, STORAGE = "deploy/bundle/jobs.yml", "deploy/bundle/storage.yml"
WAREHOUSE, DASHBOARD = "deploy/bundle/warehouse.yml", "deploy/bundle/dashboard.yml"
PRINCIPAL = "      - level: CAN_VIEW\n        service_principal_name: ${var.transform_principal}\n"
MUTANTS = [
    # What the first deployment would have met.
    (STORAGE, "    landing_files:\n", "    landing:\n", "several kinds of resource are called landing"),
    (WAREHOUSE, "          group_name: users", "          group_name: ${var.operators_group}", "operators_group} has rights on the whole bundle, too"),
    (WAREHOUSE, "level: CAN_USE", "level: CAN_VIEW", "the jobs' identities could not use it"),
    (STORAGE, "      enable_file_events: false\n", "", "landing_files: file events are on unless"),
    ("databricks.yml", PRINCIPAL, "", "transform_principal} could not read the deployed files"),
    ("databricks.yml", "    mode: development\n    default", "    mode: production\n    default", "dev: mode development"),
    ("databricks.yml", "/Workspace/Users/${var.deploy_principal}", "/Workspace/Users/${workspace.current_user.userName}", "dev: root_path is not one fixed place"),
    ("databricks.yml", "root_path: ~/", "root_path: /Workspace/Shared/", "personal: root_path is not the developer's own"),
    ("databricks.yml", "catalog: fitbit_dev_${workspace.current_user.short_name}", "warehouse_size: Small", "personal: the catalog is not the developer's own"),
    ("databricks.yml", "default: fitbit_${bundle.target}", "default: fitbit", "dev: its catalog is not the one that Terraform names"),
    ("databricks.yml", "default: ${workspace.current_user.userName}", "default: ${var.transform_principal}", "dev: the policies would not spare who builds"),
    ("databricks.yml", "      builder: ${var.transform_principal}\n", "", "prod: the policies would not spare who builds"),
    ("databricks.yml", "          continuous:\n            pause_status: UNPAUSED\n", "", "needs an explicit pause_status"),
    # Who runs, when, and what stays.
    ("databricks.yml", "  skip_name_prefix_for_schema: true", "  skip_name_prefix_for_schema: false", "schemas would be renamed"),
    ("databricks.yml", "    - deploy/maintenance\n", "", "sync: leaves out deploy/maintenance"),
    ("databricks.yml", "    - docs/dbt\n", "    - docs/dbt\n    - docs/adr\n", "sync: no job reads docs/adr"),
    ("databricks.yml", "    - /profiles.yml", "    - profiles.yml", "by their whole path"),
    ("databricks.yml", "        build:\n          run_as:\n            service_principal_name: ${var.transform_principal}\n", "", "jobs.build would run as whoever deployed it"),
    ("databricks.yml", "        silver:\n          lifecycle: *keep\n", "", "dev: schemas.silver could be destroyed"),
    (JOBS, "    continuous:", "    continous:", "jobs.ingest: Unexpected field 'continous'"),
    (JOBS, "        task_retry_mode: ON_FAILURE", "        task_retry_mode: NEVER", "is not started again after a failure"),
    (JOBS, "        task_retry_mode: ON_FAILURE", "        task_retry_mode: ON_FAILURE\n        pause_status: UNPAUSED", "dev: jobs.ingest would run by itself"),
    (JOBS, "        pause_status: PAUSED\n", "        pause_status: UNPAUSED\n", "jobs.ingest_scheduled would run by itself"),
    (JOBS, "        - task_key: docs\n          depends_on:\n            - task_key: build\n", "        - task_key: docs\n          depends_on:\n            - task_key: bild\n", "bild is not before it"),
    (JOBS, "      max_concurrent_runs: 1\n      timeout_seconds: 5400", "      timeout_seconds: 5400", "jobs.build: max_concurrent_runs must be 1"),
    (JOBS, "      timeout_seconds: 5400\n", "", "jobs.build: no timeout"),
    (JOBS, "0 7/30 * * * ?", "0 7/30 * * * *", "no Quartz expression"),
    (JOBS, "0 30 2 ? * SUN", "0 30 25 ? * SUN", "25 does not fit"),
    (JOBS, "      runtime_engine: STANDARD", "      runtime_engine: PHOTON", "may run Photon"),
    (JOBS, "              stewards: ${var.stewards_group}\n", "", "policies.sql takes"),
    (JOBS, "{{secrets/${var.secret_scope}/kafka-jaas}}", "org.apache.kafka.PlainLoginModule required;", "must come from the secret scope"),
    (JOBS, "          - ${var.alert_email}\n        on_streaming", "        on_streaming", "jobs.ingest: nobody hears of a failure"),
    (STORAGE, "USE_SCHEMA, SELECT]", "USE_SCHEMA, SELCT]", "'SELCT' is not a valid Privilege"),
    (WAREHOUSE, "enable_serverless_compute: true", "enable_serverless_compute: false", "not serverless"),
    (WAREHOUSE, "      auto_stop_mins: 5\n", "      auto_stop_mins: 0\n", "does not stop by itself"),
    (DASHBOARD, "      dataset_schema: gold\n", "", "dataset_catalog and dataset_schema"),
    (DASHBOARD, "embed_credentials: false", "embed_credentials: true", "with their own rights"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new", "fault"), MUTANTS)
def test_bundle_mutant_is_caught(mutant: Mutant, file: str, old: str, new: str, fault: str) -> None:
    found = bundle.check(mutant(file, old, new))
    assert any(fault in text for text in found), found


@pytest.mark.parametrize("target", TARGETS)
def test_dbt_takes_every_command(root: Path, target: str) -> None:
    seen = set()
    for where, words in bundle.dbt_commands(Bundle(root, target, VALUES)):
        parameters = dbt_parameters(words)
        assert parameters["target"] == ("prod" if target == "prod" else "dev"), where
        assert set(parameters["vars"]) == {"http_path", "catalog"}, where
        seen.add(where)
    assert seen == {
        "jobs.build.freshness",
        "jobs.build.build",
        "jobs.build.docs",
        "jobs.maintenance.audit",
    }


@pytest.mark.parametrize(
    "words", ["dbt biuld", "dbt build --tarjet prod", "dbt docs generate --statik"]
)
def test_dbt_refuses_a_wrong_command(words: str) -> None:
    with pytest.raises(click.ClickException):
        dbt_parameters(words.split())


def dbt_parameters(words: list[str]) -> dict[str, Any]:
    """Options of a command, by dbt's own parser; nothing is run."""
    assert words[0] == "dbt"
    group: Any = dbt
    context = group.make_context("dbt", words[1:])
    while isinstance(group, click.Group):
        name, group, rest = group.resolve_command(
            context, [*context._protected_args, *context.args]
        )
        context = group.make_context(name, rest, parent=context)
    return dict(context.params)


@pytest.mark.parametrize("target", TARGETS)
def test_dbt_finds_the_warehouse(root: Path, target: str) -> None:
    """The profile, read by dbt with what a dbt task gives it: a host, a token and --vars."""
    set_from_args(Namespace(PROFILES_DIR=str(root), PROFILE=None), None)
    set_invocation_context({"DBT_HOST": "adb-1.azuredatabricks.net", "DBT_ACCESS_TOKEN": "a-token"})
    (command, *_) = [w for _, w in bundle.dbt_commands(Bundle(root, target, VALUES))]
    given = dbt_parameters(command)["vars"]
    output = "prod" if target == "prod" else "dev"
    profile = load_profile(str(root), given, target_override=output)
    found: Any = profile.credentials
    assert found.type == "databricks"
    assert (found.host, found.token) == ("adb-1.azuredatabricks.net", "a-token")
    assert found.http_path == "/sql/1.0/warehouses/warehouse-id"
    assert (found.database, found.schema) == ("fitbit_test", "silver")
    assert f'"environment": "{output}"' in found.query_tags
    nobody: Any = SimpleNamespace(credentials_provider=None)
    sent = SqlUtils.prepare_connection_arguments(found, nobody, found.http_path)
    assert sent["session_configuration"] == {"timezone": "UTC"}


def test_local_sessions_are_in_the_same_time_zone(root: Path) -> None:
    outputs = yaml.safe_load((root / "profiles.yml").read_text())["fitbit_lakehouse"]["outputs"]
    given = {name: output["session_properties"] for name, output in outputs.items()}
    assert given == {name: {"timezone": "UTC"} for name in ("local", "dev", "prod")}
    # The endpoint knows the name; others it would pass over.
    assert SETTINGS["timezone"] == "spark.sql.session.timeZone"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("DBT_HOST", "DBT_HOSTS"),
        ("DBT_ACCESS_TOKEN", "DBT_TOKEN"),
        ("var('http_path', '')", "var('path', '')"),
        ("var('catalog', '')", "var('database', '')"),
        ('"environment": "prod"', '"environment": "dev"'),
        ("      schema: silver\n      session_properties: *session\n", "      schema: silver\n"),
        ("timezone: UTC", "time_zone: UTC"),
        ("timezone: UTC", "timezone: Europe/Rome"),
    ],
)
def test_a_wrong_profile_is_caught(mutant: Mutant, old: str, new: str) -> None:
    with pytest.raises(AssertionError):
        test_dbt_finds_the_warehouse(mutant("profiles.yml", old, new), "prod")


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("job", ["ingest", "ingest_scheduled"])
def test_ingestion_takes_what_the_job_gives(
    root: Path, target: str, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real parser and the real settings, with the node's variables; the secret filled in."""
    for config, continuous in called(Bundle(root, target, VALUES), job, monkeypatch):
        assert continuous == (job == "ingest")
        assert config.catalog == "fitbit_test"
        assert config.landing == "/Volumes/fitbit_test/bronze/landing"
        assert config.spark_remote == ""
        assert config.kafka == {
            "bootstrap.servers": "events.example:9093",
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "PLAIN",
            "sasl.jaas.config": "jaas",
        }
        assert "jaas" in config.secrets()


def called(
    given: Bundle, job: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Config, bool]]:
    body = given.job(job)
    for name, value in environment(body).items():
        monkeypatch.setenv(name, value)
    calls: list[tuple[Config, bool]] = []

    def record(config: Config, args: Any) -> int:
        calls.append((config, args.continuous))
        return 0

    monkeypatch.setattr(ingest, "ingest", record)
    for task in body["tasks"]:
        assert ingest.main(task["python_wheel_task"]["parameters"]) == 0
    assert len(calls) == len(body["tasks"])
    yield from calls


@pytest.mark.parametrize("target", TARGETS)
def test_erasure_takes_what_the_job_gives(
    root: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = Bundle(root, target, VALUES).job("erasure")
    monkeypatch.setattr(os, "environ", environment(body))
    calls: list[tuple[str, str]] = []

    @contextmanager
    def session(remote: str) -> Iterator[None]:
        assert remote == ""
        yield None

    def blank(_: None, catalog: str) -> dict[str, int]:
        calls.append(("blank", catalog))
        return {}

    def scrub(_: None, landing: str, catalog: str) -> int:
        calls.append((landing, catalog))
        return 0

    monkeypatch.setattr(sessions, "session", session)
    monkeypatch.setattr(erasure, "blank", blank)
    monkeypatch.setattr(erasure, "scrub", scrub)
    for task in body["tasks"]:
        assert task["python_wheel_task"]["entry_point"] == "fitbit-erase"
        assert erasure.main(task["python_wheel_task"]["parameters"]) == 0
    landing = "/Volumes/fitbit_test/bronze/landing"
    assert calls == [("blank", "fitbit_test"), (landing, "fitbit_test")]


def environment(body: dict[str, Any]) -> dict[str, str]:
    (cluster,) = [c["new_cluster"] for c in body["job_clusters"]]
    return {
        name: "jaas" if value.startswith("{{secrets/") else value
        for name, value in cluster["spark_env_vars"].items()
    }


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('parameters: ["--continuous"]', 'parameters: ["--continous"]'),
        ('parameters: ["--continuous"]', 'parameters: ["run", "--continuous"]'),
        ("FITBIT_INGEST_LANDING:", "FITBIT_INGEST_LANDED:"),
        ("        FITBIT_INGEST_LEASES: /Volumes/${var.catalog}/bronze/metadata/leases\n", ""),
    ],
)
def test_ingestion_refuses_a_mutant(
    mutant: Mutant, old: str, new: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = Bundle(mutant(JOBS, old, new), "prod", VALUES)
    with pytest.raises((SystemExit, AssertionError)):
        list(called(given, "ingest", monkeypatch))


def test_job_environments_are_what_is_tested(root: Path) -> None:
    """The dbt that runs there is the dbt of the lock file; so is what the wheel needs."""
    locked = {
        p["name"]: p["version"] for p in tomllib.loads((root / "uv.lock").read_text())["package"]
    }
    pins = bundle.pinned(Bundle(root, "prod", VALUES))
    assert pins == {name: locked[name] for name in ("dbt-core", "dbt-databricks")}
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    wheel = tomllib.loads((root / "deploy/wheel/pyproject.toml").read_text())["project"]
    needed = {d for d in project["dependencies"] if not d.startswith("pyspark")}
    assert set(wheel["dependencies"]) == needed
    for key in ("version", "requires-python", "license"):
        assert wheel[key] == project[key]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (JOBS, "dbt-core==1.11.16", "dbt-core==1.11.15"),
        (JOBS, "dbt-databricks==1.12.7", "dbt-databricks"),
        ("deploy/wheel/pyproject.toml", '    "prometheus-client>=0.23,<1",\n', ""),
        ("deploy/wheel/pyproject.toml", 'version = "0.1.0"', 'version = "0.2.0"'),
    ],
)
def test_a_wrong_environment_is_caught(mutant: Mutant, file: str, old: str, new: str) -> None:
    with pytest.raises(AssertionError):
        test_job_environments_are_what_is_tested(mutant(file, old, new))
