# One instance of the service. The variables are declared by a generated file.
terraform {
  required_version = ">= 1.5"
}

locals {
  name   = "${var.service.name}-${var.service_instance.name}"
  inputs = var.service_instance.inputs
  # Outputs of an attached component; there is none before one is attached.
  component = try(var.service_instance.components.default.outputs, {})
}

# terraform_data needs no provider. Put real resources in its place.
resource "terraform_data" "replica" {
  count = local.inputs.replicas

  input = {
    name  = "${local.name}-${count.index}"
    image = local.inputs.image
    port  = local.inputs.port
    queue = try(local.component.QueueUrl, "")
    tags  = var.proton_tags
  }
}
