# What lives inside the workspace, or is reached through it.
terraform {
  required_providers {
    databricks = {
      source                = "databricks/databricks"
      configuration_aliases = [databricks, databricks.account]
    }
  }
}

variable "environment" {
  type        = string
  description = "dev or prod."
}

variable "account_id" {
  type        = string
  description = "Databricks account."
}

variable "metastore_id" {
  type        = string
  description = "Metastore that the workspace is assigned to."
}

variable "access_connector_id" {
  type        = string
  description = "Access connector whose identity Unity Catalog reads the lake with."
}

variable "key_vault" {
  type        = object({ id = string, uri = string })
  description = "Key vault behind the secret scope."
}

variable "principals" {
  type        = map(string)
  description = "Application ids of the identities deploy, ingest and transform."
}

variable "principal_ids" {
  type        = map(string)
  description = "Their numbers in the Databricks account."
}

variable "create_governed_tags" {
  type        = bool
  description = "Whether the account's governed tags are made here."
}

variable "developers" {
  type        = string
  description = "Account group whose members deploy copies of their own; empty for none."
}

variable "other_tag_assigners" {
  type        = list(string)
  description = "Who sets the tags in other environments."
}

resource "databricks_storage_credential" "lake" {
  name           = "fitbit-${var.environment}"
  comment        = "The access connector's identity; the bundle's external locations use it"
  isolation_mode = "ISOLATION_MODE_ISOLATED"

  azure_managed_identity {
    access_connector_id = var.access_connector_id
  }

  # Every table hangs on it; workspace_reachable = false would take it away.
  lifecycle {
    prevent_destroy = true
  }
}

# What whoever deploys a bundle needs to create its catalog, external locations and their grants.
locals {
  deployers = merge({ deploy = var.principals["deploy"] }, var.developers == "" ? {} : { developers = var.developers })
}

resource "databricks_grant" "metastore" {
  for_each = local.deployers

  metastore  = var.metastore_id
  principal  = each.value
  privileges = ["CREATE_CATALOG", "CREATE_EXTERNAL_LOCATION"]
}

resource "databricks_grant" "credential" {
  for_each = local.deployers

  storage_credential = databricks_storage_credential.lake.id
  principal          = each.value
  privileges         = ["CREATE_EXTERNAL_LOCATION"]
}

resource "databricks_secret_scope" "main" {
  name         = "fitbit"
  backend_type = "AZURE_KEYVAULT"

  keyvault_metadata {
    resource_id = var.key_vault.id
    dns_name    = var.key_vault.uri
  }
}

# In dev, and in a developer's copy, the jobs run as whoever deploys.
resource "databricks_secret_acl" "readers" {
  for_each = merge({ ingest = var.principals["ingest"] }, var.environment == "prod" ? {} : local.deployers)

  scope      = databricks_secret_scope.main.name
  principal  = each.value
  permission = "READ"
}

# Tags of the account that the policies heed: set by dbt from the models' YAML, to these values
# only. They belong to the account, so one of its environments makes them.
resource "databricks_tag_policy" "main" {
  for_each = {
    for key, values in {
      personal_data = ["name", "address", "birth_date", "age", "mac_address"]
      row_filter    = ["member"]
    } : key => values if var.create_governed_tags
  }

  tag_key     = each.key
  description = "Heeded by deploy/governance/policies.sql"
  values      = [for value in each.value : { name = value }]
}

# dbt sets the tags, in dev as whoever deploys. There is one rule set a tag in the whole account:
# the environment that makes the tags names all.
locals {
  builders = concat(
    ["servicePrincipals/${var.principals[var.environment == "prod" ? "transform" : "deploy"]}"],
    var.developers == "" ? [] : ["groups/${var.developers}"],
    var.other_tag_assigners,
  )
}

resource "databricks_access_control_rule_set" "tag_assigners" {
  for_each = databricks_tag_policy.main
  provider = databricks.account

  name = "accounts/${var.account_id}/tagPolicies/${each.value.id}/ruleSets/default"

  grant_rules {
    role       = "roles/tagPolicy.assigner"
    principals = local.builders
  }
}

# Warehouses and job clusters are made in their names.
resource "databricks_entitlements" "compute" {
  for_each = toset(["deploy", "ingest"])

  service_principal_id  = var.principal_ids[each.key]
  workspace_access      = true
  allow_cluster_create  = true
  databricks_sql_access = each.key == "deploy"
}

output "storage_credential" {
  description = "Storage credential of the bundle's external locations."
  value       = databricks_storage_credential.lake.name
}

output "secret_scope" {
  description = "Secret scope backed by the key vault."
  value       = databricks_secret_scope.main.name
}

output "isolation_mode" {
  description = "Which workspaces may use the credential."
  value       = databricks_storage_credential.lake.isolation_mode
}

output "secret_readers" {
  description = "Who reads the secret scope."
  value       = toset(keys(databricks_secret_acl.readers))
}

output "deployers" {
  description = "Who may make catalogs and external locations."
  value       = toset(keys(databricks_grant.credential))
}

output "tag_assigners" {
  description = "Who may set the governed tags, where they are made here."
  value       = toset(flatten([for rules in databricks_access_control_rule_set.tag_assigners : rules.grant_rules[*].principals]))
}
