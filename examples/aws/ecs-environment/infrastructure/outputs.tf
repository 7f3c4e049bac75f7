# The names and forms of the CloudFormation twin of this template, so that services run in either.
output "VpcId" {
  value = aws_vpc.this.id
}

output "PublicSubnetIds" {
  value = join(",", aws_subnet.public[*].id)
}

output "PrivateSubnetIds" {
  value = join(",", aws_subnet.private[*].id)
}

output "ECSClusterArn" {
  value = aws_ecs_cluster.this.arn
}

output "TaskExecutionRoleArn" {
  value = aws_iam_role.task_execution.arn
}

output "SharedLogGroupName" {
  value = aws_cloudwatch_log_group.shared.name
}
