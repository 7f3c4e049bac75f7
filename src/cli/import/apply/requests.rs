//! From what was rebuilt to requests of a size that a server takes: templates first, then environments, then each service
//! with the components that are attached to its instances, then the rest.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, anyhow};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hadron_model::hadron::{
    ImportEstateInput, ImportedComponent, ImportedEnvironment, ImportedInstance, ImportedOutput, ImportedPipeline,
    ImportedService, ImportedTemplateVersion, MajorOf, StateAt as At, TemplateKind, VersionOf,
};
use serde_json::{Map, Value};

use crate::domain::{BundleKind, pack};
use crate::estate::{
    Rebuilt, RebuiltComponent, RebuiltEnvironment, RebuiltInstance, RebuiltPipeline, RebuiltService, RebuiltTemplate,
    RebuiltVersion, StateAt, Told, VersionRef,
};

/// How much of a request is filled up, in bytes of JSON: a server takes more, and a transaction stays short.
const FULL: usize = 2 << 20;

/// How many things one request holds at most.
const MOST: usize = 200;

/// Things that are registered together, in order.
#[derive(Debug)]
pub(super) struct Request {
    things: Vec<Thing>,
    input: ImportEstateInput,
}

/// What goes into one request or the other, but never in pieces.
#[derive(Debug, Clone)]
enum Thing {
    Version(String, ImportedTemplateVersion),
    Environment(ImportedEnvironment),
    Service(Box<ImportedService>, Vec<ImportedComponent>),
    Component(ImportedComponent),
}

impl Thing {
    /// What is left out when it is refused: of a service its members, if there are any.
    fn arns(&self) -> Vec<String> {
        match self {
            Self::Version(arn, _) => vec![arn.clone()],
            Self::Environment(it) => vec![it.arn.clone()],
            Self::Component(it) => vec![it.arn.clone()],
            Self::Service(it, components) => {
                let instances = it.instances.iter().map(|it| it.arn.clone());
                let pipeline = it.pipeline.iter().map(|it| it.arn.clone());
                let members: Vec<String> =
                    instances.chain(pipeline).chain(components.iter().map(|it| it.arn.clone())).collect();
                if members.is_empty() { vec![it.arn.clone()] } else { members }
            }
        }
    }

    /// The same in smaller things that can be registered one after the other: of a service that is refused, perhaps only
    /// one member is at fault. Nothing for what has none.
    fn parts(&self) -> Vec<Self> {
        let Self::Service(service, components) = self else { return Vec::new() };
        let with = |instances: &[ImportedInstance], pipeline: Option<&ImportedPipeline>| {
            let (instances, pipeline) = (instances.to_vec(), pipeline.cloned());
            Self::Service(Box::new(ImportedService { instances, pipeline, ..(**service).clone() }), Vec::new())
        };
        if service.instances.len() + components.len() + usize::from(service.pipeline.is_some()) < 2 {
            return Vec::new();
        }
        let bare = (service.instances.len() > 1 || service.instances.is_empty()).then(|| with(&[], None));
        let instances = service.instances.iter().map(|it| with(std::slice::from_ref(it), None));
        let components = components.iter().cloned().map(Self::Component);
        let pipeline = service.pipeline.as_ref().map(|it| with(&[], Some(it)));
        bare.into_iter().chain(instances).chain(components).chain(pipeline).collect()
    }
}

impl Request {
    fn new(things: Vec<Thing>) -> Self {
        let mut input = ImportEstateInput::default();
        for thing in &things {
            match thing.clone() {
                Thing::Version(_, it) => input.template_versions.get_or_insert_default().push(it),
                Thing::Environment(it) => input.environments.get_or_insert_default().push(it),
                Thing::Component(it) => input.components.get_or_insert_default().push(it),
                Thing::Service(it, components) => {
                    input.services.get_or_insert_default().push(*it);
                    input.components.get_or_insert_default().extend(components);
                }
            }
        }
        Self { things, input }
    }

    pub(super) fn input(&self) -> &ImportEstateInput {
        &self.input
    }

    /// The request in two that stand for the same; of a single thing its ARNs.
    pub(super) fn halves(mut self) -> Result<(Self, Self), Vec<String>> {
        if let [only] = &self.things[..] {
            let parts = only.parts();
            if parts.len() < 2 {
                return Err(only.arns());
            }
            self.things = parts;
        }
        let second = self.things.split_off(self.things.len() / 2);
        Ok((Self::new(self.things), Self::new(second)))
    }
}

/// All requests for an estate, in order.
///
/// # Errors
/// A bundle can't be packed, or a version isn't numbers.
pub(super) fn of(estate: &Rebuilt) -> anyhow::Result<Vec<Request>> {
    let mut versions = Vec::new();
    let by_kind = |kind| estate.templates.iter().filter(move |template| template.kind == kind);
    for template in by_kind(BundleKind::Environment).chain(by_kind(BundleKind::Service)) {
        for version in &template.versions {
            versions.push(template_version(estate, template, version)?);
        }
    }
    let environments = estate.environments.iter().map(|it| environment(estate, it).map(Thing::Environment));
    let environments = environments.collect::<anyhow::Result<Vec<_>>>()?;
    let services = estate.services.iter().map(|it| service(estate, it)).collect::<anyhow::Result<Vec<_>>>()?;
    let known: BTreeSet<&str> = estate.services.iter().map(|it| it.name.as_str()).collect();
    let alone = |it: &&RebuiltComponent| it.attached.as_ref().is_none_or(|(service, _)| !known.contains(&**service));
    let components = estate.components.iter().filter(alone).map(|it| Thing::Component(component(estate, it)));
    Ok([versions, environments, services, components.collect()].into_iter().flat_map(requests).collect())
}

/// Things in requests that are full, but not more than that.
fn requests(things: Vec<Thing>) -> Vec<Request> {
    let (mut requests, mut next, mut size) = (Vec::new(), Vec::new(), 0);
    for thing in things {
        let own = serde_json::to_vec(&Request::new(vec![thing.clone()]).input).map_or(0, |text| text.len());
        if !next.is_empty() && (size + own > FULL || next.len() >= MOST) {
            requests.push(Request::new(std::mem::take(&mut next)));
            size = 0;
        }
        size += own;
        next.push(thing);
    }
    if !next.is_empty() {
        requests.push(Request::new(next));
    }
    requests
}

fn told<'e>(estate: &'e Rebuilt, arn: &str) -> Option<&'e Told> {
    estate.told.get(arn)
}

fn description(estate: &Rebuilt, arn: &str) -> Option<String> {
    told(estate, arn).and_then(|told| told.description.clone())
}

fn template_version(estate: &Rebuilt, template: &RebuiltTemplate, version: &RebuiltVersion) -> anyhow::Result<Thing> {
    let (kind, folder) = match template.kind {
        BundleKind::Environment => (TemplateKind::Environment, "environment-template"),
        _ => (TemplateKind::Service, "service-template"),
    };
    let template_arn = estate.scope.arn(format_args!("{folder}/{}", template.name));
    let arn = format!("{template_arn}:{}.{}", version.major, version.minor);
    let archive = pack(&version.files).with_context(|| format!("packing the bundle of {arn}"))?;
    let (own, of_template) = (told(estate, &arn), told(estate, &template_arn));
    let majors = compatible(estate, template);
    let compatible =
        majors.into_iter().map(|(template_name, major)| MajorOf { template_name, major: i64::from(major) });
    let version = ImportedTemplateVersion {
        kind,
        version: VersionOf {
            template_name: template.name.clone(),
            major: i64::from(version.major),
            minor: i64::from(version.minor),
        },
        bundle: STANDARD.encode(archive),
        compatible_environments: Some(compatible.collect()),
        takes_components: Some(takes_components(estate, template)),
        draft: own.and_then(|told| told.status.as_deref()).map(|status| status == "DRAFT"),
        description: own.and_then(|told| told.description.clone()),
        template_description: of_template.and_then(|told| told.description.clone()),
        template_display_name: of_template.and_then(|told| told.display_name.clone()),
    };
    Ok(Thing::Version(arn, version))
}

/// The environment templates that a service template goes with: those that any of its versions was told of, or runs with.
fn compatible(estate: &Rebuilt, template: &RebuiltTemplate) -> BTreeSet<(String, u32)> {
    if template.kind != BundleKind::Service {
        return BTreeSet::new();
    }
    let environments: BTreeMap<&str, &VersionRef> =
        estate.environments.iter().map(|it| (it.name.as_str(), &it.version)).collect();
    let own = estate.services.iter().filter(|it| it.template == template.name).flat_map(|it| &it.instances);
    let used = own.filter_map(|it| environments.get(it.environment.as_str()));
    let used = used.filter_map(|version| Some((version.template.clone(), version.major.parse().ok()?)));
    let told = template.versions.iter().filter_map(|version| told_of_version(estate, template, version));
    used.chain(told.flat_map(|told| told.compatible_environments.clone())).collect()
}

fn takes_components(estate: &Rebuilt, template: &RebuiltTemplate) -> bool {
    let attached: BTreeSet<&str> =
        estate.components.iter().filter_map(|it| Some(it.attached.as_ref()?.0.as_str())).collect();
    let mut own = estate.services.iter().filter(|it| it.template == template.name);
    let mut told = template.versions.iter().filter_map(|version| told_of_version(estate, template, version));
    own.any(|service| attached.contains(service.name.as_str()))
        || told.any(|told| told.supported_component_sources.contains("DIRECTLY_DEFINED"))
}

fn told_of_version<'e>(estate: &'e Rebuilt, template: &RebuiltTemplate, version: &RebuiltVersion) -> Option<&'e Told> {
    let resource = format_args!("service-template/{}:{}.{}", template.name, version.major, version.minor).to_string();
    told(estate, &estate.scope.arn(resource))
}

fn environment(estate: &Rebuilt, it: &RebuiltEnvironment) -> anyhow::Result<ImportedEnvironment> {
    Ok(ImportedEnvironment {
        arn: it.arn.clone(),
        version: version_of(&it.version)?,
        deployment_id: it.deployment_id.clone(),
        spec: it.spec.clone(),
        description: description(estate, &it.arn),
        account_id: it.account_id.clone(),
        outputs: it.outputs.as_ref().map(outputs),
        state: it.state.as_ref().map(at),
    })
}

fn service(estate: &Rebuilt, it: &RebuiltService) -> anyhow::Result<Thing> {
    let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let service = ImportedService {
        arn: it.arn.clone(),
        template_name: it.template.clone(),
        spec: it.spec.clone(),
        description: description(estate, &it.arn),
        branch_name: given(&it.branch_name),
        repository_connection_arn: given(&it.repository_connection_arn),
        repository_id: given(&it.repository_id),
        instances: it.instances.iter().map(instance).collect::<anyhow::Result<_>>()?,
        pipeline: it.pipeline.as_ref().map(pipeline).transpose()?,
    };
    let own = |other: &&RebuiltComponent| other.attached.as_ref().is_some_and(|(name, _)| *name == it.name);
    let components = estate.components.iter().filter(own).map(|it| component(estate, it)).collect();
    Ok(Thing::Service(Box::new(service), components))
}

fn instance(it: &RebuiltInstance) -> anyhow::Result<ImportedInstance> {
    Ok(ImportedInstance {
        arn: it.arn.clone(),
        environment_name: it.environment.clone(),
        version: version_of(&it.version)?,
        deployment_id: it.deployment_id.clone(),
        spec: it.spec.clone(),
        outputs: it.outputs.as_ref().map(outputs),
        state: it.state.as_ref().map(at),
    })
}

fn pipeline(it: &RebuiltPipeline) -> anyhow::Result<ImportedPipeline> {
    Ok(ImportedPipeline {
        arn: it.arn.clone(),
        version: version_of(&it.version)?,
        deployment_id: it.deployment_id.clone(),
        spec: it.spec.clone(),
        outputs: None,
        state: it.state.as_ref().map(at),
    })
}

fn component(estate: &Rebuilt, it: &RebuiltComponent) -> ImportedComponent {
    let (service_name, service_instance_name) = it.attached.clone().unzip();
    ImportedComponent {
        arn: it.arn.clone(),
        environment_name: it.environment.clone(),
        service_name,
        service_instance_name,
        manifest: it.manifest.clone(),
        template_file: it.template_file.clone(),
        service_spec: it.service_spec.clone(),
        description: description(estate, &it.arn),
        deployment_id: it.deployment_id.clone(),
        outputs: it.outputs.as_ref().map(outputs),
        state: it.state.as_ref().map(at),
    }
}

fn version_of(version: &VersionRef) -> anyhow::Result<VersionOf> {
    let number = |text: &str| {
        let (major, minor, name) = (&version.major, &version.minor, &version.template);
        text.parse().map_err(|_| anyhow!("version {major}.{minor} of template {name} isn't two numbers"))
    };
    let (major, minor) = (number(&version.major)?, number(&version.minor)?);
    Ok(VersionOf { template_name: version.template.clone(), major, minor })
}

/// Outputs are text; what isn't stands as JSON.
fn outputs(outputs: &Map<String, Value>) -> Vec<ImportedOutput> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    outputs.iter().map(|(key, value)| ImportedOutput { key: key.clone(), value: text(value) }).collect()
}

fn at(state: &StateAt) -> At {
    let StateAt { bucket, key, region, role } = state.clone();
    At { bucket, key, region, role }
}
