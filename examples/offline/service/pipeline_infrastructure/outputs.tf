output "PipelineName" {
  value = "${var.service.name}-pipeline"
}

output "Stages" {
  value = local.stages
}

output "Targets" {
  value = { for name, stage in terraform_data.deploy : name => stage.output.url }
}

output "Summary" {
  value = "${terraform_data.source.output.repository}@${terraform_data.source.output.branch}: ${join(" → ", local.stages)}"
}
