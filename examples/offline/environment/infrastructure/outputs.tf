output "BaseUrl" {
  value = local.base_url
}

output "LogUrl" {
  value = "${local.base_url}/logs${terraform_data.logs.output.name}?days=${terraform_data.logs.output.retention_days}"
}

output "LogLevel" {
  value = terraform_data.logs.output.level
}

# Lists and maps become JSON text on their way into Proton.
output "Zones" {
  value = sort([for zone in terraform_data.zone : zone.output.name])
}

# Shown as *** by the API, and still given to the deployments that consume it.
output "SharedSecret" {
  value     = sha256(terraform_data.shared_secret.id)
  sensitive = true
}
