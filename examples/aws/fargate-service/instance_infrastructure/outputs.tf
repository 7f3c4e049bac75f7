output "Url" {
  value = "http://${aws_lb.this.dns_name}"
}

output "ServiceName" {
  value = aws_ecs_service.this.name
}

output "TaskRoleArn" {
  value = aws_iam_role.task.arn
}

output "TaskDefinitionArn" {
  value = aws_ecs_task_definition.this.arn
}

output "LogStreamPrefix" {
  value = "${var.service.name}/${var.service_instance.name}"
}
