# The file of pipelines: JSON's strings, numbers, booleans and lists are TOML's.

locals {
  defaults = merge(
    {
      source_region  = var.source_region
      replica_region = var.replica_region
      control_table  = var.control_table
      create_replica = var.may_create_tables
    },
    var.source_role_arn == null ? {} : { source_role_arn = var.source_role_arn },
    var.replica_role_arn == null ? {} : { replica_role_arn = var.replica_role_arn },
    var.settings,
  )

  discover_lines = var.discover == null ? [] : [
    "",
    "[discover]",
    "source_tables = ${jsonencode(var.discover.source_tables)}",
    "source_tags = {${join(", ", [for key, value in var.discover.source_tags : "${jsonencode(key)} = ${jsonencode(value)}"])}}",
    "replica_table = ${jsonencode(var.discover.replica_table)}",
  ]

  fleet = join("\n", flatten([
    "[defaults]",
    [for key, value in local.defaults : "${key} = ${jsonencode(value)}"],
    [for name, each in var.pipelines : [
      "",
      "[pipelines.${jsonencode(name)}]",
      "source_table = ${jsonencode(each.source_table)}",
      "replica_table = ${jsonencode(each.replica_table)}",
      [for key, value in each.settings : "${key} = ${jsonencode(value)}"],
    ]],
    local.discover_lines,
    "",
  ]))
}

# A secret's value never stands in it: the tokens come from Secrets Manager.
resource "aws_ssm_parameter" "fleet" {
  name  = "/${var.name}/fleet.toml"
  type  = "String"
  tier  = "Intelligent-Tiering" # advanced above 4 KB, up to 8 KB
  value = local.fleet
  tags  = var.tags

  lifecycle {
    precondition {
      condition     = length(var.pipelines) > 0 || var.discover != null
      error_message = "Give pipelines, discover or both."
    }
    precondition {
      condition     = (var.source_account == null || var.source_role_arn != null) && (var.replica_account == null || var.replica_role_arn != null)
      error_message = "Tables of another account need a role there: source_role_arn, replica_role_arn."
    }
  }
}
