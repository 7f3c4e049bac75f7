output "arn" {
  description = "The role's ARN, for role_arn in the environments of the module agent."
  value       = aws_iam_role.this.arn
}

output "name" {
  description = "The role's name, for further policies."
  value       = aws_iam_role.this.name
}
