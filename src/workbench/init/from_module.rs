//! A bundle around a Terraform module: its variables become inputs, its outputs outputs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hcl_edit::expr::Expression;
use hcl_edit::structure::{Block, BlockLabel, Body};
use serde_json::{Map, Value, json};

use super::{Start, dress, types, validation, yaml};
use crate::domain::{BundleKind, Files, Problem, Problems};
use crate::workbench::layout::HCL;

/// A variable of the module, as an input.
struct Input {
    name: String,
    schema: Map<String, Value>,
    required: bool,
}

/// An output of the module.
struct Output {
    name: String,
    description: Option<String>,
    sensitive: bool,
}

/// Makes a bundle that calls the module `files`, which is called `name`.
///
/// # Errors
/// Files that are no Terraform module.
pub fn from_module(files: &Files, name: &str, kind: BundleKind) -> Result<Start, Problems> {
    let bodies = bodies(files)?;
    let mut notes = Vec::new();
    let (mut inputs, outputs) = declared(&bodies, &mut notes);
    if inputs.is_empty() {
        notes.push(
            "the module has no variables, and a schema needs an input: `note` stands there and does nothing".into(),
        );
        let schema =
            types::object(json!({ "type": "string", "description": "Whatever is to be noted", "default": "" }));
        inputs.push(Input { name: "note".into(), schema, required: false });
    }
    let folder = if kind == BundleKind::Service { "instance_infrastructure" } else { "infrastructure" };
    let module = module_name(name);
    let mut made = Files::new();
    for (path, bytes) in files.iter().filter(|(path, _)| belongs(path)) {
        made.insert(format!("{folder}/modules/{module}/{path}"), bytes.clone());
    }
    let mut add = |path: String, text: String| made.insert(path, text.into_bytes());
    add("schema/schema.yaml".into(), schema(&inputs, name, kind));
    add(format!("{folder}/manifest.yaml"), MANIFEST.to_owned());
    add(format!("{folder}/main.tf"), main(&inputs, &module, kind));
    add(format!("{folder}/versions.tf"), versions(&bodies, &mut notes));
    if !outputs.is_empty() {
        add(format!("{folder}/outputs.tf"), outputs_text(&outputs, &module));
    }
    dress(&mut made, kind, true);
    Ok(Start { files: made, notes })
}

const MANIFEST: &str = "infrastructure:\n  templates:\n    - file: \"*\"\n      rendering_engine: hcl\n      template_language: terraform\n";

/// The module's own files that could be read; those of modules below it are theirs.
fn bodies(files: &Files) -> Result<Vec<Body>, Problems> {
    let mut problems = Problems::default();
    let mut bodies = Vec::new();
    for (path, bytes) in files.iter().filter(|(path, _)| !path.contains('/') && path.ends_with(HCL)) {
        let Ok(text) = std::str::from_utf8(bytes) else {
            problems.push(Problem::of(path, "isn't UTF-8", "save it as UTF-8"));
            continue;
        };
        match hcl_edit::parser::parse_body(text.trim_start_matches('\u{feff}')) {
            Ok(body) => bodies.push(body),
            Err(error) => {
                let message = format!("is no valid HCL: {}", error.message().replace('\n', ", "));
                let at = error.location();
                problems.push(Problem::of(path, message, "").at(at.line(), at.column()));
            }
        }
    }
    if bodies.is_empty() && problems.is_empty() {
        problems.push(Problem::of("bundle", "is no Terraform module: there is no .tf file", "name a module's folder"));
    }
    problems.unless_any(|| bodies)
}

fn declared(bodies: &[Body], notes: &mut Vec<String>) -> (Vec<Input>, Vec<Output>) {
    let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
    for block in bodies.iter().flat_map(Body::blocks) {
        let label = block.labels.first().map(BlockLabel::as_str);
        match (block.ident.as_str(), label) {
            ("variable", Some(name)) => inputs.extend(input(name, block, notes)),
            ("output", Some(name)) => outputs.push(Output {
                name: name.to_owned(),
                description: text_of(block, "description"),
                sensitive: value_of(block, "sensitive") == Some(json!(true)),
            }),
            ("provider", Some(name)) => notes.push(format!(
                "the module configures the provider {name} itself, which Terraform discourages: move the block beside main.tf"
            )),
            ("terraform", _) if block.body.get_blocks("backend").next().is_some() => {
                notes.push("the module's backend block has no effect here: where states lie is the operator's choice".into());
            }
            _ => {}
        }
    }
    (inputs, outputs)
}

fn input(name: &str, block: &Block, notes: &mut Vec<String>) -> Option<Input> {
    let default = block.body.get_attribute("default").map(|attribute| types::literal(&attribute.value));
    if default == Some(None) {
        notes.push(format!("the default of `{name}` isn't written out: the variable is left to the module"));
        return None;
    }
    let known = default.clone().flatten().filter(|default| !default.is_null());
    let declared = block.body.get_attribute("type").map(|attribute| &attribute.value);
    let mut schema = declared.and_then(types::schema).unwrap_or_else(|| {
        let guessed = known.as_ref().map_or_else(|| types::of_value(&Value::Null), types::of_value);
        notes.push(format!(
            "`{name}` takes any type in the module; the schema says {}, by its default",
            guessed["type"]
        ));
        guessed
    });
    for condition in block.body.get_blocks("validation").filter_map(|block| block.body.get_attribute("condition")) {
        if !validation::add(&condition.value, name, &mut schema) {
            notes.push(format!("a validation of `{name}` has no words in a schema; the module still checks it"));
        }
    }
    let mut description = text_of(block, "description").unwrap_or_default();
    if value_of(block, "sensitive") == Some(json!(true)) {
        notes.push(format!(
            "`{name}` is sensitive in the module, and specs are stored in clear: pass the name of a secret"
        ));
        let space = if description.is_empty() { "" } else { " " };
        description += &format!("{space}(sensitive: give the name of a secret, not its value)");
    }
    if !description.is_empty() {
        schema.insert("description".into(), json!(description));
    }
    if let Some(default) = known {
        schema.insert("default".into(), types::converted(default, &schema));
    }
    let schema = in_order(schema);
    Some(Input { name: name.to_owned(), schema, required: default.is_none() })
}

/// The keywords as people expect them.
fn in_order(mut schema: Map<String, Value>) -> Map<String, Value> {
    let first = ["type", "description", "default"];
    let mut ordered = Map::new();
    for key in first {
        ordered.extend(schema.shift_remove(key).map(|value| (key.to_owned(), value)));
    }
    ordered.extend(schema);
    ordered
}

fn schema(inputs: &[Input], name: &str, kind: BundleKind) -> String {
    let (key, of) = match kind {
        BundleKind::Service => ("service_input_type", "ServiceInput"),
        _ => ("environment_input_type", "EnvironmentInput"),
    };
    let required: Vec<Value> = inputs.iter().filter(|input| input.required).map(|input| json!(input.name)).collect();
    let properties: Map<String, Value> =
        inputs.iter().map(|input| (input.name.clone(), Value::Object(input.schema.clone()))).collect();
    let mut declared =
        types::object(json!({ "type": "object", "description": format!("Inputs of the module {name}") }));
    if !required.is_empty() {
        declared.insert("required".into(), Value::Array(required));
    }
    declared.insert("properties".into(), Value::Object(properties));
    let mut types = Map::new();
    types.insert(of.to_owned(), Value::Object(declared));
    let mut text = format!("schema:\n  format:\n    openapi: \"3.0.0\"\n  {key}: \"{of}\"\n  types:\n");
    text += &yaml::lines(&types, 4);
    text
}

fn main(inputs: &[Input], module: &str, kind: BundleKind) -> String {
    let source = if kind == BundleKind::Service { "var.service_instance.inputs" } else { "var.environment.inputs" };
    let mut text = format!("module \"{module}\" {{\n  source = \"./modules/{module}\"\n");
    // The placeholder of a module without variables is none of its arguments.
    let wide = inputs.iter().map(|input| input.name.len()).max().unwrap_or(0);
    if inputs.iter().any(|input| input.name != "note" || input.required || inputs.len() > 1) {
        text.push('\n');
        for input in inputs {
            let name = &input.name;
            let always = input.required || input.schema.contains_key("default");
            let value = if always { format!("{source}.{name}") } else { format!("try({source}.{name}, null)") };
            writeln!(text, "  {name:<wide$} = {value}").expect("text takes text");
        }
    }
    text + "}\n"
}

fn outputs_text(outputs: &[Output], module: &str) -> String {
    let blocks = outputs.iter().map(|output| {
        let description = output.description.as_deref().map(|text| Expression::from(text).to_string());
        let lines = [
            ("description", description),
            ("value", Some(format!("module.{module}.{}", output.name))),
            ("sensitive", output.sensitive.then(|| "true".to_owned())),
        ];
        let lines = lines.into_iter().filter_map(|(key, value)| Some((key, value?))).collect::<Vec<_>>();
        let wide = lines.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
        let lines: Vec<String> = lines.iter().map(|(key, value)| format!("  {key:<wide$} = {value}\n")).collect();
        format!("output \"{}\" {{\n{}}}\n", output.name, lines.concat())
    });
    blocks.collect::<Vec<_>>().join("\n")
}

/// The module's requirements, said once more at the root, and the tags that every resource ought to have.
fn versions(bodies: &[Body], notes: &mut Vec<String>) -> String {
    let mut providers: BTreeMap<String, (String, Option<String>)> = BTreeMap::new();
    let mut version = None;
    for terraform in bodies.iter().flat_map(|body| body.get_blocks("terraform")) {
        version = text_of(terraform, "required_version").or(version);
        for required in terraform.body.get_blocks("required_providers") {
            for provider in required.body.attributes() {
                let said = types::literal(&without_aliases(&provider.value));
                let source = said.as_ref().and_then(|said| said["source"].as_str()).map(str::to_owned);
                let wanted =
                    said.as_ref().and_then(|said| said["version"].as_str().or(said.as_str())).map(str::to_owned);
                let name = provider.key.as_str().to_owned();
                let source = source.unwrap_or_else(|| format!("hashicorp/{name}"));
                providers.insert(name, (source, wanted));
            }
        }
    }
    let uses_aws = bodies.iter().flat_map(Body::blocks).any(|block| {
        matches!(block.ident.as_str(), "resource" | "data")
            && block.labels.first().is_some_and(|kind| kind.as_str().starts_with("aws_"))
    });
    if uses_aws {
        providers.entry("aws".into()).or_insert(("hashicorp/aws".into(), None));
    }
    let mut text = format!("terraform {{\n  required_version = \"{}\"\n", version.unwrap_or_else(|| ">= 1.5".into()));
    if !providers.is_empty() {
        text += "\n  required_providers {\n";
        for (name, (source, wanted)) in &providers {
            let pad = if wanted.is_some() { " " } else { "" };
            text += &format!("    {name} = {{\n      source{pad} = \"{source}\"\n");
            if let Some(wanted) = wanted {
                text += &format!("      version = \"{wanted}\"\n");
            }
            text += "    }\n";
        }
        text += "  }\n";
    }
    text += "}\n";
    let configured = bodies
        .iter()
        .flat_map(|body| body.get_blocks("provider"))
        .any(|block| block.labels.first().is_some_and(|name| name.as_str() == "aws"));
    if providers.get("aws").is_some_and(|(source, _)| source.ends_with("hashicorp/aws")) && !configured {
        text += "\nprovider \"aws\" {\n  default_tags {\n    tags = var.proton_tags\n  }\n}\n";
        notes.push(
            "versions.tf tags everything with var.proton_tags, which needs version 3.38 of the provider aws".into(),
        );
    }
    text
}

/// The requirement without `configuration_aliases`, which aren't values.
fn without_aliases(value: &Expression) -> Expression {
    let Expression::Object(members) = value else { return value.clone() };
    let mut members = members.clone();
    let aliases = hcl_edit::expr::ObjectKey::from(hcl_edit::Ident::new("configuration_aliases"));
    members.remove(&aliases);
    Expression::Object(members)
}

/// Whether a file belongs to the module and not to somebody's work with it.
fn belongs(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let top = path.split('/').next().unwrap_or(path);
    let folder = path.contains('/').then_some(top);
    !(folder.is_some_and(|folder| matches!(folder, "examples" | "example" | "tests" | "test" | ".github" | "docs"))
        || name.contains(".tfstate")
        || name.ends_with(".tfvars")
        || name.ends_with(".tfvars.json")
        || name.ends_with(".tftest.hcl")
        || name == ".terraform.lock.hcl"
        || (name.starts_with('.') && !path.contains('/')))
}

/// A name that Terraform takes for a module call, out of a folder's.
fn module_name(name: &str) -> String {
    let name: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '_' { c.to_ascii_lowercase() } else { '_' })
        .collect();
    let name = name.trim_matches('_').trim_start_matches("terraform_").to_owned();
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) { name } else { format!("main{name}") }
}

fn text_of(block: &Block, name: &str) -> Option<String> {
    value_of(block, name)?.as_str().map(str::to_owned)
}

fn value_of(block: &Block, name: &str) -> Option<Value> {
    types::literal(&block.body.get_attribute(name)?.value)
}
