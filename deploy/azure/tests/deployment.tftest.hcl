# `terraform test`, without an account: Terraform plans and applies, providers are mocked. Prod in
# the stages of docs/deployment.md, then dev, then what must be refused.
mock_provider "azurerm" {
  source = "./tests/azurerm"
}

mock_provider "azuread" {
  mock_data "azuread_service_principal" {
    defaults = { object_id = "44444444-4444-4444-8444-444444444444" }
  }
}

mock_provider "databricks" {
  alias  = "account"
  source = "./tests/databricks"
}

mock_provider "databricks" {
  alias  = "workspace"
  source = "./tests/databricks"
}

# Mocked identities are all alike; this one is told apart.
override_resource {
  target = azurerm_user_assigned_identity.workload["transform"]
  values = { client_id = "12121212-1212-4212-8212-121212121212" }
}

variables {
  environment           = "prod"
  subscription_id       = "00000000-0000-0000-0000-000000000000"
  databricks_account_id = "00000000-0000-0000-0000-000000000001"
  suffix                = "a1b2"
  alert_email           = "data-team@example.com"
  github_repository     = "example/fitbit-lakehouse"
  admin_group = {
    name      = "fitbit-admins"
    object_id = "00000000-0000-0000-0000-000000000002"
  }
}

run "prod_from_outside" {
  command   = apply
  state_key = "prod"

  variables {
    workspace_reachable = false
  }

  assert {
    condition     = length(module.workspace) == 0 && output.bundle_variables.storage_credential == null
    error_message = "The first apply of a private environment must not need the workspace."
  }
  assert {
    condition     = azurerm_consumption_budget_resource_group.main.time_period[0].start_date == formatdate("YYYY-MM-01'T'00:00:00'Z'", timestamp())
    error_message = "Azure refuses a budget that begins before the current month."
  }
}

run "prod_from_inside" {
  command   = apply
  state_key = "prod"

  variables {
    other_tag_assigners = ["groups/fitbit-developers"]
  }

  # Nothing is open.
  assert {
    condition = alltrue([
      azurerm_storage_account.lake.public_network_access_enabled == false,
      azurerm_storage_account.lake.network_rules[0].default_action == "Deny",
      azurerm_storage_account.lake.allow_nested_items_to_be_public == false,
      azurerm_storage_account.lake.cross_tenant_replication_enabled == false,
      azurerm_storage_account.lake.https_traffic_only_enabled,
      azurerm_storage_account.lake.min_tls_version == "TLS1_2",
      azurerm_storage_container.lake["metadata"].container_access_type == "private",
      azurerm_storage_container.lake["managed"].container_access_type == "private",
      azurerm_storage_container.lake["landing"].container_access_type == "private",
      azurerm_mssql_server.main.public_network_access_enabled == false,
      azurerm_mssql_server.main.minimum_tls_version == "1.2",
      azurerm_eventhub_namespace.main.public_network_access_enabled == false,
      azurerm_eventhub_namespace.main.network_rulesets[0].default_action == "Deny",
      azurerm_eventhub_namespace.main.minimum_tls_version == "1.2",
      azurerm_key_vault.main.public_network_access_enabled == false,
      azurerm_key_vault.main.network_acls[0].default_action == "Deny",
      azurerm_data_factory.main.public_network_enabled == false,
      azurerm_data_factory.main.managed_virtual_network_enabled,
      azurerm_data_factory_integration_runtime_azure.private.virtual_network_enabled,
      azurerm_databricks_workspace.main.public_network_access_enabled == false,
      azurerm_databricks_workspace.main.default_storage_firewall_enabled,
      azurerm_databricks_workspace.main.custom_parameters[0].no_public_ip,
      module.workspace[0].isolation_mode == "ISOLATION_MODE_ISOLATED",
      length(azurerm_network_security_group.main.security_rule) == 0,
    ])
    error_message = "Something answers outside of the network, or in clear text."
  }

  # Nobody signs in with a key; what can be deleted by mistake comes back.
  assert {
    condition = alltrue([
      azurerm_storage_account.lake.shared_access_key_enabled == false,
      azurerm_storage_account.lake.local_user_enabled == false,
      azurerm_mssql_server.main.azuread_administrator[0].azuread_authentication_only,
      azurerm_data_factory_linked_service_azure_sql_database.source.use_managed_identity,
      azurerm_data_factory_linked_service_data_lake_storage_gen2.lake.use_managed_identity,
      azurerm_key_vault.main.rbac_authorization_enabled,
      azurerm_key_vault.main.purge_protection_enabled,
      length(azurerm_management_lock.storage) == 1,
    ])
    error_message = "Sign-in is with Entra ID alone, and prod is kept from mistakes."
  }

  # What is private is reached.
  assert {
    condition = alltrue([
      for target in [
        "${azurerm_storage_account.lake.id} dfs",
        "${azurerm_storage_account.lake.id} blob",
        "${local.workspace_storage_id} dfs",
        "${local.workspace_storage_id} blob",
        "${azurerm_mssql_server.main.id} sqlServer",
        "${azurerm_eventhub_namespace.main.id} namespace",
        "${azurerm_key_vault.main.id} vault",
        "${azurerm_databricks_workspace.main.id} databricks_ui_api",
        "${azurerm_databricks_workspace.main.id} browser_authentication",
        ] : contains([
          for endpoint in azurerm_private_endpoint.main : format("%s %s",
            endpoint.private_service_connection[0].private_connection_resource_id,
          endpoint.private_service_connection[0].subresource_names[0])
      ], target)
    ])
    error_message = "A service without a private endpoint cannot be reached."
  }
  assert {
    condition = toset([
      for rule in databricks_mws_ncc_private_endpoint_rule.storage : "${rule.resource_id} ${rule.group_id}"
      ]) == toset([
      for pair in setproduct([azurerm_storage_account.lake.id, local.workspace_storage_id], ["dfs", "blob"]) : join(" ", pair)
    ])
    error_message = "Serverless compute reaches the lake and the workspace's own storage by private endpoints."
  }
  assert {
    condition     = azurerm_databricks_workspace.main.custom_parameters[0].storage_account_name == reverse(split("/", local.workspace_storage_id))[0] && length(local.workspace_storage) <= 24
    error_message = "The workspace's own storage account is not the one that has endpoints."
  }
  assert {
    condition = (
      contains(azurerm_storage_account.lake.network_rules[0].bypass, "AzureServices") &&
      azurerm_storage_account.lake.network_rules[0].private_link_access[0].endpoint_resource_id == azurerm_databricks_access_connector.lake.id
    )
    error_message = "Unity Catalog's control plane cannot reach the lake."
  }

  # Who may what.
  assert {
    condition     = length(setintersection([for given in azurerm_role_assignment.main : given.role_definition_name], ["Owner", "Contributor", "User Access Administrator"])) == 0
    error_message = "A role is too much."
  }
  assert {
    condition = contains([
      for given in azurerm_role_assignment.main : "${given.role_definition_name} ${given.principal_type} ${given.principal_id}"
    ], "Key Vault Secrets Officer Group ${var.admin_group.object_id}")
    error_message = "Nobody may set the Kafka key."
  }
  assert {
    condition     = azurerm_role_assignment.main["connect_landing"].scope == azurerm_storage_container.lake["landing"].id && azurerm_role_assignment.main["factory_landing"].scope == azurerm_storage_container.lake["landing"].id
    error_message = "Data Factory and Kafka Connect write landed files, nothing else."
  }
  assert {
    condition     = module.workspace[0].tag_assigners == toset(["servicePrincipals/12121212-1212-4212-8212-121212121212", "groups/fitbit-developers"])
    error_message = "dbt of each environment must be allowed to set the governed tags."
  }
  assert {
    condition     = module.workspace[0].deployers == toset(["deploy"]) && module.workspace[0].secret_readers == toset(["ingest"])
    error_message = "In prod nobody but the deploy identity deploys, and ingest alone reads secrets."
  }

  # What is logged.
  assert {
    condition = (
      azurerm_monitor_diagnostic_setting.audit["sql"].target_resource_id == "${azurerm_mssql_server.main.id}/databases/master" &&
      one(azurerm_monitor_diagnostic_setting.audit["sql"].enabled_log).category == "SQLSecurityAuditEvents" &&
      azurerm_mssql_server_extended_auditing_policy.main.log_monitoring_enabled
    )
    error_message = "The audit of a SQL server comes from its database master."
  }
  assert {
    condition     = alltrue([for name in ["factory", "workspace"] : one(azurerm_monitor_diagnostic_setting.audit[name].enabled_log).category_group == "allLogs"])
    error_message = "Data Factory and Databricks have no category group \"audit\"."
  }
  assert {
    condition     = azurerm_data_factory_trigger_schedule.copy.activated
    error_message = "In prod the copy runs by itself."
  }
}

run "dev" {
  command   = apply
  state_key = "dev"

  variables {
    environment             = "dev"
    workspace_public_access = true
    create_governed_tags    = false
    metastore_id            = "33333333-3333-4333-8333-333333333333"
  }

  assert {
    condition     = length(databricks_metastore.main) == 0 && length(module.workspace[0].tag_assigners) == 0
    error_message = "Metastore and governed tags of the account are made by one environment."
  }
  assert {
    condition     = module.workspace[0].deployers == toset(["deploy", "developers"]) && module.workspace[0].secret_readers == toset(["deploy", "developers", "ingest"])
    error_message = "Developers deploy copies of their own beside dev, and run them."
  }
  assert {
    condition     = output.bundle_variables.storage_account == "stfitbitdeva1b2"
    error_message = "The bundle's storage account is not the lake."
  }
  assert {
    condition     = output.bundle_variables.kafka_bootstrap_servers == "evhns-fitbit-dev-a1b2.servicebus.windows.net:9093"
    error_message = "Kafka's bootstrap server is not the namespace's."
  }
}

run "values_that_azure_would_refuse_late" {
  command   = plan
  state_key = "refused"

  variables {
    environment            = "test"
    subscription_id        = "mine"
    databricks_account_id  = "mine"
    location               = "West Europe"
    suffix                 = "A_1"
    address_space          = "10.0.0.0/24"
    metastore_id           = "the-first"
    alert_email            = "me"
    github_repository      = "lakehouse"
    admin_group            = { name = "", object_id = "x" }
    topic_partitions       = 64
    topic_retention_hours  = 1
    landing_retention_days = 1
    copy_interval_minutes  = 1
    monthly_budget         = 0
    other_tag_assigners    = ["me"]
  }

  expect_failures = [
    var.environment, var.subscription_id, var.databricks_account_id, var.location, var.suffix,
    var.address_space, var.metastore_id, var.alert_email, var.github_repository, var.admin_group,
    var.topic_partitions, var.topic_retention_hours, var.landing_retention_days,
    var.copy_interval_minutes, var.monthly_budget, var.other_tag_assigners,
  ]
}
