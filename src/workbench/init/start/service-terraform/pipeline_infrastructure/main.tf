# The service's pipeline: a stage for each of its instances.
terraform {
  required_version = ">= 1.5"
}

resource "terraform_data" "build" {
  input = {
    name   = "${var.service.name}-build"
    branch = var.pipeline.inputs.branch
  }
}

resource "terraform_data" "deploy" {
  for_each = { for instance in var.service_instances : instance.name => instance }

  input = {
    environment = each.value.environment.name
    image       = each.value.inputs.image
  }
}
