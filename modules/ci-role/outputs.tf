output "arn" {
  description = "The role's ARN, for the role of env_config.json."
  value       = aws_iam_role.this.arn
}

output "name" {
  description = "The role's name, for further policies."
  value       = aws_iam_role.this.name
}

output "oidc_provider_arn" {
  description = "The account's OIDC provider for this host, for the next role of the same host."
  value       = local.provider
}
