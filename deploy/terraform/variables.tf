# Where it runs

variable "name" {
  description = "The name of the service, its roles, its log group and its parameter."
  type        = string
  default     = "dynamirror"
  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9-]{0,39}$", var.name))
    error_message = "Expected a letter, then up to 39 letters, digits or '-'."
  }
}

variable "image" {
  description = "The container's image, with a tag or a digest."
  type        = string
  validation {
    condition     = can(regex("[:@]", var.image)) && !endswith(var.image, ":latest")
    error_message = "Expected an image with a tag that stays the same, or a digest."
  }
}

variable "ecr_repository" {
  description = "The name of the image's ECR repository in this account and region; null if it is pulled from elsewhere."
  type        = string
  default     = null
}

variable "cluster_arn" {
  description = "The ECS cluster."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets with a way to DynamoDB, in two zones or more."
  type        = list(string)
  validation {
    condition     = length(var.subnet_ids) > 0
    error_message = "Expected at least one subnet."
  }
}

variable "security_group_ids" {
  description = "They let Prometheus and the operators in, at port 8080."
  type        = list(string)
}

variable "assign_public_ip" {
  description = "For subnets whose way out is an internet gateway."
  type        = bool
  default     = false
}

variable "tasks" {
  description = "They share the pipelines, and each is a standby for the others."
  type        = number
  default     = 2
  validation {
    condition     = var.tasks >= 1 && floor(var.tasks) == var.tasks
    error_message = "Expected a whole number from 1 on."
  }
}

variable "cpu" {
  description = "Of a task, in Fargate's units. One process uses one core (1024) at most."
  type        = number
  default     = 512
  validation {
    condition     = contains([256, 512, 1024], var.cpu)
    error_message = "Expected 256, 512 or 1024."
  }
}

variable "memory" {
  description = "Of a task, in MiB. Fargate takes from twice to eight times the cpu."
  type        = number
  default     = 1024
}

variable "tokens_secret_arn" {
  description = "A secret of Secrets Manager with the keys `admin` and `read`; its values never reach the state."
  type        = string
  validation {
    condition     = can(regex("^arn:[a-z-]+:secretsmanager:", var.tokens_secret_arn))
    error_message = "Expected the ARN of a secret."
  }
}

variable "service_discovery_namespace_id" {
  description = "A private DNS namespace of Cloud Map, where Prometheus finds the tasks as NAME.NAMESPACE; null for none."
  type        = string
  default     = null
}

# What it replicates

variable "source_region" {
  description = "The region of the source tables."
  type        = string
}

variable "replica_region" {
  description = "The region of the replicas and of the control table."
  type        = string
}

variable "pipelines" {
  description = "The pipelines by their names; `settings` has further lines of theirs, such as { writers = 32 }."
  type = map(object({
    source_table  = string
    replica_table = string
    settings      = optional(map(string), {})
  }))
  default = {}
  validation {
    condition     = alltrue([for name in keys(var.pipelines) : can(regex("^[A-Za-z0-9_.:/-]{1,255}$", name))])
    error_message = "A pipeline's name has 1 to 255 letters, digits, '_', '.', ':', '/', '-'."
  }
  validation {
    condition = alltrue([
      for each in values(var.pipelines) : can(regex("^[A-Za-z0-9_.-]{3,255}$", each.source_table))
      && can(regex("^[A-Za-z0-9_.-]{3,255}$", each.replica_table))
    ])
    error_message = "Expected tables by their names: the policies are made of them."
  }
}

variable "discover" {
  description = "Pipelines for the tables that match; the role may then list the source account's tables."
  type = object({
    source_tables = optional(list(string), [])
    source_tags   = optional(map(string), {})
    replica_table = string
  })
  default = null
  validation {
    condition     = var.discover == null ? true : strcontains(var.discover.replica_table, "{source_table}")
    error_message = "Expected {source_table} in replica_table, or all tables would have one replica."
  }
  validation {
    condition = var.discover == null ? true : alltrue([
      for pattern in var.discover.source_tables : can(regex("^[A-Za-z0-9_.*?-]+$", pattern))
    ])
    error_message = "Expected patterns of '*' and '?' only: a policy knows no others."
  }
}

variable "settings" {
  description = "Settings of all pipelines and of the process: names without DYNAMIRROR_, in lower case."
  type        = map(string)
  default     = {}
}

variable "control_table" {
  description = "The control table, beside the replicas."
  type        = string
  default     = "dynamirror-control"
}

variable "may_create_tables" {
  description = "Lets it create the control table and missing replicas."
  type        = bool
  default     = false
}

variable "may_scan_source" {
  description = "Lets it make snapshots, which are the default first start, and verifications."
  type        = bool
  default     = true
}

variable "source_account" {
  description = "The account of the source tables; null, this one. Another one needs source_role_arn."
  type        = string
  default     = null
}

variable "source_role_arn" {
  description = "A role of the source's account to assume; give it the output source_policy, and let it trust task_role_arn."
  type        = string
  default     = null
}

variable "replica_account" {
  description = "The account of the replicas and the control table; null, this one. Another one needs replica_role_arn."
  type        = string
  default     = null
}

variable "replica_role_arn" {
  description = "As source_role_arn, with the output replica_policy."
  type        = string
  default     = null
}

# Its log and its alarms

variable "log_retention_days" {
  description = "How long CloudWatch keeps the log."
  type        = number
  default     = 30
  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "Expected a number of days that CloudWatch takes, such as 7, 30 or 365."
  }
}

variable "alarm_topic_arns" {
  description = "SNS topics for the alarms; none, they only show."
  type        = list(string)
  default     = []
}

variable "tags" {
  description = "Tags of all that is created."
  type        = map(string)
  default     = {}
}
