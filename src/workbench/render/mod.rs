//! What a deployment of a bundle would get, without one.

mod document;
mod lay_out;
mod merge;
pub(super) mod stand_in;

use serde_json::Value;

use self::document::Builder;
use super::check::{self, examine};
use super::finding::Report;
use super::layout::HCL;
use super::source::Source;
use crate::domain::{
    Bundle, BundleKind, EnvironmentSpec, Files, Part, Problem, Problems, Role, Schema, ServiceSpec, Target,
};
use crate::renderer::{self, Metadata, Request};

pub use lay_out::lay_out;

/// Which part of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Choice {
    /// Every instance of the spec; without a spec, what the values are about.
    #[default]
    All,
    /// The instance of this name.
    Instance(String),
    /// The pipeline.
    Pipeline,
}

/// What is given besides the bundle.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// The spec's text.
    pub spec: Option<String>,
    /// Shaped like `proton.auto.tfvars.json`; what it has is used as it is.
    pub values: Option<Value>,
    /// Which part of a service.
    pub choice: Choice,
    /// The name of the environment, the service or the component, where the values don't tell it.
    pub name: Option<String>,
    /// The environment's outputs by name, where its bundle was given.
    pub environment_outputs: Option<Vec<String>>,
}

/// One target's files.
#[derive(Debug)]
pub struct Rendering {
    /// What it provisions.
    pub role: Role,
    /// The target, whose names may be stand-ins.
    pub target: Target,
    /// The folder of its own, where there is more than one target.
    pub folder: Option<String>,
    /// The bundle's folder that it was rendered from.
    pub part: String,
    /// The files by their paths.
    pub files: Files,
    /// The values, as they stand in `proton.auto.tfvars.json`.
    pub document: Value,
    /// What nobody gave, by its path in the values.
    pub stand_ins: Vec<String>,
    /// What else a person should know.
    pub notes: Vec<String>,
}

/// Why a bundle wasn't rendered.
#[derive(Debug, thiserror::Error)]
pub enum WorkbenchError {
    /// Bundle, spec or values are wrong; all of it at once.
    #[error("the bundle or what was given with it is invalid")]
    Invalid(Report),
    /// What was asked for can't be done.
    #[error("{what}")]
    Refused {
        /// What.
        what: String,
        /// The way out.
        remedy: String,
    },
    /// The files can't be written.
    #[error("{what}")]
    Unwritable {
        /// What was tried.
        what: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

impl WorkbenchError {
    pub(super) fn refused(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Refused { what: what.into(), remedy: remedy.into() }
    }
}

/// The id that renderings carry: no deployment has it.
pub(super) const NO_DEPLOYMENT: &str = "00000000-0000-0000-0000-000000000000";

/// Renders a bundle.
///
/// # Errors
/// What registration or a deployment would refuse, and a choice that the bundle doesn't offer.
pub fn render(source: &Source, given: &Given) -> Result<Vec<Rendering>, WorkbenchError> {
    let source = &with_manifest(source);
    let (bundle, problems) = examine(source);
    invalid_if_any(problems, source, given)?;
    let spec = spec(source, &bundle, given)?;
    let wanted = wanted(source, &bundle, &spec, given)?;
    let several = wanted.len() > 1;
    let mut renderings = Vec::new();
    let mut problems = Problems::default();
    for (role, instance) in wanted {
        let part = part(source, &bundle, role)?;
        let builder = Builder { schema: bundle.schema.as_ref(), spec: &spec, given, role, part };
        let made = builder.build(instance.as_deref()).and_then(|(document, stand_ins)| {
            let folder = instance.filter(|_| several);
            rendering(source, role, part, document, stand_ins, folder)
        });
        renderings.extend(problems.note(made));
    }
    invalid_if_any(problems, source, given)?;
    Ok(renderings)
}

/// What a spec was read to.
pub(super) enum Spec {
    None,
    Environment(EnvironmentSpec),
    Service(ServiceSpec),
}

fn spec(source: &Source, bundle: &Bundle, given: &Given) -> Result<Spec, WorkbenchError> {
    let Some(text) = &given.spec else { return Ok(Spec::None) };
    let Some(schema) = &bundle.schema else {
        let what = "there is no schema that the spec could be checked by";
        return Err(WorkbenchError::refused(what, "render the whole bundle, or give all values by --with"));
    };
    let read = match source.kind {
        BundleKind::Service => ServiceSpec::parse(text).map(Spec::Service),
        _ => environment_spec(text, schema).map(Spec::Environment),
    };
    match read {
        Ok(spec) => Ok(spec),
        Err(problems) => Err(invalid(problems, source, given)),
    }
}

fn environment_spec(text: &str, schema: &Schema) -> Result<EnvironmentSpec, Problems> {
    EnvironmentSpec::parse(text, schema)
}

/// The targets to render: what they provision, and the instance's name.
fn wanted(
    source: &Source,
    bundle: &Bundle,
    spec: &Spec,
    given: &Given,
) -> Result<Vec<(Role, Option<String>)>, WorkbenchError> {
    let only = source.part.as_ref().map(|(_, role)| *role);
    let says_pipeline = given.values.as_ref().is_some_and(|values| values.get("pipeline").is_some());
    match (only, source.kind, &given.choice) {
        (Some(role @ (Role::Environment | Role::Component)), ..) => Ok(vec![(role, None)]),
        (None, BundleKind::Environment, Choice::All) => Ok(vec![(Role::Environment, None)]),
        (None, BundleKind::Component, Choice::All) => Ok(vec![(Role::Component, None)]),
        (None, BundleKind::Environment | BundleKind::Component, _) => Err(WorkbenchError::refused(
            "only services have instances and a pipeline",
            "leave --instance and --pipeline out",
        )),
        (Some(Role::Pipeline), ..) | (None, _, Choice::Pipeline) => Ok(vec![(Role::Pipeline, None)]),
        (Some(Role::Instance), _, Choice::Pipeline) => Err(WorkbenchError::refused(
            "this folder provisions instances",
            "name pipeline_infrastructure, or the bundle's root",
        )),
        (_, _, Choice::Instance(name)) => {
            if let Spec::Service(spec) = spec
                && spec.instance(name).is_none()
            {
                let names: Vec<&str> = spec.instances.iter().map(|instance| instance.name.as_str()).collect();
                let known = if names.is_empty() { "no instance".to_owned() } else { names.join(", ") };
                return Err(WorkbenchError::refused(
                    format!("the spec has no instance `{name}`"),
                    format!("it has {known}"),
                ));
            }
            Ok(vec![(Role::Instance, Some(name.clone()))])
        }
        (None, _, Choice::All) if says_pipeline && matches!(spec, Spec::None) => Ok(vec![(Role::Pipeline, None)]),
        (_, _, Choice::All) => match spec {
            Spec::Service(spec) if spec.instances.is_empty() && bundle.pipeline.is_some() && only.is_none() => {
                Ok(vec![(Role::Pipeline, None)])
            }
            Spec::Service(spec) if spec.instances.is_empty() => {
                Err(WorkbenchError::refused("the spec has no instance", "add one below `instances`"))
            }
            Spec::Service(spec) => {
                Ok(spec.instances.iter().map(|instance| (Role::Instance, Some(instance.name.clone()))).collect())
            }
            _ => Ok(vec![(Role::Instance, None)]),
        },
    }
}

fn part<'b>(source: &Source, bundle: &'b Bundle, role: Role) -> Result<&'b Part, WorkbenchError> {
    check::parts(source, bundle).into_iter().find(|(own, _)| *own == role).map(|(_, part)| part).ok_or_else(|| {
        let (what, remedy) = match role {
            Role::Pipeline => ("the bundle has no pipeline", "add pipeline_infrastructure/"),
            _ => {
                ("the bundle provisions nothing: it is for a CUSTOMER_MANAGED template", "add an infrastructure folder")
            }
        };
        WorkbenchError::refused(what, remedy)
    })
}

fn rendering(
    source: &Source,
    role: Role,
    part: &Part,
    document: Value,
    stand_ins: Vec<String>,
    folder: Option<String>,
) -> Result<Rendering, Problems> {
    let target = stand_in::target(role, &document);
    let arn = document["//"].as_str().map_or_else(|| target.arn(&stand_in::scope(&document)), str::to_owned);
    let request = Request {
        target: &target,
        arn: &arn,
        part,
        inputs: &document,
        metadata: metadata(&target, &document),
        stack_template_url: None,
    };
    let rendered = renderer::render(&request)?;
    let mut notes = Vec::new();
    if let Some(template) = rendered.large_template {
        let size = template.len();
        notes.push(format!(
            "the CloudFormation template has {size} bytes: a deployment uploads it and hands over its URL"
        ));
    }
    if source.customer_managed && source.kind == BundleKind::Service {
        notes.push("the bundle has no pipeline: its template's pipelineProvisioning is CUSTOMER_MANAGED".to_owned());
    }
    Ok(Rendering { role, target, folder, part: part.folder.clone(), files: rendered.files, document, stand_ins, notes })
}

fn metadata(target: &Target, document: &Value) -> Metadata {
    let tag = |name: &str| document["proton_tags"][name].as_str().map(str::to_owned);
    Metadata {
        deployment_id: NO_DEPLOYMENT.to_owned(),
        template_arn: tag("proton:template").filter(|_| !matches!(target, Target::Component { .. })),
        template_version: Some(("1".to_owned(), "0".to_owned())),
        environment_arn: tag("proton:environment").or_else(|| {
            let name = document["environment"]["name"].as_str()?;
            Some(stand_in::scope(document).arn(format_args!("environment/{name}")))
        }),
        service_arn: tag("proton:service"),
        service_instance_arn: tag("proton:service-instance"),
        is_resource_deleted: false,
    }
}

/// An infrastructure folder by itself needs no manifest where its files tell what they are.
fn with_manifest(source: &Source) -> Source {
    let mut source = source.clone();
    if let Some((folder, _)) = &source.part {
        let manifest = format!("{folder}/manifest.yaml");
        let below = |path: &String| path.strip_prefix(&format!("{folder}/")).is_some_and(|rest| !rest.contains('/'));
        let terraform = source.files.keys().any(|path| below(path) && path.ends_with(HCL));
        if !source.files.contains_key(&manifest) && terraform {
            let text =
                "infrastructure: {templates: [{file: \"*\", rendering_engine: hcl, template_language: terraform}]}\n";
            source.files.insert(manifest, text.as_bytes().to_vec());
        }
    }
    source
}

fn invalid_if_any(problems: Problems, source: &Source, given: &Given) -> Result<(), WorkbenchError> {
    if problems.is_empty() { Ok(()) } else { Err(invalid(problems, source, given)) }
}

fn invalid(problems: Problems, source: &Source, given: &Given) -> WorkbenchError {
    let mut report = Report::of(problems);
    let mut files = source.files.clone();
    files.extend(given.spec.iter().map(|text| ("spec".to_owned(), text.clone().into_bytes())));
    report = report.finished(&files);
    WorkbenchError::Invalid(report)
}

/// The values of a file that is shaped like `proton.auto.tfvars.json`.
///
/// # Errors
/// Text that is no JSON object; `file` is the name that the problem carries.
pub fn values(file: &str, text: &str) -> Result<Value, Problems> {
    let text = text.trim_start_matches('\u{feff}');
    match serde_json::from_str::<Value>(text) {
        Ok(value) if value.is_object() => Ok(value),
        Ok(_) => Err(Problem::of(file, "must be an object", "give it the form of proton.auto.tfvars.json").into()),
        Err(error) => {
            let message = error.to_string();
            let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
            let problem = Problem::of(file, format!("is no valid JSON: {message}"), "");
            Err(problem.at(error.line().max(1), error.column().max(1)).into())
        }
    }
}

#[cfg(test)]
mod tests;
