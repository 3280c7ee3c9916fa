# One network: two delegated subnets for cluster nodes (no public address), one for private
# endpoints, one for machines of one's own: the runner that deploys, a Kafka Connect worker. Storage, SQL, Event Hubs and the key vault are reached through it and in no other way.
locals {
  private_zones = {
    dfs         = "privatelink.dfs.core.windows.net"
    blob        = "privatelink.blob.core.windows.net"
    sqlServer   = "privatelink.database.windows.net"
    namespace   = "privatelink.servicebus.windows.net"
    vault       = "privatelink.vaultcore.azure.net"
    databricks  = "privatelink.azuredatabricks.net"
    dataFactory = "privatelink.datafactory.azure.net"
  }

  private_endpoints = {
    dfs         = { target = azurerm_storage_account.lake.id, subresource = "dfs", zone = "dfs" }
    blob        = { target = azurerm_storage_account.lake.id, subresource = "blob", zone = "blob" }
    own_dfs     = { target = local.workspace_storage_id, subresource = "dfs", zone = "dfs" }
    own_blob    = { target = local.workspace_storage_id, subresource = "blob", zone = "blob" }
    sql         = { target = azurerm_mssql_server.main.id, subresource = "sqlServer", zone = "sqlServer" }
    events      = { target = azurerm_eventhub_namespace.main.id, subresource = "namespace", zone = "namespace" }
    vault       = { target = azurerm_key_vault.main.id, subresource = "vault", zone = "vault" }
    databricks  = { target = azurerm_databricks_workspace.main.id, subresource = "databricks_ui_api", zone = "databricks" }
    web_sign_in = { target = azurerm_databricks_workspace.main.id, subresource = "browser_authentication", zone = "databricks" }
    factory     = { target = azurerm_data_factory.main.id, subresource = "dataFactory", zone = "dataFactory" }
  }
}

resource "azurerm_virtual_network" "main" {
  name                = "vnet-${local.name}"
  location            = azurerm_resource_group.main.location
  resource_group_name = azurerm_resource_group.main.name
  address_space       = [var.address_space]
  tags                = local.tags
}

# Databricks adds the rules that its nodes need; nothing comes in from outside.
resource "azurerm_network_security_group" "main" {
  name                = "nsg-${local.name}"
  location            = azurerm_resource_group.main.location
  resource_group_name = azurerm_resource_group.main.name
  tags                = local.tags
}

resource "azurerm_subnet" "nodes" {
  for_each = { public = 0, private = 1 }

  name                            = "snet-databricks-${each.key}"
  resource_group_name             = azurerm_resource_group.main.name
  virtual_network_name            = azurerm_virtual_network.main.name
  address_prefixes                = [cidrsubnet(var.address_space, 2, each.value)]
  default_outbound_access_enabled = false

  delegation {
    name = "databricks"

    service_delegation {
      name = "Microsoft.Databricks/workspaces"
      actions = [
        "Microsoft.Network/virtualNetworks/subnets/join/action",
        "Microsoft.Network/virtualNetworks/subnets/prepareNetworkPolicies/action",
        "Microsoft.Network/virtualNetworks/subnets/unprepareNetworkPolicies/action",
      ]
    }
  }
}

resource "azurerm_subnet" "endpoints" {
  name                              = "snet-private-endpoints"
  resource_group_name               = azurerm_resource_group.main.name
  virtual_network_name              = azurerm_virtual_network.main.name
  address_prefixes                  = [cidrsubnet(var.address_space, 4, 8)]
  default_outbound_access_enabled   = false
  private_endpoint_network_policies = "Enabled"
}

resource "azurerm_subnet" "runners" {
  name                            = "snet-runners"
  resource_group_name             = azurerm_resource_group.main.name
  virtual_network_name            = azurerm_virtual_network.main.name
  address_prefixes                = [cidrsubnet(var.address_space, 4, 9)]
  default_outbound_access_enabled = false
}

resource "azurerm_subnet_network_security_group_association" "nodes" {
  for_each = azurerm_subnet.nodes

  subnet_id                 = each.value.id
  network_security_group_id = azurerm_network_security_group.main.id
}

resource "azurerm_subnet_network_security_group_association" "others" {
  for_each = { endpoints = azurerm_subnet.endpoints.id, runners = azurerm_subnet.runners.id }

  subnet_id                 = each.value
  network_security_group_id = azurerm_network_security_group.main.id
}

# The way out of nodes and runners: packages and the Databricks control plane.
resource "azurerm_public_ip" "egress" {
  name                = "pip-${local.name}-egress"
  location            = azurerm_resource_group.main.location
  resource_group_name = azurerm_resource_group.main.name
  allocation_method   = "Static"
  sku                 = "Standard"
  tags                = local.tags
}

resource "azurerm_nat_gateway" "egress" {
  name                = "nat-${local.name}"
  location            = azurerm_resource_group.main.location
  resource_group_name = azurerm_resource_group.main.name
  sku_name            = "Standard"
  tags                = local.tags
}

resource "azurerm_nat_gateway_public_ip_association" "egress" {
  nat_gateway_id       = azurerm_nat_gateway.egress.id
  public_ip_address_id = azurerm_public_ip.egress.id
}

resource "azurerm_subnet_nat_gateway_association" "main" {
  for_each = merge({ for name, subnet in azurerm_subnet.nodes : name => subnet.id }, { runners = azurerm_subnet.runners.id })

  subnet_id      = each.value
  nat_gateway_id = azurerm_nat_gateway.egress.id
}

resource "azurerm_private_dns_zone" "main" {
  for_each = local.private_zones

  name                = each.value
  resource_group_name = azurerm_resource_group.main.name
  tags                = local.tags
}

resource "azurerm_private_dns_zone_virtual_network_link" "main" {
  for_each = local.private_zones

  name                  = "link-${lower(each.key)}"
  resource_group_name   = azurerm_resource_group.main.name
  private_dns_zone_name = azurerm_private_dns_zone.main[each.key].name
  virtual_network_id    = azurerm_virtual_network.main.id
  tags                  = local.tags
}

resource "azurerm_private_endpoint" "main" {
  for_each = local.private_endpoints

  name                = "pe-${local.name}-${each.key}"
  location            = azurerm_resource_group.main.location
  resource_group_name = azurerm_resource_group.main.name
  subnet_id           = azurerm_subnet.endpoints.id
  tags                = local.tags

  private_service_connection {
    name                           = each.key
    private_connection_resource_id = each.value.target
    subresource_names              = [each.value.subresource]
    is_manual_connection           = false
  }

  private_dns_zone_group {
    name                 = "default"
    private_dns_zone_ids = [azurerm_private_dns_zone.main[each.value.zone].id]
  }
}
