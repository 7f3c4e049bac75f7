//! A deployment's target as one type, whichever of the four kinds it is.

use crate::control_plane::records::{
    Component, Environment, Executor, Pipeline, Progress, ServiceInstance, TargetState, VersionRef,
};
use crate::control_plane::store::{StoreError, Stored, Transaction, Typed};
use crate::domain::{Scope, Target};

/// The document of a target.
#[derive(Debug, Clone)]
pub(crate) enum TargetRecord {
    Environment(Stored<Environment>),
    Instance(Stored<ServiceInstance>),
    Pipeline(Stored<Pipeline>),
    Component(Stored<Component>),
}

impl TargetRecord {
    /// Reads a target's document, if the target is there.
    pub(crate) fn load(tx: &mut dyn Transaction, scope: &Scope, target: &Target) -> Result<Option<Self>, StoreError> {
        Ok(match target {
            Target::Environment { name } => tx.get(scope, name)?.map(Self::Environment),
            Target::ServiceInstance { service, name } => {
                tx.get(scope, &ServiceInstance::key_of(service, name))?.map(Self::Instance)
            }
            Target::ServicePipeline { service } => tx.get(scope, service)?.map(Self::Pipeline),
            Target::Component { name } => tx.get(scope, name)?.map(Self::Component),
        })
    }

    /// Where the target stands.
    pub(crate) fn progress(&self) -> &Progress {
        match self {
            Self::Environment(it) => &it.progress,
            Self::Instance(it) => &it.progress,
            Self::Pipeline(it) => &it.progress,
            Self::Component(it) => &it.progress,
        }
    }

    /// Where the target stands, to be changed.
    pub(crate) fn progress_mut(&mut self) -> &mut Progress {
        match self {
            Self::Environment(it) => &mut it.progress,
            Self::Instance(it) => &mut it.progress,
            Self::Pipeline(it) => &mut it.progress,
            Self::Component(it) => &mut it.progress,
        }
    }

    /// When the target was created: tells it from an earlier one of the same name.
    pub(crate) fn created_at(&self) -> i64 {
        match self {
            Self::Environment(it) => it.created_at,
            Self::Instance(it) => it.created_at,
            Self::Pipeline(it) => it.created_at,
            Self::Component(it) => it.created_at,
        }
    }

    /// The environment it lies in (an environment lies in itself); empty for pipelines.
    pub(crate) fn environment(&self) -> &str {
        match self {
            Self::Environment(it) => &it.name,
            Self::Instance(it) => &it.environment,
            Self::Pipeline(_) => "",
            Self::Component(it) => &it.environment,
        }
    }

    /// Who deploys it: the environment says so; pipelines are always an agent's.
    pub(crate) fn executor(&self, tx: &mut dyn Transaction, scope: &Scope) -> Result<Executor, StoreError> {
        match self {
            Self::Environment(it) => Ok(it.executor),
            Self::Pipeline(_) => Ok(Executor::Agent),
            other => {
                let environment = tx.get::<Environment>(scope, other.environment())?;
                Ok(environment.map_or_else(Executor::default, |it| it.executor))
            }
        }
    }

    /// Makes a deployment's target state the one that the target shows.
    pub(crate) fn take(&mut self, state: &TargetState) {
        let spec = state.spec.clone();
        let (template, spec) = (state.template.clone(), spec.unwrap_or_default());
        match (self, template) {
            (Self::Environment(it), Some(template)) => (it.template, it.spec) = (template, spec),
            (Self::Instance(it), Some(template)) => (it.template, it.spec) = (template, spec),
            (Self::Pipeline(it), Some(template)) => (it.template, it.spec) = (template, spec),
            (Self::Component(it), _) => {
                it.service_spec.clone_from(&state.spec);
                it.attached_to.clone_from(&state.attached_to);
                if let Some(file) = &state.template_file {
                    it.template_file.clone_from(file);
                }
            }
            // Only components are without a template.
            (Self::Environment(_) | Self::Instance(_) | Self::Pipeline(_), None) => {}
        }
    }

    /// What the target shows now, as a state to deploy.
    pub(crate) fn state(&self) -> TargetState {
        let of = |template: &VersionRef, spec: &str| TargetState {
            template: Some(template.clone()),
            spec: Some(spec.to_owned()),
            ..TargetState::default()
        };
        match self {
            Self::Environment(it) => of(&it.template, &it.spec),
            Self::Instance(it) => of(&it.template, &it.spec),
            Self::Pipeline(it) => of(&it.template, &it.spec),
            Self::Component(it) => TargetState {
                spec: it.service_spec.clone(),
                template_file: Some(it.template_file.clone()),
                attached_to: it.attached_to.clone(),
                ..TargetState::default()
            },
        }
    }

    /// Writes the document back.
    pub(crate) fn save(&mut self, tx: &mut dyn Transaction, scope: &Scope) -> Result<(), StoreError> {
        match self {
            Self::Environment(it) => tx.save(scope, it),
            Self::Instance(it) => tx.save(scope, it),
            Self::Pipeline(it) => tx.save(scope, it),
            Self::Component(it) => tx.save(scope, it),
        }
    }

    /// Removes the document.
    pub(crate) fn remove(&self, tx: &mut dyn Transaction, scope: &Scope) -> Result<(), StoreError> {
        match self {
            Self::Environment(it) => tx.delete(scope, it),
            Self::Instance(it) => tx.delete(scope, it),
            Self::Pipeline(it) => tx.delete(scope, it),
            Self::Component(it) => tx.delete(scope, it),
        }
    }
}
