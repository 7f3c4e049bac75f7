//! `.proton/deployment-metadata.json`: what the directory is, and what was deployed last.

use serde_json::{Map, Value};

use super::text::scalar;
use crate::domain::{Scope, Target};
use crate::estate::{ComponentFacts, VersionRef};

/// What Proton wrote instead of a deployment's id once the resource was deleted.
const DELETED: &str = "<proton-resource-deleted>";

/// The note, understood.
#[derive(Debug)]
pub(super) struct Note {
    pub(super) arn: String,
    pub(super) scope: Scope,
    pub(super) target: Target,
    /// The template's ARN without version; `None` for components, and where neither note nor tags have it.
    pub(super) template_arn: Option<String>,
    pub(super) major: Option<String>,
    pub(super) minor: Option<String>,
    pub(super) deployment_id: Option<String>,
    /// What `isResourceDeleted` says, which notes before March 2022 lack, or Proton's word in place of the id.
    pub(super) deleted: Option<bool>,
    /// Name of the environment that it lies in, as far as the note tells.
    pub(super) environment: Option<String>,
    pub(super) component: Option<ComponentFacts>,
}

/// Reads a note. `fallback` is an ARN from elsewhere in the directory, for a note that has none.
///
/// # Errors
/// Why it names no resource.
pub(super) fn read(document: &Value, fallback: Option<&str>) -> Result<Note, String> {
    const RESTORE: &str = "restore the file as Proton wrote it: `git log -p` on it shows every version";
    let Value::Object(document) = document else { return Err(format!("is no object: {RESTORE}")) };
    let facts = facts(document);
    let text = |key: &str| facts.get(key).and_then(scalar).filter(|text| !text.is_empty());
    let arn = text("arn").or_else(|| fallback.map(str::to_owned));
    let arn = arn.ok_or_else(|| format!("names no resource (`arn`): {RESTORE}"))?;
    let (scope, target) = Target::parse(&arn).map_err(|unknown| format!("{unknown}: {RESTORE}"))?;
    let id = document.get("deploymentId").and_then(scalar).filter(|id| !id.is_empty());
    let sentinel = id.as_deref() == Some(DELETED);
    let flag = document.get("isResourceDeleted").and_then(scalar).map(|flag| flag.eq_ignore_ascii_case("true"));
    let environment = text("environmentArn").map(|arn| last(&arn).to_owned());
    let component = matches!(target, Target::Component { .. }).then(|| component(&text));
    Ok(Note {
        template_arn: text("templateArn").map(|arn| unversioned(&arn).to_owned()),
        major: text("templateMajorVersion"),
        minor: text("templateMinorVersion"),
        deployment_id: id.filter(|_| !sentinel),
        deleted: if sentinel { Some(true) } else { flag },
        environment: match &target {
            Target::Environment { name } => Some(name.clone()),
            Target::ServicePipeline { .. } => None,
            Target::ServiceInstance { .. } | Target::Component { .. } => environment,
        },
        arn,
        scope,
        target,
        component,
    })
}

/// The object with the facts: under Proton's two names for it, or whatever has an ARN.
fn facts(document: &Map<String, Value>) -> &Map<String, Value> {
    let named = ["resourceMetadata", "componentMetadata"].iter().filter_map(|key| document.get(*key));
    let facts = named.chain(document.values()).filter_map(Value::as_object).find(|facts| facts.contains_key("arn"));
    facts.unwrap_or(document)
}

fn component(text: &impl Fn(&str) -> Option<String>) -> ComponentFacts {
    let instance = text("serviceInstanceArn").and_then(|arn| match Target::parse(&arn) {
        Ok((_, Target::ServiceInstance { service, name })) => Some((service, name)),
        _ => None,
    });
    let (service, instance) = instance.unzip();
    let service = text("serviceArn").map(|arn| last(&arn).to_owned()).or(service);
    ComponentFacts { kind: text("componentType"), service, instance }
}

/// What stands behind the last slash of an ARN.
fn last(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// A template's ARN without a version behind its name.
pub(super) fn unversioned(arn: &str) -> &str {
    let name = arn.rfind('/').unwrap_or(0);
    arn[name..].find(':').map_or(arn, |colon| &arn[..name + colon])
}

/// The version that a note tells; `tagged` is the template's ARN by the values' tags.
///
/// # Errors
/// Why there is none.
pub(super) fn version(note: &Note, tagged: Option<&str>) -> Result<VersionRef, String> {
    let arn = note.template_arn.as_deref().or_else(|| tagged.map(unversioned));
    let template_arn = arn.ok_or("names no template (`templateArn`): restore the file as Proton wrote it")?.to_owned();
    let part = |given: &Option<String>, key: &str| {
        let missing = || format!("names no version of its template (`{key}`): restore the file as Proton wrote it");
        let text = given.as_deref().ok_or_else(missing)?;
        let text = text.strip_suffix(".0").unwrap_or(text);
        let decimal = text.parse::<u32>().map_err(|_| format!("`{key}` is {text}, which is no version number"))?;
        Ok::<String, String>(decimal.to_string())
    };
    let major = part(&note.major, "templateMajorVersion")?;
    let minor = part(&note.minor, "templateMinorVersion")?;
    let template = last(&template_arn).to_owned();
    Ok(VersionRef { template_arn, template, major, minor })
}
