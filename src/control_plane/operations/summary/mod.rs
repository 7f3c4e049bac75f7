//! GetResourcesSummary: how many of everything, how much of it failed, how much lags behind its template.

use std::collections::HashMap;

use hadron_model::{
    CountsSummary, DeploymentStatus, GetResourcesSummaryInput, GetResourcesSummaryOutput, ResourceCountsSummary,
    ServiceStatus,
};

use crate::control_plane::plane::Plane;
use crate::control_plane::records::{
    Component, Environment, Pipeline, Service, ServiceInstance, Template, TemplateKind, Version, VersionRef,
};
use crate::control_plane::store::{StoreError, Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::Scope;

/// How far a resource is behind what its template recommends; the greater, the worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Lag {
    None,
    Minor,
    Major,
}

/// Counts a kind's resources.
#[derive(Debug, Default)]
struct Counter {
    total: i64,
    failed: i64,
    up_to_date: i64,
    behind_minor: i64,
    behind_major: i64,
}

/// What each template recommends.
struct Recommended(HashMap<(TemplateKind, String), Version>);

/// Counts the account's resources in this region.
pub(crate) async fn get(
    plane: &Plane,
    call: &mut Call,
    _: GetResourcesSummaryInput,
) -> Result<GetResourcesSummaryOutput, ProtonError> {
    let scope = call.scope.clone();
    let counts = plane.store.read(move |tx| count(tx, &scope)).await?;
    Ok(GetResourcesSummaryOutput { counts })
}

fn count(tx: &mut dyn Transaction, scope: &Scope) -> Result<CountsSummary, ProtonError> {
    let templates = tx.all::<Template>(scope)?;
    let total = |kind| {
        let total = templates.iter().filter(|template| template.kind == kind).count();
        Some(ResourceCountsSummary {
            total: i64::try_from(total).unwrap_or(i64::MAX),
            behind_major: None,
            behind_minor: None,
            failed: None,
            up_to_date: None,
        })
    };
    let (environment_templates, service_templates) = (total(TemplateKind::Environment), total(TemplateKind::Service));
    let recommended = templates.iter().filter_map(|t| Some(((t.kind, t.name.clone()), t.recommended?)));
    let recommended = Recommended(recommended.collect());
    let mut environments = Counter::default();
    for environment in tx.all::<Environment>(scope)? {
        let lag = recommended.lag(TemplateKind::Environment, &environment.template);
        environments.add(failed(environment.progress.status), lag);
    }
    let [services, instances, pipelines] = count_services(tx, scope, &recommended)?;
    let mut components = Counter::default();
    for component in tx.all::<Component>(scope)? {
        components.add(failed(component.progress.status), Lag::None);
    }
    Ok(CountsSummary {
        components: Some(ResourceCountsSummary {
            behind_major: None,
            behind_minor: None,
            up_to_date: None,
            ..components.shown()
        }),
        environment_templates,
        environments: Some(environments.shown()),
        pipelines: Some(pipelines.shown()),
        service_instances: Some(instances.shown()),
        service_templates,
        services: Some(services.shown()),
    })
}

/// A service lags as far as the worst of its instances and its pipeline.
fn count_services(
    tx: &mut dyn Transaction,
    scope: &Scope,
    recommended: &Recommended,
) -> Result<[Counter; 3], StoreError> {
    let [mut services, mut instances, mut pipelines] = [Counter::default(), Counter::default(), Counter::default()];
    let mut worst: HashMap<String, Lag> = HashMap::new();
    let mut note = |service: String, lag: Lag| {
        let known = worst.entry(service).or_insert(Lag::None);
        *known = lag.max(*known);
    };
    for instance in tx.all::<ServiceInstance>(scope)? {
        let lag = recommended.lag(TemplateKind::Service, &instance.template);
        instances.add(failed(instance.progress.status), lag);
        note(instance.value.service, lag);
    }
    for pipeline in tx.all::<Pipeline>(scope)? {
        let lag = recommended.lag(TemplateKind::Service, &pipeline.template);
        pipelines.add(failed(pipeline.progress.status), lag);
        note(pipeline.value.service, lag);
    }
    for service in tx.all::<Service>(scope)? {
        services.add(service_failed(service.status), worst.get(&service.name).copied().unwrap_or(Lag::None));
    }
    Ok([services, instances, pipelines])
}

impl Recommended {
    /// What lies on a template without a recommended version can't be behind it.
    fn lag(&self, kind: TemplateKind, used: &VersionRef) -> Lag {
        match self.0.get(&(kind, used.template.clone())) {
            Some(recommended) if used.version.major < recommended.major => Lag::Major,
            Some(recommended) if used.version < *recommended => Lag::Minor,
            _ => Lag::None,
        }
    }
}

impl Counter {
    fn add(&mut self, failed: bool, lag: Lag) {
        self.total += 1;
        self.failed += i64::from(failed);
        match lag {
            Lag::None => self.up_to_date += 1,
            Lag::Minor => self.behind_minor += 1,
            Lag::Major => self.behind_major += 1,
        }
    }

    fn shown(&self) -> ResourceCountsSummary {
        ResourceCountsSummary {
            behind_major: Some(self.behind_major),
            behind_minor: Some(self.behind_minor),
            failed: Some(self.failed),
            total: self.total,
            up_to_date: Some(self.up_to_date),
        }
    }
}

fn failed(status: DeploymentStatus) -> bool {
    matches!(status, DeploymentStatus::Failed | DeploymentStatus::DeleteFailed)
}

fn service_failed(status: ServiceStatus) -> bool {
    use ServiceStatus as S;
    !matches!(status, S::Active | S::CreateInProgress | S::UpdateInProgress | S::DeleteInProgress)
}
