# One instance of a web service. It reads the outputs of its environment and, once a component is attached and the
# instance was deployed again, the outputs of that component.
terraform {
  required_version = ">= 1.5"
}

locals {
  name   = "${var.service.name}-${var.service_instance.name}"
  inputs = var.service_instance.inputs
  memory = { small = 256, medium = 1024, large = 4096 }[local.inputs.size]
  zones  = jsondecode(var.environment.outputs.Zones)
  url    = "${var.environment.outputs.BaseUrl}:${local.inputs.port}/${local.name}"

  # Nothing is there until a component is attached.
  component = try(var.service_instance.components.default.outputs, {})
  queue_url = try(local.component.QueueUrl, "none")
}

resource "terraform_data" "replica" {
  count = local.inputs.replicas

  input = {
    name      = "${local.name}-${count.index}"
    zone      = local.zones[count.index % length(local.zones)]
    memory    = local.memory
    log_level = var.environment.outputs.LogLevel
    features  = local.inputs.features
    tags      = var.proton_tags
  }
}

resource "terraform_data" "session_key" {
  # A hash of the environment's secret: a change of the secret reaches the instance, the secret itself doesn't show.
  input = substr(sha256(var.environment.outputs.SharedSecret), 0, 12)

  lifecycle {
    precondition {
      condition     = length(var.environment.outputs.SharedSecret) == 64
      error_message = "The environment's SharedSecret did not arrive whole."
    }
  }
}

/*
Managed by Hadron for arn:aws:proton:us-east-1:123456789012:service/shop/service-instance/web.

The next deployment writes this file anew, and changes made here are lost: change the template or the spec.
If the resource is gone from Hadron, what this file made may still exist.
*/
