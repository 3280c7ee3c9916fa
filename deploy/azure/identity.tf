# Who may do what in Azure. Every identity is managed by Azure: there is no client secret anywhere.
locals {
  # Deploys the bundle (GitHub), writes bronze, runs dbt: Databricks knows these three.
  workloads = toset(["deploy", "ingest", "transform"])
}

resource "azurerm_user_assigned_identity" "workload" {
  for_each = setunion(local.workloads, ["connect"])

  name                = "id-${local.name}-${each.key}"
  location            = azurerm_resource_group.main.location
  resource_group_name = azurerm_resource_group.main.name
  tags                = local.tags
}

resource "azurerm_databricks_access_connector" "lake" {
  name                = "dbac-${local.name}"
  location            = azurerm_resource_group.main.location
  resource_group_name = azurerm_resource_group.main.name
  tags                = local.tags

  identity {
    type = "SystemAssigned"
  }
}

# The enterprise application through which Databricks reads key-vault scopes; its client id is
# the same in every tenant.
data "azuread_service_principal" "databricks" {
  client_id = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"
}

locals {
  role_assignments = {
    # Unity Catalog reads and writes the lake.
    connector_blobs = {
      scope     = azurerm_storage_account.lake.id
      role      = "Storage Blob Data Contributor"
      principal = azurerm_databricks_access_connector.lake.identity[0].principal_id
    }
    # Data Factory writes landed files, nothing else.
    factory_landing = {
      scope     = azurerm_storage_container.lake["landing"].id
      role      = "Storage Blob Data Contributor"
      principal = azurerm_data_factory.main.identity[0].principal_id
    }
    # The Kafka Connect worker, likewise (connect/).
    connect_landing = {
      scope     = azurerm_storage_container.lake["landing"].id
      role      = "Storage Blob Data Contributor"
      principal = azurerm_user_assigned_identity.workload["connect"].principal_id
    }
    # Who sets the Kafka key, by hand or by rotation.
    admin_secrets = {
      scope     = azurerm_key_vault.main.id
      role      = "Key Vault Secrets Officer"
      principal = var.admin_group.object_id
      type      = "Group"
    }
    scope_secrets = {
      scope     = azurerm_key_vault.main.id
      role      = "Key Vault Secrets User"
      principal = data.azuread_service_principal.databricks.object_id
    }
  }
}

resource "azurerm_role_assignment" "main" {
  for_each = local.role_assignments

  scope                = each.value.scope
  role_definition_name = each.value.role
  principal_id         = each.value.principal
  principal_type       = lookup(each.value, "type", "ServicePrincipal")
}
