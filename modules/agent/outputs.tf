output "task_role_arn" {
  description = "Who the agent is, for the trusted_role_arns of the module environment-role."
  value       = aws_iam_role.task.arn
}

output "task_role_name" {
  description = "The same by name, for further policies."
  value       = aws_iam_role.task.name
}

output "execution_role_arn" {
  description = "Who starts the tasks, for the policies of secrets and keys in other accounts."
  value       = aws_iam_role.execution.arn
}

output "service_name" {
  description = "The ECS service."
  value       = aws_ecs_service.this.name
}

output "task_definition_arn" {
  description = "The task definition in use."
  value       = aws_ecs_task_definition.this.arn
}

output "security_group_id" {
  description = "The tasks' security group, for the groups of what the agent talks to."
  value       = aws_security_group.this.id
}

output "log_group_name" {
  description = "The agent's log."
  value       = aws_cloudwatch_log_group.this.name
}
