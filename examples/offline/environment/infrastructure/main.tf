# A landing zone made of terraform_data, which Terraform has built in: it needs no provider, no network and no account.
terraform {
  required_version = ">= 1.5"
}

locals {
  base_url  = "https://${var.environment.name}.${var.environment.inputs.domain}"
  log_level = var.environment.inputs.debug ? "debug" : "info"
}

resource "terraform_data" "zone" {
  for_each = toset(var.environment.inputs.zones)

  input = {
    name = "${var.environment.name}-${each.key}"
    url  = "https://${each.key}.${var.environment.name}.${var.environment.inputs.domain}"
  }
}

resource "terraform_data" "logs" {
  input = {
    name           = "/proton/${var.environment.name}"
    retention_days = var.environment.inputs.log_retention_days
    level          = local.log_level
    tags           = var.proton_tags
  }
}

# The id of this resource is random and stays the same for its life: enough for a secret that nobody chose.
resource "terraform_data" "shared_secret" {
  input = "shared by the services of ${var.environment.name}"
}
