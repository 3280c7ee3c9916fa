# The lake. Entra ID only (no account keys, no SAS), private endpoints only.
resource "azurerm_storage_account" "lake" {
  name                = "st${local.compact}"
  location            = azurerm_resource_group.main.location
  resource_group_name = azurerm_resource_group.main.name

  account_kind             = "StorageV2"
  account_tier             = "Standard"
  account_replication_type = var.environment == "prod" ? "ZRS" : "LRS"
  is_hns_enabled           = true

  min_tls_version                   = "TLS1_2"
  https_traffic_only_enabled        = true
  shared_access_key_enabled         = false
  default_to_oauth_authentication   = true
  allow_nested_items_to_be_public   = false
  public_network_access_enabled     = false
  cross_tenant_replication_enabled  = false
  local_user_enabled                = false
  infrastructure_encryption_enabled = true
  allowed_copy_scope                = "AAD"

  # Erasure counts: a deleted file is gone after this many days, not before.
  blob_properties {
    delete_retention_policy {
      days = 7
    }
    container_delete_retention_policy {
      days = 7
    }
  }

  network_rules {
    default_action = "Deny"
    bypass         = ["AzureServices"]

    # Unity Catalog's control plane checks external locations in the connector's name.
    private_link_access {
      endpoint_resource_id = azurerm_databricks_access_connector.lake.id
      endpoint_tenant_id   = data.azurerm_client_config.current.tenant_id
    }
  }

  tags = local.tags
}

# metadata: checkpoints, leases, dbt artifacts. managed: the catalog's tables. landing: files.
resource "azurerm_storage_container" "lake" {
  for_each = toset(["metadata", "managed", "landing"])

  name                  = each.key
  storage_account_id    = azurerm_storage_account.lake.id
  container_access_type = "private"
}

# Nothing in `managed` has a rule: Delta's own VACUUM decides there.
resource "azurerm_storage_management_policy" "lake" {
  storage_account_id = azurerm_storage_account.lake.id

  rule {
    name    = "landed-files"
    enabled = true

    filters {
      blob_types   = ["blockBlob"]
      prefix_match = ["landing/${local.catalog}/"]
    }

    actions {
      base_blob {
        tier_to_cool_after_days_since_modification_greater_than = 14
        delete_after_days_since_modification_greater_than       = var.landing_retention_days
      }
      snapshot {
        delete_after_days_since_creation_greater_than = 7
      }
    }
  }

  rule {
    name    = "old-artifacts"
    enabled = true

    filters {
      blob_types   = ["blockBlob"]
      prefix_match = ["metadata/${local.catalog}/artifacts/"]
    }

    actions {
      base_blob {
        delete_after_days_since_modification_greater_than = 365
      }
    }
  }
}
