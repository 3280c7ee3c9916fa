terraform {
  required_version = ">= 1.11"

  # Exact: the checks know the schemas of these versions (deploy/checks/providers.json).
  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "4.81.0"
    }
    azuread = {
      source  = "hashicorp/azuread"
      version = "3.9.0"
    }
    databricks = {
      source  = "databricks/databricks"
      version = "1.128.0"
    }
  }

  # Account, container and key come from a file outside the repository:
  # terraform init -backend-config=backend.hcl. The state is read with Entra ID, never with a key.
  backend "azurerm" {
    use_azuread_auth = true
  }
}

provider "azurerm" {
  subscription_id     = var.subscription_id
  storage_use_azuread = true

  features {
    key_vault {
      purge_soft_delete_on_destroy = false
    }
    # Waiting for the data plane of a private account ends in 403 from outside of the network.
    storage {
      data_plane_available = false
    }
    resource_group {
      prevent_deletion_if_contains_resources = true
    }
  }
}

provider "databricks" {
  alias      = "account"
  host       = "https://accounts.azuredatabricks.net"
  account_id = var.databricks_account_id
}

provider "databricks" {
  alias                       = "workspace"
  host                        = "https://${azurerm_databricks_workspace.main.workspace_url}"
  azure_workspace_resource_id = azurerm_databricks_workspace.main.id
}
