//! Checked bundle and inputs in, files out; the same input gives the same bytes.

mod jinja;

use serde_json::Value;

use crate::domain::{Files, Part, Problems, Target};

/// Interface only, until the renderer's own branch is merged.
#[expect(missing_docs, reason = "replaced by the renderer's branch")]
#[derive(Debug)]
pub struct Request<'a> {
    pub target: &'a Target,
    pub arn: &'a str,
    pub part: &'a Part,
    pub inputs: &'a Value,
    pub metadata: Metadata,
    pub stack_template_url: Option<&'a str>,
}

/// Interface only, until the renderer's own branch is merged.
#[expect(missing_docs, reason = "replaced by the renderer's branch")]
#[derive(Debug, Clone)]
pub struct Metadata {
    pub deployment_id: String,
    pub template_arn: Option<String>,
    pub template_version: Option<(String, String)>,
    pub environment_arn: Option<String>,
    pub service_arn: Option<String>,
    pub service_instance_arn: Option<String>,
    pub is_resource_deleted: bool,
}

/// Interface only, until the renderer's own branch is merged.
#[expect(missing_docs, reason = "replaced by the renderer's branch")]
#[derive(Debug)]
pub struct Rendered {
    pub files: Files,
    pub large_template: Option<String>,
}

/// Interface only, until the renderer's own branch is merged.
///
/// # Errors
/// None yet.
pub fn render(request: &Request<'_>) -> Result<Rendered, Problems> {
    let mut files = request.part.files.clone();
    files.insert("proton.auto.tfvars.json".into(), request.inputs.to_string().into_bytes());
    let keys = request.inputs.as_object().into_iter().flat_map(|it| it.keys()).filter(|key| *key != "//");
    let variables: String =
        keys.map(|key| format!("variable \"{key}\" {{\n  type = any\n  default = null\n}}\n")).collect();
    files.insert("proton.variables.tf".into(), variables.into_bytes());
    Ok(Rendered { files, large_template: None })
}
