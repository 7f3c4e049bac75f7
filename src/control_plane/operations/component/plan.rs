//! From a component's texts to its deployment.

use serde_json::{Map, Value};

use super::attachment::version_of;
use crate::control_plane::deployments::{Begin, Deployments, Inputs, sealed};
use crate::control_plane::operations::deployment::{refusal, schema_of};
use crate::control_plane::operations::environment::{facts, ready};
use crate::control_plane::records::{Action, Component, ServiceInstance, TargetState};
use crate::control_plane::store::Transaction;
use crate::control_plane::wire::ProtonError;
use crate::domain::{Attachment, BundleKind, ServiceSpec, Target, component_inputs, open_bundle, pack_component};

/// What a component shall become.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    /// The new contents of the template file.
    pub(super) template_file: String,
    /// The service spec to take the instance's inputs from; None = the instance's own.
    pub(super) service_spec: Option<String>,
    /// The instance it is attached to then.
    pub(super) instance: Option<&'a ServiceInstance>,
}

impl Plan<'_> {
    /// Begins the deployment of a component whose document is in the record.
    ///
    /// # Errors
    /// `ValidationException` with all problems of manifest, template file and service spec; what
    /// [`ready`] says of the environment.
    pub(super) fn begin(
        self,
        tx: &mut dyn Transaction,
        engine: &Deployments,
        component: &Component,
        action: Action,
    ) -> Result<(), ProtonError> {
        let begin = self.deployment(tx, engine, component, action)?;
        engine.begin(tx, begin).map(drop)
    }

    /// What is deployed.
    ///
    /// # Errors
    /// As [`Plan::begin`].
    pub(super) fn deployment(
        self,
        tx: &mut dyn Transaction,
        engine: &Deployments,
        component: &Component,
        action: Action,
    ) -> Result<Begin, ProtonError> {
        if self.instance.is_none() && self.service_spec.is_some() {
            return Err(ProtonError::validation(
                "a serviceSpec is only of use to a component that is attached to a service instance",
            ));
        }
        let (bundle, upload) = engine.bundle_upload(packed(&component.manifest, &self.template_file)?);
        let inputs = self.inputs(tx, engine, component)?;
        let attached_to = self.instance.map(|it| (it.service.clone(), it.name.clone()));
        Ok(Begin {
            target: Target::Component { name: component.name.clone() },
            action,
            target_state: TargetState {
                spec: self.service_spec,
                template_file: Some(self.template_file),
                attached_to,
                ..TargetState::default()
            },
            bundle,
            inputs,
            uploads: vec![upload],
        })
    }

    fn inputs(
        &self,
        tx: &mut dyn Transaction,
        engine: &Deployments,
        component: &Component,
    ) -> Result<Inputs, ProtonError> {
        let environment = ready(tx, &engine.scope, &component.environment)?;
        let attachment = match self.instance {
            Some(instance) => Some(Attachment {
                service: instance.service.clone(),
                instance: instance.name.clone(),
                inputs: self.instance_inputs(tx, engine, instance)?,
            }),
            None => None,
        };
        let facts = facts(&engine.scope, &environment);
        Ok(Inputs {
            document: component_inputs(&engine.scope, &component.name, &facts, attachment),
            sealed: sealed::sealed_at("/environment/outputs", &environment.progress.outputs),
        })
    }

    /// The inputs that the instance has by the service spec; `${Proton::CURRENT_VAL}` means the instance's own value.
    fn instance_inputs(
        &self,
        tx: &mut dyn Transaction,
        engine: &Deployments,
        instance: &ServiceInstance,
    ) -> Result<Map<String, Value>, ProtonError> {
        let version = version_of(tx, engine, instance)?;
        let schema = schema_of(&version, !version.has_pipeline)?;
        let own = ServiceSpec::parse(&instance.spec).map_err(refusal)?;
        let given = match &self.service_spec {
            Some(text) => ServiceSpec::parse(text).map_err(refusal)?,
            None => own.clone(),
        };
        let current = own.instance(&instance.name).map(|own| &own.spec);
        given.instance_inputs(&instance.name, &schema, current).map_err(refusal)
    }
}

/// Manifest and template file as a bundle that is known to open.
fn packed(manifest: &str, template_file: &str) -> Result<Vec<u8>, ProtonError> {
    let archive = pack_component(manifest, template_file).map_err(refusal)?;
    open_bundle(BundleKind::Component, &archive, false).map_err(refusal)?;
    Ok(archive)
}
