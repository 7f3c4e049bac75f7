//! Resources as a reader hands them over.

use serde_json::{Map, Value, json};

use crate::domain::{Scope, Target};
use crate::estate::{
    Banner, CodeFile, ComponentFacts, Dump, EnvConfig, Estate, Place, Rebuilt, RebuiltVersion, Resource, ServiceValues,
    SiteEntry, Trouble, VersionRef, rebuild,
};

pub(super) fn scope() -> Scope {
    Scope::new("123456789012", "us-east-1")
}

pub(super) fn place(path: &str) -> Place {
    Place { repository: "infra".into(), path: path.into() }
}

fn resource(target: Target, path: &str, values: Value, code: &str) -> Resource {
    let banner = Banner { text: "/* */".into(), deleted: false };
    Resource {
        place: place(path),
        arn: target.arn(&scope()),
        scope: scope(),
        target,
        version: None,
        deployment_id: Some(format!("d-{path}")),
        deleted: false,
        environment: None,
        inputs: Map::new(),
        service: None,
        component: None,
        values,
        generated: None,
        code: vec![CodeFile { path: "main.tf".into(), body: code.into(), banner: Some(banner) }],
        metadata: Value::Null,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "as the member is")]
fn version(kind: &str, template: &str, version: &str) -> Option<VersionRef> {
    let (major, minor) = version.split_once('.').unwrap();
    Some(VersionRef {
        template_arn: scope().arn(format_args!("{kind}-template/{template}")),
        template: template.into(),
        major: major.into(),
        minor: minor.into(),
    })
}

#[expect(clippy::needless_pass_by_value, reason = "json! stands at each call")]
fn inputs(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// An environment of template `net`.
pub(super) fn environment(name: &str, number: &str, given: Value, code: &str) -> Resource {
    let values = json!({ "environment": { "name": name, "inputs": given } });
    Resource {
        version: version("environment", "net", number),
        environment: Some(name.into()),
        inputs: inputs(given),
        ..resource(Target::Environment { name: name.into() }, name, values, code)
    }
}

/// An instance of service `pay`, of template `web`, in environment `dev`, which told it its outputs.
#[expect(clippy::needless_pass_by_value, reason = "json! stands at each call")]
pub(super) fn instance(name: &str, number: &str, given: Value, outputs: Value, code: &str) -> Resource {
    let values = json!({
        "environment": { "account_id": "210987654321", "name": "dev", "outputs": outputs },
        "service_instance": { "name": name, "inputs": given, "components": {} },
    });
    let target = Target::ServiceInstance { service: "pay".into(), name: name.into() };
    Resource {
        version: version("service", "web", number),
        environment: Some("dev".into()),
        inputs: inputs(given),
        service: Some(ServiceValues { name: "pay".into(), ..ServiceValues::default() }),
        ..resource(target, &format!("dev/pay-{name}"), values, code)
    }
}

/// The pipeline of service `pay`.
#[expect(clippy::needless_pass_by_value, reason = "json! stands at each call")]
pub(super) fn pipeline(number: &str, given: Value, instances: Value, code: &str) -> Resource {
    let values = json!({ "pipeline": { "inputs": given }, "service_instances": instances });
    let service = ServiceValues { name: "pay".into(), branch_name: "main".into(), ..ServiceValues::default() };
    Resource {
        version: version("service", "web", number),
        inputs: inputs(given),
        service: Some(service),
        ..resource(Target::ServicePipeline { service: "pay".into() }, "pay/pipeline", values, code)
    }
}

/// A component in environment `dev`, attached to an instance of `pay`.
pub(super) fn component(name: &str, attached: &str, given: Value) -> Resource {
    let values = json!({
        "component": { "name": name },
        "environment": { "account_id": "210987654321", "name": "dev", "outputs": {} },
        "service": { "name": "pay" },
        "service_instance": { "name": attached, "inputs": given },
    });
    let facts =
        ComponentFacts { kind: Some("default".into()), service: Some("pay".into()), instance: Some(attached.into()) };
    Resource {
        environment: Some("dev".into()),
        inputs: inputs(given),
        component: Some(facts),
        ..resource(Target::Component { name: name.into() }, &format!("dev/components/{name}"), values, CODE)
    }
}

pub(super) const CODE: &str = "locals {}\n";

/// The repository with these, and a bucket for all their states.
pub(super) fn estate(resources: Vec<Resource>) -> Estate {
    let site = SiteEntry { state_bucket: Some("states".into()), ..SiteEntry::default() };
    let config = EnvConfig { repository: "infra".into(), entries: [("*".to_owned(), site)].into() };
    Estate { resources, configs: vec![config], troubles: Vec::new() }
}

/// What is rebuilt of these alone, all of them of one account and region.
pub(super) fn rebuilt(resources: Vec<Resource>) -> (Rebuilt, Vec<Trouble>) {
    let (mut rebuilt, troubles) = rebuild(&estate(resources), &[], &Dump::default());
    assert_eq!(rebuilt.len(), 1);
    (rebuilt.remove(0), troubles)
}

pub(super) fn find<'a>(rebuilt: &'a Rebuilt, template: &str, number: &str) -> &'a RebuiltVersion {
    let template = rebuilt.templates.iter().find(|it| it.name == template).unwrap();
    template.versions.iter().find(|it| format!("{}.{}", it.major, it.minor) == number).unwrap()
}

pub(super) fn text<'a>(version: &'a RebuiltVersion, path: &str) -> &'a str {
    std::str::from_utf8(&version.files[path]).unwrap()
}

pub(super) fn messages(troubles: &[Trouble]) -> Vec<String> {
    troubles.iter().map(|trouble| format!("{}: {}", trouble.place.path, trouble.message)).collect()
}
