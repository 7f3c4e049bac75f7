//! `proton.auto.tfvars.json`, made anew and compared as JSON.

use serde_json::{Map, Value};

use super::entry::{self, Entry, Known};
use super::{Bundles, Difference};
use crate::domain::{
    Attachment, Bundle, EnvironmentFacts, EnvironmentSpec, OutputTexts, PipelineInstance, Problems, Schema,
    ServiceFacts, ServiceSpec, Target, component_inputs, environment_inputs, instance_inputs, pipeline_inputs,
};
use crate::estate::age::Age;
use crate::estate::model::Resource;
use crate::estate::read::VALUES;

/// The values of a resource: inputs by what was rebuilt, what it knew of others as it knew it.
pub(super) fn made<'a>(
    resource: &Resource,
    entry: &Entry<'a>,
    known: &Known<'a>,
    bundles: &mut Bundles<'a>,
    bundle: &Bundle,
) -> Result<Value, Difference> {
    let refused = |problems: Problems| Difference::whole(format!("its spec would be refused: {problems}"));
    let schema = || bundle.schema.as_ref().ok_or_else(|| Difference::whole("the version's bundle has no schema"));
    let template = entry.version().map(|version| version.template_arn.as_str()).unwrap_or_default();
    let (scope, values) = (&resource.scope, &resource.values);
    match entry {
        Entry::Environment(it) => {
            let inputs = EnvironmentSpec::parse(&it.spec, schema()?).map_err(refused)?.inputs;
            Ok(environment_inputs(scope, &it.name, template, inputs))
        }
        Entry::Instance(service, it) => {
            let inputs = instance(&it.spec, &it.name, schema()?).map_err(refused)?;
            let environment = EnvironmentFacts { name: it.environment.clone(), ..environment(&values["environment"]) };
            let component = &values["service_instance"]["components"]["default"];
            let component = component["name"].as_str().map(|name| (name.to_owned(), texts(&component["outputs"])));
            let facts = service_facts(&service.name, values);
            Ok(instance_inputs(scope, &environment, &facts, &it.name, inputs, component, template))
        }
        Entry::Pipeline(service, it) => {
            let spec = ServiceSpec::parse(&it.spec).map_err(refused)?;
            let inputs = spec.pipeline_inputs(schema()?, None).map_err(refused)?;
            let items = values["service_instances"].as_array().map_or(&[][..], Vec::as_slice);
            let instances = items.iter().map(pipeline_instance).collect();
            Ok(pipeline_inputs(scope, &service_facts(&service.name, values), inputs, instances, template))
        }
        Entry::Component(it) => {
            let environment = EnvironmentFacts { name: it.environment.clone(), ..environment(&values["environment"]) };
            let attached = match &it.attached {
                Some((service, instance)) => {
                    let inputs =
                        attached_inputs(resource, it.service_spec.as_deref(), service, instance, known, bundles);
                    Some(Attachment {
                        service: service.clone(),
                        instance: instance.clone(),
                        inputs: inputs.map_err(refused)?,
                    })
                }
                None => None,
            };
            Ok(component_inputs(scope, &it.name, &environment, attached))
        }
    }
}

fn instance(spec: &str, name: &str, schema: &Schema) -> Result<Map<String, Value>, Problems> {
    ServiceSpec::parse(spec)?.instance_inputs(name, schema, None)
}

/// The inputs that an attached component sees: by its own service spec, else those of the instance.
fn attached_inputs<'a>(
    resource: &Resource,
    spec: Option<&str>,
    service: &str,
    name: &str,
    known: &Known<'a>,
    bundles: &mut Bundles<'a>,
) -> Result<Map<String, Value>, Problems> {
    let target = Target::ServiceInstance { service: service.to_owned(), name: name.to_owned() };
    let attached_to = known.target(&resource.scope, &target);
    let schema = attached_to.and_then(|it| entry::bundle(&it, known, resource, bundles).ok()?.schema);
    let own = if let Some(Entry::Instance(_, it)) = attached_to { Some(it.spec.as_str()) } else { None };
    let Some(spec) = spec.or(own) else { return Ok(Map::new()) };
    match schema {
        Some(schema) => instance(spec, name, &schema),
        None => Ok(ServiceSpec::parse(spec)?.instance(name).map(|it| it.spec.clone()).unwrap_or_default()),
    }
}

fn environment(values: &Value) -> EnvironmentFacts {
    EnvironmentFacts {
        name: text(&values["name"]),
        account_id: text(&values["account_id"]),
        outputs: texts(&values["outputs"]),
    }
}

fn service_facts(name: &str, values: &Value) -> ServiceFacts {
    let text = |key: &str| text(&values["service"][key]);
    ServiceFacts {
        name: name.to_owned(),
        repository_connection_arn: text("repository_connection_arn"),
        repository_id: text("repository_id"),
        branch_name: text("branch_name"),
    }
}

fn pipeline_instance(item: &Value) -> PipelineInstance {
    PipelineInstance {
        name: text(&item["name"]),
        inputs: item["inputs"].as_object().cloned().unwrap_or_default(),
        outputs: texts(&item["outputs"]),
        environment: environment(&item["environment"]),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Outputs are texts; anything else isn't one, and is seen as a difference.
fn texts(outputs: &Value) -> OutputTexts {
    let outputs = outputs.as_object().into_iter().flatten();
    outputs.map(|(key, value)| (key.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned))).collect()
}

/// Every place where values differ.
pub(super) fn differences(read: &Value, made: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    walk(&mut Vec::new(), Some(read), Some(made), &mut found);
    found
}

fn walk<'v>(path: &mut Vec<&'v str>, read: Option<&'v Value>, made: Option<&'v Value>, found: &mut Vec<Difference>) {
    match (read, made) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
                path.push(key);
                walk(path, a.get(key), b.get(key), found);
                path.pop();
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) if a.len() == b.len() => {
            for (a, b) in a.iter().zip(b) {
                path.push("[]");
                walk(path, Some(a), Some(b), found);
                path.pop();
            }
        }
        (Some(a), Some(b)) if same(a, b) => {}
        _ => found.push(Difference::of(VALUES, age(path, read, made), said(path, read, made))),
    }
}

fn same(a: &Value, b: &Value) -> bool {
    a == b
        || matches!((a, b), (Value::Number(a), Value::Number(b)) if (a.is_f64() || b.is_f64()) && a.as_f64() == b.as_f64())
}

fn age(path: &[&str], read: Option<&Value>, made: Option<&Value>) -> Option<Age> {
    match path {
        ["proton_tags"] if read.is_none() => Some(Age::NoTags),
        ["proton_tags", _] if read.is_none() || made.is_none() => Some(Age::OtherTags),
        ["//"] if read.is_none() => Some(Age::NoComment),
        ["//"] if is_pipeline_with_id(read?, made?) => Some(Age::PipelineId),
        ["service_instance", "components"] if read.is_none() => Some(Age::NoComponents),
        _ => None,
    }
}

/// Whether one ARN names the pipeline that the other does, with an id behind it.
fn is_pipeline_with_id(read: &Value, made: &Value) -> bool {
    let target = |value: &Value| value.as_str().and_then(|arn| Target::parse(arn).ok());
    target(read).is_some_and(|read| matches!(read.1, Target::ServicePipeline { .. }) && target(made) == Some(read))
}

/// The place and the kind of the difference, without the values, which may be secrets.
fn said(path: &[&str], read: Option<&Value>, made: Option<&Value>) -> String {
    let place = if path.is_empty() { "the whole".to_owned() } else { path.join(".").replace(".[]", "[]") };
    match (read, made) {
        (None, _) => format!("{place} is not in it, and would be written"),
        (_, None) => format!("{place} would not be written"),
        _ => format!("{place} would be written otherwise"),
    }
}
