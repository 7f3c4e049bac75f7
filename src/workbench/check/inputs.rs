//! Inputs that nobody uses, and variables that nobody gives.

use std::collections::BTreeSet;

use super::{Namespace, Spoken, Verdict, at};
use crate::domain::{Engine, InputType, Part, Problem, Role, Schema, nearest};
use crate::workbench::finding::Report;
use crate::workbench::layout::HCL;
use crate::workbench::module::Module;

/// Inputs of the schema that no part speaks of. `whole` tells whether all parts of the bundle were looked at.
pub(super) fn unused(schema: &Schema, spoken: &[Spoken], whole: bool, report: &mut Report) {
    if spoken.is_empty() || !whole || spoken.iter().any(|spoken| !spoken.complete) {
        return;
    }
    let mut used: BTreeSet<(InputType, Option<String>)> = BTreeSet::new();
    for part in spoken {
        // Either syntax takes the same paths here.
        let namespace = Namespace::new(part.role, Engine::Jinja, Some(schema), None);
        for (_, mention) in &part.mentions {
            let mut meant = None;
            let verdict = namespace.follow(mention, |which, name| {
                used.insert((which, name.map(str::to_owned)));
                meant = Some(which);
            });
            // A name that was mistyped is used.
            if let (Some(which), Verdict::Unknown { name, known, input: true, .. }) = (meant, verdict) {
                let near = nearest(&name, known.iter().map(String::as_str)).map(str::to_owned);
                used.extend(near.map(|near| (which, Some(near))));
            }
        }
    }
    for which in [InputType::Environment, InputType::Service, InputType::Pipeline] {
        let Some(shape) = schema.shape(which) else { continue };
        if used.contains(&(which, None)) {
            continue;
        }
        for name in shape.names() {
            if used.contains(&(which, Some(name.to_owned()))) {
                continue;
            }
            let remedy = format!("use it as {}, or remove it from the schema", usage(which, name, spoken));
            let problem = Problem::of("schema/schema.yaml", format!("the input `{name}` is never used"), remedy);
            let problem = match schema.place(which, name) {
                Some((line, column)) => problem.at(line, column),
                None => problem,
            };
            report.warn("unused-input", problem);
        }
    }
}

fn usage(which: InputType, name: &str, spoken: &[Spoken]) -> String {
    let (role, path) = match which {
        InputType::Environment => (Role::Environment, format!("environment.inputs.{name}")),
        InputType::Service => (Role::Instance, format!("service_instance.inputs.{name}")),
        InputType::Pipeline => (Role::Pipeline, format!("pipeline.inputs.{name}")),
    };
    let jinja =
        spoken.iter().any(|part| part.role == role && part.mentions.iter().any(|(path, _)| !path.ends_with(HCL)));
    if jinja { format!("{{{{ {path} }}}}") } else { format!("var.{path}") }
}

/// Variables of the author's own that have no default: neither a spec nor Proton gives them a value.
pub(super) fn ungiven(part: &Part, module: &Module, generated: &BTreeSet<&str>, report: &mut Report) {
    let given = given_beside(part);
    for (name, variable) in &module.variables {
        if variable.has_default || generated.contains(name.as_str()) || given.contains(name) {
            continue;
        }
        let message = format!("the variable `{name}` has no default, and nothing in the bundle gives it a value");
        let remedy = "give it a default, make it an input of the schema, or have the operator set it";
        report.warn("missing-value", at(part, &variable.spot, message, remedy));
    }
}

/// The names in files that Terraform takes values from by itself.
fn given_beside(part: &Part) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (path, bytes) in part.files.iter().filter(|(path, _)| !path.contains('/')) {
        let text = String::from_utf8_lossy(bytes);
        if path.ends_with(".auto.tfvars") || path == "terraform.tfvars" {
            let body = hcl_edit::parser::parse_body(&text).unwrap_or_default();
            names.extend(body.attributes().map(|attribute| attribute.key.as_str().to_owned()));
        } else if path.ends_with(".auto.tfvars.json") || path == "terraform.tfvars.json" {
            let document: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
            names.extend(document.as_object().into_iter().flatten().map(|(name, _)| name.clone()));
        }
    }
    names
}
