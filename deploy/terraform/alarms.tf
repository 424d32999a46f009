# The log, and what CloudWatch can tell of it. Lag and all else is in Prometheus: deploy/prometheus-alerts.yml.

locals {
  # Lines of the log: what they say, and what to do.
  events = {
    failed = {
      event  = "failed"
      advice = "A pipeline has stopped and waits for a person; the line's reason says what to do."
    }
    dead-letters = {
      event  = "dead letter"
      advice = "Changes could not be written, and are dead letters now: dynamirror dead-letters."
    }
  }
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/ecs/${var.name}"
  retention_in_days = var.log_retention_days
  tags              = var.tags
}

resource "aws_cloudwatch_log_metric_filter" "event" {
  for_each       = local.events
  name           = "${var.name}-${each.key}"
  log_group_name = aws_cloudwatch_log_group.this.name
  pattern        = "{ $.event = \"${each.value.event}\" }"

  metric_transformation {
    namespace = "dynamirror"
    name      = "${var.name}-${each.key}"
    value     = "1"
    unit      = "Count"
  }
}

resource "aws_cloudwatch_metric_alarm" "event" {
  for_each            = local.events
  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "${each.value.advice} The log is ${aws_cloudwatch_log_group.this.name}."
  namespace           = "dynamirror"
  metric_name         = aws_cloudwatch_log_metric_filter.event[each.key].metric_transformation[0].name
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching" # nothing of the kind was written
  alarm_actions       = var.alarm_topic_arns
  tags                = var.tags
}

# Each task is one sample a minute of the service's use of its processors; without tasks there is none.
resource "aws_cloudwatch_metric_alarm" "tasks" {
  alarm_name          = "${var.name}-tasks"
  alarm_description   = "Fewer than ${var.tasks} tasks run: a standby is missing, or nobody replicates."
  namespace           = "AWS/ECS"
  metric_name         = "CPUUtilization"
  dimensions          = { ClusterName = element(split("/", var.cluster_arn), 1), ServiceName = aws_ecs_service.this.name }
  statistic           = "SampleCount"
  period              = 60
  evaluation_periods  = 10
  threshold           = var.tasks
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = var.alarm_topic_arns
  tags                = var.tags
}
