"""Azure's side: the files are sound, and the checks catch what they are there for."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deploy import checkov, terraform
from tests.deploy.bundle import Bundle
from tests.deploy.governance import access
from tests.deploy.hcl import Module

Mutant = Callable[[str, str, str], Path]


def test_azure_is_sound(root: Path) -> None:
    assert terraform.check(root / "deploy/azure") == []


MUTANTS = [
    ("storage.tf", "shared_access_key_enabled         = false", "shared_access_key_enabled         = true", "shared_access_key_enabled must be False"),
    ("storage.tf", "  public_network_access_enabled     = false\n", "", "public_network_access_enabled must be False"),
    ("storage.tf", 'default_action = "Deny"', 'default_action = "Allow"', "network_rules.default_action must be Deny"),
    ("storage.tf", '"managed", "landing"', '"landing"', "container managed is missing"),
    ("storage.tf", "is_hns_enabled           = true", "is_hns_enable           = true", "unknown argument is_hns_enable"),
    ("storage.tf", "    prefix_match = [", "    prefix_matches = [", "filters: unknown argument prefix_matches"),
    ("storage.tf", '  account_tier             = "Standard"\n', "", "required argument account_tier is missing"),
    ("storage.tf", "  network_rules {", "  network_rules = {", "network_rules is a block"),
    ("storage.tf", "  tags = local.tags", "  tags = local.tags\n}", "cannot be parsed"),
    ("databricks.tf", "  oidc_policy = {", "  oidc_policy {", "oidc_policy is an argument"),
    ("storage.tf", "var.landing_retention_days", "var.landing_retention", "no variable landing_retention"),
    ("storage.tf", "local.compact", "local.short", "no local value short"),
    ("sql.tf", "azuread_authentication_only = true", "azuread_authentication_only = false", "azuread_authentication_only must be True"),
    ("sql.tf", '  version                       = "12.0"', '  version                       = "12.0"\n  administrator_login_password = "x"', "no place in code or state"),
    ("sql.tf", "azurerm_mssql_server.main.id", "azurerm_mssql_server.source.id", "no resource azurerm_mssql_server.source"),
    ("events.tf", "  minimum_tls_version           = \"1.2\"\n", "", "minimum_tls_version must be 1.2"),
    ("events.tf", 'resource "azurerm_eventhub" "topic"', 'resource "azurerm_event_hub" "topic"', "type unknown"),
    ("network.tf", "azurerm_private_dns_zone.main[each.value.zone].id", "azurerm_private_dns_zone.main[each.value.zone].ids", "has no attribute ids"),
    ("network.tf", "    vault       = { target = azurerm_key_vault.main.id, subresource = \"vault\", zone = \"vault\" }\n", "", "azurerm_key_vault: no private endpoint"),
    ("network.tf", '  for_each = local.private_endpoints\n', "", "each.key without for_each"),
    ("vault.tf", "purge_protection_enabled      = true", "purge_protection_enabled      = false", "purge_protection_enabled must be True"),
    ("identity.tf", '"Storage Account Contributor"', '"Owner"', "Owner is too much"),
    ("databricks.tf", "no_public_ip                                         = true", "no_public_ip                                         = false", "no_public_ip must be True"),
    ("databricks.tf", "provider = databricks.workspace\n\n  name           = \"fitbit-${var.environment}\"", "name           = \"fitbit-${var.environment}\"", "says neither databricks.account"),
    ("databricks.tf", "provider = databricks.account", "provider = databricks.accounts", "no provider"),
    ("factory.tf", "use_managed_identity     = true", "use_managed_identity     = false", "use_managed_identity must be True"),
    ("factory.tf", "Encrypt=True;", "Password=hunter2;Encrypt=True;", "a connection string with a key"),
    ("factory.tf", "/pipelines/copy_changes.json", "/pipelines/copy_change.json", "no file pipelines/copy_change.json"),
    ("factory.tf", "  managed_virtual_network_enabled = true\n", "", "managed_virtual_network_enabled must be True"),
    ("versions.tf", 'version = "~> 4.55"', 'version = ">= 3.0"', "does not admit the checked"),
    ("versions.tf", "use_azuread_auth = true", "use_azuread_auth = false", "the state must be read with Entra ID"),
    ("variables.tf", "  validation {\n    condition     = can(regex(\"^[a-z0-9]{3,8}$\", var.suffix))\n    error_message = \"suffix is 3 to 8 lower-case letters and digits.\"\n  }\n", "", "variable.suffix: nothing validates it"),
    ("variables.tf", "var.monthly_budget > 0", "1 > 0", "does not look at the variable"),
    ("variables.tf", 'default     = false', "default     = true", "private is the default"),
    ("main.tf", "  tags     = local.tags\n}", "  tags     = azurerm_management_lock.storage\n}", "cycle: "),
]  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new", "fault"), MUTANTS)
def test_azure_mutant_is_caught(mutant: Mutant, file: str, old: str, new: str, fault: str) -> None:
    project = mutant(f"deploy/azure/{file}", old, new)
    found = terraform.check(project / "deploy/azure")
    assert any(fault in text for text in found), found


def test_a_committed_tfvars_is_caught(mutant: Mutant) -> None:
    project = mutant("deploy/azure/main.tf", "locals {", "locals {")
    (project / "deploy/azure/prod.tfvars").write_text('suffix = "x"\n')
    assert "prod.tfvars: belongs in no repository" in terraform.check(project / "deploy/azure")


def test_outputs_feed_the_bundle(root: Path) -> None:
    """What has no default in databricks.yml comes from Terraform, by the same names."""
    for target in ("dev", "prod"):
        assert Bundle(root, target).missing == terraform.bundle_variables(root / "deploy/azure")


def test_topics_are_those_of_ingestion(root: Path) -> None:
    from ingestion.feeds import KAFKA_FEEDS

    (values,) = [
        body["topics"]
        for b in Module.read(root / "deploy/azure").of("locals")
        if "topics" in (body := b.body)
    ]
    assert values == "${toset([" + ", ".join(f'"{f.name}"' for f in KAFKA_FEEDS) + "])}"


def test_governed_tags_are_those_of_the_policies(root: Path) -> None:
    """Their values are all that is masked, and who has them already can leave them out."""
    (policy,) = terraform.resources(root / "deploy/azure", "databricks_tag_policy")
    made = str(policy.body["for_each"])
    assert "if var.create_governed_tags" in made
    assert "metastore" not in made
    found = {
        key: set(re.findall(r'"(\w+)"', line))
        for key, line in re.findall(r"(\w+) = \[(.*?)\]", made)
    }
    assert found == {"personal_data": set(access(root)["masks"]), "row_filter": {"member"}}


def test_landing_folder_is_the_volume(root: Path) -> None:
    """Data Factory, the lifecycle rule and the external volume mean one folder."""
    bundle = Bundle(root, "prod", {"catalog": "fitbit_prod", "storage_account": "lake"})
    volume = bundle.resolved(bundle.config["resources"]["volumes"]["landing"])["storage_location"]
    assert volume == "abfss://landing@lake.dfs.core.windows.net/fitbit_prod/feeds"
    activities = (root / "deploy/azure/pipelines/copy_changes.json").read_text()
    assert "'landing/', pipeline().parameters.catalog, '/feeds/', item(), '/'" in activities
    assert '["landing/${local.catalog}/"]' in (root / "deploy/azure/storage.tf").read_text()


@pytest.mark.parametrize(
    ("check", "file", "old", "new"),
    [
        (test_outputs_feed_the_bundle, "deploy/azure/outputs.tf", "    alert_email  ", "    alert_mail  "),
        (test_outputs_feed_the_bundle, "databricks.yml", "  secret_scope:\n", "  secret_scope:\n    default: fitbit\n"),
        (test_topics_are_those_of_ingestion, "deploy/azure/main.tf", '"bpm", "workout"', '"workout"'),
        (test_governed_tags_are_those_of_the_policies, "deploy/azure/databricks.tf", '"name", "address"', '"name"'),
        (test_governed_tags_are_those_of_the_policies, "deploy/azure/databricks.tf", "if var.create_governed_tags", 'if var.metastore_id == ""'),
        (test_landing_folder_is_the_volume, "deploy/bundle/storage.yml", "/feeds", "/files"),
        (test_landing_folder_is_the_volume, "deploy/azure/storage.tf", "landing/${local.catalog}/", "landing/"),
    ],
)  # fmt: skip
def test_parts_that_do_not_fit_are_caught(
    mutant: Mutant, check: Callable[[Path], None], file: str, old: str, new: str
) -> None:
    with pytest.raises(AssertionError):
        check(mutant(file, old, new))


CHECKOV_MUTANTS = {
    "CKV_AZURE_190": ("storage.tf", "allow_nested_items_to_be_public   = false", "allow_nested_items_to_be_public   = true"),
    "CKV_AZURE_113": ("sql.tf", "public_network_access_enabled = false", "public_network_access_enabled = true"),
    "CKV_AZURE_110": ("vault.tf", "purge_protection_enabled      = true", "purge_protection_enabled      = false"),
    "CKV_AZURE_104": ("factory.tf", "public_network_enabled          = false", "public_network_enabled          = true"),
}  # fmt: skip


def test_policies(root: Path, tmp_path: Path) -> None:
    """checkov finds nothing in ours, and its rule in each mutant. One run: it takes ten seconds
    to start. The proxy that is not there proves that it asks nobody."""
    ignored = shutil.ignore_patterns(".terraform", "*.tfvars")
    shutil.copytree(root / "deploy/azure", tmp_path / "ours", ignore=ignored)
    for rule, (file, old, new) in CHECKOV_MUTANTS.items():
        shutil.copytree(root / "deploy/azure", tmp_path / rule, ignore=ignored)
        text = (tmp_path / rule / file).read_text()
        assert old in text
        (tmp_path / rule / file).write_text(text.replace(old, new))
    settings = tmp_path / "ours/.checkov.yaml"
    nobody = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    done = subprocess.run(
        [checkov.program(), "--config-file", settings, "-d", tmp_path, "-o", "json", "--soft-fail"],
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
    assert failed.pop("ours", set()) == set()
    assert failed.keys() == CHECKOV_MUTANTS.keys()
    assert all(rule in found for rule, found in failed.items())
    assert report["summary"]["passed"] > 45 * len(CHECKOV_MUTANTS)
