//! A service with its instances and its pipeline, and the next step of whatever it is going through.
//!
//! Each step tells whether it went on: then things have changed, and the family has to be loaded anew.

use hadron_model::{DeploymentStatus, ServiceStatus};
use serde_json::json;

use super::followup::{set_pipeline_status, set_status};
use super::{plan, view};
use crate::control_plane::deployments::Deployments;
use crate::control_plane::operations::{history, service_sync, tags};
use crate::control_plane::records::{Pipeline, Service, ServiceInstance, TemplateKind, TemplateVersion};
use crate::control_plane::store::{Stored, Transaction, Typed};
use crate::control_plane::wire::ProtonError;
use crate::domain::Target;

/// A service with everything that belongs to it, at one moment.
pub(super) struct Family {
    service: Stored<Service>,
    instances: Vec<Stored<ServiceInstance>>,
    pipeline: Option<Stored<Pipeline>>,
}

impl Family {
    pub(super) fn load(
        engine: &Deployments,
        tx: &mut dyn Transaction,
        service: Stored<Service>,
    ) -> Result<Self, ProtonError> {
        let instances = tx.by_term(&engine.scope, "service", &service.name)?;
        let pipeline = tx.get(&engine.scope, &service.name)?;
        Ok(Self { service, instances, pipeline })
    }

    pub(super) fn create(self, engine: &Deployments, tx: &mut dyn Transaction) -> Result<bool, ProtonError> {
        if self.instances.iter().any(|it| it.progress.in_flight()) {
            return Ok(false);
        }
        if let Some(reason) = self.failed_instances(engine, |_| true) {
            // It stays due, so that mended instances bring it about.
            let (name, called_off) = (&self.service.name, DeploymentStatus::Cancelled);
            set_pipeline_status(engine, tx, name, called_off, Some(reason.clone()))?;
            return self.conclude(engine, tx, ServiceStatus::CreateFailed, Some(reason), None);
        }
        self.pipeline_then(engine, tx, ServiceStatus::CreateFailed, (ServiceStatus::Active, None))
    }

    pub(super) fn update(self, engine: &Deployments, tx: &mut dyn Transaction) -> Result<bool, ProtonError> {
        let added = |name: &str| self.service.pending_added.iter().any(|it| it == name);
        if self.instances.iter().any(|it| added(&it.name) && it.progress.in_flight()) {
            return Ok(false);
        }
        if let Some(reason) = self.failed_instances(engine, added) {
            self.unlock_pipeline(engine, tx)?;
            return self.end(engine, tx, ServiceStatus::UpdateFailedCleanupInProgress, Some(reason));
        }
        if self.remove_instances(engine, tx, |service, it| service.pending_removed.contains(&it.name))? {
            return Ok(true);
        }
        if self.instances.iter().any(|it| it.progress.status == DeploymentStatus::DeleteInProgress) {
            return Ok(false);
        }
        let left = self.undeleted_instances(engine, &self.service.pending_removed);
        let best = if left.is_some() { ServiceStatus::UpdateCompleteCleanupFailed } else { ServiceStatus::Active };
        self.pipeline_then(engine, tx, ServiceStatus::UpdateFailed, (best, left))
    }

    /// Deprovisions the instances of an update that failed; nothing else was touched.
    pub(super) fn clean_up(self, engine: &Deployments, tx: &mut dyn Transaction) -> Result<bool, ProtonError> {
        if self.remove_instances(engine, tx, |service, it| service.pending_added.contains(&it.name))? {
            return Ok(true);
        }
        if self.instances.iter().any(|it| it.progress.status == DeploymentStatus::DeleteInProgress) {
            return Ok(false);
        }
        let remaining = self.instances.iter().any(|it| self.service.pending_added.contains(&it.name));
        let status = match remaining {
            true => ServiceStatus::UpdateFailedCleanupFailed,
            false => ServiceStatus::UpdateFailedCleanupComplete,
        };
        let message = self.service.status_message.clone();
        self.conclude(engine, tx, status, message, None)
    }

    pub(super) fn delete(self, engine: &Deployments, tx: &mut dyn Transaction) -> Result<bool, ProtonError> {
        if let Some(pipeline) = &self.pipeline {
            return match pipeline.progress.status {
                DeploymentStatus::DeleteInProgress => Ok(false),
                DeploymentStatus::DeleteFailed if self.tried(&self.pipeline_target()) => {
                    let message = pipeline.progress.message.clone();
                    self.end(engine, tx, ServiceStatus::DeleteFailed, message)
                }
                _ => self.remove(engine, tx, &self.pipeline_target()).map(|()| true),
            };
        }
        if self.remove_instances(engine, tx, |_, _| true)? {
            return Ok(true);
        }
        if self.instances.iter().any(|it| it.progress.in_flight()) {
            return Ok(false);
        }
        if !self.instances.is_empty() {
            let all: Vec<String> = self.instances.iter().map(|it| it.name.clone()).collect();
            let message = self.undeleted_instances(engine, &all);
            return self.end(engine, tx, ServiceStatus::DeleteFailed, message);
        }
        let arn = view::arn(&engine.scope, &self.service.name);
        let detail = json!({ "name": self.service.name });
        let previous = Some(self.service.status.as_str());
        history::append(tx, &engine.scope, &arn, previous, history::DELETED, &detail, engine.now)?;
        tags::remove_tags(tx, &engine.scope, &arn)?;
        engine.forget_import(tx, &arn)?;
        service_sync::forget(tx, &engine.scope, &self.service.name)?;
        tx.delete(&engine.scope, &self.service)?;
        Ok(false)
    }

    /// Brings the pipeline up to date where an instance came outside of a service update.
    pub(super) fn keep_up(self, engine: &Deployments, tx: &mut dyn Transaction) -> Result<bool, ProtonError> {
        let busy = self.instances.iter().any(|it| it.progress.in_flight())
            || self.pipeline.as_ref().is_none_or(|pipeline| pipeline.progress.in_flight());
        if busy || !self.service.pipeline_due {
            return Ok(false);
        }
        self.provision_pipeline(engine, tx).map(|problem| problem.is_none())
    }

    /// Brings a failed service back to ACTIVE once everything in it has succeeded, the pipeline last.
    pub(super) fn recover(self, engine: &Deployments, tx: &mut dyn Transaction) -> Result<bool, ProtonError> {
        if self.instances.iter().any(|it| it.progress.status != DeploymentStatus::Succeeded) {
            return Ok(false);
        }
        let Some(pipeline) = &self.pipeline else { return self.end(engine, tx, ServiceStatus::Active, None) };
        match pipeline.progress.status {
            _ if self.service.pipeline_due => self.keep_up(engine, tx),
            DeploymentStatus::Succeeded => self.end(engine, tx, ServiceStatus::Active, None),
            _ => Ok(false),
        }
    }

    /// The last link of a create or update: the pipeline, and then the service's final status.
    fn pipeline_then(
        self,
        engine: &Deployments,
        tx: &mut dyn Transaction,
        worst: ServiceStatus,
        (best, told): (ServiceStatus, Option<String>),
    ) -> Result<bool, ProtonError> {
        let spec = self.service.pending_spec.clone();
        let Some(pipeline) = &self.pipeline else { return self.conclude(engine, tx, best, told, spec) };
        // It is IN_PROGRESS while it is locked, too; what counts is its deployment.
        let target = self.pipeline_target();
        let record = engine.load(tx, &target)?;
        if engine.must_be_idle(tx, &record, &target).is_err() {
            return Ok(false);
        }
        if self.service.pipeline_due {
            return match self.provision_pipeline(engine, tx)? {
                None => Ok(true),
                Some(problem) => self.conclude(engine, tx, worst, Some(problem), spec),
            };
        }
        if pipeline.progress.status == DeploymentStatus::Succeeded {
            return self.conclude(engine, tx, best, told, spec);
        }
        let message = pipeline.progress.message.clone();
        self.conclude(engine, tx, worst, message, spec)
    }

    /// Begins the pipeline's deployment; tells why if that can't be.
    fn provision_pipeline(
        &self,
        engine: &Deployments,
        tx: &mut dyn Transaction,
    ) -> Result<Option<String>, ProtonError> {
        let mut service = plan::service_of(engine, tx, &self.service.name)?;
        service.pipeline_due = false;
        tx.save(&engine.scope, &mut service)?;
        let Some(pipeline) = &self.pipeline else { return Ok(None) };
        let spec = service.pending_spec.clone().unwrap_or_else(|| pipeline.spec.clone());
        let used = &pipeline.template;
        let key = TemplateVersion::key_of(TemplateKind::Service, &used.template, used.version);
        let problem = match tx.get::<TemplateVersion>(&engine.scope, &key)? {
            Some(version) => match plan::begin_pipeline(engine, tx, &service, &version, &spec) {
                Ok(_) => return Ok(None),
                Err(ProtonError::Validation(problem) | ProtonError::Conflict(problem)) => problem,
                Err(other) => return Err(other),
            },
            None => format!("service template {} version {} is gone", used.template, used.version),
        };
        set_pipeline_status(engine, tx, &service.name, DeploymentStatus::Failed, Some(problem.clone()))?;
        Ok(Some(problem))
    }

    /// Starts the removal of the first instance that is to go and doesn't yet; whether there was one.
    fn remove_instances(
        &self,
        engine: &Deployments,
        tx: &mut dyn Transaction,
        goes: impl Fn(&Service, &ServiceInstance) -> bool,
    ) -> Result<bool, ProtonError> {
        use DeploymentStatus as S;
        let target =
            |it: &ServiceInstance| Target::ServiceInstance { service: it.service.clone(), name: it.name.clone() };
        let waits = |it: &&Stored<ServiceInstance>| {
            goes(&self.service, it)
                && !it.progress.in_flight()
                && !(it.progress.status == S::DeleteFailed && self.tried(&target(it)))
        };
        let Some(instance) = self.instances.iter().find(waits) else { return Ok(false) };
        self.remove(engine, tx, &target(instance)).map(|()| true)
    }

    /// Begins a removal, which this change won't begin again.
    fn remove(&self, engine: &Deployments, tx: &mut dyn Transaction, target: &Target) -> Result<(), ProtonError> {
        let mut service = plan::service_of(engine, tx, &self.service.name)?;
        service.removals_begun.push(target.resource());
        tx.save(&engine.scope, &mut service)?;
        engine.delete(tx, target).map(drop)
    }

    fn tried(&self, target: &Target) -> bool {
        self.service.removals_begun.contains(&target.resource())
    }

    fn pipeline_target(&self) -> Target {
        Target::ServicePipeline { service: self.service.name.clone() }
    }

    /// What AWS says when instances of a change have failed.
    fn failed_instances(&self, engine: &Deployments, which: impl Fn(&str) -> bool) -> Option<String> {
        let failed = |it: &ServiceInstance| which(&it.name) && it.progress.status != DeploymentStatus::Succeeded;
        let list = self.arns(engine, failed)?;
        Some(format!("Service Instance(s): [{list}] failed to deploy - canceling pipeline deployment"))
    }

    fn undeleted_instances(&self, engine: &Deployments, names: &[String]) -> Option<String> {
        let list = self.arns(engine, |it| names.contains(&it.name))?;
        Some(format!("Service Instance(s): [{list}] failed to delete"))
    }

    fn arns(&self, engine: &Deployments, which: impl Fn(&ServiceInstance) -> bool) -> Option<String> {
        let arn = |it: &ServiceInstance| {
            Target::ServiceInstance { service: it.service.clone(), name: it.name.clone() }.arn(&engine.scope)
        };
        let list: Vec<String> = self.instances.iter().filter(|it| which(it)).map(|it| arn(it)).collect();
        (!list.is_empty()).then(|| list.join(", "))
    }

    /// Gives a pipeline that was locked for an update, and never touched, back what it was.
    fn unlock_pipeline(&self, engine: &Deployments, tx: &mut dyn Transaction) -> Result<(), ProtonError> {
        let Some((status, due)) = self.service.pipeline_before else { return Ok(()) };
        let mut service = plan::service_of(engine, tx, &self.service.name)?;
        service.pipeline_due = due;
        tx.save(&engine.scope, &mut service)?;
        set_pipeline_status(engine, tx, &service.name, status, None)
    }

    /// Ends a change: what was pending is over, and the service shows its new spec if there is one.
    fn conclude(
        self,
        engine: &Deployments,
        tx: &mut dyn Transaction,
        status: ServiceStatus,
        message: Option<String>,
        spec: Option<String>,
    ) -> Result<bool, ProtonError> {
        let mut service = plan::service_of(engine, tx, &self.service.name)?;
        if let Some(spec) = spec {
            service.spec = spec;
        }
        service.pending_spec = None;
        service.pending_added.clear();
        service.pending_removed.clear();
        service.pipeline_before = None;
        service.removals_begun.clear();
        tx.save(&engine.scope, &mut service)?;
        self.end(engine, tx, status, message)
    }

    /// Moves the service's status; always a step.
    fn end(
        self,
        engine: &Deployments,
        tx: &mut dyn Transaction,
        status: ServiceStatus,
        message: Option<String>,
    ) -> Result<bool, ProtonError> {
        set_status(engine, tx, &self.service.name, status, message)?;
        Ok(true)
    }
}
