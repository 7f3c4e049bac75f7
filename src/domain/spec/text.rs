//! Specs from values.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::{EnvironmentSpec, ServiceSpec};
use crate::domain::{yaml_key, yaml_value};

impl EnvironmentSpec {
    /// The spec that gives these inputs.
    pub fn text(inputs: &Map<String, Value>) -> String {
        let mut text = "proton: EnvironmentSpec\n".to_owned();
        push_map(&mut text, "", "spec", inputs);
        text
    }
}

impl ServiceSpec {
    /// The spec of a service with these inputs of its pipeline and these instances: name, environment and inputs.
    pub fn text<'a>(
        pipeline: Option<&Map<String, Value>>,
        instances: impl IntoIterator<Item = (&'a str, &'a str, &'a Map<String, Value>)>,
    ) -> String {
        let mut text = "proton: ServiceSpec\n".to_owned();
        if let Some(pipeline) = pipeline {
            push_map(&mut text, "", "pipeline", pipeline);
        }
        let mut instances = instances.into_iter().peekable();
        text.push_str(if instances.peek().is_none() { "instances: []\n" } else { "instances:\n" });
        for (name, environment, spec) in instances {
            let (name, environment) = (yaml_value(&name.into()), yaml_value(&environment.into()));
            writeln!(text, "  - name: {name}\n    environment: {environment}").expect("text takes text");
            push_map(&mut text, "    ", "spec", spec);
        }
        text
    }
}

fn push_map(text: &mut String, indent: &str, name: &str, entries: &Map<String, Value>) {
    let nothing = if entries.is_empty() { " {}" } else { "" };
    writeln!(text, "{indent}{name}:{nothing}").expect("text takes text");
    for (key, value) in entries {
        writeln!(text, "{indent}  {}: {}", yaml_key(key), yaml_value(value)).expect("text takes text");
    }
}
