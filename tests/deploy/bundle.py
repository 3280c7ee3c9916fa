"""Checks of databricks.yml and deploy/bundle without the CLI or a workspace.

The bundle is read as the CLI reads it: files included, targets merged over the rest, variables put
in. Each resource then passes Databricks' own model of it (databricks-bundles), every reference is
followed, and what jobs call is given to the program that will parse it.
"""

from __future__ import annotations

import copy
import fnmatch
import importlib
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

# Keys of the configuration, from the schema of CLI 1.9 (`databricks bundle schema`).
_TOP = {
    "artifacts",
    "bundle",
    "experimental",
    "include",
    "permissions",
    "presets",
    "python",
    "resources",
    "run_as",
    "scripts",
    "sync",
    "targets",
    "variables",
    "workspace",
}
_TARGET = {
    "artifacts",
    "bundle",
    "default",
    "git",
    "mode",
    "permissions",
    "presets",
    "resources",
    "run_as",
    "sync",
    "variables",
    "workspace",
}
_BUNDLE = {"databricks_cli_version", "deployment", "engine", "git", "name", "uuid"}
_VARIABLE = {"default", "description", "lookup", "type"}
_ARTIFACT = {"build", "dynamic_version", "executable", "files", "path", "type"}
_SYNC = {"exclude", "include", "paths"}
_EXPERIMENTAL = {
    "immutable_folder",
    "python",
    "python_wheel_wrapper",
    "record_deployment_history",
    "scripts",
    "skip_artifact_cleanup",
    "skip_name_prefix_for_schema",
    "use_legacy_run_as",
}
_CONTEXT = {
    "bundle": {"name", "target", "environment", "git"},
    "workspace": {"current_user", "file_path", "root_path", "host", "artifact_path"},
}
# What a deployed resource has beside what its definition says.
_COMPUTED = {
    "jobs": {"id"},
    "dashboards": {"id"},
    "sql_warehouses": {"id"},
    "schemas": {"id"},
    "catalogs": {"id"},
    "volumes": {"id", "volume_path"},
    "external_locations": {"id"},
}
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
# Only the direct engine knows them.
_DIRECT_ONLY = {"catalogs", "external_locations"}

Json = dict[str, Any]


class Bundle:
    """The configuration of one target, as the CLI would deploy it; `values` for the variables."""

    def __init__(self, root: Path, target: str, values: dict[str, str] | None = None) -> None:
        self.root, self.target = root, target
        self.raw: Json = _read(root / "databricks.yml")
        self.folders: dict[str, Path] = {}
        merged = copy.deepcopy(self.raw)
        for pattern in self.raw.get("include", []):
            for path in sorted(root.glob(pattern)):
                part = _read(path)
                for kind, entries in part.get("resources", {}).items():
                    for key in entries:
                        self.folders[f"{kind}.{key}"] = path.parent
                merged = _merge(merged, part)
        self.config = _merge(merged, self.raw["targets"].get(target, {}))
        self.variables: Json = {
            name: _default(entry) for name, entry in self.config.get("variables", {}).items()
        }
        self.missing = {name for name, value in self.variables.items() if value is None}
        self.variables |= values or {}
        self.missing -= set(values or {})

    def resources(self) -> Iterator[tuple[str, str, Json]]:
        for kind, entries in self.config.get("resources", {}).items():
            for key, body in entries.items():
                yield kind, key, body

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
            name = whole[1][4:]
            known = name in self.variables and name not in self.missing
            return self.resolved(self.variables[name]) if known else f"<{name}>"
        return _REFERENCE.sub(lambda m: self._text(m[1]), value)

    def _text(self, path: str) -> str:
        head, _, rest = path.partition(".")
        if head == "var":
            return str(self.resolved(self.variables.get(rest) or f"<{rest}>"))
        if path == "bundle.target":
            return self.target
        if path == "bundle.name":
            return str(self.config["bundle"]["name"])
        if head == "resources":
            kind, key, attribute = rest.split(".")[:3]
            body = self.config["resources"].get(kind, {}).get(key, {})
            return str(self.resolved(body.get(attribute, f"{key}-{attribute}")))
        return f"<{path}>"

    def job(self, key: str) -> Json:
        return self.resolved(self.config["resources"]["jobs"][key])  # type: ignore[no-any-return]


def _read(path: Path) -> Json:
    return yaml.load(path.read_text(), yaml.CSafeLoader) or {}


def _default(entry: Any) -> Any:
    """A target gives a variable's value bare, the rest of the bundle as {default: value}."""
    return entry.get("default") if isinstance(entry, dict) else entry


def _merge(below: Any, above: Any) -> Any:
    if isinstance(below, dict) and isinstance(above, dict):
        return below | {k: _merge(below.get(k), v) for k, v in above.items()}
    return copy.deepcopy(above)


def check(root: Path) -> list[str]:
    """Sentences, one a fault."""
    faults: list[str] = []
    try:
        raw = _read(root / "databricks.yml")
        targets = {name: Bundle(root, name) for name in raw["targets"]}
    except (yaml.YAMLError, OSError, KeyError) as error:
        return [f"cannot be read: {error}"]
    if set(targets) != {"dev", "prod"}:
        faults.append(f"targets are {sorted(targets)}, not dev and prod")
        return faults
    faults += _keys(raw)
    for bundle in targets.values():
        faults += [fault for fault in _target(bundle) if fault not in faults]
    if faults:
        return faults
    faults += _dev(targets["dev"])
    faults += _prod(targets["prod"])
    faults += _sync(targets["prod"])
    return faults


def _target(bundle: Bundle) -> list[str]:
    """Later steps take for granted what the earlier ones look at."""
    faults = [*_references(bundle)] or [*_models(bundle), *_paths(bundle)] or [*_jobs(bundle)]
    return faults or [*_rules(bundle), *_unused(bundle)]


def _keys(raw: Json) -> Iterator[str]:
    def unknown(where: str, entry: Json, known: set[str]) -> Iterator[str]:
        for key in sorted(set(entry) - known):
            yield f"{where}: unknown key {key}"

    yield from unknown("databricks.yml", raw, _TOP)
    yield from unknown("bundle", raw["bundle"], _BUNDLE)
    yield from unknown("sync", raw.get("sync", {}), _SYNC)
    yield from unknown("experimental", raw.get("experimental", {}), _EXPERIMENTAL)
    for name, entry in raw.get("variables", {}).items():
        yield from unknown(f"variable {name}", entry, _VARIABLE)
        if not entry.get("description"):
            yield f"variable {name}: no description"
    for name, entry in raw.get("artifacts", {}).items():
        yield from unknown(f"artifact {name}", entry, _ARTIFACT)
    for name, entry in raw["targets"].items():
        yield from unknown(f"target {name}", entry, _TARGET)


def _models(bundle: Bundle) -> Iterator[str]:
    for kind, key, body in bundle.resources():
        if kind not in _MODELS:
            yield f"{kind}.{key}: unknown kind of resource"
            continue
        model = getattr(importlib.import_module(f"databricks.bundles.{kind}"), _MODELS[kind])
        try:
            # As written, then with complex variables put in.
            model.from_dict(body)
            model.from_dict(bundle.resolved(body))
        except (TypeError, ValueError) as error:
            yield f"{kind}.{key}: {error}"
        for grant in body.get("grants", []):
            if not grant.get("principal") or not grant.get("privileges"):
                yield f"{kind}.{key}: a grant without principal or privileges"
        if kind in _DIRECT_ONLY and bundle.config["bundle"].get("engine") != "direct":
            yield f"{kind}.{key}: needs bundle.engine: direct"


def _references(bundle: Bundle) -> Iterator[str]:
    for text in _strings({k: v for k, v in bundle.config.items() if k != "targets"}):
        for path in _REFERENCE.findall(text):
            head, *rest = path.split(".")
            if head == "var":
                if rest[0] not in bundle.variables:
                    yield f"no variable {rest[0]}"
            elif head == "resources":
                kind, key, attribute = (*rest, "", "", "")[:3]
                body = bundle.config["resources"].get(kind, {}).get(key)
                if body is None:
                    yield f"no resource {kind}.{key}"
                elif attribute not in {*body, *_COMPUTED.get(kind, ())}:
                    yield f"resource {kind}.{key} has no {attribute}"
            elif rest[:1] == [] or rest[0] not in _CONTEXT.get(head, ()):
                yield f"unknown reference ${{{path}}}"


def _unused(bundle: Bundle) -> Iterator[str]:
    text = " ".join(_strings({k: v for k, v in bundle.config.items() if k != "targets"}))
    for name in sorted(bundle.variables):
        if f"${{var.{name}}}" not in text:
            yield f"variable {name} is never used"


def _paths(bundle: Bundle) -> Iterator[str]:
    for name, artifact in bundle.config.get("artifacts", {}).items():
        if not (bundle.root / artifact["path"] / "pyproject.toml").is_file():
            yield f"artifact {name}: no pyproject.toml in {artifact['path']}"
            return
    for kind, key, body in bundle.resources():
        folder = bundle.folders.get(f"{kind}.{key}", bundle.root)
        if kind == "dashboards":
            path = (folder / body["file_path"]).resolve()
            if path != bundle.root.resolve() / "dashboards/fitbit.lvdash.json":
                yield f"dashboards.{key}: {body['file_path']} is not the project's dashboard"
        for task in body.get("tasks", []):
            yield from _task_paths(bundle, folder, f"jobs.{key}.{task['task_key']}", task)


def _task_paths(bundle: Bundle, folder: Path, where: str, task: Json) -> Iterator[str]:
    file = task.get("sql_task", {}).get("file", {}).get("path")
    if file is not None:
        path = folder / file
        if not path.is_file():
            yield f"{where}: no file {file}"
        else:
            code = re.sub(r"--.*|'(?:[^']|'')*'|`[^`]*`", "", path.read_text())
            used = set(re.findall(r"(?<![:\w]):(\w+)", code))
            given = set(task["sql_task"].get("parameters", {}))
            if used != given:
                yield f"{where}: {file} takes {sorted(used)}, given {sorted(given)}"
    dbt = task.get("dbt_task")
    if dbt is not None:
        project = folder / dbt["project_directory"]
        if not (project / "dbt_project.yml").is_file():
            yield f"{where}: no dbt project in {dbt['project_directory']}"
        if ("warehouse_id" in dbt) == ("profiles_directory" in dbt):
            yield f"{where}: either a warehouse or a profile"
        elif (
            "profiles_directory" in dbt
            and not (project / dbt["profiles_directory"] / "profiles.yml").is_file()
        ):
            yield f"{where}: no profiles.yml in {dbt['profiles_directory']}"
    wheels = [lib["whl"] for lib in task.get("libraries", []) if "whl" in lib]
    for wheel in wheels:
        built = {
            (bundle.root / a["path"] / "dist").resolve()
            for a in bundle.config["artifacts"].values()
        }
        if (folder / wheel).parent.resolve() not in built:
            yield f"{where}: no artifact builds {wheel}"
    if "python_wheel_task" in task:
        yield from _wheel(bundle, where, task["python_wheel_task"], wheels)


def _wheel(bundle: Bundle, where: str, task: Json, wheels: list[str]) -> Iterator[str]:
    projects = [
        tomllib.loads((bundle.root / a["path"] / "pyproject.toml").read_text())["project"]
        for a in bundle.config["artifacts"].values()
    ]
    entries = {p["name"]: set(p.get("scripts", {})) for p in projects}
    if task["package_name"] not in entries:
        yield f"{where}: no package {task['package_name']}"
    elif task["entry_point"] not in entries[task["package_name"]]:
        yield f"{where}: {task['package_name']} has no entry point {task['entry_point']}"
    if not wheels:
        yield f"{where}: the wheel is not among its libraries"


def _jobs(bundle: Bundle) -> Iterator[str]:
    if not bundle.config["resources"].get("jobs"):
        yield "there are no jobs"
    for key, body in bundle.config["resources"].get("jobs", {}).items():
        job, where = bundle.resolved(body), f"jobs.{key}"
        if not job.get("tasks"):
            yield f"{where}: no tasks"
            continue
        tasks = {t["task_key"]: t for t in job["tasks"]}
        if len(tasks) != len(job["tasks"]):
            yield f"{where}: two tasks of one name"
        clusters = {c["job_cluster_key"]: c["new_cluster"] for c in job.get("job_clusters", [])}
        environments = {e["environment_key"] for e in job.get("environments", [])}
        for name, task in tasks.items():
            kinds = [k for k in task if k.endswith("_task")]
            if len(kinds) != 1:
                yield f"{where}.{name}: {len(kinds)} kinds of work"
            for needed in task.get("depends_on", []):
                if needed["task_key"] not in tasks:
                    yield f"{where}.{name}: depends on {needed['task_key']}, which is not there"
            if "job_cluster_key" in task and task["job_cluster_key"] not in clusters:
                yield f"{where}.{name}: no cluster {task['job_cluster_key']}"
            if "environment_key" in task and task["environment_key"] not in environments:
                yield f"{where}.{name}: no environment {task['environment_key']}"
            if kinds in (["dbt_task"], ["python_wheel_task"]) and not (
                {"job_cluster_key", "environment_key"} & set(task)
            ):
                yield f"{where}.{name}: runs nowhere"
        yield from _cycle(where, tasks)
        if job.get("max_concurrent_runs") != 1:
            yield f"{where}: max_concurrent_runs must be 1"
        if not job.get("email_notifications", {}).get("on_failure"):
            yield f"{where}: nobody hears of a failure"
        if "schedule" in job and "continuous" in job:
            yield f"{where}: scheduled and continuous"
        if "continuous" not in job and not job.get("timeout_seconds"):
            yield f"{where}: no timeout"
        if "schedule" in job:
            yield from _cron(where, job["schedule"])
        if "continuous" in job and job["continuous"].get("task_retry_mode") != "ON_FAILURE":
            yield f"{where}: is not started again after a failure"
        for name, cluster in clusters.items():
            if not isinstance(cluster, dict):
                yield f"{where}: cluster {name} is no cluster"
            elif cluster.get("runtime_engine") != "STANDARD":
                yield f"{where}: cluster {name} may run Photon"


def _cycle(where: str, tasks: Json) -> Iterator[str]:
    left = {
        name: {d["task_key"] for d in t.get("depends_on", [])} & set(tasks)
        for name, t in tasks.items()
    }
    while ready := [name for name, needed in left.items() if not needed & set(left)]:
        for name in ready:
            del left[name]
    if left:
        yield f"{where}: {', '.join(sorted(left))} wait for each other"


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
            fits = (
                number in ("*", "?")
                or number in _DAYS
                or (number.isdigit() and low <= int(number) <= high)
            )
            if not fits:
                yield f"{where}: {number} does not fit in {' '.join(fields)}"


def _rules(bundle: Bundle) -> Iterator[str]:
    resources = bundle.config["resources"]
    for key, warehouse in resources["sql_warehouses"].items():
        if (
            warehouse.get("enable_serverless_compute") is not True
            or warehouse.get("warehouse_type") != "PRO"
        ):
            yield f"sql_warehouses.{key}: not serverless"
        if not 1 <= warehouse.get("auto_stop_mins", 0) <= 30:
            yield f"sql_warehouses.{key}: does not stop by itself"
    for key, dashboard in resources["dashboards"].items():
        if not dashboard.get("dataset_catalog") or dashboard.get("dataset_schema") != "gold":
            yield f"dashboards.{key}: dataset_catalog and dataset_schema say where its tables are"
        if dashboard.get("embed_credentials") is not False:
            yield f"dashboards.{key}: readers must query with their own rights"
    names = [s["name"] for s in resources["schemas"].values()]
    if sorted(names) != ["bronze", "gold", "silver"]:
        yield f"schemas are {sorted(names)}"
    # dbt's generate_schema_name knows no prefix.
    if bundle.config.get("experimental", {}).get("skip_name_prefix_for_schema") is not True:
        yield "schemas would be renamed in dev: skip_name_prefix_for_schema"
    for text in _strings(bundle.config):
        if re.search(r"dapi[0-9a-f]{32}|(?i:password|accesskey)\s*[=:]\s*\S", text):
            yield "a secret in the bundle"
    for name, cluster in _clusters(bundle):
        for variable, value in cluster.get("spark_env_vars", {}).items():
            if re.search(r"JAAS|PASSWORD|SECRET|TOKEN", variable) and not re.fullmatch(
                r"\{\{secrets/[^/{}]+/[\w-]+\}\}", value
            ):
                yield f"{name}: {variable} must come from the secret scope"


def _clusters(bundle: Bundle) -> Iterator[tuple[str, Json]]:
    for key, body in bundle.config["resources"]["jobs"].items():
        for cluster in bundle.resolved(body).get("job_clusters", []):
            if isinstance(cluster["new_cluster"], dict):
                yield f"jobs.{key}", cluster["new_cluster"]


def _dev(bundle: Bundle) -> Iterator[str]:
    config = bundle.config
    if config.get("mode") != "development":
        yield "dev: mode development gives names their prefix and pauses schedules"
    if (
        "current_user" not in config["workspace"]["root_path"]
        and "~" not in config["workspace"]["root_path"]
    ):
        yield "dev: root_path is not the developer's own"
    for kind, key, body in bundle.resources():
        for trigger in ("schedule", "continuous"):
            # An explicit status wins over the mode's pause.
            if body.get(trigger, {}).get("pause_status", "PAUSED") != "PAUSED":
                yield f"dev: {kind}.{key} would run by itself"
        if "run_as" in body:
            yield f"dev: {kind}.{key} would run as another"


def _prod(bundle: Bundle) -> Iterator[str]:
    config = bundle.config
    if config.get("mode") != "production":
        yield "prod: mode production"
    if (
        not config["workspace"].get("root_path")
        or "current_user" in config["workspace"]["root_path"]
    ):
        yield "prod: root_path is not one fixed place"
    if config.get("git", {}).get("branch") != "main":
        yield "prod: deploys from main only"
    for key, body in config["resources"]["jobs"].items():
        if not body.get("run_as", {}).get("service_principal_name"):
            yield f"prod: jobs.{key} would run as whoever deployed it"
    running = [
        key
        for key in ("ingest", "ingest_scheduled")
        if _status(config["resources"]["jobs"].get(key, {})) == "UNPAUSED"
    ]
    if len(running) != 1:
        yield f"prod: of the two ingest jobs exactly one runs, not {running}"
    if _status(config["resources"]["jobs"]["build"]) != "UNPAUSED":
        yield "prod: build is paused"
    for kind in ("catalogs", "schemas"):
        for key, body in config["resources"][kind].items():
            if body.get("lifecycle", {}).get("prevent_destroy") is not True:
                yield f"prod: {kind}.{key} could be destroyed by a deployment"


def _status(job: Json) -> str:
    for trigger in ("schedule", "continuous"):
        if trigger in job:
            return str(job[trigger].get("pause_status", "UNPAUSED"))
    return "none"


def _sync(bundle: Bundle) -> Iterator[str]:
    """What the jobs read is synced, the dashboard's file and the wheel's sources are not."""
    patterns = bundle.config.get("sync", {}).get("exclude", [])
    project = _read(bundle.root / "dbt_project.yml")
    needed = ["dbt_project.yml", "profiles.yml"]
    for key in ("model-paths", "macro-paths", "seed-paths", "snapshot-paths", "test-paths"):
        needed += [f"{folder}/deep/x.sql" for folder in project.get(key, [])]
    for folder in project.get("docs-paths", []):
        needed.append(f"{folder}/x.md")
    needed += [f"{folder}/deep/x.yml" for folder in project.get("model-paths", [])]
    needed += [
        f"deploy/{p.relative_to(bundle.root / 'deploy')}"
        for p in (bundle.root / "deploy").glob("*/*.sql")
    ]
    for path in needed:
        if _excluded(path, patterns):
            yield f"sync: leaves out {path}"
    for path in (
        "dashboards/fitbit.lvdash.json",
        "ingestion/cli.py",
        "local/cli.py",
        "deploy/azure/main.tf",
    ):
        if not _excluded(path, patterns):
            yield f"sync: {path} does not belong in the workspace"


def _excluded(path: str, patterns: list[str]) -> bool:
    """gitignore patterns as far as they are used here: `folder/**` and `folder/**/*.ending`."""
    return any(
        fnmatch.fnmatch(path, pattern.replace("/**/", "/*")) or fnmatch.fnmatch(path, pattern)
        for pattern in patterns
    )


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _strings(key)
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def dbt_commands(bundle: Bundle) -> Iterator[tuple[str, list[str]]]:
    """Job and task, and the words of each dbt command as a shell would split them."""
    for key in bundle.config["resources"]["jobs"]:
        for task in bundle.job(key)["tasks"]:
            for command in task.get("dbt_task", {}).get("commands", []):
                yield f"jobs.{key}.{task['task_key']}", shlex.split(command)


def pinned(bundle: Bundle) -> dict[str, str]:
    """Packages of the serverless environments, with their pins."""
    found: dict[str, str] = {}
    for key in bundle.config["resources"]["jobs"]:
        for environment in bundle.job(key).get("environments", []):
            for text in environment["spec"]["dependencies"]:
                name, _, version = text.partition("==")
                found[name] = version
    return found
