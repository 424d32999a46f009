output "service_name" {
  description = "The ECS service."
  value       = aws_ecs_service.this.name
}

output "task_role_arn" {
  description = "Roles of other accounts trust this one."
  value       = aws_iam_role.task.arn
}

output "source_policy" {
  description = "For source_role_arn, if the sources are in another account."
  value       = local.policies.source
}

output "replica_policy" {
  description = "For replica_role_arn, if the replicas are in another account."
  value       = local.policies.replica
}

output "log_group_name" {
  description = "The log."
  value       = aws_cloudwatch_log_group.this.name
}

output "fleet" {
  description = "The file of pipelines, as the tasks read it."
  value       = local.fleet
}
