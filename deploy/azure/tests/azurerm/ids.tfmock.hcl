# What Azure would give, in its real form: the real providers parse it.
mock_data "azurerm_client_config" {
  defaults = {
    tenant_id       = "99999999-9999-4999-8999-999999999999"
    subscription_id = "00000000-0000-0000-0000-000000000000"
    object_id       = "88888888-8888-4888-8888-888888888888"
  }
}

mock_resource "azurerm_resource_group" {
  defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg" }
}

mock_resource "azurerm_storage_account" {
  defaults = {
    id                   = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/stfitbitdeva1b2"
    primary_dfs_endpoint = "https://stfitbitdeva1b2.dfs.core.windows.net/"
  }
}

mock_resource "azurerm_storage_container" {
  defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/stfitbitdeva1b2/blobServices/default/containers/landing" }
}

mock_resource "azurerm_eventhub_namespace" {
  defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.EventHub/namespaces/evhns" }
}

mock_resource "azurerm_mssql_server" {
  defaults = {
    id                          = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Sql/servers/sql"
    fully_qualified_domain_name = "sql.database.windows.net"
  }
}

mock_resource "azurerm_mssql_database" {
  defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Sql/servers/sql/databases/fitbit" }
}

mock_resource "azurerm_key_vault" {
  defaults = {
    id        = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/kv"
    vault_uri = "https://kv.vault.azure.net/"
  }
}

mock_resource "azurerm_virtual_network" {
  defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/vnet" }
}

mock_resource "azurerm_subnet" {
  defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/vnet/subnets/snet" }
}

mock_resource "azurerm_subnet_network_security_group_association" {
  defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/vnet/subnets/snet" }
}

mock_resource "azurerm_network_security_group" {
  defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/networkSecurityGroups/nsg" }
}

mock_resource "azurerm_public_ip" {
  defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/publicIPAddresses/pip" }
}

mock_resource "azurerm_nat_gateway" {
  defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/natGateways/nat" }
}

mock_resource "azurerm_private_dns_zone" {
  defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/privateDnsZones/privatelink.dfs.core.windows.net" }
}

mock_resource "azurerm_user_assigned_identity" {
  defaults = {
    id           = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id"
    client_id    = "11111111-1111-4111-8111-111111111111"
    principal_id = "77777777-7777-4777-8777-777777777777"
  }
}

mock_resource "azurerm_databricks_access_connector" {
  defaults = {
    id       = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Databricks/accessConnectors/dbac"
    identity = { principal_id = "66666666-6666-4666-8666-666666666666", tenant_id = "99999999-9999-4999-8999-999999999999" }
  }
}

mock_resource "azurerm_databricks_workspace" {
  defaults = {
    id                        = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Databricks/workspaces/dbw"
    managed_resource_group_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-databricks"
    workspace_id              = "1234567890123456"
    workspace_url             = "adb-1234567890123456.7.azuredatabricks.net"
  }
}

mock_resource "azurerm_data_factory" {
  defaults = {
    id       = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.DataFactory/factories/adf"
    identity = { principal_id = "55555555-5555-4555-8555-555555555555", tenant_id = "99999999-9999-4999-8999-999999999999" }
  }
}

mock_resource "azurerm_monitor_action_group" {
  defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Insights/actionGroups/mail" }
}

mock_resource "azurerm_log_analytics_workspace" {
  defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.OperationalInsights/workspaces/log" }
}
