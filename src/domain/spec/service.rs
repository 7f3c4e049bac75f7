//! The spec of a whole service: its pipeline's inputs and its instances.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{MAP, SPEC, as_map, current_val, map_or_nothing, read};
use crate::domain::yaml::{Content, Node, refuse_unknown_keys};
use crate::domain::{InputType, Problem, Problems, Schema};

/// The spec of a whole service.
#[derive(Debug, Clone)]
pub struct ServiceSpec {
    /// The pipeline's inputs as written: neither checked nor completed.
    pub pipeline: Option<Map<String, Value>>,
    /// In the order of the text.
    pub instances: Vec<InstanceSpec>,
    /// The pipeline's inputs with their places.
    pipeline_node: Option<Node>,
}

/// One instance of a service's spec.
#[derive(Debug, Clone)]
pub struct InstanceSpec {
    /// The instance's name.
    pub name: String,
    /// The environment that it runs in.
    pub environment: String,
    /// Its inputs as written: neither checked nor completed.
    pub spec: Map<String, Value>,
    /// The inputs with their places.
    node: Node,
}

impl ServiceSpec {
    /// Reads the structure of a spec, YAML or JSON; the inputs are checked by [`Self::instance_inputs`] and
    /// [`Self::pipeline_inputs`].
    ///
    /// # Errors
    /// Every mistake, with line and column; the file is called `spec`.
    pub fn parse(text: &str) -> Result<Self, Problems> {
        let (document, mut problems) = read(text, "ServiceSpec", &["proton", "pipeline", "instances"])?;
        let pipeline_node = match document.get("pipeline") {
            Some(given) if !map_or_nothing(given) => {
                problems.push(given.problem(SPEC, format!("`pipeline` must be a map, not {}", given.kind()), MAP));
                None
            }
            given => given.map(as_map),
        };
        let instances = instances(&document, &mut problems);
        let pipeline = pipeline_node.as_ref().map(Node::to_map);
        let read = problems.in_order().unless_any(|| Self { pipeline, instances, pipeline_node });
        #[cfg(test)]
        crate::domain::editor::agrees("service-spec.json", &document, &read);
        read
    }

    /// The instance of this name.
    pub fn instance(&self, name: &str) -> Option<&InstanceSpec> {
        self.instances.iter().find(|instance| instance.name == name)
    }

    /// An instance's inputs: checked, with the defaults, and with `${Proton::CURRENT_VAL}` taken from `current`, its
    /// inputs as the service's current spec has them.
    ///
    /// # Errors
    /// Every mistake, an instance that the spec doesn't have, and a value to keep that there isn't.
    pub fn instance_inputs(
        &self,
        name: &str,
        schema: &Schema,
        current: Option<&Map<String, Value>>,
    ) -> Result<Map<String, Value>, Problems> {
        let Some(instance) = self.instance(name) else {
            let names: Vec<&str> = self.instances.iter().map(|instance| instance.name.as_str()).collect();
            let remedy = format!("add it below `instances`; the spec has {}", list(&names));
            return Err(Problem::of(SPEC, format!("there is no instance `{name}`"), remedy).into());
        };
        schema.check(SPEC, InputType::Service, &current_val::kept(&instance.node, current)?)
    }

    /// The pipeline's inputs, as [`Self::instance_inputs`].
    ///
    /// # Errors
    /// Every mistake in them.
    pub fn pipeline_inputs(
        &self,
        schema: &Schema,
        current: Option<&Map<String, Value>>,
    ) -> Result<Map<String, Value>, Problems> {
        let empty = Node::of_map(&Map::new(), None);
        let given = self.pipeline_node.as_ref().unwrap_or(&empty);
        schema.check(SPEC, InputType::Pipeline, &current_val::kept(given, current)?)
    }

    /// The text with every `${Proton::CURRENT_VAL}` replaced by the value that `old_text` has at the same place, and
    /// otherwise as it was written, comments included: what is stored has to stand by itself.
    ///
    /// # Errors
    /// A value to keep that the old text doesn't have; either text not being YAML.
    pub fn without_current_val(text: &str, old_text: &str) -> Result<String, Problems> {
        current_val::replaced(text, old_text)
    }
}

/// A spec without `instances` is one for the pipeline alone, or of a service that has no instance yet.
fn instances(document: &Node, problems: &mut Problems) -> Vec<InstanceSpec> {
    const SHAPE: &str = "write instances: [{name, environment, spec}]";
    let Some(given) = document.get("instances") else { return Vec::new() };
    if !matches!(given.content, Content::List(_)) {
        problems.push(given.problem(SPEC, format!("`instances` must be a list, not {}", given.kind()), SHAPE));
    }
    let mut names = BTreeSet::new();
    let mut instances = Vec::new();
    for item in given.items() {
        if !item.is_map() {
            problems.push(item.problem(SPEC, format!("an instance must be a map, not {}", item.kind()), SHAPE));
            continue;
        }
        refuse_unknown_keys(problems, SPEC, item, "the instance", &["name", "environment", "spec"]);
        let name = resource_name(item, "name", problems);
        if let Some(name) = name.as_ref().filter(|name| !names.insert((*name).clone())) {
            let node = item.get("name").unwrap_or(item);
            problems.push(node.problem(SPEC, format!("there are two instances `{name}`"), "rename or remove one"));
        }
        let environment = resource_name(item, "environment", problems);
        let node = item.get("spec").map_or_else(|| Node::of_map(&Map::new(), item.at), Clone::clone);
        if !map_or_nothing(&node) {
            problems.push(node.problem(SPEC, format!("`spec` must be a map, not {}", node.kind()), MAP));
        }
        if let (Some(name), Some(environment)) = (name, environment) {
            let node = as_map(&node);
            instances.push(InstanceSpec { name, environment, spec: node.to_map(), node });
        }
    }
    instances
}

/// A name of a Proton resource, by the rule of its API.
///
/// <https://docs.aws.amazon.com/proton/latest/APIReference/API_ServiceInstance.html>
fn resource_name(instance: &Node, key: &str, problems: &mut Problems) -> Option<String> {
    let Some(given) = instance.get(key) else {
        problems.push(instance.problem(SPEC, format!("the instance has no `{key}`"), format!("add {key}: …")));
        return None;
    };
    let Some(name) = given.as_text() else {
        let message = format!("`{key}` must be a string, not {}", given.kind());
        problems.push(given.problem(SPEC, message, "put it in quotes"));
        return None;
    };
    let characters = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    if characters && name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.len() <= 100 {
        return Some(name.to_owned());
    }
    let remedy = "use 1 to 100 letters, digits, _ and -, the first one a letter or digit";
    problems.push(given.problem(SPEC, format!("`{name}` can't be a name here"), remedy));
    None
}

fn list(names: &[&str]) -> String {
    if names.is_empty() { "none".into() } else { names.join(", ") }
}
