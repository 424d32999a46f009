# Two tables and all that are tagged for it, in another region. Prometheus finds the tasks as dynamirror.NAMESPACE.

provider "aws" {
  region = "us-west-2"
}

variable "cluster_arn" {
  type = string
}

variable "subnet_ids" {
  type = list(string)
}

variable "security_group_ids" {
  type = list(string)
}

variable "namespace_id" {
  type    = string
  default = null
}

resource "aws_secretsmanager_secret" "tokens" {
  name = "dynamirror-tokens" # its value, {"admin": "…", "read": "…"}, is set by hand: it stays out of the state
}

resource "aws_sns_topic" "alarms" {
  name = "dynamirror-alarms"
}

module "dynamirror" {
  source = "../.." # or git::https://…/dynamirror.git//deploy/terraform?ref=v0.1.0

  image                          = "registry.example.com/dynamirror:0.1.0"
  cluster_arn                    = var.cluster_arn
  subnet_ids                     = var.subnet_ids
  security_group_ids             = var.security_group_ids
  tokens_secret_arn              = aws_secretsmanager_secret.tokens.arn
  service_discovery_namespace_id = var.namespace_id

  source_region     = "us-west-2"
  replica_region    = "eu-central-1"
  may_create_tables = true
  pipelines = {
    orders    = { source_table = "orders", replica_table = "orders-replica" }
    customers = { source_table = "customers", replica_table = "customers-replica", settings = { writers = 32 } }
  }
  discover = {
    source_tables = ["prod-*"]
    source_tags   = { replicate = "yes" }
    replica_table = "{source_table}-replica"
  }

  alarm_topic_arns = [aws_sns_topic.alarms.arn]
}

output "fleet" {
  value = module.dynamirror.fleet
}
