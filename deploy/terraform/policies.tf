# The roles. Their rights are the documents of deploy/iam, read as they are, with this module's names in them.

locals {
  here = data.aws_caller_identity.current.account_id

  documents = {
    source = concat(
      ["container-source"],
      var.may_scan_source ? ["optional-snapshot-verify-source"] : [],
      var.discover == null ? [] : ["optional-discover-source"],
    )
    replica = concat(
      ["container-replica"],
      var.may_create_tables ? ["optional-create-control", "optional-create-replica"] : [],
    )
  }

  # A pattern of [discover] is one of IAM, too.
  patterns = var.discover == null ? [] : length(var.discover.source_tables) > 0 ? var.discover.source_tables : ["*"]
  tables = concat(
    [for each in values(var.pipelines) : { source = each.source_table, replica = each.replica_table }],
    [for each in local.patterns : { source = each, replica = replace(var.discover.replica_table, "{source_table}", each) }],
  )

  statements = { for side, names in local.documents : side => [
    for statement in flatten([for name in names : jsondecode(file("${path.module}/../iam/${name}.json")).Statement]) :
    merge(statement, { Resource = distinct([for table in local.tables : replace(
      replace(
        replace(
          replace(
            replace(
              replace(
                replace(
                  replace(statement.Resource, "arn:aws:", "arn:${data.aws_partition.current.partition}:"),
                "SOURCE_REGION", var.source_region),
              "SOURCE_ACCOUNT", coalesce(var.source_account, local.here)),
            "REPLICA_REGION", var.replica_region),
          "REPLICA_ACCOUNT", coalesce(var.replica_account, local.here)),
        "CONTROL_TABLE", var.control_table),
      "SOURCE_TABLE", table.source),
    "REPLICA_TABLE", table.replica)]) })
  ] }
  policies = { for side, statements in local.statements : side => jsonencode({ Version = "2012-10-17", Statement = statements }) }

  # What a role of another account does for the task is not the task's own right.
  task_statements = concat(
    var.source_role_arn == null ? local.statements.source : [],
    var.replica_role_arn == null ? local.statements.replica : [],
    [for arn in distinct(compact([var.source_role_arn, var.replica_role_arn])) :
    { Effect = "Allow", Action = ["sts:AssumeRole"], Resource = arn }],
  )

  execution_resources = {
    Pipelines = aws_ssm_parameter.fleet.arn
    Tokens    = var.tokens_secret_arn
    Log       = "${aws_cloudwatch_log_group.this.arn}:*"
    PullLogin = "*"
    Pull      = "arn:${data.aws_partition.current.partition}:ecr:${data.aws_region.current.id}:${local.here}:repository/${coalesce(var.ecr_repository, "none")}"
  }
  execution_statements = [
    for statement in jsondecode(file("${path.module}/../iam/ecs-execution.json")).Statement :
    merge(statement, { Resource = local.execution_resources[statement.Sid] })
    if var.ecr_repository != null || !startswith(statement.Sid, "Pull")
  ]

  trust = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = local.here } }
    }]
  })
}

resource "aws_iam_role" "task" {
  name               = var.name
  assume_role_policy = local.trust
  tags               = var.tags
}

resource "aws_iam_role_policy" "task" {
  name   = "replicate"
  role   = aws_iam_role.task.id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.task_statements })
}

resource "aws_iam_role" "execution" {
  name               = "${var.name}-execution"
  assume_role_policy = local.trust
  tags               = var.tags
}

resource "aws_iam_role_policy" "execution" {
  name   = "start"
  role   = aws_iam_role.execution.id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.execution_statements })
}
