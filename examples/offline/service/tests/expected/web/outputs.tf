output "Url" {
  value = local.url
}

output "Audience" {
  value = local.inputs.public ? "everybody" : "only services of ${var.environment.name}"
}

output "Replicas" {
  value = [for replica in terraform_data.replica : "${replica.output.name} in ${replica.output.zone}"]
}

output "MemoryMiB" {
  value = local.memory * local.inputs.replicas
}

output "QueueUrl" {
  value = local.queue_url
}

output "SecretFingerprint" {
  value = terraform_data.session_key.output
}

output "Welcome" {
  value = trimspace(templatefile("${path.module}/pages/welcome.tftpl", {
    service  = var.service.name
    instance = var.service_instance.name
    url      = local.url
    source   = var.service.repository_id == "" ? "no repository" : "${var.service.repository_id}@${var.service.branch_name}"
    features = local.inputs.features
    queue    = local.queue_url
  }))
}

/*
Managed by Hadron for arn:aws:proton:us-east-1:123456789012:service/shop/service-instance/web.

The next deployment writes this file anew, and changes made here are lost: change the template or the spec.
If the resource is gone from Hadron, what this file made may still exist.
*/
