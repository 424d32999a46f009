# The service on Fargate. Its task is that of deploy/ecs/task-definition.json, with this module's names in it.

locals {
  task = jsondecode(file("${path.module}/../ecs/task-definition.json"))
  container = merge(local.task.containerDefinitions[0], {
    name  = var.name
    image = var.image
    secrets = [
      { name = "FLEET_TOML", valueFrom = aws_ssm_parameter.fleet.arn },
      { name = "DYNAMIRROR_ADMIN_TOKEN", valueFrom = "${var.tokens_secret_arn}:admin::" },
      { name = "DYNAMIRROR_READ_TOKEN", valueFrom = "${var.tokens_secret_arn}:read::" },
    ]
    # A task reads the parameter when it starts: with other pipelines there is another revision, and the tasks are replaced.
    dockerLabels = { "dynamirror.pipelines" = sha256(local.fleet) }
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.this.name
        awslogs-region        = data.aws_region.current.id
        awslogs-stream-prefix = var.name
      }
    }
  })
  registries = var.service_discovery_namespace_id == null ? [] : [aws_service_discovery_service.this[0].arn]
}

resource "aws_ecs_task_definition" "this" {
  family                   = var.name
  requires_compatibilities = local.task.requiresCompatibilities
  network_mode             = local.task.networkMode
  cpu                      = var.cpu
  memory                   = var.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn
  container_definitions    = jsonencode([local.container])
  tags                     = var.tags

  lifecycle {
    precondition {
      condition     = var.memory >= 2 * var.cpu && var.memory <= 8 * var.cpu && (var.memory % 1024 == 0 || var.memory == 512)
      error_message = "Fargate takes from twice to eight times the cpu, in steps of 1024, or 512 with 256."
    }
  }
}

resource "aws_ecs_service" "this" {
  name                               = var.name
  cluster                            = var.cluster_arn
  task_definition                    = aws_ecs_task_definition.this.arn
  desired_count                      = var.tasks
  launch_type                        = "FARGATE"
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  propagate_tags                     = "SERVICE"
  tags                               = var.tags

  # A version or a file that can't start leaves the former tasks at work.
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = var.security_group_ids
    assign_public_ip = var.assign_public_ip
  }

  dynamic "service_registries" {
    for_each = local.registries
    content {
      registry_arn = service_registries.value
    }
  }

  depends_on = [aws_iam_role_policy.execution, aws_iam_role_policy.task]
}

# One address of each task under one name: deploy/ecs/prometheus.yml asks for it.
resource "aws_service_discovery_service" "this" {
  count = var.service_discovery_namespace_id == null ? 0 : 1
  name  = var.name
  tags  = var.tags

  dns_config {
    namespace_id   = var.service_discovery_namespace_id
    routing_policy = "MULTIVALUE"
    dns_records {
      type = "A"
      ttl  = 15
    }
  }
}
