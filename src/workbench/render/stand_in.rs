//! What stands in where nobody has said anything: names, an account, outputs.

use serde_json::{Map, Value, json};

use crate::domain::{
    EnvironmentFacts, InputType, PipelineInstance, Role, Schema, Scope, ServiceFacts, Target, component_inputs,
    environment_inputs, instance_inputs, pipeline_inputs,
};
use crate::renderer::{Mention, Step};

pub(in crate::workbench) const NAME: &str = "example";
pub(in crate::workbench) const ACCOUNT: &str = "123456789012";
pub(in crate::workbench) const REGION: &str = "us-east-1";

/// A document with nothing but stand-ins, and inputs that the schema accepts.
pub(in crate::workbench) fn document(role: Role, schema: Option<&Schema>) -> Value {
    let scope = Scope::new(ACCOUNT, REGION);
    let inputs = |which| schema.map_or_else(Map::new, |schema| schema.sample(which));
    let environment = EnvironmentFacts { name: NAME.into(), account_id: ACCOUNT.into(), outputs: Vec::new() };
    let service = ServiceFacts { name: NAME.into(), ..ServiceFacts::default() };
    let template = template_arn(&scope, role);
    match role {
        Role::Environment => environment_inputs(&scope, NAME, &template, inputs(InputType::Environment)),
        Role::Instance => {
            instance_inputs(&scope, &environment, &service, NAME, inputs(InputType::Service), None, &template)
        }
        Role::Pipeline => {
            let name = NAME.to_owned();
            let instance =
                PipelineInstance { name, inputs: inputs(InputType::Service), outputs: Vec::new(), environment };
            pipeline_inputs(&scope, &service, inputs(InputType::Pipeline), vec![instance], &template)
        }
        Role::Component => component_inputs(&scope, NAME, &environment, None),
    }
}

/// The ARN of a template that nobody has named.
pub(super) fn template_arn(scope: &Scope, role: Role) -> String {
    let kind = if role == Role::Environment { "environment-template" } else { "service-template" };
    scope.arn(format_args!("{kind}/{NAME}"))
}

/// Adds a text for each output that the mentions read and the document lacks; the paths of what was added.
pub(in crate::workbench) fn outputs<'m>(
    document: &mut Value,
    mentions: impl IntoIterator<Item = &'m Mention>,
) -> Vec<String> {
    let mut added = Vec::new();
    for mention in mentions {
        let names: Vec<&str> =
            mention.path.iter().map(|step| if let Step::Name(name) = step { name } else { "[]" }).collect();
        match names[..] {
            ["environment", "outputs", name, ..] | ["service_instance", "environment", "outputs", name, ..]
                if name != "[]" =>
            {
                add(&mut document["environment"]["outputs"], name, "environment.outputs", &mut added);
            }
            ["service_instances", "[]", ref rest @ ..] => {
                for instance in document["service_instances"].as_array_mut().into_iter().flatten() {
                    match rest {
                        ["outputs", name, ..] if *name != "[]" => {
                            add(&mut instance["outputs"], name, "service_instances[].outputs", &mut added);
                        }
                        ["environment", "outputs", name, ..] if *name != "[]" => {
                            let path = "service_instances[].environment.outputs";
                            add(&mut instance["environment"]["outputs"], name, path, &mut added);
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    added.sort();
    added.dedup();
    added
}

fn add(outputs: &mut Value, name: &str, path: &str, added: &mut Vec<String>) {
    let Some(outputs) = outputs.as_object_mut().filter(|outputs| !outputs.contains_key(name)) else { return };
    outputs.insert(name.to_owned(), json!(format!("example-{name}")));
    added.push(format!("{path}.{name}"));
}

/// What a document is about: by its own ARN, else by its names.
pub(in crate::workbench) fn target(role: Role, document: &Value) -> Target {
    let said = document["//"].as_str().and_then(|arn| Target::parse(arn).ok()).map(|(_, target)| target);
    let name = |of: &str| document[of]["name"].as_str().unwrap_or(NAME).to_owned();
    let fits = |target: &Target| {
        matches!(
            (role, target),
            (Role::Environment, Target::Environment { .. })
                | (Role::Instance, Target::ServiceInstance { .. })
                | (Role::Pipeline, Target::ServicePipeline { .. })
                | (Role::Component, Target::Component { .. })
        )
    };
    said.filter(fits).unwrap_or_else(|| match role {
        Role::Environment => Target::Environment { name: name("environment") },
        Role::Instance => Target::ServiceInstance { service: name("service"), name: name("service_instance") },
        Role::Pipeline => Target::ServicePipeline { service: name("service") },
        Role::Component => Target::Component { name: name("component") },
    })
}

/// The account and region that a document is about.
pub(in crate::workbench) fn scope(document: &Value) -> Scope {
    let said = document["//"].as_str().and_then(|arn| Target::parse(arn).ok()).map(|(scope, _)| scope);
    said.unwrap_or_else(|| {
        let account =
            document["proton_tags"]["proton:account"].as_str().or(document["environment"]["account_id"].as_str());
        Scope::new(account.unwrap_or(ACCOUNT), REGION)
    })
}
