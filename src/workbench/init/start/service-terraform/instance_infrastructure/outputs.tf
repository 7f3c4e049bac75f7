# The environment's outputs are text: declare BaseUrl in its template.
output "Url" {
  value = "${var.environment.outputs.BaseUrl}/${local.name}"
}
