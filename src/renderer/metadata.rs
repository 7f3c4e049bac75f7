//! `.proton/deployment-metadata.json`: what was deployed, for whoever finds the files.

use serde_json::{Map, Value, json};

use super::{Metadata, Request};
use crate::domain::Target;

/// What Proton wrote instead of an id once the resource was deleted.
const DELETED: &str = "<proton-resource-deleted>";

/// The note in Proton's order of keys; absent facts are left out.
pub(super) fn document(request: &Request<'_>) -> Value {
    let metadata = &request.metadata;
    let mut facts = Map::new();
    facts.insert("arn".to_owned(), json!(request.arn));
    let mut add = |name: &str, fact: Option<&String>| {
        if let Some(fact) = fact {
            facts.insert(name.to_owned(), json!(fact));
        }
    };
    let key = match request.target {
        Target::Component { .. } => {
            add("environmentArn", metadata.environment_arn.as_ref());
            add("serviceArn", metadata.service_arn.as_ref());
            add("serviceInstanceArn", metadata.service_instance_arn.as_ref());
            add("componentType", Some(&"default".to_owned()));
            "componentMetadata"
        }
        target => {
            add("templateArn", metadata.template_arn.as_ref());
            add("templateMajorVersion", metadata.template_version.as_ref().map(|(major, _)| major));
            add("templateMinorVersion", metadata.template_version.as_ref().map(|(_, minor)| minor));
            // Only instances say where they live.
            let environment = metadata.environment_arn.as_ref();
            add("environmentArn", environment.filter(|_| matches!(target, Target::ServiceInstance { .. })));
            "resourceMetadata"
        }
    };
    json!({
        "deploymentId": deployment_id(metadata),
        "isResourceDeleted": metadata.is_resource_deleted,
        key: facts,
    })
}

fn deployment_id(metadata: &Metadata) -> &str {
    if metadata.is_resource_deleted { DELETED } else { &metadata.deployment_id }
}
