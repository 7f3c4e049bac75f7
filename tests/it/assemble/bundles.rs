//! Templates of each kind, on Terraform's built-in resource, with inputs of every type.

use crate::bundle::tar_gz;

const MANIFEST: &str =
    "infrastructure: {templates: [{file: \"*\", rendering_engine: hcl, template_language: terraform}]}\n";

const ENVIRONMENT_SCHEMA: &str = r#"
schema:
  format: { openapi: "3.0.0" }
  environment_input_type: In
  types:
    In:
      type: object
      required: [domain]
      properties:
        zones: { type: array, items: { type: string }, default: [north] }
        domain: { type: string }
        weight: { type: number, default: 0.5 }
        open: { type: boolean, default: false }
"#;

const ENVIRONMENT: &str = r#"
resource "terraform_data" "net" {
  input = var.environment.inputs
}
output "BaseUrl" {
  value = "https://${var.environment.name}.${terraform_data.net.output.domain}"
}
output "Zones" {
  value = var.environment.inputs.zones
}
"#;

const SERVICE_SCHEMA: &str = r#"
schema:
  format: { openapi: "3.0.0" }
  service_input_type: Service
  pipeline_input_type: Pipeline
  types:
    Service:
      type: object
      required: [port]
      properties:
        size: { type: string, default: small }
        port: { type: integer }
        features: { type: array, items: { type: string }, default: [] }MORE
    Pipeline:
      type: object
      properties:
        image: { type: string, default: builder }
        approve: { type: boolean, default: true }
"#;

const INSTANCE: &str = r#"
resource "terraform_data" "one" {
  input = var.service_instance.inputs.port
}
output "Url" {
  value = "${var.environment.outputs.BaseUrl}:${terraform_data.one.output}/${var.service_instance.name}"
}
output "Queue" {
  value = try(var.service_instance.components.default.outputs.QueueUrl, "none")
}
"#;

const PIPELINE: &str = r#"
resource "terraform_data" "stages" {
  input = [for it in var.service_instances : it.outputs.Url]
}
output "Urls" {
  value = terraform_data.stages.output
}
"#;

pub(super) const COMPONENT: &str = r#"
resource "terraform_data" "queue" {
  input = "${var.environment.outputs.BaseUrl}/queues/${var.component.name}"
}
output "QueueUrl" {
  value = terraform_data.queue.output
}
"#;

/// The manifest that a component is created with; its file's name is in no answer of Proton's.
pub(super) const COMPONENT_MANIFEST: &str =
    "infrastructure: {templates: [{file: \"queue.tf\", rendering_engine: hcl, template_language: terraform}]}\n";

pub(super) fn environment() -> Vec<u8> {
    pack(&[
        ("schema/schema.yaml", ENVIRONMENT_SCHEMA),
        ("infrastructure/manifest.yaml", MANIFEST),
        ("infrastructure/main.tf", ENVIRONMENT),
    ])
}

/// A service template; `more` are further properties of its instances.
pub(super) fn service(more: &str) -> Vec<u8> {
    pack(&[
        ("schema/schema.yaml", &SERVICE_SCHEMA.replace("MORE", &format!("\n        {more}"))),
        ("instance_infrastructure/manifest.yaml", MANIFEST),
        ("instance_infrastructure/main.tf", INSTANCE),
        ("pipeline_infrastructure/manifest.yaml", MANIFEST),
        ("pipeline_infrastructure/main.tf", PIPELINE),
    ])
}

fn pack(files: &[(&str, &str)]) -> Vec<u8> {
    let files: Vec<_> = files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect();
    tar_gz(&files)
}
