# What Databricks would give.
mock_resource "databricks_service_principal" {
  defaults = { id = "123456789012345" }
}

mock_resource "databricks_metastore" {
  defaults = { id = "33333333-3333-4333-8333-333333333333" }
}

mock_resource "databricks_mws_network_connectivity_config" {
  defaults = { network_connectivity_config_id = "22222222-2222-4222-8222-222222222222" }
}

mock_resource "databricks_tag_policy" {
  defaults = { id = "personal_data" }
}
