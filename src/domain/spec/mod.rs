//! Specs: the inputs that a developer writes down for an environment or a service.
//!
//! <https://docs.aws.amazon.com/proton/latest/userguide/ag-create-env.html>
//! <https://docs.aws.amazon.com/proton/latest/userguide/ag-create-svc.html>

mod current_val;
mod merge;
mod service;
mod text;

use serde_json::{Map, Value};

pub use service::{InstanceSpec, ServiceSpec};

use super::problem::nearest;
use super::yaml::{self, Node, refuse_unknown_keys};
use super::{InputType, Problems, Schema};

/// What problems of a spec name as their file: it's the argument that carries it.
const SPEC: &str = "spec";

/// The spec of an environment.
#[derive(Debug, Clone, PartialEq)]
pub struct EnvironmentSpec {
    /// Checked against the schema, defaults filled in.
    pub inputs: Map<String, Value>,
}

impl EnvironmentSpec {
    /// Reads a spec, YAML or JSON, and checks its inputs.
    ///
    /// # Errors
    /// Every mistake, with line and column; the file is called `spec`.
    pub fn parse(text: &str, schema: &Schema) -> Result<Self, Problems> {
        let document = read(text, "EnvironmentSpec", &["proton", "spec"]);
        let (document, mut problems) = document?;
        let empty = Node::of_map(&Map::new(), document.at);
        let given = document.get("spec").unwrap_or(&empty);
        if !map_or_nothing(given) {
            problems.push(given.problem(SPEC, format!("`spec` must be a map, not {}", given.kind()), MAP));
            return Err(problems);
        }
        // Only services can keep values; here the words would be deployed as text.
        let inputs = current_val::kept(&as_map(given), None)
            .and_then(|given| schema.check(SPEC, InputType::Environment, &given));
        let inputs = problems.note(inputs);
        let read = problems.in_order().unless_any(|| Self { inputs: inputs.unwrap_or_default() });
        #[cfg(test)]
        super::editor::agrees("environment-spec.json", &document, &read);
        read
    }
}

const MAP: &str = "write one `name: value` per line, indented";

/// Reads a document of a kind, with the mistakes of its frame.
///
/// # Errors
/// Only what leaves no document to look at.
fn read(text: &str, kind: &str, keys: &[&str]) -> Result<(Node, Problems), Problems> {
    let document = yaml::parse(SPEC, text)?;
    let mut problems = Problems::default();
    let frame = format!("begin with `proton: {kind}`");
    if !document.is_map() {
        return Err(document.problem(SPEC, format!("a spec must be a map, not {}", document.kind()), frame).into());
    }
    match document.get("proton") {
        None => problems.push(document.problem(SPEC, "the key `proton` is missing", frame)),
        Some(given) if given.as_text() == Some(kind) => {
            refuse_unknown_keys(&mut problems, SPEC, &document, "the spec", keys);
        }
        Some(given) => {
            let message = format!("`proton` is {}, and {kind} is expected here", given.to_value());
            problems.push(given.problem(SPEC, message, remedy(given.as_text().unwrap_or_default(), kind)));
            // Its other keys belong to that other kind: to complain of them would only distract.
            if nearest(given.as_text().unwrap_or_default(), [kind]).is_none() {
                return Err(problems);
            }
        }
    }
    Ok((document, problems))
}

/// How a document of the wrong kind is put right.
fn remedy(given: &str, kind: &str) -> String {
    match (given, kind) {
        ("ServiceInstanceSpec", "ServiceSpec") => {
            "an instance is written as proton: ServiceSpec with instances: [{name, environment, spec}]".into()
        }
        ("ServiceSpec", "EnvironmentSpec") => {
            "this is the spec of a service; an environment's has only `proton` and `spec`".into()
        }
        ("EnvironmentSpec", "ServiceSpec") => {
            "this is the spec of an environment; a service's has `instances` and, with a pipeline, `pipeline`".into()
        }
        _ => format!("write `proton: {kind}`"),
    }
}

/// An empty value is what remains when every line of a map is removed.
fn map_or_nothing(node: &Node) -> bool {
    node.is_map() || node.content == yaml::Content::Null
}

fn as_map(node: &Node) -> Node {
    if node.is_map() { node.clone() } else { Node::of_map(&Map::new(), node.at) }
}

#[cfg(test)]
mod tests;
