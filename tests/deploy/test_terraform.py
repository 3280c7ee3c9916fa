"""Azure's side: Terraform accepts it, and catches what it is there for."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.checks import terraform, tools
from deploy.checks.terraform import State
from ingestion.feeds import ENVELOPE_FEEDS, KAFKA_FEEDS

Mutant = Callable[[str, str, str], Path]
UNTRACKED = shutil.ignore_patterns(".terraform", "*.tfvars")


def test_azure_is_sound(root: Path, states: dict[str, State]) -> None:
    assert states.keys() == {"prod_from_outside", "prod_from_inside", "dev"}
    azure = root / "deploy/azure"
    assert terraform.run(azure, "validate", "-no-color").stdout.startswith("Success!")
    assert terraform.run(azure, "fmt", "-check", "-recursive").stdout == ""
    assert not [p for p in azure.rglob("*.tf*") if p.suffix in (".tfvars", ".tfstate")], "secret"


OPEN = "Something answers outside of the network"
KEYS = "Sign-in is with Entra ID alone"
REACHED = "A service without a private endpoint"
# Seen by Terraform itself, since it has the schemas, or by its test of refused values.
MISTAKES = [
    ("storage.tf", "is_hns_enabled           = true", "is_hns_enable           = true", 'An argument named "is_hns_enable" is not expected here'),
    ("storage.tf", "    prefix_match = [", "    prefix_matches = [", 'An argument named "prefix_matches" is not expected here'),
    ("storage.tf", '  account_tier             = "Standard"\n', "", 'The argument "account_tier" is required'),
    ("databricks.tf", "  oidc_policy = {", "  oidc_policy {", 'Blocks of type "oidc_policy" are not expected here'),
    ("events.tf", 'resource "azurerm_eventhub" "topic"', 'resource "azurerm_event_hub" "topic"', 'does not support resource type "azurerm_event_hub"'),
    ("network.tf", "azurerm_private_dns_zone.main[each.value.zone].id", "azurerm_private_dns_zone.main[each.value.zone].ids", "Unsupported attribute"),
    ("network.tf", "cidrsubnet(var.address_space, 4, 9)", "cidrsubnet(var.address_space, 4, 16)", "does not accommodate a subnet numbered 16"),
    ("variables.tf", "var.monthly_budget > 0", "var.monthly_budget > -1", "Missing expected failure"),
    ("variables.tf", '{3,8}$", var.suffix', '{3,8}$", lower("a1b2")', "Invalid validation expression"),
]  # fmt: skip
# Seen by one assertion of the tests each.
MUTANTS = [
    # What would stop a first apply, or break it in silence.
    ("main.tf", "plantimestamp()", '"2026-01-01T00:00:00Z"', "a budget that begins before the current month"),
    ("main.tf", 'azurerm_data_factory.main.id, group = "allLogs"', 'azurerm_data_factory.main.id, group = "audit"', 'no category group "audit"'),
    ("main.tf", '"${azurerm_mssql_server.main.id}/databases/master"', "azurerm_mssql_database.source.id", "its database master"),
    ("databricks.tf", "  count  = var.workspace_reachable ? 1 : 0\n", "  count  = 1\n", "must not need the workspace"),
    ("databricks.tf", "    storage_account_name                                 = local.workspace_storage\n", "", "not the one that has endpoints"),
    ("databricks.tf", '"dbst${local.compact}"', '"dbstorage-of-${local.compact}"', "not the one that has endpoints"),
    ("databricks.tf", '    workspace_dfs  = { target = local.workspace_storage_id, subresource = "dfs" }\n', "", "Serverless compute reaches"),
    ("network.tf", '    own_dfs     = { target = local.workspace_storage_id, subresource = "dfs", zone = "dfs" }\n', "", REACHED),
    ("network.tf", '    vault       = { target = azurerm_key_vault.main.id, subresource = "vault", zone = "vault" }\n', "", REACHED),
    ("storage.tf", "endpoint_resource_id = azurerm_databricks_access_connector.lake.id", "endpoint_resource_id = azurerm_data_factory.main.id", "control plane cannot reach the lake"),
    ("identity.tf", '"Key Vault Secrets Officer"', '"Key Vault Reader"', "Nobody may set the Kafka key"),
    ("identity.tf", "scope     = azurerm_storage_container.lake[\"landing\"].id", "scope     = azurerm_storage_account.lake.id", "landed files, nothing else"),
    ("identity.tf", '"Storage Blob Data Contributor"', '"Owner"', "A role is too much"),
    ("workspace/main.tf", '? "transform" : "deploy"', '? "ingest" : "deploy"', "set the governed tags"),
    ("databricks.tf", 'var.environment == "dev" ? var.developers_group : ""', "var.developers_group", "nobody but the deploy identity deploys"),
    ("workspace/main.tf", 'var.environment == "prod" ? {} : local.deployers', "local.deployers", "nobody but the deploy identity deploys"),
    # Promises of docs/deployment.md.
    ("storage.tf", "  public_network_access_enabled     = false\n", "", OPEN),
    ("storage.tf", 'default_action = "Deny"', 'default_action = "Allow"', OPEN),
    ("databricks.tf", "no_public_ip                                         = true", "no_public_ip                                         = false", OPEN),
    ("events.tf", '  minimum_tls_version           = "1.2"\n', "", OPEN),
    ("factory.tf", "  managed_virtual_network_enabled = true\n", "", OPEN),
    ("variables.tf", "default     = false", "default     = true", OPEN),
    ("storage.tf", "shared_access_key_enabled         = false", "shared_access_key_enabled         = true", KEYS),
    ("sql.tf", "azuread_authentication_only = true", "azuread_authentication_only = false", KEYS),
    ("factory.tf", "use_managed_identity     = true", "use_managed_identity     = false", KEYS),
    ("vault.tf", "purge_protection_enabled      = true", "purge_protection_enabled      = false", KEYS),
    ("factory.tf", 'var.environment == "prod"\n', 'var.environment == "dev"\n', "In prod the copy runs by itself"),
]  # fmt: skip


def broken(root: Path, folder: Path, mutants: Iterable[tuple[str, str, str, str]]) -> Path:
    azure = folder / "azure"
    shutil.copytree(root / "deploy/azure", azure, ignore=UNTRACKED)
    for file, old, new, _ in mutants:
        text = (azure / file).read_text()
        assert old in text, f"{file} no longer holds {old!r}: this mutant tests nothing"
        (azure / file).write_text(text.replace(old, new))
    return azure


def batches() -> list[list[tuple[str, str, str, str]]]:
    """The mutants, of each assertion one in a batch: Terraform tells all assertions that fail."""
    made: dict[int, list[tuple[str, str, str, str]]] = {}
    seen: Counter[str] = Counter()
    for mutant in MUTANTS:
        made.setdefault(seen[mutant[3]], []).append(mutant)
        seen[mutant[3]] += 1
    return list(made.values())


@pytest.fixture(scope="module")
def told(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str, str, str], str]:
    """What Terraform says of each, on one line; empty where it finds nothing."""

    def say(mutants: list[tuple[str, str, str, str]]) -> str:
        azure = broken(root, tmp_path_factory.mktemp("mutant"), mutants)
        done = terraform.run(azure, "validate", "-no-color")
        if done.returncode == 0:
            done = terraform.run(azure, "test", "-no-color")
        return " ".join(re.sub("[│╷╵]", " ", done.stdout + done.stderr).split()) * done.returncode

    groups = [*batches(), *([mistake] for mistake in MISTAKES)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        said = zip(groups, pool.map(say, groups), strict=True)
        return {mutant: text for group, text in said for mutant in group}


@pytest.mark.parametrize("mutant", [*MISTAKES, *MUTANTS], ids=lambda m: f"{m[0]}: {m[3]}")
def test_azure_mutant_is_caught(
    told: dict[tuple[str, str, str, str], str], mutant: tuple[str, str, str, str]
) -> None:
    assert mutant[3] in told[mutant]


LATER = """
run "{name}" {{
  command   = plan
  state_key = "prod"
  variables {{
    {values}
  }}
  assert {{
    condition     = {condition}
    error_message = "Not so."
  }}
}}
"""


@pytest.mark.parametrize(
    ("name", "values", "condition", "replaced", "said"),
    [
        # A plan of a later month, which is a greater budget here.
        ("a_month_later", "monthly_budget = 5000", 'azurerm_consumption_budget_resource_group.main.time_period[0].start_date == "2026-01-01T00:00:00Z"', {"main.tf": ("plantimestamp()", 'timeadd("2026-01-01T00:00:00Z", "${floor(var.monthly_budget / 5)}h")')}, ""),
        ("a_month_later", "monthly_budget = 5000", 'azurerm_consumption_budget_resource_group.main.time_period[0].start_date == "2026-01-01T00:00:00Z"', {"main.tf": ("plantimestamp()", 'timeadd("2026-01-01T00:00:00Z", "${floor(var.monthly_budget / 5)}h")'), "./main.tf": ("    ignore_changes = [time_period]\n", "")}, "Not so."),
        ("outside_again", "workspace_reachable = false", 'var.environment == "prod"', {}, "Instance cannot be destroyed"),
        ("outside_again", "workspace_reachable = false", 'var.environment == "prod"', {"workspace/main.tf": ("prevent_destroy = true", "prevent_destroy = false")}, ""),
    ],
)  # fmt: skip
def test_a_later_apply(
    root: Path,
    tmp_path: Path,
    name: str,
    values: str,
    condition: str,
    replaced: dict[str, tuple[str, str]],
    said: str,
) -> None:
    """The budget keeps the month it began with; the credential under all tables stays."""
    azure = tmp_path / "azure"
    shutil.copytree(root / "deploy/azure", azure, ignore=UNTRACKED)
    tests = azure / "tests/deployment.tftest.hcl"
    runs = tests.read_text()
    first = runs[: runs.index('run "dev"')]
    if "main.tf" in replaced:  # the first assertion is about today's month
        first = re.sub(r"  assert \{.*?\n  \}\n", "", first, flags=re.S)
    tests.write_text(first + LATER.format(name=name, values=values, condition=condition))
    for file, (old, new) in replaced.items():
        text = (azure / file).read_text()
        assert old in text
        (azure / file).write_text(text.replace(old, new))
    done = terraform.run(azure, "test", "-no-color")
    assert (done.returncode != 0) == bool(said), done.stdout
    assert said in done.stdout + done.stderr


def _versions(root: Path, _: dict[str, State]) -> None:
    """The schemas are those of the pinned providers, and the lake is made without its data plane
    (settings of a provider are in no plan)."""
    azure = root / "deploy/azure"
    versions = json.loads(terraform.SCHEMAS.read_text())["versions"]
    assert terraform.pins(azure) == versions
    assert "data_plane_available = false" in (azure / "versions.tf").read_text()
    assert "use_azuread_auth = true" in (azure / "versions.tf").read_text()


def test_schemas_are_cut_to_the_types_in_use() -> None:
    """What is printed for more types, with descriptions, comes to the file that is committed."""
    printed = json.loads(terraform.SCHEMAS.read_text())["provider_schemas"]
    for given in printed.values():
        given["resource_schemas"]["unused_type"] = {"block": {}}
        given["provider"]["block"]["description"] = "words"
    printed = {f"registry.example/{name}": given for name, given in printed.items()}
    assert terraform.cut({"provider_schemas": printed}) == terraform.SCHEMAS.read_text()


def _order(_: Path, states: dict[str, State]) -> None:
    """Who asks the workspace waits for its endpoints; a region's metastore comes before it."""
    prod = states["prod_from_inside"]
    inside = [address for address in prod.values if address.startswith("module.workspace")]
    assert inside
    for address in inside:
        assert {
            "azurerm_private_endpoint.main",
            "azurerm_private_dns_zone_virtual_network_link.main",
            "databricks_mws_permission_assignment.workload",
        } <= prod.depends_on[address], address
    assert "databricks_metastore.main" in prod.depends_on["azurerm_databricks_workspace.main"]


def _inside(root: Path, _: dict[str, State]) -> None:
    """Outside of the module nothing talks to the workspace."""
    for path in (root / "deploy/azure").glob("*.tf"):
        assert "provider = databricks.workspace" not in path.read_text(), path.name


def _documented(root: Path, _: dict[str, State]) -> None:
    """Pages name outputs and variables that exist."""
    azure = root / "deploy/azure"
    outputs = set(re.findall(r'^output "(\w+)"', (azure / "outputs.tf").read_text(), re.M))
    variables = set(re.findall(r'^variable "(\w+)"', (azure / "variables.tf").read_text(), re.M))
    pages = [root / "docs/deployment.md", *(root / "docs/runbooks").glob("*.md")]
    for page in pages:
        text = page.read_text()
        assert set(re.findall(r"output -(?:raw|json) (\w+)", text)) <= outputs, page.name
        assert set(re.findall(r"(?<!-)-var (\w+)=", text)) <= variables, page.name
    example = (azure / "dev.tfvars.example").read_text()
    assert set(re.findall(r"^(\w+) ", example, re.M)) <= variables


def _read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def _fits_the_bundle(root: Path, states: dict[str, State]) -> None:
    """What has no default in databricks.yml comes from Terraform, by the same names."""
    given = _read(root / "databricks.yml")["variables"]
    missing = {name for name, body in given.items() if "default" not in body}
    for state in ("dev", "prod_from_inside"):
        values = states[state].outputs["bundle_variables"]
        assert values.keys() == missing
        assert all(values.values())


def _fits_ingestion(root: Path, states: dict[str, State]) -> None:
    """Topics, and the folder that Data Factory, Kafka Connect, the lifecycle rule and the external
    volume mean."""
    prod = states["prod_from_inside"]
    topics = {topic["name"] for topic in prod.all("azurerm_eventhub") if "partition_count" in topic}
    assert topics == {feed.name for feed in KAFKA_FEEDS}
    made = _read(root / "deploy/bundle/storage.yml")["resources"]
    (folder,) = [v["storage_location"] for v in made["volumes"].values() if v["name"] == "landing"]
    for key, location in made["external_locations"].items():
        folder = folder.replace(f"${{resources.external_locations.{key}.url}}", location["url"])
    lake = "abfss://landing@${var.storage_account}.dfs.core.windows.net"
    assert folder == f"{lake}/${{var.catalog}}/feeds"
    (policy,) = prod.all("azurerm_storage_management_policy")
    assert policy["rule"][0]["filters"][0]["prefix_match"] == ["landing/fitbit_prod/"]
    (pipeline,) = prod.all("azurerm_data_factory_pipeline")
    assert pipeline["parameters"]["catalog"] == "fitbit_prod"
    # Dev's trigger is off, and nothing else brings registrations.
    (trigger,) = states["dev"].all("azurerm_data_factory_trigger_schedule")
    started = f"-n {pipeline['name']}\n" in (root / "docs/deployment.md").read_text()
    assert trigger["activated"] or started
    sink = _properties(root / "deploy/azure/connect/sink.properties")
    written = re.findall(r"INSERT INTO (\S+) SELECT \* FROM (\w+)", sink["connect.datalake.kcql"])
    assert set(written) == {("landing:${env:CATALOG}/feeds", f.table) for f in ENVELOPE_FEEDS}
    assert sink["topics"].split(",") == [topic for _, topic in written]


def _signs_in(root: Path, _: dict[str, State]) -> None:
    """Kafka Connect writes with Entra ID, since the lake takes no key, and drops no tombstone."""
    sink = _properties(root / "deploy/azure/connect/sink.properties")
    assert sink["connect.datalake.azure.auth.mode"] == "Default"
    assert sink["connect.datalake.skip.null.values"] == "false"
    assert not any("key" in name or "connection" in name for name in sink)
    assert sink["connect.datalake.kcql"].count("'store.envelope'=true") == len(ENVELOPE_FEEDS)
    worker = _properties(root / "deploy/azure/connect/worker.properties")
    for kind in ("key", "value"):
        assert worker[f"{kind}.converter"].endswith(".StringConverter")
    secrets = [value for name, value in worker.items() if "jaas" in name]
    assert secrets == ["${env:KAFKA_JAAS}"] * 2


def _properties(path: Path) -> dict[str, str]:
    text = re.sub(r"\\\n\s*", "", path.read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def _governed_tags(root: Path, states: dict[str, State]) -> None:
    """Their values are all that is masked."""
    made = states["prod_from_inside"].all("databricks_tag_policy")
    found = {tag["tag_key"]: {value["name"] for value in tag["values"]} for tag in made}
    masks = set(_read(root / "deploy/governance/access.yml")["masks"])
    assert found == {"personal_data": masks, "row_filter": {"member"}}


PARTS: list[Callable[[Path, dict[str, State]], None]] = [
    _versions,
    _order,
    _inside,
    _documented,
    _fits_the_bundle,
    _fits_ingestion,
    _signs_in,
    _governed_tags,
]


def misfits(root: Path, states: dict[str, State]) -> list[str]:
    """The parts that do not fit."""
    found = []
    for part in PARTS:
        try:
            part(root, states)
        except AssertionError:
            found.append(part.__name__)
    return found


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__.lstrip("_"))
def test_parts_fit(
    root: Path, states: dict[str, State], part: Callable[[Path, dict[str, State]], None]
) -> None:
    part(root, states)


SINK = "deploy/azure/connect/sink.properties"


@pytest.mark.parametrize(
    ("file", "old", "new", "part"),
    [
        ("deploy/azure/versions.tf", '"4.81.0"', '"~> 4.81"', "_versions"),
        ("deploy/azure/versions.tf", "data_plane_available = false", "data_plane_available = true", "_versions"),
        ("deploy/azure/versions.tf", "use_azuread_auth = true", "use_azuread_auth = false", "_versions"),
        ("deploy/azure/databricks.tf", "provider = databricks.account", "provider = databricks.workspace", "_inside"),
        ("docs/deployment.md", "output -raw key_vault", "output -raw vault", "_documented"),
        ("docs/deployment.md", "-var workspace_reachable=false", "-var inside=false", "_documented"),
        ("docs/deployment.md", "-n copy_changes", "-n copy", "_fits_ingestion"),
        ("deploy/azure/dev.tfvars.example", "admin_group", "sql_admin_group", "_documented"),
        ("databricks.yml", "  secret_scope:\n", "  secret_scope:\n    default: fitbit\n", "_fits_the_bundle"),
        ("deploy/bundle/storage.yml", "/feeds", "/files", "_fits_ingestion"),
        ("deploy/governance/access.yml", "mac_address", "mac", "_governed_tags"),
        (SINK, "mode=Default", "mode=ConnectionString", "_signs_in"),
        (SINK, "null.values=false", "null.values=true", "_signs_in"),
        (SINK, "'store.envelope'=true, ", "", "_signs_in"),
        (SINK, "${env:CATALOG}/feeds", "feeds", "_fits_ingestion"),
        (SINK, "FROM workout", "FROM workouts", "_fits_ingestion"),
        ("deploy/azure/connect/worker.properties", "value.converter=org.apache.kafka.connect.storage.StringConverter", "value.converter=org.apache.kafka.connect.json.JsonConverter", "_signs_in"),
    ],
)  # fmt: skip
def test_parts_that_do_not_fit_are_caught(
    mutant: Mutant, states: dict[str, State], file: str, old: str, new: str, part: str
) -> None:
    assert part in misfits(mutant(file, old, new), states)


@pytest.mark.parametrize(
    "given",
    [
        [
            ("outputs.tf", "    alert_email  ", "    alert_mail  ", "_fits_the_bundle"),
            ("main.tf", '"bpm", "workout"', '"workout"', "_fits_ingestion"),
            ("workspace/main.tf", '"name", "address"', '"name"', "_governed_tags"),
            ("databricks.tf", "    azurerm_private_endpoint.main,\n", "", "_order"),
        ],
        [
            ("storage.tf", "landing/${local.catalog}/", "landing/", "_fits_ingestion"),
            ("databricks.tf", "  depends_on = [databricks_metastore.main]\n", "", "_order"),
        ],
    ],
)
def test_a_plan_that_does_not_fit_is_caught(
    tmp_path: Path, root: Path, given: list[tuple[str, str, str, str]]
) -> None:
    found = terraform.applied(broken(root, tmp_path, given))
    assert set(misfits(root, found)) == {part for *_, part in given}


CHECKOV_MUTANTS = [
    ("storage.tf", "allow_nested_items_to_be_public   = false", "allow_nested_items_to_be_public   = true", "CKV_AZURE_190"),
    ("sql.tf", "public_network_access_enabled = false", "public_network_access_enabled = true", "CKV_AZURE_113"),
    ("vault.tf", "purge_protection_enabled      = true", "purge_protection_enabled      = false", "CKV_AZURE_110"),
    ("factory.tf", "public_network_enabled          = false", "public_network_enabled          = true", "CKV_AZURE_104"),
]  # fmt: skip


def test_policies(root: Path, tmp_path: Path) -> None:
    """checkov finds nothing in ours, and each rule in a copy that breaks them. One run: it takes
    ten seconds to start. The proxy that is not there proves that it asks nobody."""
    shutil.copytree(root / "deploy/azure", tmp_path / "ours", ignore=UNTRACKED)
    broken(root, tmp_path / "broken", CHECKOV_MUTANTS)
    settings = tmp_path / "ours/.checkov.yaml"
    nobody = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    checkov = tools.program("checkov", "checkov")
    done = subprocess.run(
        [checkov, "--config-file", settings, "-d", tmp_path, "-o", "json", "--soft-fail"],
        capture_output=True,
        text=True,
        env=os.environ | nobody,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    report = json.loads(done.stdout)
    failed: dict[str, set[str]] = {}
    for result in report["results"]["failed_checks"]:
        folder = result["file_path"].strip("/").split("/")[0]
        failed.setdefault(folder, set()).add(result["check_id"])
    assert failed.keys() == {"broken"}
    assert {rule for *_, rule in CHECKOV_MUTANTS} <= failed["broken"]
    assert report["summary"]["passed"] > 80
