//! What each counted document counts for.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use hadron_model::hadron::Staleness;
use hadron_model::{DeploymentStatus, ServiceStatus};

use super::tally::{Counts, Tally};
use crate::control_plane::records::{
    Component, Environment, Pipeline, Service, ServiceInstance, Template, TemplateKind, Version, VersionRef,
};
use crate::control_plane::store::{StoreError, Transaction, Typed};
use crate::domain::Scope;

/// Whether a target's last deployment left it broken.
pub(super) fn failed(status: DeploymentStatus) -> bool {
    matches!(status, DeploymentStatus::Failed | DeploymentStatus::DeleteFailed)
}

/// Whether a service's last change left it broken.
pub(super) fn service_failed(status: ServiceStatus) -> bool {
    use ServiceStatus as S;
    !matches!(status, S::Active | S::CreateInProgress | S::UpdateInProgress | S::DeleteInProgress)
}

/// What templates recommend, looked up once each.
#[derive(Debug, Default)]
pub(super) struct Recommended(HashMap<(TemplateKind, String), Option<Version>>);

impl Recommended {
    /// How what lies on a version stands to its template.
    pub(super) fn staleness(
        &mut self,
        tx: &mut dyn Transaction,
        scope: &Scope,
        kind: TemplateKind,
        used: &VersionRef,
    ) -> Result<Staleness, StoreError> {
        let key = (kind, used.template.clone());
        if let Some(recommended) = self.0.get(&key) {
            return Ok(used.version.staleness(*recommended));
        }
        let template = tx.get::<Template>(scope, &Template::key_of(kind, &used.template))?;
        let recommended = template.and_then(|template| template.recommended);
        self.0.insert(key, recommended);
        Ok(used.version.staleness(recommended))
    }
}

/// A service stands as the worst of its instances and its pipeline.
pub(super) fn worst(standings: impl IntoIterator<Item = Staleness>) -> Staleness {
    let rank = |it: &Staleness| match it {
        Staleness::UpToDate | Staleness::Unpublished => 0,
        Staleness::BehindMinor => 1,
        Staleness::BehindMajor => 2,
    };
    standings.into_iter().max_by_key(rank).unwrap_or(Staleness::UpToDate)
}

/// How a service stands at this moment of the transaction.
pub(super) fn service_staleness(
    tx: &mut dyn Transaction,
    scope: &Scope,
    service: &str,
) -> Result<Staleness, StoreError> {
    let mut recommended = Recommended::default();
    let mut standings = Vec::new();
    for instance in tx.by_term::<ServiceInstance>(scope, "service", service)? {
        standings.push(recommended.staleness(tx, scope, TemplateKind::Service, &instance.template)?);
    }
    if let Some(pipeline) = tx.get::<Pipeline>(scope, service)? {
        standings.push(recommended.staleness(tx, scope, TemplateKind::Service, &pipeline.template)?);
    }
    Ok(worst(standings))
}

/// How the environments, instances, pipelines and services of a template are spread over being up to date or behind.
/// Totals and failures are left out: they don't depend on the template.
pub(super) fn standings_of_template(
    tx: &mut dyn Transaction,
    scope: &Scope,
    kind: TemplateKind,
    name: &str,
) -> Result<Counts, StoreError> {
    let mut counts = Counts::default();
    let mut recommended = Recommended::default();
    if kind == TemplateKind::Environment {
        for it in tx.by_term::<Environment>(scope, "template", name)? {
            counts.environments.stand(1, recommended.staleness(tx, scope, kind, &it.template)?);
        }
        return Ok(counts);
    }
    let mut services = BTreeSet::new();
    for it in tx.by_term::<ServiceInstance>(scope, "template", name)? {
        counts.instances.stand(1, recommended.staleness(tx, scope, kind, &it.template)?);
        services.insert(it.value.service);
    }
    for it in tx.by_term::<Pipeline>(scope, "template", name)? {
        counts.pipelines.stand(1, recommended.staleness(tx, scope, kind, &it.template)?);
        services.insert(it.value.service);
    }
    for service in services {
        if tx.get::<Service>(scope, &service)?.is_some() {
            counts.services.stand(1, service_staleness(tx, scope, &service)?);
        }
    }
    Ok(counts)
}

/// Counts everything one by one: what the folded numbers must equal, and where they begin.
///
/// # Errors
/// That the store refuses.
pub(crate) fn full_count(tx: &mut dyn Transaction, scope: &Scope) -> Result<Counts, StoreError> {
    let mut counts = Counts::default();
    let mut recommended = Recommended::default();
    for it in tx.all::<Template>(scope)? {
        match it.kind {
            TemplateKind::Environment => counts.environment_templates.total += 1,
            TemplateKind::Service => counts.service_templates.total += 1,
        }
    }
    for it in tx.all::<Environment>(scope)? {
        let staleness = recommended.staleness(tx, scope, TemplateKind::Environment, &it.template)?;
        counts.environments += Tally::one(1, failed(it.progress.status), staleness);
    }
    let mut standings: BTreeMap<String, Vec<Staleness>> = BTreeMap::new();
    for it in tx.all::<ServiceInstance>(scope)? {
        let staleness = recommended.staleness(tx, scope, TemplateKind::Service, &it.template)?;
        counts.instances += Tally::one(1, failed(it.progress.status), staleness);
        standings.entry(it.value.service).or_default().push(staleness);
    }
    for it in tx.all::<Pipeline>(scope)? {
        let staleness = recommended.staleness(tx, scope, TemplateKind::Service, &it.template)?;
        counts.pipelines += Tally::one(1, failed(it.progress.status), staleness);
        standings.entry(it.value.service).or_default().push(staleness);
    }
    for it in tx.all::<Service>(scope)? {
        let staleness = worst(standings.remove(&it.name).unwrap_or_default());
        counts.services += Tally::one(1, service_failed(it.status), staleness);
    }
    for it in tx.all::<Component>(scope)? {
        counts.components += Tally::one(1, failed(it.progress.status), Staleness::UpToDate);
    }
    Ok(counts)
}
