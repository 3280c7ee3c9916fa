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
  }
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

# Serverless compute (the SQL warehouse) reaches the lake through private endpoints as well. Azure
# shows each as a pending connection of the storage account: approve it once.
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

resource "databricks_mws_ncc_private_endpoint_rule" "lake" {
  for_each = toset(["dfs", "blob"])
  provider = databricks.account

  network_connectivity_config_id = databricks_mws_network_connectivity_config.main.network_connectivity_config_id
  resource_id                    = azurerm_storage_account.lake.id
  group_id                       = each.key
}

resource "databricks_storage_credential" "lake" {
  provider = databricks.workspace

  name           = "fitbit-${var.environment}"
  comment        = "The access connector's identity; the bundle's external locations use it"
  isolation_mode = "ISOLATION_MODE_ISOLATED"

  azure_managed_identity {
    access_connector_id = azurerm_databricks_access_connector.lake.id
  }

  depends_on = [databricks_metastore_assignment.main, azurerm_role_assignment.main]
}

# The three identities as service principals of the account, then of the workspace.
resource "databricks_service_principal" "workload" {
  for_each = azurerm_user_assigned_identity.workload
  provider = databricks.account

  application_id = each.value.client_id
  display_name   = each.value.name
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

# What the deploy identity needs to create catalog, external locations and their grants.
resource "databricks_grant" "deploy_metastore" {
  provider = databricks.workspace

  metastore  = databricks_metastore_assignment.main.metastore_id
  principal  = azurerm_user_assigned_identity.workload["deploy"].client_id
  privileges = ["CREATE_CATALOG", "CREATE_EXTERNAL_LOCATION"]

  depends_on = [databricks_mws_permission_assignment.workload]
}

resource "databricks_grant" "deploy_credential" {
  provider = databricks.workspace

  storage_credential = databricks_storage_credential.lake.id
  principal          = azurerm_user_assigned_identity.workload["deploy"].client_id
  privileges         = ["CREATE_EXTERNAL_LOCATION"]

  depends_on = [databricks_mws_permission_assignment.workload]
}

resource "databricks_secret_scope" "main" {
  provider = databricks.workspace

  name         = "fitbit"
  backend_type = "AZURE_KEYVAULT"

  keyvault_metadata {
    resource_id = azurerm_key_vault.main.id
    dns_name    = azurerm_key_vault.main.vault_uri
  }
}

# In dev the jobs run as whoever deploys.
resource "databricks_secret_acl" "readers" {
  for_each = toset(var.environment == "prod" ? ["ingest"] : ["ingest", "deploy"])
  provider = databricks.workspace

  scope      = databricks_secret_scope.main.name
  principal  = azurerm_user_assigned_identity.workload[each.key].client_id
  permission = "READ"

  depends_on = [databricks_mws_permission_assignment.workload]
}

# Tags of the account that the policies heed: set by dbt from the models' YAML, to these values
# only. They belong to the account, so one of its environments makes them.
resource "databricks_tag_policy" "main" {
  for_each = {
    for key, values in {
      personal_data = ["name", "address", "birth_date", "mac_address"]
      row_filter    = ["member"]
    } : key => values if var.create_governed_tags
  }
  provider = databricks.workspace

  tag_key     = each.key
  description = "Heeded by deploy/governance/policies.sql"
  values      = [for value in each.value : { name = value }]

  depends_on = [databricks_metastore_assignment.main]
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

# Warehouses and job clusters are made in their names.
resource "databricks_entitlements" "compute" {
  for_each = { for name in ["deploy", "ingest"] : name => databricks_service_principal.workload[name].id }
  provider = databricks.workspace

  service_principal_id  = each.value
  workspace_access      = true
  allow_cluster_create  = true
  databricks_sql_access = each.key == "deploy"

  depends_on = [databricks_mws_permission_assignment.workload]
}
