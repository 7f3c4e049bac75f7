//! Bundle and inputs where Proton names neither: what a stock endpoint's Get and List calls tell, put together as the
//! control plane would have.

use std::collections::HashMap;

use bytes::Bytes;
use serde_json::Value;

use super::StepError;
use super::bundles::{BundleLocation, component_bundle};
use super::claim::Claimed;
use super::context::Context;
use super::fetch::{LARGEST_BUNDLE, Material};
use crate::domain::{
    self, Attachment, Bundle, BundleKind, EnvironmentFacts, EnvironmentSpec, OutputTexts, PipelineInstance, Schema,
    Scope, ServiceSpec, Target, open_bundle_of,
};
use crate::proton::{Attempt, Deployment, Proton, ProtonError, Service};
use crate::terraform::Mode;

/// Assembles what a deployment needs.
///
/// # Errors
/// [`StepError::NoWork`] when no location of bundles is configured.
pub(super) async fn assemble(
    context: &Context,
    claimed: &Claimed,
    deployment: &Deployment,
    mode: Mode,
) -> Result<Material, StepError> {
    let location = context.config.bundles.as_ref().ok_or(StepError::NoWork)?;
    let state = deployment.rendered_state(mode == Mode::Destroy);
    let state = state.ok_or_else(|| nonsense("a deployment without the state that it leads to"))?;
    let archive = archive(context, claimed, state, location).await?;
    let bundle = open_bundle_of(&claimed.target, &archive).map_err(StepError::Bundle)?;
    let assembly = Assembly {
        proton: &context.proton,
        scope: &claimed.scope,
        environment: &claimed.candidate.environment,
        current: deployment.initial_state.as_ref().and_then(|before| before.spec.as_deref()),
        state,
        mode,
    };
    let inputs = match &claimed.target {
        Target::Environment { name } => assembly.environment(name, schema(&bundle)?)?,
        Target::ServiceInstance { service, name } => assembly.instance(service, name, schema(&bundle)?).await?,
        Target::ServicePipeline { service } => assembly.pipeline(service, schema(&bundle)?).await?,
        Target::Component { name } => assembly.component(name).await?,
    };
    Ok(Material { archive, inputs, bucket: location.bucket.clone() })
}

/// No digest is checked: nothing that Proton says could be compared with one. Whoever may write to the configured
/// location decides what is provisioned.
async fn archive(
    context: &Context,
    claimed: &Claimed,
    state: &Attempt,
    location: &BundleLocation,
) -> Result<Bytes, StepError> {
    if let Target::Component { .. } = claimed.target {
        let file = state.template_file.as_deref();
        let file = file.ok_or_else(|| nonsense("a component's deployment without its template file"))?;
        return component_bundle(file).map(Bytes::from).map_err(StepError::Bundle);
    }
    let template = state.template.as_ref().ok_or_else(|| nonsense("a deployment without a template"))?;
    let uri = location.of(template);
    let objects = context.objects(&claimed.lease, &claimed.scope).await;
    Ok(objects.get_limited(&uri, LARGEST_BUNDLE).await?)
}

/// Everything that is asked about one deployment.
struct Assembly<'a> {
    proton: &'a Proton,
    scope: &'a Scope,
    /// Empty for pipelines.
    environment: &'a str,
    /// The spec that `${Proton::CURRENT_VAL}` refers to, if there is one.
    current: Option<&'a str>,
    state: &'a Attempt,
    mode: Mode,
}

impl Assembly<'_> {
    fn environment(&self, name: &str, schema: &Schema) -> Result<Value, StepError> {
        let spec = EnvironmentSpec::parse(self.spec()?, schema).map_err(StepError::Spec)?;
        Ok(domain::environment_inputs(self.scope, name, &self.template_arn("environment-template"), spec.inputs))
    }

    async fn instance(&self, service: &str, name: &str, schema: &Schema) -> Result<Value, StepError> {
        let current = self.current_spec().and_then(|spec| spec.instance(name).map(|it| it.spec.clone()));
        let spec = parse(self.spec()?)?;
        let inputs = spec.instance_inputs(name, schema, current.as_ref()).map_err(StepError::Spec)?;
        let pinned = self.state.environment_deployment.as_deref();
        let environment = self.proton.environment_facts(self.environment, pinned).await?;
        let service = self.proton.service(service).await?.facts;
        let component = self.component_outputs().await?;
        let template = self.template_arn("service-template");
        Ok(domain::instance_inputs(self.scope, &environment, &service, name, inputs, component, &template))
    }

    async fn pipeline(&self, service: &str, schema: &Schema) -> Result<Value, StepError> {
        let current = self.current_spec().and_then(|spec| spec.pipeline);
        let spec = parse(self.spec()?)?;
        let inputs = spec.pipeline_inputs(schema, current.as_ref()).map_err(StepError::Spec)?;
        let service = self.proton.service(service).await?;
        let mut known = Known::default();
        let mut instances = Vec::new();
        for name in self.instances_of(&service, &spec).await? {
            instances.push(self.pipeline_instance(&service.facts.name, &name, &mut known).await?);
        }
        let template = self.template_arn("service-template");
        Ok(domain::pipeline_inputs(self.scope, &service.facts, inputs, instances, &template))
    }

    async fn component(&self, name: &str) -> Result<Value, StepError> {
        let environment = self.proton.environment_facts(self.environment, None).await?;
        let attachment = match &self.state.attached_to {
            Some((service, instance)) => Some(self.attachment(service, instance).await?),
            None => None,
        };
        Ok(domain::component_inputs(self.scope, name, &environment, attachment))
    }

    /// The inputs that the instance has by the component's own service spec, if it has one, else by the instance's.
    async fn attachment(&self, service: &str, name: &str) -> Result<Attachment, StepError> {
        let instance = self.proton.service_instance(service, name).await?;
        let schema = service_schema(&self.proton.service_schema(&instance.template).await?)?;
        let own = parse(&instance.spec)?;
        let given = match &self.state.spec {
            Some(text) => parse(text)?,
            None => own.clone(),
        };
        let current = own.instance(name).map(|own| &own.spec);
        let inputs = given.instance_inputs(name, &schema, current).map_err(StepError::Spec)?;
        Ok(Attachment { service: service.to_owned(), instance: name.to_owned(), inputs })
    }

    /// The component whose outputs were current when the deployment began.
    async fn component_outputs(&self) -> Result<Option<(String, OutputTexts)>, StepError> {
        let Some(id) = self.state.component_deployments.first() else { return Ok(None) };
        match self.outputs_of_component(id).await {
            // Detached and deleted since; what is left of the instance is destroyed without it.
            Err(ProtonError::NotFound { .. }) if self.mode == Mode::Destroy => Ok(None),
            found => Ok(Some(found?)),
        }
    }

    async fn outputs_of_component(&self, deployment_id: &str) -> Result<(String, OutputTexts), ProtonError> {
        let target = self.proton.deployment(deployment_id).await?.target;
        let outputs = self.proton.outputs(&target, Some(deployment_id)).await?;
        match target {
            Target::Component { name } => Ok((name, outputs)),
            other => Err(ProtonError::Nonsense { what: format!("deployment {deployment_id} is of {other}") }),
        }
    }

    /// The instances that the pipeline is told of: those that have ever been deployed, in the order of the service's
    /// spec, and behind them those that it doesn't name. A service that is being updated still shows its old spec, and
    /// its pipeline's deployment has the new one, in which removed instances are missing.
    async fn instances_of(&self, service: &Service, pipelines: &ServiceSpec) -> Result<Vec<String>, StepError> {
        let own = parse(&service.spec)?;
        let spec = if service.is_updating { pipelines } else { &own };
        let mut instances = self.proton.service_instances(&service.facts.name).await?;
        instances.retain(|it| it.has_succeeded && (!service.is_updating || spec.instance(&it.name).is_some()));
        let place = |name: &str| spec.instances.iter().position(|it| it.name == name).unwrap_or(usize::MAX);
        instances.sort_by_cached_key(|it| (place(&it.name), it.created_at, it.name.clone()));
        Ok(instances.into_iter().map(|it| it.name).collect())
    }

    async fn pipeline_instance(
        &self,
        service: &str,
        name: &str,
        known: &mut Known,
    ) -> Result<PipelineInstance, StepError> {
        let instance = self.proton.service_instance(service, name).await?;
        let schema = known.schema(self.proton, &instance.template).await?;
        let inputs = parse(&instance.spec)?.instance_inputs(name, &schema, None).map_err(StepError::Spec)?;
        let target = Target::ServiceInstance { service: service.to_owned(), name: name.to_owned() };
        Ok(PipelineInstance {
            name: instance.name,
            inputs,
            outputs: self.proton.outputs(&target, None).await?,
            environment: known.environment(self.proton, &instance.environment).await?,
        })
    }

    fn spec(&self) -> Result<&str, StepError> {
        self.state.spec.as_deref().ok_or_else(|| nonsense("a deployment without a spec"))
    }

    fn current_spec(&self) -> Option<ServiceSpec> {
        ServiceSpec::parse(self.current?).ok()
    }

    fn template_arn(&self, kind: &str) -> String {
        let name = self.state.template.as_ref().map_or("", |(name, ..)| name);
        self.scope.arn(format!("{kind}/{name}"))
    }
}

/// What several instances of a service have in common is asked for once.
#[derive(Default)]
struct Known {
    environments: HashMap<String, EnvironmentFacts>,
    schemas: HashMap<(String, String, String), Schema>,
}

impl Known {
    async fn environment(&mut self, proton: &Proton, name: &str) -> Result<EnvironmentFacts, StepError> {
        if !self.environments.contains_key(name) {
            self.environments.insert(name.to_owned(), proton.environment_facts(name, None).await?);
        }
        Ok(self.environments[name].clone())
    }

    async fn schema(&mut self, proton: &Proton, of: &(String, String, String)) -> Result<Schema, StepError> {
        if !self.schemas.contains_key(of) {
            self.schemas.insert(of.clone(), service_schema(&proton.service_schema(of).await?)?);
        }
        Ok(self.schemas[of].clone())
    }
}

fn parse(spec: &str) -> Result<ServiceSpec, StepError> {
    ServiceSpec::parse(spec).map_err(StepError::Spec)
}

/// Every bundle has one but a component's.
fn schema(bundle: &Bundle) -> Result<&Schema, StepError> {
    bundle.schema.as_ref().ok_or_else(|| StepError::NoPart("inputs' schema".into()))
}

/// The schema of another template than the target's: Proton has its text, so its bundle isn't fetched. The text alone
/// tells whether there is a pipeline.
fn service_schema(text: &str) -> Result<Schema, StepError> {
    let read = |has_pipeline: bool| Schema::parse(text, BundleKind::Service, has_pipeline, !has_pipeline);
    read(false).or_else(|_| read(true)).map_err(StepError::Bundle)
}

fn nonsense(what: &str) -> StepError {
    StepError::Proton(ProtonError::Nonsense { what: what.to_owned() })
}
