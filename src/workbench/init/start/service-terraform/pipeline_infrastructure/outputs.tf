output "Stages" {
  value = [for instance in var.service_instances : instance.name]
}
