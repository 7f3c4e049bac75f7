# The pipeline of a service: source, build, then a stage for each instance in the order of the spec.
terraform {
  required_version = ">= 1.5"
}

locals {
  inputs = var.pipeline.inputs
  last   = length(var.service_instances) - 1

  deploy_stages = {
    for position, instance in var.service_instances : instance.name => {
      name        = "deploy-${instance.name}"
      environment = instance.environment.name
      port        = instance.inputs.port
      url         = try(instance.outputs.Url, "not deployed yet")
      logs        = instance.environment.outputs.LogUrl
      approval    = local.inputs.manual_approval && position == local.last
    }
  }

  # An object has no order of its own, hence the walk over the list.
  stages = concat(["source", "build"], flatten([
    for instance in var.service_instances : [
      local.deploy_stages[instance.name].approval ? ["approve-${instance.name}"] : [],
      "deploy-${instance.name}",
    ]
  ]))
}

resource "terraform_data" "source" {
  input = {
    repository = var.service.repository_id
    branch     = var.service.branch_name
    connection = var.service.repository_connection_arn
  }
}

resource "terraform_data" "build" {
  input = {
    name    = "${var.service.name}-build"
    image   = local.inputs.build_image
    command = local.inputs.test_command
    tags    = var.proton_tags
  }
}

resource "terraform_data" "deploy" {
  for_each = local.deploy_stages

  input = each.value
}
