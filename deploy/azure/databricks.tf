resource "azurerm_databricks_workspace" "main" {
  name                                  = "dbw-${local.name}"
  location                              = azurerm_resource_group.main.location
  resource_group_name                   = azurerm_resource_group.main.name
  managed_resource_group_name           = "rg-${local.name}-databricks"
  sku                                   = "premium"
  public_network_access_enabled         = var.workspace_public_access
  network_security_group_rules_required = var.workspace_public_access ? "AllRules" : "NoAzureDatabricksRules"
  infrastructure_encryption_enabled     = true
  default_storage_firewall_enabled      = true
  access_connector_id                   = azurerm_databricks_access_connector.lake.id
  tags                                  = local.tags

  custom_parameters {
    no_public_ip                                         = true
    virtual_network_id                                   = azurerm_virtual_network.main.id
    public_subnet_name                                   = azurerm_subnet.nodes["public"].name
    private_subnet_name                                  = azurerm_subnet.nodes["private"].name
    public_subnet_network_security_group_association_id  = azurerm_subnet_network_security_group_association.nodes["public"].id
    private_subnet_network_security_group_association_id = azurerm_subnet_network_security_group_association.nodes["private"].id
    storage_account_name                                 = local.workspace_storage
  }

  # Azure makes a metastore by itself with a region's first workspace, if none is there yet.
  depends_on = [databricks_metastore.main]
}

# The workspace's own storage account lets in nobody but private endpoints, so nodes and serverless
# compute need theirs (Azure: "firewall support for your workspace storage account").
locals {
  workspace_storage    = "dbst${local.compact}"
  workspace_storage_id = "${azurerm_databricks_workspace.main.managed_resource_group_id}/providers/Microsoft.Storage/storageAccounts/${local.workspace_storage}"
}

# One metastore per region and account: created here only if the region has none.
resource "databricks_metastore" "main" {
  count    = var.metastore_id == "" ? 1 : 0
  provider = databricks.account

  name          = "metastore-${var.location}"
  region        = var.location
  force_destroy = false
}

resource "databricks_metastore_assignment" "main" {
  provider = databricks.account

  workspace_id = azurerm_databricks_workspace.main.workspace_id
  metastore_id = var.metastore_id == "" ? databricks_metastore.main[0].id : var.metastore_id
}

# Serverless compute (the SQL warehouse) reaches both accounts through private endpoints as well.
# Azure shows each as a pending connection: approve it once (docs/deployment.md).
resource "databricks_mws_network_connectivity_config" "main" {
  provider = databricks.account

  name   = "ncc-${local.name}"
  region = var.location
}

resource "databricks_mws_ncc_binding" "main" {
  provider = databricks.account

  network_connectivity_config_id = databricks_mws_network_connectivity_config.main.network_connectivity_config_id
  workspace_id                   = azurerm_databricks_workspace.main.workspace_id
}

resource "databricks_mws_ncc_private_endpoint_rule" "storage" {
  for_each = {
    lake_dfs       = { target = azurerm_storage_account.lake.id, subresource = "dfs" }
    lake_blob      = { target = azurerm_storage_account.lake.id, subresource = "blob" }
    workspace_dfs  = { target = local.workspace_storage_id, subresource = "dfs" }
    workspace_blob = { target = local.workspace_storage_id, subresource = "blob" }
  }
  provider = databricks.account

  network_connectivity_config_id = databricks_mws_network_connectivity_config.main.network_connectivity_config_id
  resource_id                    = each.value.target
  group_id                       = each.value.subresource
}

# The three identities as service principals of the account, then of the workspace.
resource "databricks_service_principal" "workload" {
  for_each = local.workloads
  provider = databricks.account

  application_id = azurerm_user_assigned_identity.workload[each.key].client_id
  display_name   = azurerm_user_assigned_identity.workload[each.key].name
}

resource "databricks_mws_permission_assignment" "workload" {
  for_each = databricks_service_principal.workload
  provider = databricks.account

  workspace_id = azurerm_databricks_workspace.main.workspace_id
  principal_id = each.value.id
  permissions  = ["USER"]

  depends_on = [databricks_metastore_assignment.main]
}

# GitHub's own tokens are the deploy identity's password: only for this repository, and only for
# jobs that run in the environment of the same name (with its reviewers).
resource "databricks_service_principal_federation_policy" "github" {
  provider = databricks.account

  service_principal_id = databricks_service_principal.workload["deploy"].id
  description          = "Workflows of ${var.github_repository} in the environment ${var.environment}"

  oidc_policy = {
    issuer    = "https://token.actions.githubusercontent.com"
    audiences = [var.databricks_account_id]
    subject   = "repo:${var.github_repository}:environment:${var.environment}"
  }
}

# Deploying sets `run_as`, so the deploy identity must be allowed to act as the other two.
resource "databricks_access_control_rule_set" "run_as" {
  for_each = { for name in ["ingest", "transform"] : name => azurerm_user_assigned_identity.workload[name].client_id }
  provider = databricks.account

  name = "accounts/${var.databricks_account_id}/servicePrincipals/${each.value}/ruleSets/default"

  grant_rules {
    role       = "roles/servicePrincipal.user"
    principals = ["servicePrincipals/${azurerm_user_assigned_identity.workload["deploy"].client_id}"]
  }

  depends_on = [databricks_service_principal.workload]
}

# What only the workspace itself can make. The machine that applies this must reach it: over the
# internet, or from inside the network, whose endpoints and names come first.
module "workspace" {
  count  = var.workspace_reachable ? 1 : 0
  source = "./workspace"

  environment          = var.environment
  account_id           = var.databricks_account_id
  metastore_id         = databricks_metastore_assignment.main.metastore_id
  access_connector_id  = azurerm_databricks_access_connector.lake.id
  key_vault            = { id = azurerm_key_vault.main.id, uri = azurerm_key_vault.main.vault_uri }
  principals           = { for name, identity in azurerm_user_assigned_identity.workload : name => identity.client_id }
  principal_ids        = { for name, principal in databricks_service_principal.workload : name => principal.id }
  create_governed_tags = var.create_governed_tags
  other_tag_assigners  = var.other_tag_assigners
  developers           = var.environment == "dev" ? var.developers_group : ""

  providers = {
    databricks         = databricks.workspace
    databricks.account = databricks.account
  }

  depends_on = [
    azurerm_private_dns_zone_virtual_network_link.main,
    azurerm_private_endpoint.main,
    azurerm_role_assignment.main,
    databricks_mws_permission_assignment.workload,
  ]
}
