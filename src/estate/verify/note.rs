//! `.proton/deployment-metadata.json`, made anew and compared.

use serde_json::Value;

use super::Difference;
use super::entry::Entry;
use crate::domain::Target;
use crate::estate::age::Age;
use crate::estate::model::Resource;
use crate::estate::read::METADATA;
use crate::renderer::Metadata;

/// What the note is made of.
pub(super) fn made(resource: &Resource, entry: &Entry<'_>) -> Metadata {
    let version = entry.version();
    let scope = &resource.scope;
    let (environment, attached) = match entry {
        Entry::Environment(_) | Entry::Pipeline(..) => (None, None),
        Entry::Instance(_, it) => (Some(&it.environment), None),
        Entry::Component(it) => (Some(&it.environment), it.attached.as_ref()),
    };
    Metadata {
        deployment_id: entry.deployment_id().unwrap_or_default().to_owned(),
        template_arn: version.map(|version| version.template_arn.clone()),
        template_version: version.map(|version| (version.major.clone(), version.minor.clone())),
        environment_arn: environment.map(|name| Target::Environment { name: name.clone() }.arn(scope)),
        service_arn: attached.map(|(service, _)| scope.arn(format_args!("service/{service}"))),
        service_instance_arn: attached
            .map(|(service, name)| Target::ServiceInstance { service: service.clone(), name: name.clone() }.arn(scope)),
        is_resource_deleted: false,
    }
}

/// What the note says otherwise than it would be written. Members that only the read one has were never Proton's.
pub(super) fn differences(read: &Value, made: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    if read.get("isResourceDeleted").is_none() {
        found.push(Difference::of(METADATA, Some(Age::NoDeletedFlag), Age::NoDeletedFlag.explanation()));
    }
    for key in ["resourceMetadata", "componentMetadata"] {
        let Some(facts) = made[key].as_object() else { continue };
        for (name, fact) in facts {
            let Some(given) = read[key].get(name) else { continue };
            if name == "componentType" && given != fact {
                found.push(Difference::of(METADATA, Some(Age::PreviewComponent), Age::PreviewComponent.explanation()));
            } else if !same(given, fact) {
                found.push(Difference::of(METADATA, None, format!("{key}.{name} would be written otherwise")));
            }
        }
    }
    found
}

/// Versions are texts, and numbers in notes that somebody edited; ARNs of templates may carry a version.
fn same(given: &Value, made: &Value) -> bool {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let (given, made) = (text(given), text(made));
    given.trim() == made
        || given.strip_suffix(".0") == Some(&made)
        || given.starts_with(&format!("{made}:"))
        || given.starts_with(&format!("{made}/"))
}
