//! A bundle to begin with: one of each kind and engine, or one around a Terraform module that there is already.

mod from_module;
mod start;
mod types;
mod validation;
mod yaml;

use crate::domain::{BundleKind, Engine, Files, InputType, Schema, has_pipeline};

use super::schemas;

pub use from_module::from_module;

/// Files of a new bundle by their paths, and what its author should know.
#[derive(Debug, Clone, Default)]
pub struct Start {
    /// The files.
    pub files: Files,
    /// Sentences for a person.
    pub notes: Vec<String>,
}

/// Where the copies of the editor's schemas lie in a bundle's folder. They don't travel with the bundle.
const COPIES: &str = ".hadron/schemas";

/// A starting bundle.
pub fn start(kind: BundleKind, engine: Engine) -> Start {
    let mut files = Files::new();
    for (path, text) in start::files(kind, engine) {
        files.insert((*path).to_owned(), text.as_bytes().to_vec());
    }
    dress(&mut files, kind, engine == Engine::Hcl);
    Start { files, notes: Vec::new() }
}

/// Adds what goes with every bundle: a spec, a test, and what an editor needs.
fn dress(files: &mut Files, kind: BundleKind, plans: bool) {
    let text = files.get("schema/schema.yaml").map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let managed = kind == BundleKind::Service && !has_pipeline(files);
    if let Some(schema) = text.and_then(|text| Schema::parse(&text, kind, !managed, managed).ok()) {
        files.insert("spec.yaml".into(), spec(kind, &schema).into_bytes());
    }
    files.insert("tests/default.yaml".into(), case(plans).into_bytes());
    files.insert(".vscode/settings.json".into(), editor_settings().into_bytes());
    for (name, text) in schemas::all() {
        files.insert(format!("{COPIES}/{name}"), text.as_bytes().to_vec());
    }
    wire(files, kind);
}

/// A spec that the schema accepts.
fn spec(kind: BundleKind, schema: &Schema) -> String {
    if kind != BundleKind::Service {
        let inputs = schema.sample(InputType::Environment);
        return format!("proton: EnvironmentSpec\nspec:\n{}", yaml::lines(&inputs, 2));
    }
    let mut text = "proton: ServiceSpec\n".to_owned();
    if schema.declares(InputType::Pipeline) {
        text += &format!("\npipeline:\n{}", yaml::lines(&schema.sample(InputType::Pipeline), 2));
    }
    text += "\ninstances:\n  - name: dev\n    environment: dev\n    spec:\n";
    text + &yaml::lines(&schema.sample(InputType::Service), 6)
}

fn case(plans: bool) -> String {
    let mut text = "description: The spec is accepted".to_owned();
    if plans {
        text += ", and Terraform plans it";
    }
    text += "\nspec: ../spec.yaml\n";
    if plans {
        text += "expect:\n  plan:\n    delete: 0\n";
    }
    text
}

/// Names the schema in the first line of each file that has one.
fn wire(files: &mut Files, kind: BundleKind) {
    let of_spec = if kind == BundleKind::Service { "service-spec.json" } else { "environment-spec.json" };
    for (path, bytes) in files.iter_mut() {
        let schema = match path.as_str() {
            "schema/schema.yaml" => "schema.json",
            "spec.yaml" => of_spec,
            path if path.ends_with("/manifest.yaml") && !path.starts_with('.') => "manifest.json",
            path if path.starts_with("tests/") => "test.json",
            _ => continue,
        };
        let up = "../".repeat(path.matches('/').count());
        let line = format!("# yaml-language-server: $schema={up}{COPIES}/{schema}\n");
        bytes.splice(0..0, line.into_bytes());
    }
}

fn editor_settings() -> String {
    let schemas = serde_json::json!({
        "yaml.schemas": {
            format!("{COPIES}/schema.json"): "schema/schema.yaml",
            format!("{COPIES}/manifest.json"): "*infrastructure/manifest.yaml",
            format!("{COPIES}/test.json"): "tests/*.yaml",
        },
    });
    format!("{schemas:#}\n")
}

#[cfg(test)]
mod tests;
