# What all services of an environment share. var.environment and var.proton_tags are declared by a generated file.
terraform {
  required_version = ">= 1.5"
}

locals {
  name   = var.environment.name
  inputs = var.environment.inputs
}

# terraform_data needs no provider. Put real resources in its place.
resource "terraform_data" "logs" {
  input = {
    name           = "/proton/${local.name}"
    retention_days = local.inputs.log_retention_days
    tags           = var.proton_tags
  }
}
