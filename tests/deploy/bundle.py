"""Rules for databricks.yml and deploy/bundle that need no Databricks CLI.

What the CLI itself refuses (unknown keys, references, paths) is left to it: `deploy.checks.walk`.
Here the bundle is merged for each target as the CLI does, each resource passes Databricks' own
model of it (databricks-bundles), and what would fail or lose data later is looked for.
"""

from __future__ import annotations

import copy
import importlib
import re
import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

_MODELS = {
    "catalogs": "Catalog",
    "dashboards": "Dashboard",
    "external_locations": "ExternalLocation",
    "jobs": "Job",
    "schemas": "Schema",
    "sql_warehouses": "SqlWarehouse",
    "volumes": "Volume",
}
_REFERENCE = re.compile(r"\$\{([^}]+)\}")
TARGETS = ("dev", "personal", "prod")

Json = dict[str, Any]


class Bundle:
    """The configuration of one target, as the CLI would deploy it; `values` for the variables."""

    def __init__(self, root: Path, target: str, values: dict[str, str] | None = None) -> None:
        self.root, self.target = root, target
        merged: Json = read(root / "databricks.yml")
        raw = copy.deepcopy(merged)
        for pattern in merged.get("include", []):
            for path in sorted(root.glob(pattern)):
                merged = _merge(merged, read(path))
        self.config: Json = _merge(merged, raw["targets"][target])
        self.resources: Json = self.config["resources"]
        self.variables: Json = {
            name: _default(entry) for name, entry in self.config["variables"].items()
        }
        self.variables |= values or {}
        self.missing = {name for name, value in self.variables.items() if value is None}

    def resolved(self, value: Any) -> Any:
        """With variables put in; references to resources become placeholders."""
        if isinstance(value, dict):
            return {k: self.resolved(v) for k, v in value.items()}
        if isinstance(value, list):
            return [self.resolved(v) for v in value]
        if not isinstance(value, str):
            return value
        whole = _REFERENCE.fullmatch(value)
        if whole and whole[1].startswith("var."):
            given = self.variables.get(whole[1][4:])
            return self.resolved(given) if given is not None else f"<{whole[1][4:]}>"
        return _REFERENCE.sub(lambda m: self._text(m[1]), value)

    def _text(self, path: str) -> str:
        head, _, rest = path.partition(".")
        if head == "var":
            return str(self.resolved(self.variables.get(rest) or f"<{rest}>"))
        if head == "bundle":
            return self.target if rest == "target" else str(self.config["bundle"][rest])
        if head == "resources":
            kind, key, attribute = rest.split(".")[:3]
            body = self.resources.get(kind, {}).get(key, {})
            return str(self.resolved(body.get(attribute, f"{key}-{attribute}")))
        return f"<{path}>"

    def job(self, key: str) -> Json:
        return self.resolved(self.resources["jobs"][key])  # type: ignore[no-any-return]

    def tasks(self) -> Iterator[tuple[str, Json]]:
        """Job and task, with the task's body."""
        for key in self.resources["jobs"]:
            for task in self.job(key)["tasks"]:
                yield f"jobs.{key}.{task['task_key']}", task

    def scripts(self) -> Iterator[tuple[str, Path, Json]]:
        """Job and task, the SQL file, its parameters."""
        for where, task in self.tasks():
            if "file" in task.get("sql_task", {}):
                sql = task["sql_task"]
                path = self.root / "deploy/bundle" / sql["file"]["path"]
                yield where, path.resolve(), sql.get("parameters", {})


def read(path: Path) -> Json:
    return yaml.load(path.read_text(), yaml.CSafeLoader) or {}


def _default(entry: Any) -> Any:
    """A target gives a variable's value bare, the rest of the bundle as {default: value}."""
    return entry.get("default") if isinstance(entry, dict) else entry


def _merge(below: Any, above: Any) -> Any:
    """Lists are joined; but a job's tasks are one list, in which a target changes nothing."""
    if isinstance(below, dict) and isinstance(above, dict):
        return below | {k: _merge(below.get(k), v) for k, v in above.items()}
    if isinstance(below, list) and isinstance(above, list):
        return copy.deepcopy(below + above)
    return copy.deepcopy(above)


def check(root: Path) -> list[str]:
    """Sentences, one a fault."""
    targets = {name: Bundle(root, name) for name in TARGETS}
    faults: list[str] = []
    for name, bundle in targets.items():
        found = [*_keys(bundle), *_models(bundle)]
        found = found or [*_storage(bundle), *_jobs(bundle), *_rules(bundle), *_rights(bundle)]
        faults += [f"{name}: {fault}" for fault in found]
    if not faults:
        faults += [*_dev(targets["dev"]), *_personal(targets["personal"]), *_prod(targets["prod"])]
        faults += _sync(targets["prod"])
    return faults


def _keys(bundle: Bundle) -> Iterator[str]:
    kinds = Counter(key for entries in bundle.resources.values() for key in entries)
    for key in sorted(key for key, times in kinds.items() if times > 1):
        yield f"several kinds of resource are called {key}"


def _models(bundle: Bundle) -> Iterator[str]:
    for kind, entries in bundle.resources.items():
        model = getattr(importlib.import_module(f"databricks.bundles.{kind}"), _MODELS[kind])
        for key, body in entries.items():
            try:
                # As written, then with complex variables put in.
                model.from_dict(body)
                model.from_dict(bundle.resolved(body))
            except (TypeError, ValueError) as error:
                yield f"{kind}.{key}: {error}"


def _storage(bundle: Bundle) -> Iterator[str]:
    for key, location in bundle.resources["external_locations"].items():
        if location.get("enable_file_events") is not False:
            yield f"external_locations.{key}: file events are on unless it says false"
    names = sorted(s["name"] for s in bundle.resources["schemas"].values())
    if names != ["bronze", "gold", "ops", "silver"]:
        yield f"schemas are {names}"
    # dbt's generate_schema_name knows no prefix.
    if bundle.config.get("experimental", {}).get("skip_name_prefix_for_schema") is not True:
        yield "schemas would be renamed: skip_name_prefix_for_schema"


def _jobs(bundle: Bundle) -> Iterator[str]:
    for key in bundle.resources["jobs"]:
        job, where = bundle.job(key), f"jobs.{key}"
        names = [t["task_key"] for t in job["tasks"]]
        for task in job["tasks"]:
            for needed in task.get("depends_on", []):
                if needed["task_key"] not in names[: names.index(task["task_key"])]:
                    yield f"{where}.{task['task_key']}: {needed['task_key']} is not before it"
        if job.get("max_concurrent_runs") != 1:
            yield f"{where}: max_concurrent_runs must be 1"
        if not job.get("email_notifications", {}).get("on_failure"):
            yield f"{where}: nobody hears of a failure"
        if "continuous" not in job and not job.get("timeout_seconds"):
            yield f"{where}: no timeout"
        if "schedule" in job:
            yield from _cron(where, job["schedule"])
        if "continuous" in job and job["continuous"].get("task_retry_mode") != "ON_FAILURE":
            yield f"{where}: is not started again after a failure"
        for cluster in job.get("job_clusters", []):
            yield from _cluster(where, cluster["new_cluster"])
    for where, path, given in bundle.scripts():
        code = re.sub(r"--.*|'(?:[^'\\]|\\.)*'|`[^`]*`", "", path.read_text())
        used = set(re.findall(r"(?<![:\w]):(\w+)", code))
        if used != set(given):
            yield f"{where}: {path.name} takes {sorted(used)}, given {sorted(given)}"


def _cluster(where: str, cluster: Json) -> Iterator[str]:
    if cluster.get("runtime_engine") != "STANDARD":
        yield f"{where}: may run Photon"
    for variable, value in cluster.get("spark_env_vars", {}).items():
        secret = re.fullmatch(r"\{\{secrets/[^/{}]+/[\w-]+\}\}", value)
        if re.search(r"JAAS|PASSWORD|SECRET|TOKEN", variable) and not secret:
            yield f"{where}: {variable} must come from the secret scope"


_CRON = [(0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (1, 7)]
_DAYS = {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}


def _cron(where: str, schedule: Json) -> Iterator[str]:
    """Quartz: seconds minutes hours day month weekday; exactly one of the two days is `?`."""
    fields = schedule["quartz_cron_expression"].split()
    if schedule.get("timezone_id") != "UTC":
        yield f"{where}: a schedule in another zone than UTC"
    if len(fields) != 6 or [fields[3], fields[5]].count("?") != 1:
        yield f"{where}: no Quartz expression: {' '.join(fields)}"
        return
    for text, (low, high) in zip(fields, _CRON, strict=True):
        for number in re.split(r"[,/-]", text):
            fits = number in {"*", "?", *_DAYS} or (number.isdigit() and low <= int(number) <= high)
            if not fits:
                yield f"{where}: {number} does not fit in {' '.join(fields)}"


def _rules(bundle: Bundle) -> Iterator[str]:
    for key, warehouse in bundle.resources["sql_warehouses"].items():
        serverless = warehouse.get("enable_serverless_compute") is True
        if not serverless or warehouse.get("warehouse_type") != "PRO":
            yield f"sql_warehouses.{key}: not serverless"
        if not 1 <= warehouse.get("auto_stop_mins", 0) <= 30:
            yield f"sql_warehouses.{key}: does not stop by itself"
    for key, dashboard in bundle.resources["dashboards"].items():
        if not dashboard.get("dataset_catalog") or dashboard.get("dataset_schema") != "gold":
            yield f"dashboards.{key}: dataset_catalog and dataset_schema say where its tables are"
        if dashboard.get("embed_credentials") is not False:
            yield f"dashboards.{key}: readers must query with their own rights"


def _rights(bundle: Bundle) -> Iterator[str]:
    """The CLI warns of a principal with rights on the whole and on one resource, and drops one."""
    whole = {_who(entry): entry["level"] for entry in bundle.config.get("permissions", [])}
    for kind in ("jobs", "dashboards", "sql_warehouses"):
        for key, body in bundle.resources[kind].items():
            for entry in body.get("permissions", []):
                # A level CAN_RUN means nothing for a dashboard.
                twice = kind != "dashboards" or whole.get(_who(entry)) != "CAN_RUN"
                if _who(entry) in whole and twice:
                    yield f"{kind}.{key}: {_who(entry)} has rights on the whole bundle, too"
    users = [e for w in bundle.resources["sql_warehouses"].values() for e in w["permissions"]]
    if {"level": "CAN_USE", "group_name": "users"} not in users:
        yield "sql_warehouses: the jobs' identities could not use it"
    for key, job in bundle.resources["jobs"].items():
        if "run_as" in job and _who(job["run_as"]) not in whole:
            yield f"jobs.{key}: {_who(job['run_as'])} could not read the deployed files"


def _who(entry: Json) -> str:
    names = ("user_name", "group_name", "service_principal_name")
    return next(str(entry[name]) for name in names if name in entry)


_FIXED = "/Workspace/Users/${var.deploy_principal}/.bundle/${bundle.name}/${bundle.target}"


def _shared(bundle: Bundle) -> Iterator[str]:
    """What dev and prod have in common: one owner, and data that no deployment deletes."""
    if bundle.config["workspace"]["root_path"] != _FIXED:
        yield "root_path is not one fixed place"
    if bundle.resolved(bundle.variables["catalog"]) != f"fitbit_{bundle.target}":
        yield "its catalog is not the one that Terraform names"
    for kind in ("catalogs", "schemas", "volumes"):
        for key, body in bundle.resources[kind].items():
            kept = body.get("lifecycle", {}).get("prevent_destroy") is True
            if not kept and key != "artifacts":
                yield f"{kind}.{key} could be destroyed by a deployment"


def _own(bundle: Bundle) -> Iterator[str]:
    """What dev and a developer's copy have in common: they run as whoever deploys, when told to."""
    if bundle.config.get("mode") != "development":
        yield "mode development gives names their prefix and pauses schedules"
    if bundle.variables["builder"] != "${workspace.current_user.userName}":
        yield "the policies would not spare who builds"
    for key, job in bundle.resources["jobs"].items():
        for trigger in ("schedule", "continuous"):
            # An explicit status wins over the mode's pause.
            if job.get(trigger, {}).get("pause_status", "PAUSED") != "PAUSED":
                yield f"jobs.{key} would run by itself"
        if "run_as" in job:
            yield f"jobs.{key} would run as another"


def _dev(bundle: Bundle) -> Iterator[str]:
    yield from (f"dev: {fault}" for fault in (*_shared(bundle), *_own(bundle)))


def _personal(bundle: Bundle) -> Iterator[str]:
    yield from (f"personal: {fault}" for fault in _own(bundle))
    if not bundle.config["workspace"]["root_path"].startswith("~/"):
        yield "personal: root_path is not the developer's own"
    if bundle.variables["catalog"] != "fitbit_dev_${workspace.current_user.short_name}":
        yield "personal: the catalog is not the developer's own"


def _prod(bundle: Bundle) -> Iterator[str]:
    yield from (f"prod: {fault}" for fault in _shared(bundle))
    if bundle.config.get("mode") != "production":
        yield "prod: mode production"
    if bundle.config.get("git", {}).get("branch") != "main":
        yield "prod: deploys from main only"
    jobs = bundle.resources["jobs"]
    for key, job in jobs.items():
        if not job.get("run_as", {}).get("service_principal_name"):
            yield f"prod: jobs.{key} would run as whoever deployed it"
    if jobs["build"].get("run_as", {}).get("service_principal_name") != bundle.variables["builder"]:
        yield "prod: the policies would not spare who builds"
    running = [k for k in ("ingest", "ingest_scheduled") if _status(jobs[k]) == "UNPAUSED"]
    if len(running) != 1:
        yield f"prod: of the two ingest jobs exactly one runs, not {running}"
    if "pause_status" not in jobs["ingest"]["continuous"]:
        yield "prod: `bundle run ingest --restart` needs an explicit pause_status"
    if _status(jobs["build"]) != "UNPAUSED":
        yield "prod: build is paused"


def _status(job: Json) -> str:
    trigger: Json = job.get("schedule") or job.get("continuous") or {"pause_status": "none"}
    return str(trigger.get("pause_status", "UNPAUSED"))


def _sync(bundle: Bundle) -> Iterator[str]:
    """What the jobs read is synced, and nothing else."""
    project = read(bundle.root / "dbt_project.yml")
    kinds = ("model", "macro", "seed", "snapshot", "test", "docs")
    needed = {folder for kind in kinds for folder in project.get(f"{kind}-paths", [])}
    needed |= {
        str(path.parent.relative_to(bundle.root.resolve())) for _, path, _ in bundle.scripts()
    }
    synced = set(bundle.config["sync"]["paths"])
    for folder in sorted(needed - synced):
        yield f"sync: leaves out {folder}"
    for folder in sorted(synced - needed):
        yield f"sync: no job reads {folder}"
    if bundle.config["sync"].get("include") != ["/dbt_project.yml", "/profiles.yml"]:
        yield "sync: include the project's two files, and by their whole path"


def dbt_commands(bundle: Bundle) -> Iterator[tuple[str, list[str]]]:
    """Job and task, and the words of each dbt command as a shell would split them."""
    for where, task in bundle.tasks():
        for command in task.get("dbt_task", {}).get("commands", []):
            yield where, shlex.split(command)


def pinned(bundle: Bundle) -> dict[str, str]:
    """Packages of the serverless environments, with their pins."""
    found: dict[str, str] = {}
    for key in bundle.resources["jobs"]:
        for environment in bundle.job(key).get("environments", []):
            for text in environment["spec"]["dependencies"]:
                name, _, version = text.partition("==")
                found[name] = version
    return found
