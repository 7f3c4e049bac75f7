//! Everything that registration checks, by the same code, and what it can't check: whether the code speaks of what there
//! is.

mod calls;
mod inputs;
mod jinja;
mod namespace;
mod outputs;
mod reads;
mod references;

use std::collections::{BTreeMap, BTreeSet};

use super::finding::Report;
use super::module::{Module, Spot};
use super::source::Source;
use crate::domain::{
    Bundle, BundleKind, Engine, Part, Problem, Problems, Role, ServiceSpec, check_part, examine_bundle,
};
use crate::domain::{EnvironmentSpec, Schema};
use crate::renderer::Mention;

pub(super) use jinja::outputs as jinja_outputs;
pub(super) use namespace::{Namespace, Verdict};

/// What a bundle is held against besides itself.
#[derive(Debug, Default)]
pub struct Options<'a> {
    /// The bundle of the environment that it runs in: its outputs are then all that there are.
    pub environment: Option<&'a Source>,
    /// The bundle of an earlier minor version.
    pub previous: Option<&'a Source>,
    /// Specs, by the name that problems carry.
    pub specs: Vec<(String, String)>,
}

/// A part's mentions, and whether all of its code could be read.
pub(super) struct Spoken {
    pub(super) role: Role,
    pub(super) mentions: Vec<(String, Mention)>,
    pub(super) complete: bool,
}

/// Checks a bundle.
pub fn check(source: &Source, options: &Options<'_>) -> Report {
    let mut report = Report::default();
    let (bundle, problems) = examine(source);
    let refused = !problems.is_empty();
    report.refuse(problems);
    let environment = options.environment.and_then(|source| environment_outputs(source, &mut report));
    let mut spoken = Vec::new();
    for (role, part) in parts(source, &bundle) {
        let namespace = Namespace::new(role, part.engine, bundle.schema.as_ref(), environment.as_deref());
        let said = match part.engine {
            Engine::Hcl => terraform(role, part, &mut report),
            Engine::Jinja => jinja::check(role, part, bundle.schema.as_ref(), &mut report),
        };
        for (path, mention) in &said.mentions {
            let file = format!("{}/{path}", part.folder);
            namespace.check(&file, part.engine, mention, &mut report);
        }
        spoken.push(said);
    }
    if let Some(schema) = &bundle.schema {
        let whole = source.part.is_none() && !refused;
        inputs::unused(schema, &spoken, whole, &mut report);
        specs(source.kind, schema, &options.specs, &mut report);
        options.previous.into_iter().for_each(|previous| compatible(schema, previous, &mut report));
    }
    let mut files = source.files.clone();
    files.extend(options.specs.iter().map(|(name, text)| (name.clone(), text.clone().into_bytes())));
    report.finished(&files)
}

/// What can be read of a bundle, and every mistake that registration would find.
pub(super) fn examine(source: &Source) -> (Bundle, Problems) {
    let Some((folder, role)) = &source.part else {
        return examine_bundle(source.kind, source.files.clone(), source.customer_managed);
    };
    let mut bundle = Bundle { schema: None, schema_text: None, infrastructure: None, instance: None, pipeline: None };
    let mut problems = Problems::default();
    if let Some(bytes) = source.files.get("schema/schema.yaml") {
        // What concerns the other folders isn't of interest here.
        let (whole, found) = examine_bundle(source.kind, source.files.clone(), source.customer_managed);
        (bundle.schema, bundle.schema_text) = (whole.schema, whole.schema_text);
        problems.0.extend(found.0.into_iter().filter(|problem| problem.file.starts_with("schema/")));
        if bundle.schema.is_none() {
            let text = String::from_utf8_lossy(bytes);
            bundle.schema = Schema::parse(&text, source.kind, true, false).ok();
        }
    }
    let part = problems.note(check_part(folder, *role, source.files.clone()));
    match role {
        Role::Instance => bundle.instance = part,
        Role::Pipeline => bundle.pipeline = part,
        Role::Environment | Role::Component => bundle.infrastructure = part,
    }
    (bundle, problems)
}

/// The parts with what they provision.
pub(super) fn parts<'b>(source: &Source, bundle: &'b Bundle) -> Vec<(Role, &'b Part)> {
    match &source.part {
        Some((_, role)) => bundle.parts().into_iter().map(|(_, part)| (*role, part)).collect(),
        // Without a schema the bundle itself can't tell an environment's part from a component.
        None if source.kind == BundleKind::Environment => {
            bundle.parts().into_iter().map(|(_, part)| (Role::Environment, part)).collect()
        }
        None => bundle.parts(),
    }
}

/// Checks a part's Terraform modules, its own and those that it calls.
fn terraform(role: Role, part: &Part, report: &mut Report) -> Spoken {
    let mut modules: BTreeMap<String, Module> = BTreeMap::new();
    let mut waiting = vec![String::new()];
    while let Some(folder) = waiting.pop() {
        if modules.contains_key(&folder) {
            continue;
        }
        let module = Module::read(&part.files, &folder);
        let local = module.calls.values().filter_map(|call| calls::folder(&folder, call.source.as_deref()?)?.ok());
        waiting.extend(local.filter(|folder| Module::is_there(&part.files, folder)));
        modules.insert(folder, module);
    }
    for (folder, module) in &modules {
        let own: BTreeSet<&str> =
            if folder.is_empty() { role.variables().iter().copied().collect() } else { BTreeSet::new() };
        references::check(part, module, &own, &modules, folder, report);
        calls::check(part, module, &modules, folder, report);
        reads::check(part, module, folder, report);
    }
    let root = &modules[""];
    outputs::check(part, root, report);
    inputs::ungiven(part, root, &role.variables().iter().copied().collect(), report);
    let mentions = root.found.iter().filter_map(|found| {
        let [first, rest @ ..] = &found.mention.path[..] else { return None };
        let is_variable = *first == crate::renderer::Step::Name("var".to_owned());
        (is_variable && !rest.is_empty())
            .then(|| (found.path.clone(), Mention { path: rest.to_vec(), ..found.mention.clone() }))
    });
    Spoken { role, mentions: mentions.collect(), complete: !root.incomplete }
}

/// The names of an environment's outputs; `None` if its bundle can't tell.
fn environment_outputs(source: &Source, report: &mut Report) -> Option<Vec<String>> {
    let (bundle, problems) = examine(source);
    if source.kind != BundleKind::Environment {
        let message = "is no environment's bundle";
        report.error("environment", Problem::of(source.root.display().to_string(), message, "name the environment's"));
        return None;
    }
    if let Some(problem) = problems.0.first() {
        let message = format!("the environment's bundle is invalid itself: {}", problem.message);
        let remedy = format!("`hadron bundle check {}` tells all of it", source.root.display());
        report.error("environment", Problem::of(source.shown(&problem.file), message, remedy));
        return None;
    }
    let Some(part) = &bundle.infrastructure else {
        // The values of a customer-managed environment are its outputs.
        let shape = bundle.schema?.shape(crate::domain::InputType::Environment)?;
        return Some(shape.names().into_iter().map(str::to_owned).collect());
    };
    match part.engine {
        Engine::Hcl => Some(Module::read(&part.files, "").outputs.into_keys().collect()),
        Engine::Jinja => jinja_outputs(part, bundle.schema.as_ref()),
    }
}

fn specs(kind: BundleKind, schema: &Schema, specs: &[(String, String)], report: &mut Report) {
    for (name, text) in specs {
        let checked = match kind {
            BundleKind::Environment => EnvironmentSpec::parse(text, schema).map(drop),
            _ => service_spec(text, schema),
        };
        report.refuse_spec(name, checked.err().unwrap_or_default());
    }
}

fn service_spec(text: &str, schema: &Schema) -> Result<(), Problems> {
    let spec = ServiceSpec::parse(text)?;
    let mut problems = Problems::default();
    for instance in &spec.instances {
        problems.note(spec.instance_inputs(&instance.name, schema, None));
    }
    if spec.pipeline.is_some() || schema.declares(crate::domain::InputType::Pipeline) {
        problems.note(spec.pipeline_inputs(schema, None));
    }
    problems.unless_any(|| ())
}

fn compatible(schema: &Schema, previous: &Source, report: &mut Report) {
    let (older, problems) = examine(previous);
    let Some(older) = older.schema else {
        let why = problems.0.first().map(|problem| problem.message.clone()).unwrap_or_default();
        let message = format!("its schema can't be compared with: {why}");
        let file = previous.shown("schema/schema.yaml");
        return report.error("previous", Problem::of(file, message, "name a bundle that was registered"));
    };
    for problem in schema.incompatible_with(&older).0 {
        report.error("incompatible", problem);
    }
}

/// A problem at a spot of a part.
fn at(part: &Part, spot: &Spot, message: impl Into<String>, remedy: impl Into<String>) -> Problem {
    Problem::of(format!("{}/{}", part.folder, spot.path), message, remedy).at(spot.line, spot.column)
}

#[cfg(test)]
mod tests;
