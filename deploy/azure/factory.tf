# Azure SQL to the landing zone: what changed since the last run, every copy_interval_minutes.
resource "azurerm_data_factory" "main" {
  name                            = "adf-${local.name}-${var.suffix}"
  location                        = azurerm_resource_group.main.location
  resource_group_name             = azurerm_resource_group.main.name
  public_network_enabled          = false
  managed_virtual_network_enabled = true
  tags                            = local.tags

  identity {
    type = "SystemAssigned"
  }
}

resource "azurerm_data_factory_integration_runtime_azure" "private" {
  name                    = "private"
  data_factory_id         = azurerm_data_factory.main.id
  location                = azurerm_resource_group.main.location
  virtual_network_enabled = true
  time_to_live_min        = 10
}

# Approved once by hand, like those of Databricks (docs/deployment.md).
resource "azurerm_data_factory_managed_private_endpoint" "main" {
  for_each = {
    sql = { target = azurerm_mssql_server.main.id, subresource = "sqlServer" }
    dfs = { target = azurerm_storage_account.lake.id, subresource = "dfs" }
  }

  name               = each.key
  data_factory_id    = azurerm_data_factory.main.id
  target_resource_id = each.value.target
  subresource_name   = each.value.subresource
}

resource "azurerm_data_factory_linked_service_azure_sql_database" "source" {
  name                     = "azure_sql"
  data_factory_id          = azurerm_data_factory.main.id
  integration_runtime_name = azurerm_data_factory_integration_runtime_azure.private.name
  use_managed_identity     = true
  connection_string        = "Server=tcp:${azurerm_mssql_server.main.fully_qualified_domain_name},1433;Database=${azurerm_mssql_database.source.name};Encrypt=True;TrustServerCertificate=False;Connection Timeout=60"
}

resource "azurerm_data_factory_linked_service_data_lake_storage_gen2" "lake" {
  name                     = "lake"
  data_factory_id          = azurerm_data_factory.main.id
  integration_runtime_name = azurerm_data_factory_integration_runtime_azure.private.name
  use_managed_identity     = true
  url                      = azurerm_storage_account.lake.primary_dfs_endpoint
}

resource "azurerm_data_factory_custom_dataset" "source" {
  name                 = "source_table"
  data_factory_id      = azurerm_data_factory.main.id
  type                 = "AzureSqlTable"
  type_properties_json = file("${path.module}/pipelines/source_table.json")

  linked_service {
    name = azurerm_data_factory_linked_service_azure_sql_database.source.name
  }
}

resource "azurerm_data_factory_custom_dataset" "landing" {
  name                 = "landing_file"
  data_factory_id      = azurerm_data_factory.main.id
  type                 = "Json"
  type_properties_json = file("${path.module}/pipelines/landing_file.json")

  parameters = {
    folder = ""
    file   = ""
  }

  linked_service {
    name = azurerm_data_factory_linked_service_data_lake_storage_gen2.lake.name
  }
}

resource "azurerm_data_factory_pipeline" "copy" {
  name            = "copy_changes"
  data_factory_id = azurerm_data_factory.main.id
  description     = "Changed rows of the source tables to new files in the landing zone"
  concurrency     = 1
  activities_json = file("${path.module}/pipelines/copy_changes.json")

  parameters = {
    catalog  = local.catalog
    endpoint = azurerm_storage_account.lake.primary_dfs_endpoint
  }

  depends_on = [
    azurerm_data_factory_custom_dataset.source,
    azurerm_data_factory_custom_dataset.landing,
  ]
}

resource "azurerm_data_factory_trigger_schedule" "copy" {
  name            = "every_${var.copy_interval_minutes}_minutes"
  data_factory_id = azurerm_data_factory.main.id
  frequency       = "Minute"
  interval        = var.copy_interval_minutes
  time_zone       = "UTC"
  activated       = var.environment == "prod"

  pipeline {
    name = azurerm_data_factory_pipeline.copy.name
  }
}

resource "azurerm_monitor_action_group" "mail" {
  name                = "mail-${local.name}"
  resource_group_name = azurerm_resource_group.main.name
  short_name          = "fitbit"
  tags                = local.tags

  email_receiver {
    name                    = "team"
    email_address           = var.alert_email
    use_common_alert_schema = true
  }
}

resource "azurerm_monitor_metric_alert" "failed_copies" {
  name                = "failed-copies-${local.name}"
  resource_group_name = azurerm_resource_group.main.name
  scopes              = [azurerm_data_factory.main.id]
  description         = "A run of copy_changes failed after its retries"
  severity            = 2
  frequency           = "PT5M"
  window_size         = "PT15M"
  tags                = local.tags

  criteria {
    metric_namespace = "Microsoft.DataFactory/factories"
    metric_name      = "PipelineFailedRuns"
    aggregation      = "Total"
    operator         = "GreaterThan"
    threshold        = 0
  }

  action {
    action_group_id = azurerm_monitor_action_group.mail.id
  }
}
