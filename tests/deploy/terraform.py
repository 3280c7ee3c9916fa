"""Checks of deploy/azure without Terraform, a provider or an account.

Types, arguments and blocks against what the providers accept (schemas/providers.json), references
against what is declared, and the promises of docs/deployment.md: private, keyless, validated.
Each check returns sentences, one a fault, none when all is well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.deploy.hcl import Block, Module, arguments, literal, references, strings

SCHEMAS = json.loads((Path(__file__).parent / "schemas/providers.json").read_text())
_META = {"count", "for_each", "provider", "depends_on", "lifecycle", "connection", "provisioner"}

# Names of arguments that would hold a secret, in any provider.
_SECRET = re.compile(
    r"password|secret_value|access_key|account_key|storage_key|client_secret|_sas|service_principal_key|private_key"
)

# What "private by default" and "no key" mean, one line a promise: (type, path, wanted).
PROMISES: list[tuple[str, str, object]] = [
    ("azurerm_storage_account", "public_network_access_enabled", False),
    ("azurerm_storage_account", "shared_access_key_enabled", False),
    ("azurerm_storage_account", "allow_nested_items_to_be_public", False),
    ("azurerm_storage_account", "https_traffic_only_enabled", True),
    ("azurerm_storage_account", "cross_tenant_replication_enabled", False),
    ("azurerm_storage_account", "local_user_enabled", False),
    ("azurerm_storage_account", "min_tls_version", "TLS1_2"),
    ("azurerm_storage_account", "is_hns_enabled", True),
    ("azurerm_storage_account", "network_rules.default_action", "Deny"),
    ("azurerm_storage_container", "container_access_type", "private"),
    ("azurerm_mssql_server", "public_network_access_enabled", False),
    ("azurerm_mssql_server", "minimum_tls_version", "1.2"),
    ("azurerm_mssql_server", "azuread_administrator.azuread_authentication_only", True),
    ("azurerm_eventhub_namespace", "public_network_access_enabled", False),
    ("azurerm_eventhub_namespace", "minimum_tls_version", "1.2"),
    ("azurerm_eventhub_namespace", "network_rulesets.default_action", "Deny"),
    ("azurerm_eventhub_namespace", "network_rulesets.public_network_access_enabled", False),
    ("azurerm_key_vault", "public_network_access_enabled", False),
    ("azurerm_key_vault", "rbac_authorization_enabled", True),
    ("azurerm_key_vault", "purge_protection_enabled", True),
    ("azurerm_key_vault", "network_acls.default_action", "Deny"),
    ("azurerm_data_factory", "public_network_enabled", False),
    ("azurerm_data_factory", "managed_virtual_network_enabled", True),
    ("azurerm_data_factory", "identity.type", "SystemAssigned"),
    ("azurerm_data_factory_integration_runtime_azure", "virtual_network_enabled", True),
    ("azurerm_data_factory_linked_service_azure_sql_database", "use_managed_identity", True),
    ("azurerm_data_factory_linked_service_data_lake_storage_gen2", "use_managed_identity", True),
    ("azurerm_databricks_workspace", "sku", "premium"),
    (
        "azurerm_databricks_workspace",
        "public_network_access_enabled",
        "${var.workspace_public_access}",
    ),
    ("azurerm_databricks_workspace", "default_storage_firewall_enabled", True),
    ("azurerm_databricks_workspace", "custom_parameters.no_public_ip", True),
    ("databricks_storage_credential", "isolation_mode", "ISOLATION_MODE_ISOLATED"),
]

# Every kind of resource that the system is made of must be there, and this many.
INVENTORY = {
    "azurerm_resource_group": 1,
    "azurerm_storage_account": 1,
    "azurerm_storage_container": 1,
    "azurerm_storage_management_policy": 1,
    "azurerm_databricks_access_connector": 1,
    "azurerm_role_assignment": 1,
    "azurerm_mssql_database": 1,
    "azurerm_eventhub_namespace": 1,
    "azurerm_eventhub": 1,
    "azurerm_data_factory": 1,
    "azurerm_data_factory_pipeline": 1,
    "azurerm_data_factory_trigger_schedule": 1,
    "azurerm_key_vault": 1,
    "azurerm_databricks_workspace": 1,
    "azurerm_private_endpoint": 1,
    "databricks_metastore_assignment": 1,
    "databricks_storage_credential": 1,
    "databricks_secret_scope": 1,
}


def check(root: Path) -> list[str]:
    try:
        module = Module.read(root)
    except ValueError as error:
        return [f"cannot be parsed: {error}"]
    return [
        *_types(module),
        *_references(module),
        *_cycles(module),
        *_variables(module),
        *_versions(module),
        *_promises(module),
        *_secrets(root, module),
        *_files(root, module),
    ]


def _types(module: Module) -> Iterator[str]:
    for block in module.blocks:
        if block.kind not in ("resource", "data"):
            continue
        known = SCHEMAS[block.kind].get(block.type)
        if known is None:
            yield f"{block.address}: type unknown to schemas/providers.json"
            continue
        yield from _body(block.address, block.body, known["arguments"], top=True)


def _body(
    where: str, body: dict[str, Any], known: dict[str, Any], top: bool = False
) -> Iterator[str]:
    given = set()
    for key, value in arguments(body):
        if top and key in _META:
            continue
        if key == "dynamic":
            for entry in value:
                for name, inner in arguments(entry):
                    given.add(name)
                    for content in inner.get("content", []):
                        inside = known.get(name, {}).get("block", {})
                        yield from _body(f"{where}.{name}", content, inside)
            continue
        given.add(key)
        if key not in known:
            yield f"{where}: unknown argument {key}"
            continue
        rule = known[key]
        nested = rule.get("block") or rule.get("object") or rule.get("either")
        entries = value if isinstance(value, list) else [value]
        maps = [entry for entry in entries if isinstance(entry, dict)]
        if maps and "either" not in rule and ("block" in rule) != ("__is_block__" in maps[0]):
            yield f"{where}: {key} is {'a block' if 'block' in rule else 'an argument'}"
        for entry in maps if nested else []:
            yield from _body(f"{where}.{key}", entry, nested)
    for key, rule in known.items():
        if rule["required"] and key not in given:
            yield f"{where}: required argument {key} is missing"


def _references(module: Module) -> Iterator[str]:
    declared = {(b.kind, b.type, b.name) for b in module.blocks}
    local_names = {key for b in module.of("locals") for key, _ in arguments(b.body)}
    aliases = {
        f"{b.name}.{literal(b.body['alias'])}" for b in module.of("provider") if "alias" in b.body
    }
    used: set[tuple[str, str]] = set()
    for block in module.blocks:
        repeated = "for_each" in block.body
        for path in references(block.body):
            head, *rest = path
            where = block.address or f"{block.kind} in {block.file}"
            if head == "var":
                used.add(("variable", rest[0]))
                if ("variable", "", rest[0]) not in declared:
                    yield f"{where}: no variable {rest[0]}"
            elif head == "local":
                used.add(("local", rest[0]))
                if rest[0] not in local_names:
                    yield f"{where}: no local value {rest[0]}"
            elif head == "each":
                if not repeated:
                    yield f"{where}: each.{rest[0]} without for_each"
            elif head == "data":
                yield from _attribute(where, "data", rest, declared)
            elif head.startswith(("azurerm_", "azuread_", "databricks_")):
                yield from _attribute(where, "resource", [head, *rest], declared)
        provider = block.body.get("provider")
        if provider is not None and literal(provider).strip("${}") not in aliases:
            yield f"{block.address}: no provider {provider}"
        if block.type.startswith("databricks_") and provider is None:
            yield f"{block.address}: says neither databricks.account nor databricks.workspace"
    for name in local_names:
        if ("local", name) not in used:
            yield f"local value {name} is never used"
    for block in module.of("variable"):
        if ("variable", block.name) not in used:
            yield f"variable {block.name} is never used"


def _attribute(
    where: str, kind: str, path: list[str], declared: set[tuple[str, str, str]]
) -> Iterator[str]:
    type_, name, *attributes = path
    if (kind, type_, name) not in declared:
        yield f"{where}: no {kind} {type_}.{name}"
        return
    known = SCHEMAS[kind].get(type_)
    if known and attributes and attributes[0] not in {*known["attributes"], *known["arguments"]}:
        yield f"{where}: {type_} has no attribute {attributes[0]}"


def _variables(module: Module) -> Iterator[str]:
    for block in module.of("variable"):
        body = block.body
        for key in ("type", "description"):
            if not body.get(key):
                yield f"{block.address}: {key} is missing"
        if "bool" not in str(body.get("type")) and not body.get("validation"):
            yield f"{block.address}: nothing validates it"
        for rule in body.get("validation", []):
            if f"var.{block.name}" not in str(rule.get("condition")):
                yield f"{block.address}: a validation does not look at the variable"
    for block in module.of("output"):
        if not block.body.get("description"):
            yield f"{block.address}: description is missing"


def _versions(module: Module) -> Iterator[str]:
    settings = [b.body for b in module.of("terraform")]
    required = {
        name: value
        for body in settings
        for entry in body.get("required_providers", [])
        for name, value in arguments(entry)
    }
    if not any("required_version" in body for body in settings):
        yield "terraform: required_version is missing"
    for provider, version in SCHEMAS["providers"].items():
        wanted = literal(required.get(provider, {}).get("version", ""))
        match = re.fullmatch(r"~> (\d+)\.(\d+)", wanted)
        major, minor = version.split(".")[:2]
        if not match or match[1] != major or int(match[2]) > int(minor):
            yield f"provider {provider}: {wanted or 'none'} does not admit the checked {version}"
    used = {b.type.split("_")[0] for b in module.blocks if b.kind in ("resource", "data")}
    for provider in used - required.keys():
        yield f"provider {provider} is used and not required"
    for body in settings:
        for backend in body.get("backend", []):
            for _, entry in arguments(backend):
                if entry.get("use_azuread_auth") is not True:
                    yield "backend: the state must be read with Entra ID"


def _promises(module: Module) -> Iterator[str]:
    for type_, path, wanted in PROMISES:
        for block in module.of("resource", type_):
            value: Any = block.body
            for part in path.split("."):
                value = value[0] if isinstance(value, list) else value
                value = value.get(part) if isinstance(value, dict) else None
            if literal(value) != wanted:
                yield f"{block.address}: {path} must be {wanted}, not {literal(value)}"
    for type_, number in INVENTORY.items():
        if len(module.of("resource", type_)) < number:
            yield f"no {type_}"
    containers = {
        literal(s)
        for b in module.of("resource", "azurerm_storage_container")
        for s in strings(b.body)
    }
    for name in ("metadata", "managed", "landing"):
        if not any(name in text for text in containers):
            yield f"container {name} is missing"
    for block in module.of("resource", "azurerm_role_assignment"):
        for role in ("Owner", "Contributor", "User Access Administrator"):
            if literal(block.body.get("role_definition_name")) == role:
                yield f"{block.address}: {role} is too much"
    for block in module.of("locals"):
        for key, value in arguments(block.body.get("role_assignments", {})):
            if literal(value.get("role")) in ("Owner", "Contributor", "User Access Administrator"):
                yield f"role assignment {key}: {literal(value['role'])} is too much"
    for block in module.of("variable"):
        if block.name == "workspace_public_access" and block.body.get("default") is not False:
            yield "variable workspace_public_access: private is the default"
    for block in module.of("resource", "azurerm_network_security_group"):
        for rule in block.body.get("security_rule", []):
            if (
                literal(rule.get("direction")) == "Inbound"
                and literal(rule.get("access")) == "Allow"
            ):
                yield f"{block.address}: lets something in"
    # What holds data has a private endpoint.
    endpoints = " ".join(
        s for b in module.of("locals") for s in strings(b.body.get("private_endpoints", {}))
    )
    for type_ in (
        "storage_account",
        "mssql_server",
        "eventhub_namespace",
        "key_vault",
        "databricks_workspace",
    ):
        if f"azurerm_{type_}." not in endpoints:
            yield f"azurerm_{type_}: no private endpoint"


def _secrets(root: Path, module: Module) -> Iterator[str]:
    for block in module.blocks:
        if block.kind not in ("resource", "data", "provider"):
            continue
        for key in _keys(block.body):
            if _SECRET.search(key) and key not in ("shared_access_key_enabled",):
                yield f"{block.address}: {key} has no place in code or state"
        for text in strings(block.body):
            if re.search(r"(?i)(password|accountkey|sharedaccesskey)\s*=", text):
                yield f"{block.address}: a connection string with a key"
    for path in sorted(root.rglob("*")):
        if path.suffix in (".tfvars", ".tfstate"):
            yield f"{path.name}: belongs in no repository"


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in arguments(value):
            yield key
            yield from _keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _keys(inner)


def _files(root: Path, module: Module) -> Iterator[str]:
    for block in module.blocks:
        for text in strings(block.body):
            for name in re.findall(r'file\(\\?"\$\{path\.module\}/([^"\\]+)', text):
                if not (root / name).is_file():
                    yield f"{block.address}: no file {name}"


def bundle_variables(root: Path) -> set[str]:
    """Keys of the output that feeds databricks.yml."""
    (output,) = [b for b in Module.read(root).of("output") if b.name == "bundle_variables"]
    return {key for key, _ in arguments(output.body["value"])}


def resources(root: Path, type_: str) -> list[Block]:
    return Module.read(root).of("resource", type_)


def _cycles(module: Module) -> Iterator[str]:
    """Terraform refuses a graph that returns to where it began."""
    edges: dict[str, set[str]] = {}
    for block in module.blocks:
        if block.kind == "locals":
            for key, value in arguments(block.body):
                edges[f"local.{key}"] = {_node(path) for path in references(value)}
        elif block.kind in ("resource", "data"):
            node = ("data." if block.kind == "data" else "") + f"{block.type}.{block.name}"
            edges[node] = {_node(path) for path in references(block.body)} - {node}
    state: dict[str, int] = {}

    def visit(node: str, path: tuple[str, ...]) -> Iterator[str]:
        if state.get(node) == 1:
            yield f"cycle: {' -> '.join((*path[path.index(node) :], node))}"
        if node in state:
            return
        state[node] = 1
        for target in sorted(edges.get(node, ())):
            yield from visit(target, (*path, node))
        state[node] = 2

    for start in sorted(edges):
        yield from visit(start, ())


def _node(path: tuple[str, ...]) -> str:
    length = {"data": 3, "var": 2, "local": 2, "each": 2}.get(path[0], 2)
    return ".".join(path[:length])
