//! Every live resource, with a spec that resolves to the inputs that were deployed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::gather::{Group, VersionKey};
use super::state::States;
use super::version::{Built, attached, component_inputs};
use super::witnesses::Witnesses;
use super::{inconsistent, note, told};
use crate::domain::{EnvironmentSpec, InputType, Schema, ServiceSpec, Target, pack_component};
use crate::estate::{
    Dump, Rebuilt, RebuiltComponent, RebuiltEnvironment, RebuiltInstance, RebuiltPipeline, RebuiltService,
    RebuiltTemplate, RebuiltVersion, Resource, ServiceValues, Trouble, VersionRef,
};

/// Everything of one group.
pub(super) fn all(
    group: &Group<'_>,
    versions: BTreeMap<VersionKey, Built>,
    states: &States,
    dump: &Dump,
    troubles: &mut Vec<Trouble>,
) -> Rebuilt {
    let witnesses = Witnesses::of(&group.resources);
    let mut maker = Maker { versions: &versions, states, dump, witnesses, troubles };
    let live: Vec<&Resource> = group.resources.iter().copied().filter(|resource| !resource.deleted).collect();
    let environments = maker.environments(&live);
    let names: BTreeSet<&str> = environments.iter().map(|environment| environment.name.as_str()).collect();
    let services = maker.services(&live, &names);
    let components = maker.components(&live, &names, &services);
    told::compare_with_dump(group, dump, troubles);
    let told = told::all(&group.scope, &versions, &environments, &services, &components, dump);
    let templates = templates(versions);
    Rebuilt { scope: group.scope.clone(), templates, environments, services, components, told }
}

/// Versions by template, environments' first.
fn templates(versions: BTreeMap<VersionKey, Built>) -> Vec<RebuiltTemplate> {
    let mut templates: Vec<RebuiltTemplate> = Vec::new();
    for (key, built) in versions {
        let version = RebuiltVersion { major: key.major, minor: key.minor, files: built.files, origin: built.origin };
        match templates.last_mut() {
            Some(last) if last.name == key.template && last.kind == key.kind() => last.versions.push(version),
            _ => {
                let kind = key.kind();
                templates.push(RebuiltTemplate { name: key.template, kind, versions: vec![version] });
            }
        }
    }
    templates
}

struct Maker<'a, 't> {
    versions: &'a BTreeMap<VersionKey, Built>,
    states: &'a States,
    dump: &'a Dump,
    witnesses: Witnesses<'a>,
    troubles: &'t mut Vec<Trouble>,
}

impl<'a> Maker<'a, '_> {
    /// The version of a resource and its schema; what has none can't be registered, and that was told with the version.
    fn version(&mut self, resource: &'a Resource) -> Option<(&'a VersionRef, &'a Schema)> {
        let Some(version) = resource.version.as_ref() else {
            self.left_out(resource, "its metadata names no template version");
            return None;
        };
        let key = VersionKey::of(&resource.target, version)?;
        let Some(built) = self.versions.get(&key) else {
            self.left_out(resource, &format!("there is no bundle of {}", key.said()));
            return None;
        };
        Some((version, &built.schema))
    }

    fn left_out(&mut self, resource: &Resource, why: &str) {
        self.troubles.push(inconsistent(&resource.place, format!("{} is left out: {why}", resource.target)));
    }

    /// The id of the last deployment; the repository's wins.
    fn deployment(&mut self, resource: &Resource) -> Option<String> {
        let dumped = self.dump.text(&resource.arn, "lastSucceededDeploymentId");
        let dumped = dumped.or_else(|| self.dump.text(&resource.arn, "lastAttemptedDeploymentId"));
        match (&resource.deployment_id, dumped) {
            (Some(own), Some(dumped)) if own != dumped => {
                let message =
                    format!("the dump's last deployment is {dumped}, the repository's {own}, which was taken");
                self.troubles.push(inconsistent(&resource.place, message));
                Some(own.clone())
            }
            (own, dumped) => own.clone().or_else(|| dumped.map(str::to_owned)),
        }
    }

    /// What the dump says, which somebody saved on purpose, else what others were told.
    fn outputs(
        &mut self,
        resource: &Resource,
        kind: &str,
        names: &[&str],
        told: Option<Map<String, Value>>,
    ) -> Option<Map<String, Value>> {
        let Some(dumped) = self.dump.outputs(kind, names) else { return told };
        if told.is_some_and(|told| told != *dumped) {
            let message =
                format!("the dump has other outputs of {} than the repository, which were taken", resource.target);
            self.troubles.push(inconsistent(&resource.place, message));
        }
        Some(dumped.clone())
    }

    fn environments(&mut self, live: &[&'a Resource]) -> Vec<RebuiltEnvironment> {
        let mut environments: Vec<RebuiltEnvironment> =
            live.iter().filter_map(|resource| self.environment(resource)).collect();
        environments.sort_by(|a, b| a.name.cmp(&b.name));
        environments
    }

    fn environment(&mut self, resource: &'a Resource) -> Option<RebuiltEnvironment> {
        let Target::Environment { name } = &resource.target else { return None };
        let (version, schema) = self.version(resource)?;
        let gives = |text: &str| EnvironmentSpec::parse(text, schema).map(|spec| spec.inputs);
        let spec = self.spec(resource, EnvironmentSpec::text(&resource.inputs), gives)?;
        let told = self.witnesses.environment(name, self.troubles);
        let account = self.witnesses.account(name, self.troubles);
        Some(RebuiltEnvironment {
            place: resource.place.clone(),
            arn: resource.arn.clone(),
            name: name.clone(),
            version: version.clone(),
            deployment_id: self.deployment(resource),
            spec,
            account_id: account.or_else(|| self.dump.text(&resource.arn, "environmentAccountId").map(str::to_owned)),
            outputs: self.outputs(resource, "environment", &[name], told),
            state: self.states.get(&resource.arn).cloned(),
        })
    }

    /// The dump's spec if it gives what was deployed, else the one made of that.
    fn spec(
        &mut self,
        resource: &Resource,
        made: String,
        gives: impl Fn(&str) -> Result<Map<String, Value>, crate::domain::Problems>,
    ) -> Option<String> {
        if let Some(dumped) = self.dump.text(&resource.arn, "spec") {
            match gives(dumped) {
                Ok(inputs) if inputs == resource.inputs => return Some(dumped.to_owned()),
                _ => {
                    let message = "the dump's spec gives other inputs than were deployed, which were taken";
                    self.troubles.push(inconsistent(&resource.place, message));
                }
            }
        }
        match gives(&made) {
            Ok(inputs) if inputs == resource.inputs => Some(made),
            Ok(_) => {
                self.left_out(resource, "no spec gives the inputs that were deployed");
                None
            }
            Err(problems) => {
                self.left_out(
                    resource,
                    &format!("no spec gives the inputs that were deployed: {}", problems.within(300)),
                );
                None
            }
        }
    }

    fn services(&mut self, live: &[&'a Resource], environments: &BTreeSet<&str>) -> Vec<RebuiltService> {
        let mut parts: BTreeMap<&str, (Vec<&'a Resource>, Option<&'a Resource>)> = BTreeMap::new();
        for &resource in live {
            match &resource.target {
                Target::ServiceInstance { service, .. } => parts.entry(service).or_default().0.push(resource),
                Target::ServicePipeline { service } => parts.entry(service).or_default().1 = Some(resource),
                _ => {}
            }
        }
        parts.into_iter().filter_map(|(name, parts)| self.service(name, parts, environments)).collect()
    }

    fn service(
        &mut self,
        name: &str,
        (instances, pipeline): (Vec<&'a Resource>, Option<&'a Resource>),
        environments: &BTreeSet<&str>,
    ) -> Option<RebuiltService> {
        let members: Vec<&Resource> = pipeline.into_iter().chain(instances.iter().copied()).collect();
        let template =
            most(members.iter().filter_map(|it| it.version.as_ref()).map(|version| &version.template))?.clone();
        let values =
            most(members.iter().filter_map(|it| it.service.as_ref()).filter(|values| !values.branch_name.is_empty()))
                .or_else(|| most(members.iter().filter_map(|it| it.service.as_ref())));
        let values = values.cloned().unwrap_or_default();
        self.tell_other_facts(&members, &values);
        let mut taken: Vec<RebuiltInstance> =
            instances.iter().filter_map(|it| self.instance(it, &template, environments)).collect();
        taken.sort_by(|a, b| a.name.cmp(&b.name));
        let pipeline = pipeline.and_then(|pipeline| Some((self.pipeline(pipeline, &template)?, &pipeline.inputs)));
        if taken.is_empty() && pipeline.is_none() {
            return None;
        }
        let made = ServiceSpec::text(
            pipeline.as_ref().map(|(_, inputs)| *inputs),
            taken.iter().map(|it| (it.name.as_str(), it.environment.as_str(), &it.inputs)),
        );
        let arn = members.first()?.scope.arn(format_args!("service/{name}"));
        let spec = self.service_spec(&arn, made, &taken, pipeline.as_ref().map(|(_, inputs)| *inputs));
        let pipeline = pipeline.map(|(pipeline, _)| RebuiltPipeline { spec: spec.clone(), ..pipeline });
        taken.iter_mut().for_each(|instance| instance.spec.clone_from(&spec));
        Some(RebuiltService {
            arn,
            name: name.to_owned(),
            template,
            spec,
            branch_name: values.branch_name,
            repository_connection_arn: values.repository_connection_arn,
            repository_id: values.repository_id,
            instances: taken,
            pipeline,
        })
    }

    fn tell_other_facts(&mut self, members: &[&Resource], taken: &ServiceValues) {
        for resource in members {
            let facts = |values: &ServiceValues| {
                [&values.branch_name, &values.repository_id, &values.repository_connection_arn].map(Clone::clone)
            };
            let other = resource.service.as_ref().map(facts).filter(|other| *other != facts(taken));
            // Nothing at all is what a part was told before the service had a pipeline.
            let other = other.filter(|other| other.iter().any(|fact| !fact.is_empty()));
            if other.is_some() {
                let message =
                    format!("other repository or branch of service {} than most have, which was taken", taken.name);
                self.troubles.push(inconsistent(&resource.place, message));
            }
        }
    }

    fn instance(
        &mut self,
        resource: &'a Resource,
        template: &str,
        environments: &BTreeSet<&str>,
    ) -> Option<RebuiltInstance> {
        let Target::ServiceInstance { service, name } = &resource.target else { return None };
        let (version, schema) = self.version_of(resource, template)?;
        let Some(environment) = resource.environment.clone() else {
            self.left_out(resource, "nothing says in which environment it lies");
            return None;
        };
        if !environments.contains(environment.as_str()) {
            let why = format!("its environment {environment} isn't there: give the repository that it lies in");
            self.left_out(resource, &why);
            return None;
        }
        let made = ServiceSpec::text(None, [(name.as_str(), environment.as_str(), &resource.inputs)]);
        if let Err(why) = gives_instance(&made, name, &environment, schema, &resource.inputs) {
            self.left_out(resource, &why);
            return None;
        }
        let told = self.witnesses.instance(service, name, self.troubles);
        Some(RebuiltInstance {
            place: resource.place.clone(),
            arn: resource.arn.clone(),
            name: name.clone(),
            environment,
            version: version.clone(),
            deployment_id: self.deployment(resource),
            spec: made,
            inputs: resource.inputs.clone(),
            outputs: self.outputs(resource, "service-instance", &[service, name], told),
            state: self.states.get(&resource.arn).cloned(),
        })
    }

    /// As [`Self::version`], and of the service's template.
    fn version_of(&mut self, resource: &'a Resource, template: &str) -> Option<(&'a VersionRef, &'a Schema)> {
        let (version, schema) = self.version(resource)?;
        if version.template != template {
            self.left_out(resource, &format!("its template is {}, its service's {template}", version.template));
            return None;
        }
        Some((version, schema))
    }

    fn pipeline(&mut self, resource: &'a Resource, template: &str) -> Option<RebuiltPipeline> {
        let (version, schema) = self.version_of(resource, template)?;
        let spec = ServiceSpec::text(Some(&resource.inputs), []);
        if let Err(why) = gives_pipeline(&spec, schema, &resource.inputs) {
            self.left_out(resource, &why);
            return None;
        }
        Some(RebuiltPipeline {
            place: resource.place.clone(),
            arn: resource.arn.clone(),
            version: version.clone(),
            deployment_id: self.deployment(resource),
            spec,
            state: self.states.get(&resource.arn).cloned(),
        })
    }

    /// The dump's spec of the service if it gives every part what was deployed, else the one made of that.
    fn service_spec(
        &mut self,
        arn: &str,
        made: String,
        instances: &[RebuiltInstance],
        pipeline: Option<&Map<String, Value>>,
    ) -> String {
        let Some(dumped) = self.dump.text(arn, "spec") else { return made };
        let fits = ServiceSpec::parse(dumped).is_ok_and(|spec| {
            let same = spec.instances.len() == instances.len() && spec.pipeline.is_some() == pipeline.is_some();
            same && instances.iter().all(|instance| {
                spec.instance(&instance.name)
                    .is_some_and(|it| it.environment == instance.environment && it.spec == instance.inputs)
            }) && spec.pipeline.as_ref() == pipeline
        });
        if fits {
            return dumped.to_owned();
        }
        if let Some(place) = self.dump.place(arn) {
            let message = format!(
                "the spec of {arn} isn't what was deployed, inputs filled in by defaults included: it was made anew"
            );
            self.troubles.push(note(place, message));
        }
        made
    }

    fn components(
        &mut self,
        live: &[&'a Resource],
        environments: &BTreeSet<&str>,
        services: &[RebuiltService],
    ) -> Vec<RebuiltComponent> {
        let mut taken = BTreeSet::new();
        let mut components: Vec<RebuiltComponent> =
            live.iter().filter_map(|it| self.component(it, environments, services, &mut taken)).collect();
        components.sort_by(|a, b| a.name.cmp(&b.name));
        components
    }

    fn component(
        &mut self,
        resource: &'a Resource,
        environments: &BTreeSet<&str>,
        services: &[RebuiltService],
        taken: &mut BTreeSet<(String, String)>,
    ) -> Option<RebuiltComponent> {
        let Target::Component { name } = &resource.target else { return None };
        let environment = resource.environment.clone().unwrap_or_default();
        if !environments.contains(environment.as_str()) {
            let why = format!("its environment {environment} isn't there: give the repository that it lies in");
            self.left_out(resource, &why);
            return None;
        }
        let (manifest, template_file) = self.component_files(resource)?;
        let attachment = self.attachment(resource, &environment, services, taken);
        let told = self.witnesses.component(name, self.troubles);
        Some(RebuiltComponent {
            place: resource.place.clone(),
            arn: resource.arn.clone(),
            name: name.clone(),
            environment,
            manifest,
            template_file,
            service_spec: attachment.as_ref().map(|(_, spec)| spec.clone()),
            attached: attachment.map(|(attached, _)| attached),
            deployment_id: self.deployment(resource),
            outputs: self.outputs(resource, "component", &[name], told),
            state: self.states.get(&resource.arn).cloned(),
        })
    }

    /// The one file of a component, and the manifest that names it.
    fn component_files(&mut self, resource: &Resource) -> Option<(String, String)> {
        let mut files: Vec<_> = super::code::authored(resource)
            .filter(|file| file.path.ends_with(".tf") && !file.path.contains('/'))
            .collect();
        files.sort_by_key(|file| (file.banner.is_none(), file.path != "component.tf", &file.path));
        let [file, others @ ..] = &files[..] else {
            self.left_out(resource, "it has no file");
            return None;
        };
        for other in others {
            let message = format!("{} is left out: a component is one file, and {} was taken", other.path, file.path);
            self.troubles.push(inconsistent(&resource.place, message));
        }
        let manifest = format!(
            "infrastructure:\n  templates:\n    - file: {}\n      rendering_engine: hcl\n      template_language: terraform\n",
            crate::domain::yaml_value(&file.path.as_str().into())
        );
        let text = String::from_utf8_lossy(&file.body).into_owned();
        if let Err(problems) = pack_component(&manifest, &text) {
            self.left_out(resource, &problems.within(500));
            return None;
        }
        Some((manifest, text))
    }

    /// The instance that a component is attached to, and the spec of its inputs.
    fn attachment(
        &mut self,
        resource: &'a Resource,
        environment: &str,
        services: &[RebuiltService],
        taken: &mut BTreeSet<(String, String)>,
    ) -> Option<((String, String), String)> {
        let (service, name) = attached(resource)?;
        let mut detached = |why: String| {
            let message = format!("{} is taken as detached from {service}/{name}: {why}", resource.target);
            self.troubles.push(inconsistent(&resource.place, message));
            None
        };
        let instance = services
            .iter()
            .find(|it| it.name == service)
            .and_then(|service| service.instances.iter().find(|instance| instance.name == name));
        let Some(instance) = instance else { return detached("there is no such instance".into()) };
        if instance.environment != environment {
            return detached(format!("the instance lies in environment {}", instance.environment));
        }
        if taken.contains(&(service.to_owned(), name.to_owned())) {
            return detached("another component is attached to it already".into());
        }
        let inputs = component_inputs(resource);
        let spec = ServiceSpec::text(None, [(name, environment, inputs)]);
        let key =
            VersionKey::of(&Target::ServiceInstance { service: service.into(), name: name.into() }, &instance.version);
        let schema = key.and_then(|key| self.versions.get(&key)).map(|built| &built.schema)?;
        if let Err(why) = gives_instance(&spec, name, environment, schema, inputs) {
            return detached(why);
        }
        taken.insert((service.to_owned(), name.to_owned()));
        let attached = (service.to_owned(), name.to_owned());
        Some((attached, spec))
    }
}

fn gives_instance(
    spec: &str,
    name: &str,
    environment: &str,
    schema: &Schema,
    inputs: &Map<String, Value>,
) -> Result<(), String> {
    let spec = ServiceSpec::parse(spec).map_err(|problems| problems.within(300))?;
    if spec.instance(name).is_none_or(|instance| instance.environment != environment) {
        return Err(format!("no spec can name the environment {environment}"));
    }
    gives(InputType::Service, spec.instance_inputs(name, schema, None), inputs)
}

fn gives_pipeline(spec: &str, schema: &Schema, inputs: &Map<String, Value>) -> Result<(), String> {
    let spec = ServiceSpec::parse(spec).map_err(|problems| problems.within(300))?;
    gives(InputType::Pipeline, spec.pipeline_inputs(schema, None), inputs)
}

fn gives(
    which: InputType,
    given: Result<Map<String, Value>, crate::domain::Problems>,
    inputs: &Map<String, Value>,
) -> Result<(), String> {
    match given {
        Ok(given) if given == *inputs => Ok(()),
        Ok(_) => Err(format!("no spec gives the {} inputs that were deployed", super::schema::words(which).2)),
        Err(problems) => Err(format!("no spec gives the inputs that were deployed: {}", problems.within(300))),
    }
}

/// The value that occurs most often; of equals the first.
fn most<'v, T: PartialEq>(values: impl Iterator<Item = &'v T>) -> Option<&'v T> {
    let mut counted: Vec<(&T, usize)> = Vec::new();
    for value in values {
        match counted.iter_mut().find(|(known, _)| *known == value) {
            Some((_, count)) => *count += 1,
            None => counted.push((value, 1)),
        }
    }
    counted.into_iter().rev().max_by_key(|(_, count)| *count).map(|(value, _)| value)
}
