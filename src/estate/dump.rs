//! What somebody saved of Proton's API: the answers of `aws proton get-*` and `list-*`, in files of any name.
//!
//! An answer's shape tells what it is: `{"environment": {…}}`, `{"serviceInstances": […]}`. Only outputs carry no name,
//! so that theirs is looked for in the name of their file.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::rebuild::{inconsistent, note};
use super::{Place, Trouble, TroubleKind};
use crate::domain::{Files, Target};

/// Answers of Proton's API, by the ARN of what they describe.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Dump {
    facts: BTreeMap<String, Fact>,
    outputs: Vec<Outputs>,
}

/// One description, put together from all answers that have it.
#[derive(Debug, Clone, PartialEq)]
struct Fact {
    place: Place,
    members: Map<String, Value>,
}

/// An answer of `list-…-outputs`.
#[derive(Debug, Clone, PartialEq)]
struct Outputs {
    place: Place,
    outputs: Map<String, Value>,
}

/// Members that hold one description.
const ONE: [&str; 9] = [
    "environment",
    "service",
    "serviceInstance",
    "pipeline",
    "component",
    "environmentTemplate",
    "serviceTemplate",
    "environmentTemplateVersion",
    "serviceTemplateVersion",
];

/// Members that hold a list of them.
const MANY: [&str; 6] = ["environments", "services", "serviceInstances", "components", "templates", "templateVersions"];

/// Answers that say nothing which is needed.
const OTHERS: [&str; 14] = [
    "deployment",
    "deployments",
    "provisionedResources",
    "tags",
    "repository",
    "repositories",
    "syncDefinitions",
    "environmentAccountConnection",
    "environmentAccountConnections",
    "accountSettings",
    "counts",
    "templateSyncConfig",
    "serviceSyncConfig",
    "latestSync",
];

impl Dump {
    /// Reads the files of a dump. What is no answer of Proton's is told and passed over.
    pub fn read(files: &Files) -> (Self, Vec<Trouble>) {
        let (mut dump, mut troubles) = (Self::default(), Vec::new());
        for (path, bytes) in files.iter().filter(|(path, _)| !path.split('/').any(|part| part.starts_with('.'))) {
            let place = Place { repository: "dump".into(), path: path.clone() };
            match documents(bytes) {
                Ok(documents) => documents.iter().for_each(|document| dump.take(document, &place, &mut troubles)),
                Err((message, line)) => {
                    troubles.push(Trouble { kind: TroubleKind::Unreadable, place, line, message });
                }
            }
        }
        (dump, troubles)
    }

    /// Whether nothing was saved.
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty() && self.outputs.is_empty()
    }

    /// A text of the description of `arn`.
    pub(super) fn text(&self, arn: &str, member: &str) -> Option<&str> {
        self.facts.get(arn)?.members.get(member)?.as_str().filter(|text| !text.is_empty())
    }

    /// A list of the description of `arn`.
    pub(super) fn list(&self, arn: &str, member: &str) -> &[Value] {
        let list = self.facts.get(arn).and_then(|fact| fact.members.get(member)).and_then(Value::as_array);
        list.map_or(&[][..], Vec::as_slice)
    }

    /// The ARNs that anything is known of, each with its file.
    pub(super) fn arns(&self) -> impl Iterator<Item = (&str, &Place)> {
        self.facts.iter().map(|(arn, fact)| (arn.as_str(), &fact.place))
    }

    /// The file that describes `arn`.
    pub(super) fn place(&self, arn: &str) -> Option<&Place> {
        self.facts.get(arn).map(|fact| &fact.place)
    }

    /// The outputs in the file whose name names `kind` (`environment`, `service-instance`, `component`) and `names`.
    pub(super) fn outputs(&self, kind: &str, names: &[&str]) -> Option<&Map<String, Value>> {
        let wanted = simple(&names.join("-"));
        let kind = format!("{kind}-outputs");
        let fits = |outputs: &&Outputs| {
            let path = simple(&outputs.place.path);
            let path = path.strip_suffix("-json").unwrap_or(&path);
            let Some((before, behind)) = path.split_once(&kind) else { return false };
            behind.trim_matches('-') == wanted || (behind.is_empty() && ends_with_part(before, &wanted))
        };
        self.outputs.iter().find(fits).map(|outputs| &outputs.outputs)
    }

    fn take(&mut self, document: &Value, place: &Place, troubles: &mut Vec<Trouble>) {
        if let Value::Array(documents) = document {
            return documents.iter().for_each(|document| self.take(document, place, troubles));
        }
        let mut known = false;
        for (member, value) in document.as_object().into_iter().flatten() {
            let descriptions = match value {
                Value::Object(_) if ONE.contains(&member.as_str()) => std::slice::from_ref(value),
                Value::Array(list) if MANY.contains(&member.as_str()) => list.as_slice(),
                Value::Array(list) if member == "outputs" => {
                    self.outputs.push(Outputs { place: place.clone(), outputs: texts(list) });
                    known = true;
                    continue;
                }
                _ => {
                    known |= OTHERS.contains(&member.as_str());
                    continue;
                }
            };
            known = true;
            descriptions.iter().for_each(|description| self.describe(description, place, troubles));
        }
        if !known {
            troubles.push(note(place, "is no answer of `aws proton get-…` or `list-…`: passed over"));
        }
    }

    fn describe(&mut self, description: &Value, place: &Place, troubles: &mut Vec<Trouble>) {
        let Some(members) = description.as_object() else { return };
        let Some(arn) = members.get("arn").and_then(Value::as_str).map(plain) else {
            return troubles.push(note(place, "describes something without an ARN: passed over"));
        };
        let new = || Fact { place: place.clone(), members: Map::new() };
        let fact = self.facts.entry(arn.clone()).or_insert_with(new);
        for (name, value) in members {
            let known = fact.members.entry(name.clone()).or_insert_with(|| value.clone());
            // Times and states change from one call to the next, what is deployed shouldn't.
            if known != value && ["spec", "schema", "lastSucceededDeploymentId"].contains(&name.as_str()) {
                let message = format!("has another {name} of {arn} than {}, whose was taken", fact.place.path);
                troubles.push(inconsistent(place, message));
            }
        }
        // A service's pipeline is described inside it.
        if let Some(pipeline) = members.get("pipeline").filter(|pipeline| pipeline["arn"].is_string()) {
            self.describe(pipeline, place, troubles);
        }
    }
}

/// An ARN as everything else names its resource: a pipeline's may carry an id.
fn plain(arn: &str) -> String {
    match Target::parse(arn) {
        Ok((scope, pipeline @ Target::ServicePipeline { .. })) => pipeline.arn(&scope),
        _ => arn.to_owned(),
    }
}

fn texts(list: &[Value]) -> Map<String, Value> {
    let text = |output: &Value| Some((output["key"].as_str()?.to_owned(), output["valueString"].clone()));
    list.iter().filter_map(text).filter(|(_, value)| value.is_string()).collect()
}

/// Every document of a file: one, or one behind the other.
fn documents(bytes: &[u8]) -> Result<Vec<Value>, (String, Option<usize>)> {
    let text = decoded(bytes).ok_or_else(|| ("is neither UTF-8 nor UTF-16".to_owned(), None))?;
    let stream = serde_json::Deserializer::from_str(text.trim_start_matches('\u{feff}')).into_iter();
    let documents: Result<Vec<Value>, serde_json::Error> = stream.collect();
    documents.map_err(|error| (format!("is no JSON: {error}"), Some(error.line())))
}

/// Windows' shell writes what a command prints as UTF-16.
fn decoded(bytes: &[u8]) -> Option<String> {
    let pairs = |read: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes[2..].chunks_exact(2).map(|pair| read([pair[0], pair[1]])).collect();
        String::from_utf16(&units).ok()
    };
    match bytes {
        [0xff, 0xfe, ..] => pairs(u16::from_le_bytes),
        [0xfe, 0xff, ..] => pairs(u16::from_be_bytes),
        _ => std::str::from_utf8(bytes).ok().map(str::to_owned),
    }
}

/// Lower case, and whatever separates parts of a name as one `-`.
fn simple(text: &str) -> String {
    let parts: Vec<String> = text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|part| !part.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    parts.join("-")
}

/// Whether `wanted` are the last parts of `text`, as in `dev-environment-outputs` without its end.
fn ends_with_part(text: &str, wanted: &str) -> bool {
    let text = text.trim_matches('-');
    let text = text.strip_suffix("-list").unwrap_or(text);
    text == wanted || text.strip_suffix(wanted).is_some_and(|rest| rest.ends_with('-'))
}
