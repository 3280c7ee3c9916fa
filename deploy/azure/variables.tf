variable "subscription_id" {
  type        = string
  description = "Azure subscription that holds everything."

  validation {
    condition     = can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", var.subscription_id))
    error_message = "subscription_id is a GUID in lower case: az account show --query id."
  }
}

variable "databricks_account_id" {
  type        = string
  description = "Databricks account (accounts.azuredatabricks.net, upper right corner)."

  validation {
    condition     = can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", var.databricks_account_id))
    error_message = "databricks_account_id is a GUID in lower case."
  }
}

variable "environment" {
  type        = string
  description = "Which of the bundle's targets this infrastructure serves."

  validation {
    condition     = contains(["dev", "prod"], var.environment)
    error_message = "environment is dev or prod, like the targets in databricks.yml."
  }
}

variable "location" {
  type        = string
  description = "Azure region, of a Databricks metastore too."
  default     = "westeurope"

  validation {
    condition     = can(regex("^[a-z]+[0-9]?$", var.location))
    error_message = "location is a region's short name, such as westeurope."
  }
}

variable "suffix" {
  type        = string
  description = "Makes globally unique names: storage account, SQL server, key vault, namespace."

  validation {
    condition     = can(regex("^[a-z0-9]{3,8}$", var.suffix))
    error_message = "suffix is 3 to 8 lower-case letters and digits."
  }
}

variable "address_space" {
  type        = string
  description = "Private range of the virtual network; a /22 leaves room for 250 cluster nodes."
  default     = "10.40.0.0/22"

  validation {
    condition     = can(cidrsubnet(var.address_space, 4, 15)) && can(regex("^(10|172|192)[.]", var.address_space))
    error_message = "address_space is a private IPv4 range in CIDR notation, /22 or larger."
  }
  validation {
    condition     = tonumber(try(split("/", var.address_space)[1], "32")) <= 22
    error_message = "address_space is too small: /22 or larger."
  }
}

variable "metastore_id" {
  type        = string
  description = "Unity Catalog metastore of the region. One per region exists at most; empty creates it."
  default     = ""

  validation {
    condition     = var.metastore_id == "" || can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", var.metastore_id))
    error_message = "metastore_id is a GUID in lower case, or empty."
  }
}

variable "create_governed_tags" {
  type        = bool
  description = "Whether the governed tags personal_data and row_filter are made here. They belong to the account: false where another environment made them."
  default     = true
}

variable "other_tag_assigners" {
  type        = list(string)
  description = "Who sets the governed tags in the account's other environments, where create_governed_tags is true: servicePrincipals/<application id> or groups/<name>."
  default     = []

  validation {
    condition     = alltrue([for name in var.other_tag_assigners : can(regex("^(servicePrincipals|groups)/.", name))])
    error_message = "other_tag_assigners begin with servicePrincipals/ or groups/."
  }
}

variable "developers_group" {
  type        = string
  description = "Account group of Databricks whose members deploy copies of their own beside dev; empty for none. Prod has none."
  default     = "fitbit-developers"
}

variable "admin_group" {
  type = object({
    name      = string
    object_id = string
  })
  description = "Entra group that administers Azure SQL (there is no SQL login) and sets the key vault's secrets."

  validation {
    condition     = can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", var.admin_group.object_id)) && length(var.admin_group.name) > 0
    error_message = "admin_group needs the group's name and its object id (GUID in lower case)."
  }
}

variable "github_repository" {
  type        = string
  description = "Repository whose workflows may deploy, as owner/name."

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.github_repository))
    error_message = "github_repository has the form owner/name."
  }
}

variable "alert_email" {
  type        = string
  description = "Address for failures, backlogs and the budget."

  validation {
    condition     = can(regex("^[^@[:space:]]+@[^@[:space:]]+[.][^@[:space:]]+$", var.alert_email))
    error_message = "alert_email is not an e-mail address."
  }
}

variable "workspace_public_access" {
  type        = bool
  description = "Whether the Databricks workspace answers on the internet (sign-in still needed). False needs a runner and users inside the network."
  default     = false
}

variable "workspace_reachable" {
  type        = bool
  description = "Whether the machine that applies reaches the workspace. False for the first apply, after which groups are assigned to the workspace; then true for good, from inside the network if it is private."
  default     = true
}

variable "topic_partitions" {
  type        = number
  description = "Partitions of each topic."
  default     = 4

  validation {
    condition     = var.topic_partitions >= 1 && var.topic_partitions <= 32 && floor(var.topic_partitions) == var.topic_partitions
    error_message = "topic_partitions is a whole number from 1 to 32 (the Standard tier's limit)."
  }
}

variable "topic_retention_hours" {
  type        = number
  description = "How long Event Hubs keeps a record: the longest outage of ingestion that loses nothing."
  default     = 168

  validation {
    condition     = var.topic_retention_hours >= 24 && var.topic_retention_hours <= 168
    error_message = "topic_retention_hours lies between 24 and 168 (the Standard tier's limit)."
  }
}

variable "landing_retention_days" {
  type        = number
  description = "Days after which a landed file is deleted; bronze has had every line of it for long."
  default     = 90

  validation {
    condition     = var.landing_retention_days >= 14
    error_message = "landing_retention_days is at least 14: a restore of bronze may need the files."
  }
}

variable "copy_interval_minutes" {
  type        = number
  description = "Minutes between two runs of the Data Factory copy."
  default     = 15

  validation {
    condition     = var.copy_interval_minutes >= 5 && var.copy_interval_minutes <= 1440
    error_message = "copy_interval_minutes lies between 5 and 1440."
  }
}

variable "monthly_budget" {
  type        = number
  description = "Monthly cost of the resource group, in the subscription's currency, at which mails go out."
  default     = 500

  validation {
    condition     = var.monthly_budget > 0
    error_message = "monthly_budget is greater than 0."
  }
}
