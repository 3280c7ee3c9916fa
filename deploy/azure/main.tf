locals {
  name    = "fitbit-${var.environment}"
  compact = "fitbit${var.environment}${var.suffix}"
  catalog = "fitbit_${var.environment}"
  topics  = toset(["user_info", "bpm", "workout"])

  tags = {
    project     = "fitbit-lakehouse"
    environment = var.environment
    data        = "personal-health"
  }
}

data "azurerm_client_config" "current" {}

resource "azurerm_resource_group" "main" {
  name     = "rg-${local.name}"
  location = var.location
  tags     = local.tags
}

# Prod is not torn down by one mistaken command.
resource "azurerm_management_lock" "storage" {
  count      = var.environment == "prod" ? 1 : 0
  name       = "keep"
  scope      = azurerm_storage_account.lake.id
  lock_level = "CanNotDelete"
  notes      = "Holds the members' data"
}

resource "azurerm_consumption_budget_resource_group" "main" {
  name              = "budget-${local.name}"
  resource_group_id = azurerm_resource_group.main.id
  amount            = var.monthly_budget
  time_grain        = "Monthly"

  # Azure takes no month that is over, and no other start later.
  time_period {
    start_date = formatdate("YYYY-MM-01'T'00:00:00'Z'", plantimestamp())
  }

  lifecycle {
    ignore_changes = [time_period]
  }

  notification {
    operator       = "GreaterThan"
    threshold      = 80
    contact_emails = [var.alert_email]
  }

  notification {
    operator       = "GreaterThan"
    threshold      = 100
    threshold_type = "Forecasted"
    contact_emails = [var.alert_email]
  }
}

resource "azurerm_log_analytics_workspace" "main" {
  name                         = "log-${local.name}-${var.suffix}"
  location                     = azurerm_resource_group.main.location
  resource_group_name          = azurerm_resource_group.main.name
  sku                          = "PerGB2018"
  retention_in_days            = 120
  daily_quota_gb               = 1
  local_authentication_enabled = false
  tags                         = local.tags
}

# Who read or changed what. Payloads are in none of these logs.
resource "azurerm_monitor_diagnostic_setting" "audit" {
  for_each = {
    storage   = { target = "${azurerm_storage_account.lake.id}/blobServices/default", group = "audit", category = null }
    key_vault = { target = azurerm_key_vault.main.id, group = "audit", category = null }
    events    = { target = azurerm_eventhub_namespace.main.id, group = "audit", category = null }
    # These two know no group "audit".
    factory   = { target = azurerm_data_factory.main.id, group = "allLogs", category = null }
    workspace = { target = azurerm_databricks_workspace.main.id, group = "allLogs", category = null }
    # A server's auditing goes through its database master, whichever database was read.
    sql = { target = "${azurerm_mssql_server.main.id}/databases/master", group = null, category = "SQLSecurityAuditEvents" }
  }

  name                       = "audit"
  target_resource_id         = each.value.target
  log_analytics_workspace_id = azurerm_log_analytics_workspace.main.id

  enabled_log {
    category_group = each.value.group
    category       = each.value.category
  }

  depends_on = [azurerm_mssql_server_extended_auditing_policy.main]
}
