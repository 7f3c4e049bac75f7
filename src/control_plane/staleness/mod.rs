//! Staleness: what is behind its template, by how much, since when, and whose it is; and who is told.

mod outputs;
mod telling;
mod templates;

use hadron_model::Timestamp;
use hadron_model::hadron::{StaleRow, Staleness};

use self::outputs::changed_since;
use self::templates::{Standing, Templates};
use super::records::{Environment, Pipeline, ServiceInstance, TagSet, TemplateKind, VersionRef};
use super::store::{StoreError, Transaction, Typed};
use crate::domain::{Scope, Target};

pub(crate) use telling::{send_report, upgrade_available};

/// The tag that says whose a service or an environment is.
const OWNER: &str = "owner";

/// Where a row stands in the report.
pub(crate) fn place(row: &StaleRow) -> String {
    let service = row.service_name.as_deref().unwrap_or_default();
    let kind = match row.kind.as_str() {
        "environment" => 0,
        "service-pipeline" => 1,
        _ => 2,
    };
    format!("{}\u{0}{service}\u{0}{kind}\u{0}{}", u8::from(kind > 0), row.name)
}

/// Which rows are asked for.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) all: bool,
    pub(crate) environment_name: Option<String>,
    pub(crate) service_name: Option<String>,
    pub(crate) template_name: Option<String>,
}

impl Wanted {
    /// All rows, in order.
    pub(crate) fn rows(&self, tx: &mut dyn Transaction, scope: &Scope) -> Result<Vec<StaleRow>, StoreError> {
        let mut templates = Templates::default();
        let mut rows = Vec::new();
        for it in tx.all::<Environment>(scope)? {
            if self.service_name.is_none() && self.wants(&it.template, Some(&it.name)) {
                let target = Target::Environment { name: it.name.clone() };
                let standing = templates.standing(tx, scope, TemplateKind::Environment, &it.template)?;
                rows.push(row(tx, scope, &target, &it.template, &standing)?);
            }
        }
        for it in tx.all::<Pipeline>(scope)? {
            if self.environment_name.is_none() && self.of(&it.service) && self.wants(&it.template, None) {
                let target = Target::ServicePipeline { service: it.service.clone() };
                let standing = templates.standing(tx, scope, TemplateKind::Service, &it.template)?;
                rows.push(row(tx, scope, &target, &it.template, &standing)?);
            }
        }
        for it in tx.all::<ServiceInstance>(scope)? {
            if self.of(&it.service) && self.wants(&it.template, Some(&it.environment)) {
                let target = Target::ServiceInstance { service: it.service.clone(), name: it.name.clone() };
                let standing = templates.standing(tx, scope, TemplateKind::Service, &it.template)?;
                let mut row = row(tx, scope, &target, &it.template, &standing)?;
                row.environment_name = Some(it.environment.clone());
                let changed = changed_since(tx, scope, &it)?;
                row.outputs_changed = !changed.is_empty();
                row.outputs_changed_in = (!changed.is_empty()).then_some(changed);
                rows.push(row);
            }
        }
        let behind = |row: &StaleRow| matches!(row.staleness, Staleness::BehindMinor | Staleness::BehindMajor);
        rows.retain(|row| self.all || behind(row) || row.outputs_changed);
        rows.sort_by_key(place);
        Ok(rows)
    }

    fn of(&self, service: &str) -> bool {
        self.service_name.as_deref().is_none_or(|wanted| wanted == service)
    }

    fn wants(&self, used: &VersionRef, environment: Option<&str>) -> bool {
        self.template_name.as_ref().is_none_or(|wanted| *wanted == used.template)
            && self.environment_name.as_deref().is_none_or(|wanted| environment == Some(wanted))
    }
}

fn row(
    tx: &mut dyn Transaction,
    scope: &Scope,
    target: &Target,
    used: &VersionRef,
    standing: &Standing,
) -> Result<StaleRow, StoreError> {
    let (kind, name, service) = match target {
        Target::Environment { name } | Target::Component { name } => ("environment", name, None),
        Target::ServiceInstance { service, name } => ("service-instance", name, Some(service)),
        Target::ServicePipeline { service } => ("service-pipeline", service, Some(service)),
    };
    Ok(StaleRow {
        target_arn: target.arn(scope),
        kind: kind.to_owned(),
        name: name.clone(),
        service_name: service.cloned(),
        environment_name: service.is_none().then(|| name.clone()),
        template_name: used.template.clone(),
        deployed: used.version.to_string(),
        recommended: standing.recommended.map(|version| version.to_string()),
        staleness: standing.staleness,
        behind_since: standing.since.map(Timestamp),
        versions_behind: Some(standing.behind),
        outputs_changed: false,
        outputs_changed_in: None,
        owner: owner(tx, scope, target)?,
    })
}

/// The `owner` tag of the service, or of the environment itself.
fn owner(tx: &mut dyn Transaction, scope: &Scope, target: &Target) -> Result<Option<String>, StoreError> {
    let arn = match target {
        Target::ServiceInstance { service, .. } | Target::ServicePipeline { service } => {
            scope.arn(format_args!("service/{service}"))
        }
        Target::Environment { .. } | Target::Component { .. } => target.arn(scope),
    };
    Ok(tx.get::<TagSet>(scope, &arn)?.and_then(|set| set.tags.get(OWNER).cloned()))
}
