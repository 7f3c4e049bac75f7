# A job queue with a dead-letter queue, on terraform_data. Attached to a service instance it takes that instance's name
# and size; detached it belongs to the environment alone.
terraform {
  required_version = ">= 1.5"
}

locals {
  owner = try("${var.service.name}-${var.service_instance.name}", var.environment.name)
  name  = "${local.owner}-${var.component.name}"
  # Only an attached component has inputs. Proton hands them over as text, hence the conversion.
  receivers = try(tonumber(var.service_instance.inputs.replicas), 1)
}

resource "terraform_data" "queue" {
  for_each = toset([local.name, "${local.name}-dead-letter"])

  input = {
    name      = each.key
    url       = "${var.environment.outputs.BaseUrl}/queues/${each.key}"
    receivers = local.receivers
  }
}

output "QueueUrl" {
  value = terraform_data.queue[local.name].output.url
}

output "DeadLetterUrl" {
  value = terraform_data.queue["${local.name}-dead-letter"].output.url
}

output "Receivers" {
  value = terraform_data.queue[local.name].output.receivers
}
