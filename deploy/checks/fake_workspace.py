"""A Databricks workspace on the loopback, for `databricks bundle ...` and nothing else.

It keeps what a bundle makes, in memory, and refuses what a workspace and Unity Catalog refuse: who
is unknown, lacks a right, takes a name or a path that is taken. A run does no work: each task is
looked at as the identity it runs as, and fails with the reason if that may not read its files, use
its warehouse, see its dashboard, write its volumes, or meets a catalog that is not ready for it.

A client's token is its identity: `DATABRICKS_TOKEN=ada@example.com` is a person, an application id
a service principal. GitHub's sign-in works as well (`/github` gives the token of a workflow).

    python -m deploy.checks.fake_workspace     prints its address and the identities there are
"""

from __future__ import annotations

import itertools
import json
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Json = dict[str, Any]

ACCOUNT = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
DEPLOY, INGEST, TRANSFORM = (f"{n * 8}-{n * 4}-4{n * 3}-8{n * 3}-{n * 12}" for n in "123")


@dataclass(frozen=True)
class Directory:
    """Who there is, and what Terraform has given them before a bundle is deployed."""

    users: frozenset[str] = frozenset()
    principals: frozenset[str] = frozenset()
    groups: dict[str, frozenset[str]] = field(default_factory=dict)
    # Who may make catalogs and external locations, who reads the Kafka secret, whom one may run as.
    creators: frozenset[str] = frozenset()
    credentials: frozenset[str] = frozenset()
    secret_readers: frozenset[str] = frozenset()
    run_as: dict[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, environment: str) -> Directory:
        """As deploy/azure leaves an environment, with two people in it."""
        dev = environment == "dev"
        people = {"ada@example.com", "ben@example.com"}
        return cls(
            users=frozenset(people),
            principals=frozenset({DEPLOY, INGEST, TRANSFORM}),
            groups={
                "fitbit-analysts": frozenset(),
                "fitbit-operators": frozenset({"ben@example.com"}),
                "fitbit-stewards": frozenset(),
                "fitbit-gym-managers": frozenset(),
                "fitbit-developers": frozenset({"ada@example.com"}),
            },
            creators=frozenset({DEPLOY, "fitbit-developers"} if dev else {DEPLOY}),
            credentials=frozenset({f"fitbit-{environment}"}),
            secret_readers=frozenset({DEPLOY, INGEST, "fitbit-developers"} if dev else {INGEST}),
            run_as={DEPLOY: frozenset({INGEST, TRANSFORM})},
        )

    def names(self, who: str) -> set[str]:
        """Under which names `who` is given rights."""
        mine = {name for name, members in self.groups.items() if who in members}
        return {who, "users", "account users", *mine}

    def known(self, name: str) -> bool:
        everyone = {"users", "account users", *self.groups}
        return name in everyone | self.users | self.principals


class Refused(Exception):
    """What the workspace answers instead: status, code and a sentence."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


@dataclass(frozen=True)
class Ask:
    """A request: who asks, the body (parsed, if it is JSON), the query."""

    who: str
    body: Any
    query: dict[str, str]


def _denied(message: str) -> Refused:
    return Refused(403, "PERMISSION_DENIED", message)


def _invalid(message: str) -> Refused:
    return Refused(400, "INVALID_PARAMETER_VALUE", message)


def _missing(message: str) -> Refused:
    return Refused(404, "RESOURCE_DOES_NOT_EXIST", message)


# Levels of rights on objects of a workspace, from the weakest; each includes those before it, but
# that whoever may view a warehouse cannot use it by that.
_LEVELS = {
    "directories": ["CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE"],
    "jobs": ["CAN_VIEW", "CAN_MANAGE_RUN", "CAN_MANAGE", "IS_OWNER"],
    "dashboards": ["CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE"],
    "sql/warehouses": ["CAN_VIEW", "CAN_USE", "CAN_MONITOR", "CAN_MANAGE", "IS_OWNER"],
}
_TABLES = {"USE_SCHEMA", "SELECT", "MODIFY", "CREATE_TABLE", "CREATE_VOLUME", "APPLY_TAG"}
_TABLES |= {"CREATE_FUNCTION", "EXECUTE", "READ_VOLUME", "WRITE_VOLUME", "REFRESH", "MANAGE"}
_PRIVILEGES = {
    "catalog": _TABLES | {"USE_CATALOG", "CREATE_SCHEMA", "BROWSE"},
    "schema": _TABLES,
    "volume": {"READ_VOLUME", "WRITE_VOLUME", "APPLY_TAG", "MANAGE"},
    "external_location": {
        *("READ_FILES", "WRITE_FILES", "CREATE_EXTERNAL_TABLE", "CREATE_EXTERNAL_VOLUME"),
        *("CREATE_MANAGED_STORAGE", "BROWSE", "MANAGE"),
    },
}
_WHO = ("user_name", "group_name", "service_principal_name")
Call = Callable[..., Any]
_ROUTES: list[tuple[str, re.Pattern[str], Call]] = []


def _route(method: str, path: str) -> Callable[[Call], Call]:
    def keep(call: Call) -> Call:
        _ROUTES.append((method, re.compile(re.sub(r"\.(?!\*)", r"\.", path) + "$"), call))
        return call

    return keep


_ID, _SECURABLE = "([^/]+)", "(catalogs|schemas|volumes|external-locations)"
_OBJECT = f"({'|'.join(_LEVELS)})"
_UC = "/api/2.1/unity-catalog"
_BOARDS = "/api/2.0/lakeview/dashboards"


class Workspace:
    """Its state, and the calls that the CLI makes."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        self._ids = itertools.count(1001)
        self.files: dict[str, bytes] = {}
        self.folders: dict[str, int] = {}
        self.rights: dict[str, list[Json]] = {}
        for home in ("", *sorted(directory.users | directory.principals)):
            self.folders[f"/Workspace/Users/{home}".rstrip("/")] = number = next(self._ids)
            if home:
                self._own(home, "directories", str(number))
        self.securables: dict[tuple[str, str], Json] = {}
        self.grants: dict[tuple[str, str], dict[str, set[str]]] = {}
        self.warehouses: dict[str, Json] = {}
        self.dashboards: dict[str, Json] = {}
        self.jobs: dict[str, Json] = {}
        self.runs: dict[str, Json] = {}
        # What runs have left: catalogs with bronze's tables; whom a catalog's policies spare.
        self.filled: set[str] = set()
        self.spared: dict[str, set[str]] = {}

    # Signing in

    @_route("GET", "/api/2.0/preview/scim/v2/Me")
    def me(self, ask: Ask) -> Json:
        if ask.who not in self.directory.users | self.directory.principals:
            raise Refused(401, "UNAUTHENTICATED", f"nobody is called {ask.who}")
        mine = sorted(self.directory.names(ask.who))
        return {"id": "1", "userName": ask.who, "groups": [{"display": name} for name in mine]}

    @_route("GET", "/github")
    def workflow_token(self, ask: Ask) -> Json:
        return {"value": f"workflow for {ask.query.get('audience')}"}

    @_route("GET", "/.well-known/databricks-config")
    def discovery(self, ask: Ask) -> Json:
        return {"oidc_endpoint": f"http://{ask.query['host']}/oidc", "workspace_id": "1"}

    @_route("GET", "/oidc/.well-known/oauth-authorization-server")
    def endpoints(self, ask: Ask) -> Json:
        here = f"http://{ask.query['host']}/oidc/v1"
        return {"token_endpoint": f"{here}/token", "authorization_endpoint": f"{here}/authorize"}

    @_route("POST", "/oidc/v1/token")
    def exchange(self, ask: Ask) -> Json:
        form = {k: v[0] for k, v in parse_qs(ask.body.decode()).items()}
        if form.get("subject_token") != f"workflow for {ACCOUNT}":
            raise Refused(401, "invalid_request", "the federation policy asks for another audience")
        if form.get("client_id") != DEPLOY:
            raise Refused(401, "invalid_client", f"no policy for {form.get('client_id')}")
        return {"access_token": form["client_id"], "token_type": "Bearer", "expires_in": 3600}

    # Files

    def _allowed(self, who: str, kind: str, key: str, level: str) -> bool:
        names, order = self.directory.names(who), _LEVELS[kind]
        return any(
            order.index(entry["permission_level"]) >= order.index(level)
            for entry in self.rights.get(f"{kind}/{key}", [])
            if _name(entry) in names
        )

    def may(self, who: str, path: str, level: str) -> bool:
        """By the home that the path is in, or by rights on a folder above it."""
        parts = PurePosixPath(path).parts
        if parts[:4] == ("/", "Workspace", "Users", who):
            return True
        if len(parts) < 4 and level == "CAN_READ":  # above all homes
            return True
        above = [path, *map(str, PurePosixPath(path).parents)]
        keys = [str(self.folders[folder]) for folder in above if folder in self.folders]
        return any(self._allowed(who, "directories", key, level) for key in keys)

    def _check(self, who: str, path: str, level: str) -> None:
        if not self.may(who, path, level):
            raise _denied(f"{who} has no {level} on {path}")

    @_route("GET", "/api/2.0/workspace/get-status")
    def status(self, ask: Ask) -> Json:
        return self._seen(ask.who, ask.query["path"])

    def _seen(self, who: str, path: str) -> Json:
        if path not in self.files and path not in self.folders:
            raise _missing(f"Path ({path}) doesn't exist.")
        self._check(who, path, "CAN_READ")
        kind = "FILE" if path in self.files else "DIRECTORY"
        return {"path": path, "object_type": kind, "object_id": self.folders.get(path, 1)}

    @_route("GET", "/api/2.0/workspace/list")
    def listing(self, ask: Ask) -> Json:
        under = ask.query["path"].rstrip("/") + "/"
        found = [p for p in (*self.files, *self.folders) if p.startswith(under)]
        return {"objects": [self._seen(ask.who, path) for path in found]}

    @_route("GET", "/api/2.0/workspace/export")
    def export(self, ask: Ask) -> bytes:
        self._seen(ask.who, ask.query["path"])
        return self.files[ask.query["path"]]

    @_route("POST", "/api/2.0/workspace/mkdirs")
    def mkdirs(self, ask: Ask) -> Json:
        self._check(ask.who, ask.body["path"], "CAN_EDIT")
        for folder in [ask.body["path"], *map(str, PurePosixPath(ask.body["path"]).parents)]:
            self.folders.setdefault(folder, next(self._ids))
        return {}

    @_route("POST", "/api/2.0/workspace-files/import-file(/.*)")
    def upload(self, ask: Ask, path: str) -> Json:
        path = unquote(path)
        self._check(ask.who, path, "CAN_EDIT")
        if str(PurePosixPath(path).parent) not in self.folders:
            raise _missing(f"The parent folder ({PurePosixPath(path).parent}) doesn't exist.")
        if path in self.files and ask.query.get("overwrite") != "true":
            raise Refused(409, "RESOURCE_ALREADY_EXISTS", f"{path} already exists")
        self.files[path] = ask.body
        return {}

    @_route("POST", "/api/2.0/workspace/delete")
    def delete(self, ask: Ask) -> Json:
        path = ask.body["path"]
        self._check(ask.who, path, "CAN_EDIT")
        tables: tuple[dict[str, Any], ...] = (self.files, self.folders)
        for table in tables:
            for found in [p for p in table if p == path or p.startswith(path + "/")]:
                del table[found]
        return {}

    # Rights on objects of the workspace

    @_route("GET", f"/api/2.0/permissions/{_OBJECT}/{_ID}")
    def get_rights(self, _: Ask, kind: str, key: str) -> Any:
        shown = [
            {k: entry[k] for k in _WHO if entry.get(k)}
            | {"all_permissions": [{"permission_level": entry["permission_level"]}]}
            for entry in self.rights.get(f"{kind}/{key}", [])
        ]
        return {"object_id": f"/{kind}/{key}", "access_control_list": shown}

    @_route("PUT", f"/api/2.0/permissions/{_OBJECT}/{_ID}")
    def set_rights(self, ask: Ask, kind: str, key: str) -> Any:
        if kind == "directories":
            (path,) = [p for p, number in self.folders.items() if str(number) == key]
            self._check(ask.who, path, "CAN_MANAGE")
        elif not self._allowed(ask.who, kind, key, "CAN_MANAGE"):
            raise _denied(f"{ask.who} has no CAN_MANAGE on {kind}/{key}")
        for entry in ask.body["access_control_list"]:
            if not self.directory.known(_name(entry)):
                raise _missing(f"Principal: {_name(entry)} does not exist")
            if entry["permission_level"] not in _LEVELS[kind]:
                raise _invalid(f"{kind} know no {entry['permission_level']}")
        self.rights[f"{kind}/{key}"] = ask.body["access_control_list"]
        return self.get_rights(ask, kind, key)

    def _own(self, who: str, kind: str, key: str) -> None:
        group = "service_principal_name" if who in self.directory.principals else "user_name"
        self.rights[f"{kind}/{key}"] = [{group: who, "permission_level": "CAN_MANAGE"}]

    # Unity Catalog

    def has(self, who: str, kind: str, name: str, *privileges: str) -> bool:
        """As an owner of the securable or of one above it, or by a grant on any of them."""
        names, parts = self.directory.names(who), name.split(".")
        chain = [(kind, name)]
        if kind in ("schema", "volume"):
            chain += [("schema", ".".join(parts[:2])), ("catalog", parts[0])]
        for key in chain:
            if self.securables.get(key, {}).get("owner") == who:
                return True
            if any(self.grants.get(key, {}).get(n, set()) & {*privileges} for n in names):
                return True
        return False

    def _there(self, kind: str, name: str) -> Json:
        if (kind, name) not in self.securables:
            raise Refused(404, f"{kind.upper()}_DOES_NOT_EXIST", f"{kind} '{name}' does not exist.")
        return self.securables[kind, name]

    def _owned(self, who: str, kind: str, name: str) -> Json:
        found = self._there(kind, name)
        if not self.has(who, kind, name, "MANAGE"):
            raise _denied(f"{who} does not own {kind} {name}")
        return found

    @_route("POST", f"{_UC}/{_SECURABLE}")
    def create(self, ask: Ask, plural: str) -> Json:
        kind = _kind(plural)
        above = [ask.body[k] for k in ("catalog_name", "schema_name") if k in ask.body]
        name = ".".join([*above, ask.body["name"]])
        if (kind, name) in self.securables:
            raise Refused(409, f"{kind.upper()}_ALREADY_EXISTS", f"{kind} '{name}' already exists")
        if above:
            parent = ("catalog", "schema")[len(above) - 1]
            self._there(parent, ".".join(above))
            if not self.has(ask.who, parent, ".".join(above), f"CREATE_{kind.upper()}"):
                raise _denied(f"{ask.who} lacks CREATE {kind.upper()} on {'.'.join(above)}")
        elif not self.directory.names(ask.who) & self.directory.creators:
            raise _denied(f"{ask.who} lacks CREATE {kind.upper()} on the metastore")
        if kind == "external_location":
            self._check_location(ask.body)
        elif place := ask.body.get("storage_root") or ask.body.get("storage_location"):
            self._check_place(ask.who, kind, place)
        made = {**ask.body, "full_name": name, "owner": ask.who}
        self.securables[kind, name] = made
        return made

    def _check_location(self, body: Json) -> None:
        if body["credential_name"] not in self.directory.credentials:
            raise _missing(f"storage credential {body['credential_name']} does not exist")
        # The API's default is true, so that the choice has to be said.
        if body.get("enable_file_events", True) and len(body.get("file_event_queue") or {}) != 1:
            raise _invalid(
                f"{body['name']}: file events need exactly one queue in file_event_queue"
            )
        if other := self._overlap(body["url"], "external_location"):
            raise Refused(409, "LOCATION_OVERLAP", f"{body['url']} overlaps with {other}")

    def _check_place(self, who: str, kind: str, url: str) -> None:
        right = "CREATE_MANAGED_STORAGE" if kind == "catalog" else "CREATE_EXTERNAL_VOLUME"
        held = [
            name
            for (k, name), found in self.securables.items()
            if k == "external_location" and _folder(url).startswith(_folder(found["url"]))
        ]
        if not held:
            raise _missing(f"no external location holds {url}")
        if not self.has(who, "external_location", held[0], right):
            raise _denied(f"{who} lacks {right} on {held[0]}")
        if other := self._overlap(url, "catalog", "volume"):
            raise Refused(409, "LOCATION_OVERLAP", f"{url} overlaps with {other}")

    def _overlap(self, url: str, *kinds: str) -> str | None:
        for (kind, name), found in self.securables.items():
            place = _place(found)
            if kind in kinds and place:
                ours, theirs = _folder(url), _folder(place)
                if ours.startswith(theirs) or theirs.startswith(ours):
                    return f"{kind} {name}"
        return None

    @_route("GET", f"{_UC}/{_SECURABLE}/{_ID}")
    def read(self, _: Ask, plural: str, name: str) -> Any:
        return self._there(_kind(plural), unquote(name))

    @_route("PATCH", f"{_UC}/{_SECURABLE}/{_ID}")
    def update(self, ask: Ask, plural: str, name: str) -> Json:
        found = self._owned(ask.who, _kind(plural), unquote(name))
        if any(found.get(k) != ask.body.get(k, found.get(k)) for k in ("url", "storage_root")):
            raise Refused(400, "INVALID_STATE", f"{name} is in use where it is")
        found |= ask.body
        return found

    @_route("DELETE", f"{_UC}/{_SECURABLE}/{_ID}")
    def drop(self, ask: Ask, plural: str, name: str) -> Json:
        kind, name = _kind(plural), unquote(name)
        place = _place(self._owned(ask.who, kind, name)) or ""
        inside = [key for key in self.securables if key[1].startswith(name + ".")]
        if kind == "external_location":
            inside = [
                key
                for key, other in self.securables.items()
                if key[0] in ("catalog", "volume")
                and _folder(_place(other) or "").startswith(_folder(place))
            ]
        if inside and ask.query.get("force") != "true":
            raise Refused(400, "INVALID_STATE", f"{kind} {name} is not empty: {inside[0][1]}")
        for key in [(kind, name), *(inside if kind != "external_location" else [])]:
            del self.securables[key]
            self.grants.pop(key, None)
        return {}

    @_route("GET", f"{_UC}/permissions/(\\w+)/{_ID}")
    def get_grants(self, _: Ask, kind: str, name: str) -> Any:
        given = self.grants.get((kind, unquote(name)), {})
        shown = [{"principal": p, "privileges": sorted(v)} for p, v in given.items() if v]
        return {"privilege_assignments": shown}

    @_route("PATCH", f"{_UC}/permissions/(\\w+)/{_ID}")
    def grant(self, ask: Ask, kind: str, name: str) -> Any:
        self._owned(ask.who, kind, unquote(name))
        table = self.grants.setdefault((kind, unquote(name)), {})
        for change in ask.body["changes"]:
            principal, added = change["principal"], set(change.get("add", []))
            if not self.directory.known(principal):
                raise Refused(404, "PRINCIPAL_DOES_NOT_EXIST", f"Could not find {principal}")
            if wrong := added - _PRIVILEGES[kind]:
                raise _invalid(f"a {kind} has no privilege {', '.join(sorted(wrong))}")
            removed = set(change.get("remove", []))
            kept = table.get(principal, set())
            table[principal] = (set() if "ALL_PRIVILEGES" in removed else kept - removed) | added
        return self.get_grants(ask, kind, name)

    # Warehouses and dashboards

    def _put(self, who: str, kind: str, key: str | None, body: Json, **more: Any) -> Any:
        table: dict[str, Json] = {"sql/warehouses": self.warehouses}.get(kind, self.dashboards)
        if key is None:
            key = f"{next(self._ids):016x}"
            self._own(who, kind, key)
        elif not self._allowed(who, kind, key, "CAN_MANAGE"):
            raise _denied(f"{who} may not change {kind}/{key}")
        table[key] = table.get(key, {}) | body | {k: v or key for k, v in more.items()}
        return table[key]

    @_route("POST", "/api/2.0/sql/warehouses")
    @_route("POST", f"/api/2.0/sql/warehouses/{_ID}/edit")
    def put_warehouse(self, ask: Ask, key: str | None = None) -> Any:
        return self._put(ask.who, "sql/warehouses", key, ask.body, id=None, state="RUNNING")

    @_route("GET", f"/api/2.0/sql/warehouses/{_ID}")
    def get_warehouse(self, _: Ask, key: str) -> Any:
        return _of(self.warehouses, key)

    @_route("DELETE", f"/api/2.0/sql/warehouses/{_ID}")
    def drop_warehouse(self, _: Ask, key: str) -> Json:
        _of(self.warehouses, key)
        del self.warehouses[key]
        return {}

    @_route("POST", _BOARDS)
    @_route("PATCH", f"{_BOARDS}/{_ID}")
    def put_dashboard(self, ask: Ask, key: str | None = None) -> Any:
        if "parent_path" in ask.body:
            self._check(ask.who, ask.body["parent_path"], "CAN_EDIT")
        made = self._put(
            ask.who, "dashboards", key, ask.body, dashboard_id=None, lifecycle_state="ACTIVE"
        )
        made["etag"] = str(next(self._ids))
        made["path"] = f"{made.get('parent_path')}/{made.get('display_name')}.lvdash.json"
        return made

    @_route("GET", f"{_BOARDS}/{_ID}")
    def get_dashboard(self, _: Ask, key: str) -> Any:
        return _of(self.dashboards, key)

    @_route("DELETE", f"{_BOARDS}/{_ID}")
    def trash_dashboard(self, _: Ask, key: str) -> Json:
        _of(self.dashboards, key)["lifecycle_state"] = "TRASHED"
        return {}

    @_route("POST", f"{_BOARDS}/{_ID}/published")
    def publish(self, ask: Ask, key: str) -> Any:
        _of(self.dashboards, key)["published"] = ask.body
        return ask.body

    @_route("GET", f"{_BOARDS}/{_ID}/published")
    def get_published(self, _: Ask, key: str) -> Json:
        board = _of(self.dashboards, key)
        return {**_of(board, "published"), "display_name": board.get("display_name")}

    # Jobs and runs

    @_route("POST", "/api/2.2/jobs/create")
    @_route("POST", "/api/2.2/jobs/reset")
    def put_job(self, ask: Ask) -> Json:
        settings, key = ask.body.get("new_settings", ask.body), str(ask.body.get("job_id", ""))
        actor = _name(settings.get("run_as", {})) or ask.who
        if actor not in {ask.who, *self.directory.run_as.get(ask.who, ())}:
            raise _denied(f"{ask.who} may not run a job as {actor}")
        if key and not self._allowed(ask.who, "jobs", key, "CAN_MANAGE"):
            raise _denied(f"{ask.who} may not change job {key}")
        if not key:
            key = str(next(self._ids))
            self._own(ask.who, "jobs", key)
        job = self.jobs.setdefault(key, {"job_id": int(key), "creator_user_name": ask.who})
        job["settings"] = settings
        # A continuous job starts by itself; what runs keeps the settings that it began with.
        if _endless(settings) and not self._running(key):
            self._start(key)
        return {"job_id": int(key)}

    @_route("GET", "/api/2.[02]/jobs/get")
    def get_job(self, ask: Ask) -> Any:
        return _of(self.jobs, ask.query["job_id"])

    @_route("POST", "/api/2.2/jobs/delete")
    def drop_job(self, ask: Ask) -> Json:
        self.jobs.pop(str(ask.body["job_id"]), None)
        return {}

    def _running(self, job: str) -> list[Json]:
        return [
            run
            for run in self.runs.values()
            if str(run.get("job_id")) == job and run["state"]["life_cycle_state"] == "RUNNING"
        ]

    def active(self, job: str) -> list[Json]:
        """Runs of a job that have not ended; one without end is tried again after a failure."""
        if _endless(self.jobs[job]["settings"]) and not self._running(job):
            self._start(job)
        return self._running(job)

    @_route("GET", "/api/2.2/jobs/runs/list")
    def list_runs(self, ask: Ask) -> Json:
        return {"runs": self.active(ask.query["job_id"])}

    @_route("POST", "/api/2.2/jobs/run-now")
    def run_now(self, ask: Ask) -> Json:
        key = str(ask.body["job_id"])
        job = _of(self.jobs, key)
        if not self._allowed(ask.who, "jobs", key, "CAN_MANAGE_RUN"):
            raise _denied(f"{ask.who} may not run job {key}")
        if self._running(key) and not _endless(job["settings"]):
            raise _invalid(f"job {key} is running, and max_concurrent_runs is 1")
        return {"run_id": self._start(key)["run_id"]}

    def _start(self, key: str) -> Json:
        for run in self._running(key):
            run["state"] = {"life_cycle_state": "TERMINATED", "result_state": "CANCELED"}
        job, number = self.jobs[key], next(self._ids)
        settings = json.loads(json.dumps(job["settings"]))
        actor = _name(settings.get("run_as", {})) or job["creator_user_name"]
        tasks, failures = [], 0
        for task in settings["tasks"]:
            reasons = "; ".join(self._hindrances(actor, task, settings))
            failures += bool(reasons)
            state = _state("FAILED" if reasons else "SUCCESS")
            one = {"run_id": next(self._ids), "task_key": task["task_key"], "state": state}
            self.runs[str(one["run_id"])] = one | {"error": reasons}
            tasks.append(one)
        state = _state("FAILED" if failures else "SUCCESS")
        if _endless(settings) and not failures:
            state = {"life_cycle_state": "RUNNING"}
        run = {"run_id": number, "job_id": int(key), "run_name": settings["name"], "state": state}
        run |= {"tasks": tasks, "run_page_url": f"http://127.0.0.1/run/{number}"}
        self.runs[str(number)] = run | {"settings": settings}
        return self.runs[str(number)]

    @_route("GET", "/api/2.2/jobs/runs/get")
    @_route("GET", "/api/2.2/jobs/runs/get-output")
    def get_run(self, ask: Ask) -> Any:
        return _of(self.runs, ask.query["run_id"])

    def _hindrances(self, actor: str, task: Json, settings: Json) -> Iterator[str]:
        """Why the task cannot do its work as `actor`; else its traces stay in the catalog."""
        sql, dbt = task.get("sql_task", {}), task.get("dbt_task", {})
        paths = [library["whl"] for library in task.get("libraries", []) if "whl" in library]
        paths += [sql["file"]["path"]] if "file" in sql else []
        if dbt:
            paths += [
                f"{dbt['project_directory']}/{f}" for f in ("dbt_project.yml", "profiles.yml")
            ]
        for path in paths:
            if path not in self.files:
                yield f"there is no {path}"
            elif not self.may(actor, path, "CAN_READ"):
                yield f"{actor} may not read {path}"
        text = json.dumps(task)
        for key in self.warehouses:
            if key in text and not self._allowed(actor, "sql/warehouses", key, "CAN_USE"):
                yield f"{actor} may not use the warehouse"
        board = task.get("dashboard_task", {}).get("dashboard_id")
        if board and not self._allowed(actor, "dashboards", board, "CAN_READ"):
            yield f"{actor} may not see the dashboard"
        clusters = {
            c["job_cluster_key"]: c["new_cluster"] for c in settings.get("job_clusters", [])
        }
        node = clusters.get(task.get("job_cluster_key", ""), {}).get("spark_env_vars", {})
        for place in sorted(set(re.findall(r"/Volumes/(\w+/\w+/\w+)", text + json.dumps(node)))):
            name = place.replace("/", ".")
            if ("volume", name) not in self.securables:
                yield f"there is no volume {name}"
            elif not self.has(actor, "volume", name, "WRITE_VOLUME"):
                yield f"{actor} may not write to volume {name}"
        readers = self.directory.secret_readers
        if "{{secrets/" in json.dumps(node) and not self.directory.names(actor) & readers:
            yield f"{actor} may not read the secret scope"
        if node:
            yield from self._ingest(actor, node.get("FITBIT_INGEST_CATALOG", ""))
        for command in dbt.get("commands", []):
            given = json.loads(command[command.index("--vars '") + 8 : command.rindex("'")])
            yield from self._dbt(actor, given["catalog"])
            profile = command.split("--target ")[1].split()[0]
            profiles = self.files.get(f"{dbt['project_directory']}/profiles.yml", b"").decode()
            if not re.search(rf"^    {profile}:", profiles, re.M):
                yield f"profiles.yml has no output {profile}"
        if sql:
            yield from self._sql(actor, sql.get("parameters", {}))

    def _needs(self, actor: str, catalog: str, needed: dict[str, str]) -> Iterator[str]:
        if not self.has(actor, "catalog", catalog, "USE_CATALOG"):
            yield f"{actor} lacks USE CATALOG on {catalog}"
        for schema, privileges in needed.items():
            for privilege in privileges.split():
                if not self.has(actor, "schema", f"{catalog}.{schema}", privilege):
                    yield f"{actor} lacks {privilege} on {catalog}.{schema}"

    def _ingest(self, actor: str, catalog: str) -> Iterator[str]:
        lacking = list(self._needs(actor, catalog, {"bronze": "USE_SCHEMA CREATE_TABLE MODIFY"}))
        yield from lacking
        if not lacking:
            self.filled.add(catalog)

    def _dbt(self, actor: str, catalog: str) -> Iterator[str]:
        write = "USE_SCHEMA CREATE_TABLE SELECT MODIFY APPLY_TAG"
        yield from self._needs(
            actor,
            catalog,
            {
                "bronze": "USE_SCHEMA SELECT",
                "silver": write,
                "gold": write,
                "ops": "USE_SCHEMA CREATE_TABLE MODIFY",
            },
        )
        if catalog not in self.filled:
            yield f"{catalog}.bronze has no tables: nothing has been ingested"
        if catalog in self.spared and actor not in self.spared[catalog]:
            yield f"the policies of {catalog} do not spare {actor}, who would write masked values"

    def _sql(self, actor: str, parameters: Json) -> Iterator[str]:
        catalog = parameters["catalog"]
        for name, value in parameters.items():
            if name != "catalog" and not self.directory.known(value):
                yield f"there is no principal {value}"
        if "stewards" in parameters:  # policies.sql
            if self._there("catalog", catalog)["owner"] != actor:
                yield f"{actor} does not own {catalog}, and so makes no policies"
            self.spared[catalog] = {parameters["transform"], *self._in(parameters["stewards"])}
        elif not self.has(actor, "schema", f"{catalog}.silver", "MODIFY"):
            yield f"{actor} lacks MODIFY on {catalog}.silver"

    def _in(self, group: str) -> frozenset[str]:
        return self.directory.groups.get(group, frozenset())


def _name(entry: Json) -> str:
    return next((str(entry[key]) for key in _WHO if entry.get(key)), "")


def _kind(plural: str) -> str:
    return plural[:-1].replace("-", "_")


def _folder(url: str) -> str:
    return url.rstrip("/") + "/"


def _place(securable: Json) -> str | None:
    return next(
        (securable[k] for k in ("url", "storage_root", "storage_location") if k in securable), None
    )


def _of(table: dict[str, Any], key: str) -> Any:
    if key not in table:
        raise _missing(f"{key} does not exist")
    return table[key]


def _endless(settings: Json) -> bool:
    found = settings.get("continuous")
    return found is not None and found.get("pause_status") != "PAUSED"


def _state(result: str) -> Json:
    ended = "INTERNAL_ERROR" if result == "FAILED" else "TERMINATED"
    return {"life_cycle_state": ended, "result_state": result}


@contextmanager
def serving(workspace: Workspace) -> Iterator[str]:
    """The workspace's address, as long as the block lasts."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def _body(self) -> Any:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Transfer-Encoding") == "chunked":
                while size := int(self.rfile.readline(), 16):
                    raw += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
            if "json" in self.headers.get("Content-Type", "") and "import-file" not in self.path:
                return json.loads(raw or b"{}")
            return raw if raw or self.command == "POST" else {}

        def answer(self) -> None:
            url = urlsplit(self.path)
            query = {k: v[0] for k, v in parse_qs(url.query).items()}
            query["host"] = self.headers["Host"]
            who = self.headers.get("Authorization", "").removeprefix("Bearer ")
            ask = Ask(who, self._body(), query)
            status = 501
            found: Any = {"message": f"the fake has no {self.command} {url.path}"}
            with lock:
                for method, path, call in _ROUTES:
                    if method == self.command and (match := path.match(url.path)):
                        try:
                            status, found = 200, call(workspace, ask, *match.groups())
                        except Refused as error:
                            status = error.status
                            found = {"error_code": error.code, "message": str(error)}
                        break
            data = found if isinstance(found, bytes) else json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = answer

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def main() -> None:
    directory = Directory.of("dev")
    for name in sorted(directory.users | directory.principals):
        print(f"DATABRICKS_TOKEN={name}")
    with serving(Workspace(directory)) as address:
        print(f"DATABRICKS_HOST={address}", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
