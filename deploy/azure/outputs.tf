# The variables of databricks.yml that have no default. Write them where the CLI looks:
# terraform output -json bundle_variables > ../../.databricks/bundle/<target>/variable-overrides.json
output "bundle_variables" {
  description = "Values for the bundle, keyed by its variables."
  value = {
    storage_account         = azurerm_storage_account.lake.name
    storage_credential      = one(module.workspace[*].storage_credential)
    kafka_bootstrap_servers = "${azurerm_eventhub_namespace.main.name}.servicebus.windows.net:9093"
    secret_scope            = one(module.workspace[*].secret_scope)
    deploy_principal        = azurerm_user_assigned_identity.workload["deploy"].client_id
    ingest_principal        = azurerm_user_assigned_identity.workload["ingest"].client_id
    transform_principal     = azurerm_user_assigned_identity.workload["transform"].client_id
    alert_email             = var.alert_email
  }
}

output "databricks_host" {
  description = "DATABRICKS_HOST of the workflows and of the CLI."
  value       = "https://${azurerm_databricks_workspace.main.workspace_url}"
}

output "deploy_client_id" {
  description = "DATABRICKS_CLIENT_ID of the workflows."
  value       = azurerm_user_assigned_identity.workload["deploy"].client_id
}

output "sql_server" {
  description = "Host of Azure SQL, for sqlcmd."
  value       = azurerm_mssql_server.main.fully_qualified_domain_name
}

output "data_factory" {
  description = "Name of the Data Factory: the database user that sql/03_access.sql creates."
  value       = azurerm_data_factory.main.name
}

output "event_hubs_namespace" {
  description = "Namespace whose listen-only key goes into the key vault."
  value       = azurerm_eventhub_namespace.main.name
}

output "key_vault" {
  description = "Key vault behind the secret scope."
  value       = azurerm_key_vault.main.name
}
