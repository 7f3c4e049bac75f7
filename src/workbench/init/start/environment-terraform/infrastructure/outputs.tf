# Services read these as var.environment.outputs.NAME, always as text.
output "BaseUrl" {
  value = "https://${local.name}.${local.inputs.domain}"
}

output "LogGroup" {
  value = terraform_data.logs.input.name
}
