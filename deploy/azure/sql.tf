# The source system: registrations and gym logins. Its tables are in sql/, run once by the SQL
# administrators (docs/deployment.md). No SQL login exists, only Entra ID.
resource "azurerm_mssql_server" "main" {
  name                          = "sql-${local.name}-${var.suffix}"
  location                      = azurerm_resource_group.main.location
  resource_group_name           = azurerm_resource_group.main.name
  version                       = "12.0"
  minimum_tls_version           = "1.2"
  public_network_access_enabled = false

  azuread_administrator {
    login_username              = var.admin_group.name
    object_id                   = var.admin_group.object_id
    tenant_id                   = data.azurerm_client_config.current.tenant_id
    azuread_authentication_only = true
  }

  identity {
    type = "SystemAssigned"
  }

  tags = local.tags
}

resource "azurerm_mssql_database" "source" {
  name                        = "fitbit"
  server_id                   = azurerm_mssql_server.main.id
  sku_name                    = "GP_S_Gen5_1"
  min_capacity                = 0.5
  auto_pause_delay_in_minutes = var.environment == "prod" ? -1 : 60
  max_size_gb                 = 32
  zone_redundant              = var.environment == "prod"
  storage_account_type        = "Zone"

  short_term_retention_policy {
    retention_days = 14
  }

  tags = local.tags

  lifecycle {
    prevent_destroy = true
  }
}

resource "azurerm_mssql_server_extended_auditing_policy" "main" {
  server_id              = azurerm_mssql_server.main.id
  log_monitoring_enabled = true
  retention_in_days      = 120
}

resource "azurerm_mssql_server_security_alert_policy" "main" {
  resource_group_name  = azurerm_resource_group.main.name
  server_name          = azurerm_mssql_server.main.name
  state                = "Enabled"
  email_account_admins = true
  email_addresses      = [var.alert_email]
}
