# Kafka without a broker to run: Event Hubs' Standard tier speaks Kafka on port 9093.
resource "azurerm_eventhub_namespace" "main" {
  name                          = "evhns-${local.name}-${var.suffix}"
  location                      = azurerm_resource_group.main.location
  resource_group_name           = azurerm_resource_group.main.name
  sku                           = "Standard"
  capacity                      = 1
  auto_inflate_enabled          = true
  maximum_throughput_units      = 4
  minimum_tls_version           = "1.2"
  public_network_access_enabled = false

  # ingestion signs in with SASL PLAIN, which on Event Hubs means a listen-only key of the
  # namespace. The key is made and put into the key vault outside Terraform, so that no state file
  # holds it (docs/runbooks/deploy-key-rotation.md).
  local_authentication_enabled = true

  network_rulesets {
    default_action                 = "Deny"
    public_network_access_enabled  = false
    trusted_service_access_enabled = true
  }

  identity {
    type = "SystemAssigned"
  }

  tags = local.tags
}

resource "azurerm_eventhub" "topic" {
  for_each = local.topics

  name            = each.key
  namespace_id    = azurerm_eventhub_namespace.main.id
  partition_count = var.topic_partitions

  # user_info too: an upsert topic compacted by key would drop the history that silver is made of.
  retention_description {
    cleanup_policy          = "Delete"
    retention_time_in_hours = var.topic_retention_hours
  }
}
