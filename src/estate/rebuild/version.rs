//! A bundle for every version that was used.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::bundle::{Folder, Written};
use super::gather::{Group, Users, VersionKey, versions};
use super::inconsistent;
use super::kind::Fields;
use super::references::inputs_read;
use super::schema::{Known, document, input_type, words};
use crate::domain::{Bundle, BundleKind, Files, InputType, Schema, Target, check_bundle};
use crate::estate::templates::Candidate;
use crate::estate::{Dump, Guess, Origin, Place, Resource, Trouble};

const SCHEMA_FILE: &str = "schema/schema.yaml";

/// A version that can be registered.
pub(super) struct Built {
    pub(super) files: Files,
    pub(super) origin: Origin,
    pub(super) schema: Schema,
    /// Environment templates and component sources by the template's registration file.
    pub(super) registration: Option<crate::estate::templates::Registration>,
}

/// Every version of a group for which there is a bundle.
pub(super) fn all(
    group: &Group<'_>,
    candidates: &[Candidate],
    dump: &Dump,
    troubles: &mut Vec<Trouble>,
) -> BTreeMap<VersionKey, Built> {
    let used = versions(group, troubles);
    let mut work = Work { inputs: inputs(group, &used), used, troubles };
    let mut built = BTreeMap::new();
    for keys in work.majors() {
        let mut known: BTreeMap<InputType, Known> = BTreeMap::new();
        for which in [InputType::Environment, InputType::Service, InputType::Pipeline] {
            let all = keys.iter().filter_map(|key| work.inputs.get(&(key.clone(), which))).cloned();
            known.insert(which, Known { all: all.fold(Fields::default(), Fields::join), ..Known::default() });
        }
        let has_pipeline = keys.first().is_some_and(|key| key.of_services && work.has_pipeline(key, candidates));
        for key in keys {
            if let Some(version) = work.version(&key, has_pipeline, &mut known, candidates, dump, &group.scope) {
                built.insert(key, version);
            }
        }
    }
    built
}

type Inputs = BTreeMap<(VersionKey, InputType), Fields>;

/// The input types of a template's bundle.
fn input_types(kind: BundleKind, has_pipeline: bool) -> &'static [InputType] {
    match kind {
        BundleKind::Environment => &[InputType::Environment],
        _ if has_pipeline => &[InputType::Service, InputType::Pipeline],
        _ => &[InputType::Service],
    }
}

/// All inputs that are known of each version, those that components gave to their instances' schema included.
fn inputs(group: &Group<'_>, used: &BTreeMap<VersionKey, Users<'_>>) -> Inputs {
    let mut inputs = Inputs::new();
    let mut note = |key: &VersionKey, which: InputType, map: &Map<String, Value>| {
        let known = inputs.entry((key.clone(), which)).or_default();
        *known = std::mem::take(known).join(Fields::of(map));
    };
    for (key, users) in used {
        let main = if key.of_services { InputType::Service } else { InputType::Environment };
        users.main.iter().for_each(|resource| note(key, main, &resource.inputs));
        users.pipelines.iter().for_each(|resource| note(key, InputType::Pipeline, &resource.inputs));
    }
    let mut instances: BTreeMap<(&str, &str), &VersionKey> = BTreeMap::new();
    for (key, users) in used {
        for resource in &users.main {
            if let Target::ServiceInstance { service, name } = &resource.target {
                instances.insert((service.as_str(), name.as_str()), key);
            }
        }
    }
    for resource in &group.resources {
        if let Some((service, instance)) = attached(resource)
            && let Some(key) = instances.get(&(service, instance))
        {
            note(key, InputType::Service, component_inputs(resource));
        }
    }
    inputs
}

/// The service and instance that a component is attached to.
pub(super) fn attached(resource: &Resource) -> Option<(&str, &str)> {
    let facts = resource.component.as_ref()?;
    Some((facts.service.as_deref()?, facts.instance.as_deref()?))
}

/// What an attached component sees as its instance's inputs.
pub(super) fn component_inputs(resource: &Resource) -> &Map<String, Value> {
    resource.values["service_instance"]["inputs"].as_object().unwrap_or(&resource.inputs)
}

struct Work<'a, 't> {
    used: BTreeMap<VersionKey, Users<'a>>,
    inputs: Inputs,
    troubles: &'t mut Vec<Trouble>,
}

impl Work<'_, '_> {
    /// The versions of each template's major version, ascending.
    fn majors(&self) -> Vec<Vec<VersionKey>> {
        let keys: Vec<VersionKey> = self.used.keys().cloned().collect();
        let same = |a: &VersionKey, b: &VersionKey| {
            (a.of_services, &a.template, a.major) == (b.of_services, &b.template, b.major)
        };
        keys.chunk_by(same).map(<[VersionKey]>::to_vec).collect()
    }

    /// Whether a service template has a pipeline: one version with one is enough, since that can't be changed.
    fn has_pipeline(&self, key: &VersionKey, candidates: &[Candidate]) -> bool {
        let mut siblings = self.used.iter().filter(|(other, _)| is_sibling(other, key));
        siblings.any(|(_, users)| {
            !users.pipelines.is_empty()
                || candidates.iter().any(|it| it.bundle.pipeline.is_some() && it.matches(users).is_some())
        })
    }

    fn version(
        &mut self,
        key: &VersionKey,
        has_pipeline: bool,
        known: &mut BTreeMap<InputType, Known>,
        candidates: &[Candidate],
        dump: &Dump,
        scope: &crate::domain::Scope,
    ) -> Option<Built> {
        let place = self.used.get(key)?.first()?.place.clone();
        for (which, known) in known.iter_mut() {
            if let Some(own) = self.inputs.get(&(key.clone(), *which)) {
                known.own = std::mem::take(&mut known.own).join(own.clone());
            }
        }
        let dumped = dump.text(&key.arn(scope), "schema");
        if let Some(built) = self.take_from_repository(key, has_pipeline, candidates, &place) {
            if let Some(dumped) = dumped.filter(|dumped| !same_text(dumped, &built.files[SCHEMA_FILE])) {
                let (lines, own) = (dumped.lines().count(), built.files[SCHEMA_FILE].split(|&b| b == b'\n').count());
                let message = format!(
                    "the dump has another schema of {} ({lines} lines) than the template repository ({own} lines), \
                     whose was taken",
                    key.said()
                );
                self.troubles.push(inconsistent(&place, message));
            }
            return Some(built);
        }
        let mut written = self.code(key, has_pipeline, &place)?;
        for which in input_types(key.kind(), has_pipeline) {
            let folder = folder_of(*which);
            let own =
                written.files.iter().filter_map(|(path, bytes)| Some((path.strip_prefix(folder)?, bytes.as_slice())));
            if let Some(known) = known.get_mut(which) {
                for (name, seen) in inputs_read(own, words(*which).2) {
                    known.references.entry(name).or_insert(seen);
                }
            }
        }
        self.with_dumped_schema(key, has_pipeline, &written, dumped, &place)
            .or_else(|| self.with_inferred_schema(key, has_pipeline, &mut written, known, &place))
    }

    /// The version as a template repository has it, if that gives the bytes that Proton wrote.
    fn take_from_repository(
        &mut self,
        key: &VersionKey,
        has_pipeline: bool,
        candidates: &[Candidate],
        place: &Place,
    ) -> Option<Built> {
        let users = self.used.get(key)?;
        let fitting =
            candidates.iter().filter(|it| it.kind == key.kind() && it.bundle.pipeline.is_some() == has_pipeline);
        let mut fitting: Vec<_> = fitting.filter_map(|it| Some((it.matches(users)?, it))).collect();
        fitting.sort_by_key(|(matching, it)| {
            (std::cmp::Reverse(*matching), it.distance_from(&key.template, key.major), it.place.clone())
        });
        for (matching, candidate) in fitting {
            let schema = candidate.bundle.schema.clone()?;
            if let Err(why) = self.takes_all(key, &schema) {
                let message = format!(
                    "{} has the code of {}/{}, whose schema doesn't take what was deployed ({why}): not taken",
                    key.said(),
                    candidate.place.repository,
                    candidate.place.path
                );
                self.troubles.push(inconsistent(place, message));
                continue;
            }
            let all = users.main.len() + users.pipelines.len();
            if matching < all {
                let message = format!(
                    "{} of {all} directories of {} have other content than {}/{}, which was taken",
                    all - matching,
                    key.said(),
                    candidate.place.repository,
                    candidate.place.path
                );
                self.troubles.push(inconsistent(place, message));
            }
            return Some(Built {
                files: candidate.files.clone(),
                origin: Origin::Repository(candidate.place.clone()),
                schema,
                registration: Some(candidate.registration.clone()),
            });
        }
        None
    }

    /// Whether a schema takes all live inputs of a version, and gives back the same.
    fn takes_all(&self, key: &VersionKey, schema: &Schema) -> Result<(), String> {
        let Some(users) = self.used.get(key) else { return Ok(()) };
        for which in input_types(key.kind(), !users.pipelines.is_empty()) {
            for resource in users.of(*which).iter().filter(|resource| !resource.deleted) {
                match schema.resolve(*which, &resource.inputs) {
                    Ok(inputs) if inputs == resource.inputs => {}
                    Ok(inputs) => {
                        let added = inputs.keys().find(|name| !resource.inputs.contains_key(*name));
                        let about = added.map_or("a value".to_owned(), |name| format!("`{name}`"));
                        return Err(format!("{} would get another {about}", resource.arn));
                    }
                    Err(problems) => return Err(format!("{}: {}", resource.arn, problems.within(300))),
                }
            }
        }
        Ok(())
    }

    /// The infrastructure folders.
    fn code(&mut self, key: &VersionKey, has_pipeline: bool, place: &Place) -> Option<Written> {
        let folders: &[Folder] = match (key.kind(), has_pipeline) {
            (BundleKind::Environment, _) => &[Folder::Environment],
            (_, true) => &[Folder::Instance, Folder::Pipeline],
            (_, false) => &[Folder::Instance],
        };
        let mut all = Written::default();
        for folder in folders {
            match self.folder(key, *folder) {
                Ok(written) => {
                    all.files.extend(written.files);
                    all.guesses.extend(written.guesses);
                    let doubts =
                        written.doubts.iter().map(|doubt| inconsistent(place, format!("{}: {doubt}", key.said())));
                    self.troubles.extend(doubts);
                }
                Err(why) => {
                    let message = format!("{} can't be rebuilt, nor what uses it: {why}", key.said());
                    self.troubles.push(inconsistent(place, message));
                    return None;
                }
            }
        }
        Some(all)
    }

    /// One folder: from what uses the version, else from the nearest version that has it.
    fn folder(&self, key: &VersionKey, folder: Folder) -> Result<Written, String> {
        let resources = |users: &Users<'_>| match folder {
            Folder::Pipeline => users.pipelines.len(),
            _ => users.main.len(),
        };
        let of = |users: &Users<'_>| match folder {
            Folder::Pipeline => folder.of(&users.pipelines),
            _ => folder.of(&users.main),
        };
        if let Some(users) = self.used.get(key).filter(|users| resources(users) > 0) {
            return of(users);
        }
        let distance = |other: &VersionKey| (other.major.abs_diff(key.major), other.minor.abs_diff(key.minor));
        let siblings = self.used.iter().filter(|(other, users)| is_sibling(other, key) && resources(users) > 0);
        let mut siblings: Vec<_> = siblings.collect();
        siblings.sort_by_key(|(other, _)| distance(other));
        for (other, users) in siblings {
            if let Ok(mut written) = of(users) {
                let why = format!("nothing shows it for this version; it is that of {}.{}", other.major, other.minor);
                let about = written.files.keys().next().and_then(|path| path.split('/').next()).unwrap_or_default();
                written.guesses.push(Guess { about: format!("{about}/"), why });
                return Ok(written);
            }
        }
        Ok(folder.empty())
    }

    /// The bundle with the schema that Proton's API gave, if it takes everything.
    fn with_dumped_schema(
        &mut self,
        key: &VersionKey,
        has_pipeline: bool,
        written: &Written,
        dumped: Option<&str>,
        place: &Place,
    ) -> Option<Built> {
        let text = dumped?;
        let mut files = written.files.clone();
        files.insert(SCHEMA_FILE.into(), text.as_bytes().to_vec());
        let checked = check_bundle(key.kind(), files.clone(), key.of_services && !has_pipeline);
        let schema = checked.map_err(|problems| problems.within(300)).and_then(schema_of);
        let fitting = schema.and_then(|schema| self.takes_all(key, &schema).map(|()| schema));
        match fitting {
            Ok(schema) => {
                let origin = Origin::Inferred(written.guesses.clone());
                Some(Built { files, origin, schema, registration: None })
            }
            Err(why) => {
                let message = format!("the dump's schema of {} doesn't fit ({why}): inferred instead", key.said());
                self.troubles.push(inconsistent(place, message));
                None
            }
        }
    }

    /// The bundle with a schema that takes everything.
    fn with_inferred_schema(
        &mut self,
        key: &VersionKey,
        has_pipeline: bool,
        written: &mut Written,
        known: &BTreeMap<InputType, Known>,
        place: &Place,
    ) -> Option<Built> {
        let mut about = vec!["rebuilt from what AWS Proton rendered; the original schema isn't known.".to_owned()];
        about.extend(written.guesses.iter().map(|guess| format!("guessed: {}: {}", one_line(&guess.about), guess.why)));
        let mut types = Vec::new();
        let empty = Known::default();
        for which in input_types(key.kind(), has_pipeline) {
            let title = format!("Inputs of {}", key.said());
            types.push((*which, input_type(*which, known.get(which).unwrap_or(&empty), &title)));
        }
        let text = document(&types, &about);
        written.files.insert(SCHEMA_FILE.into(), text.into_bytes());
        let guesses = types.into_iter().flat_map(|(_, inferred)| inferred.guesses);
        let guesses = std::mem::take(&mut written.guesses).into_iter().chain(guesses).collect();
        let files = std::mem::take(&mut written.files);
        let schema = check_bundle(key.kind(), files.clone(), key.of_services && !has_pipeline)
            .map_err(|problems| problems.within(500))
            .and_then(schema_of)
            .and_then(|schema| self.takes_all(key, &schema).map(|()| schema));
        match schema {
            Ok(schema) => Some(Built { files, origin: Origin::Inferred(guesses), schema, registration: None }),
            Err(why) => {
                let message = format!("{} can't be rebuilt, nor what uses it: {why}", key.said());
                self.troubles.push(inconsistent(place, message));
                None
            }
        }
    }
}

/// Every bundle of environments and services has a schema once it passes.
fn schema_of(bundle: Bundle) -> Result<Schema, String> {
    bundle.schema.ok_or_else(|| "there is no schema".to_owned())
}

fn is_sibling(one: &VersionKey, other: &VersionKey) -> bool {
    (one.of_services, &one.template) == (other.of_services, &other.template)
}

fn folder_of(which: InputType) -> &'static str {
    match which {
        InputType::Environment => "infrastructure/",
        InputType::Service => "instance_infrastructure/",
        InputType::Pipeline => "pipeline_infrastructure/",
    }
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn same_text(one: &str, other: &[u8]) -> bool {
    super::code::normal(one.as_bytes()) == super::code::normal(other)
}
