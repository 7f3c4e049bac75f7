output "endpoint" {
  description = "Where Proton answers, for the endpoint of the module agent and for `hadron client install`."
  value       = var.base_url
}

output "load_balancer_dns_name" {
  description = "What the name in base_url must be an alias of; null where none is made here."
  value       = var.create_load_balancer ? aws_lb.this[0].dns_name : null
}

output "load_balancer_zone_id" {
  description = "The load balancer's hosted zone, for an alias record of Route 53."
  value       = var.create_load_balancer ? aws_lb.this[0].zone_id : null
}

output "task_role_arn" {
  description = "Who the service is, for the policies of keys and buckets in other accounts."
  value       = aws_iam_role.task.arn
}

output "task_role_name" {
  description = "The same by name, for further policies: events:PutEvents, for instance."
  value       = aws_iam_role.task.name
}

output "execution_role_arn" {
  description = "Who starts the tasks, for the policies of secrets in other accounts."
  value       = aws_iam_role.execution.arn
}

output "security_group_id" {
  description = "The tasks' security group, which PostgreSQL's group must let in."
  value       = aws_security_group.this.id
}

output "service_name" {
  description = "The ECS service."
  value       = aws_ecs_service.this.name
}

output "task_definition_arn" {
  description = "The task definition in use."
  value       = aws_ecs_task_definition.this.arn
}

output "log_group_name" {
  description = "The service's log."
  value       = aws_cloudwatch_log_group.this.name
}
