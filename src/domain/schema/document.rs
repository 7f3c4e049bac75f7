//! The frame of `schema.yaml`: which types are the inputs.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::read::Reader;
use super::types::{Shape, Type};
use super::{BundleKind, InputType, SCHEMA_FILE, Schema};
#[cfg(test)]
use crate::domain::editor;
use crate::domain::yaml::{self, Node, Place, refuse_unknown_keys};
use crate::domain::{Problem, Problems};

const KEYS: [&str; 5] = ["format", "environment_input_type", "service_input_type", "pipeline_input_type", "types"];

pub(super) fn read(
    text: &str,
    kind: BundleKind,
    has_pipeline: bool,
    customer_managed: bool,
) -> Result<Schema, Problems> {
    let document = yaml::parse(SCHEMA_FILE, text)?;
    let mut problems = Problems::default();
    let Some(schema) = frame(&document, &mut problems) else { return Err(problems) };
    format(schema, &mut problems);
    let mut reader = Reader::new(SCHEMA_FILE, schema.get("types"));
    reader.read_all();
    let mut inputs = BTreeMap::new();
    let mut places = BTreeMap::new();
    for which in [InputType::Environment, InputType::Service, InputType::Pipeline] {
        let expected = match (kind, which) {
            (BundleKind::Environment, InputType::Environment) | (BundleKind::Service, InputType::Service) => true,
            (BundleKind::Service, InputType::Pipeline) => !customer_managed,
            _ => false,
        };
        let Some(name) = schema.get(which.key()) else {
            if expected {
                problems.push(missing(kind, which, has_pipeline, schema));
            }
            continue;
        };
        if !expected {
            problems.push(unexpected(kind, which, name));
        } else if let Some(declared) = reader.input(name) {
            inputs.insert(which, declared);
            places.insert(which, names(schema, name));
        }
    }
    if customer_managed && let Some(declared) = inputs.get(&InputType::Environment) {
        only_plain_strings(declared, &mut problems);
    }
    problems.append(reader.problems);
    let read = problems.in_order().unless_any(|| Schema { inputs, places });
    #[cfg(test)]
    editor::agrees("schema.json", &document, &read);
    read
}

/// Where the properties of the type `name` are named.
fn names(schema: &Node, name: &Node) -> BTreeMap<String, Place> {
    let declared = schema.get("types").and_then(|types| types.get(name.as_text()?));
    let properties = declared.and_then(|declared| declared.get("properties")).map(Node::entries).unwrap_or_default();
    properties.iter().filter_map(|entry| Some((entry.key.clone(), entry.at?))).collect()
}

/// What lies below `schema:`.
fn frame<'a>(document: &'a Node, problems: &mut Problems) -> Option<&'a Node> {
    const SHAPE: &str = "begin with `schema:` and indent everything else below it";
    let Some(schema) = document.get("schema") else {
        problems.push(document.problem(SCHEMA_FILE, "the key `schema` is missing", SHAPE));
        return None;
    };
    if !schema.is_map() {
        problems.push(schema.problem(SCHEMA_FILE, format!("`schema` must be a map, not {}", schema.kind()), SHAPE));
        return None;
    }
    refuse_unknown_keys(problems, SCHEMA_FILE, document, "the file", &["schema"]);
    refuse_unknown_keys(problems, SCHEMA_FILE, schema, "`schema`", &KEYS);
    Some(schema)
}

fn format(schema: &Node, problems: &mut Problems) {
    const REMEDY: &str = "write format: { openapi: \"3.0.0\" }";
    let version = schema.get("format").and_then(|format| format.get("openapi"));
    let problem = match version {
        None => schema.get("format").unwrap_or(schema).problem(SCHEMA_FILE, "`format.openapi` is missing", REMEDY),
        Some(node) if node.as_text().is_some_and(|text| text.starts_with("3.0.")) => return,
        Some(node) => {
            let message = format!("the schema's format is OpenAPI {}, and only 3.0 is known", node.to_value());
            node.problem(SCHEMA_FILE, message, REMEDY)
        }
    };
    problems.push(problem);
}

/// In AWS's own words, by which people search.
///
/// <https://github.com/aws-samples/aws-proton-cloudformation-sample-templates/issues/9>
fn missing(kind: BundleKind, which: InputType, has_pipeline: bool, schema: &Node) -> Problem {
    let template = if kind == BundleKind::Service { "Service" } else { "Environment" };
    let property = match which {
        InputType::Environment => "environmentInputType",
        InputType::Service => "serviceInputType",
        InputType::Pipeline => "pipelineInputType",
    };
    let mut remedy = format!("add `{}` with the name of one of `types`", which.key());
    if which == InputType::Pipeline && !has_pipeline {
        remedy += ", or create the template with pipelineProvisioning CUSTOMER_MANAGED";
    }
    schema.problem(
        SCHEMA_FILE,
        format!("{template} template schema is not valid: Missing property [{property}]"),
        remedy,
    )
}

fn unexpected(kind: BundleKind, which: InputType, name: &Node) -> Problem {
    let (message, remedy) = match (kind, which) {
        (BundleKind::Service, InputType::Pipeline) => (
            "`pipeline_input_type` is given, but this template's pipeline is CUSTOMER_MANAGED".to_owned(),
            "remove it, or create the template without pipelineProvisioning",
        ),
        (BundleKind::Service, _) => {
            (format!("`{}` belongs into environment templates", which.key()), "use `service_input_type`")
        }
        _ => (format!("`{}` belongs into service templates", which.key()), "use `environment_input_type`"),
    };
    name.problem(SCHEMA_FILE, message, remedy)
}

/// The values of a customer-managed environment become its outputs, and those are text that somebody has given.
///
/// <https://docs.aws.amazon.com/proton/latest/userguide/ag-env-customer-managed.html>
fn only_plain_strings(declared: &Arc<Type>, problems: &mut Problems) {
    let Shape::Object { properties, .. } = &declared.shape else { return };
    for (name, property) in properties {
        let problem = if !matches!(property.shape, Shape::Text { .. }) {
            format!("`{name}` is {}, and a CUSTOMER_MANAGED environment has only strings", property.shape.described())
        } else if property.default.is_some() {
            format!("`{name}` has a default, which a CUSTOMER_MANAGED environment can't have")
        } else {
            continue;
        };
        let remedy = "its values are the environment's outputs: declare strings without defaults";
        problems.push(yaml::placed(Problem::of(SCHEMA_FILE, problem, remedy), property.at));
    }
}
