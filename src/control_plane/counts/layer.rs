//! The layer that keeps the numbers.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::class::{Recommended, failed, service_failed, service_staleness, standings_of_template};
use super::tally::{Counts, Delta, Tally};
use crate::control_plane::records::{
    Component, Environment, Pipeline, Service, ServiceInstance, Template, TemplateKind,
};
use crate::control_plane::store::{Document, Layer, StoreError, Term, Transaction, Typed, pass_on};
use crate::domain::Scope;

/// Counts what a transaction adds, changes and removes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counting;

impl Layer for Counting {
    fn around(
        &self,
        tx: &mut dyn Transaction,
        work: &mut dyn FnMut(&mut dyn Transaction) -> bool,
    ) -> Result<bool, StoreError> {
        let mut counted = Counted { tx, deltas: BTreeMap::new() };
        let commit = work(&mut counted);
        let Counted { tx, deltas } = counted;
        for (scope, counts) in deltas.into_iter().filter(|(_, counts)| commit && *counts != Counts::default()) {
            tx.add(&scope, &Delta { id: Uuid::now_v7().to_string(), counts })?;
        }
        Ok(commit)
    }
}

/// A transaction that keeps count.
struct Counted<'t> {
    tx: &'t mut dyn Transaction,
    deltas: BTreeMap<Scope, Counts>,
}

impl Counted<'_> {
    /// Makes one change of a counted document and notes by how much it changes the numbers. `before` and `after` are the
    /// document's texts; none where there is none.
    fn change(
        &mut self,
        scope: &Scope,
        kind: &str,
        before: Option<&str>,
        after: Option<&str>,
        make: impl FnOnce(&mut dyn Transaction) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        if let (Service::KIND, Some(before), Some(after)) = (kind, before, after) {
            // How it stands is its instances' matter.
            let broken = |text| parse::<Service>(text).map(|it| i64::from(service_failed(it.status)));
            self.deltas.entry(scope.clone()).or_default().services.failed += broken(after)? - broken(before)?;
            return make(self.tx);
        }
        let mut counts = self.affected(scope, kind, before, after)?;
        negate(&mut counts);
        if let Some(text) = before {
            counts += weigh(self.tx, scope, kind, text, -1)?;
        }
        make(self.tx)?;
        if let Some(text) = after {
            counts += weigh(self.tx, scope, kind, text, 1)?;
        }
        counts += self.affected(scope, kind, before, after)?;
        *self.deltas.entry(scope.clone()).or_default() += counts;
        Ok(())
    }

    /// The numbers of other documents that a change of this one may move: a template's decides how everything made of it
    /// stands, an instance's and a pipeline's how their service does.
    fn affected(
        &mut self,
        scope: &Scope,
        kind: &str,
        before: Option<&str>,
        after: Option<&str>,
    ) -> Result<Counts, StoreError> {
        let mut counts = Counts::default();
        if kind == Template::KIND {
            let (before, after) = (read::<Template>(before)?, read::<Template>(after)?);
            let recommended = |template: &Option<Template>| template.as_ref().and_then(|it| it.recommended);
            if let Some(template) =
                before.as_ref().or(after.as_ref()).filter(|_| recommended(&before) != recommended(&after))
            {
                return standings_of_template(self.tx, scope, template.kind, &template.name);
            }
        }
        let service = match kind {
            ServiceInstance::KIND => {
                let (before, after) = (read::<ServiceInstance>(before)?, read::<ServiceInstance>(after)?);
                let moved = before.as_ref().map(|it| &it.template) != after.as_ref().map(|it| &it.template);
                before.or(after).filter(|_| moved).map(|it| it.service)
            }
            Pipeline::KIND => {
                let (before, after) = (read::<Pipeline>(before)?, read::<Pipeline>(after)?);
                let moved = before.as_ref().map(|it| &it.template) != after.as_ref().map(|it| &it.template);
                before.or(after).filter(|_| moved).map(|it| it.service)
            }
            _ => None,
        };
        if let Some(service) = service
            && self.tx.get::<Service>(scope, &service)?.is_some()
        {
            counts.services.stand(1, service_staleness(self.tx, scope, &service)?);
        }
        Ok(counts)
    }
}

/// The kinds of documents that are counted.
pub(super) const COUNTED: [&str; 6] =
    [Template::KIND, Environment::KIND, Service::KIND, ServiceInstance::KIND, Pipeline::KIND, Component::KIND];

fn negate(counts: &mut Counts) {
    let mut negative = Counts::default();
    std::mem::swap(&mut negative, counts);
    let minus = |tally: Tally| Tally {
        total: -tally.total,
        failed: -tally.failed,
        up_to_date: -tally.up_to_date,
        behind_minor: -tally.behind_minor,
        behind_major: -tally.behind_major,
    };
    *counts = Counts {
        environment_templates: minus(negative.environment_templates),
        service_templates: minus(negative.service_templates),
        environments: minus(negative.environments),
        services: minus(negative.services),
        instances: minus(negative.instances),
        pipelines: minus(negative.pipelines),
        components: minus(negative.components),
    };
}

/// What one document counts for, `sign` times.
fn weigh(tx: &mut dyn Transaction, scope: &Scope, kind: &str, text: &str, sign: i64) -> Result<Counts, StoreError> {
    let (mut counts, mut recommended) = (Counts::default(), Recommended::default());
    match kind {
        Template::KIND => {
            let it: Template = parse(text)?;
            match it.kind {
                TemplateKind::Environment => counts.environment_templates.total += sign,
                TemplateKind::Service => counts.service_templates.total += sign,
            }
        }
        Environment::KIND => {
            let it: Environment = parse(text)?;
            let staleness = recommended.staleness(tx, scope, TemplateKind::Environment, &it.template)?;
            counts.environments += Tally::one(sign, failed(it.progress.status), staleness);
        }
        ServiceInstance::KIND => {
            let it: ServiceInstance = parse(text)?;
            let staleness = recommended.staleness(tx, scope, TemplateKind::Service, &it.template)?;
            counts.instances += Tally::one(sign, failed(it.progress.status), staleness);
        }
        Pipeline::KIND => {
            let it: Pipeline = parse(text)?;
            let staleness = recommended.staleness(tx, scope, TemplateKind::Service, &it.template)?;
            counts.pipelines += Tally::one(sign, failed(it.progress.status), staleness);
        }
        Service::KIND => {
            let it: Service = parse(text)?;
            let staleness = service_staleness(tx, scope, &it.name)?;
            counts.services += Tally::one(sign, service_failed(it.status), staleness);
        }
        Component::KIND => {
            let it: Component = parse(text)?;
            counts.components +=
                Tally::one(sign, failed(it.progress.status), hadron_model::hadron::Staleness::UpToDate);
        }
        _ => {}
    }
    Ok(counts)
}

fn read<T: Document + DeserializeOwned>(text: Option<&str>) -> Result<Option<T>, StoreError> {
    text.map(parse).transpose()
}

fn parse<T: Document + DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|source| StoreError::Corrupt { kind: T::KIND, key: String::new(), source })
}

impl Transaction for Counted<'_> {
    pass_on!(fetch select count scopes append_change changes put_blob blob remove_blob);

    fn insert(
        &mut self,
        scope: &Scope,
        kind: &'static str,
        key: &str,
        body: &str,
        terms: &[Term],
    ) -> Result<(), StoreError> {
        if !COUNTED.contains(&kind) {
            return self.tx.insert(scope, kind, key, body, terms);
        }
        self.change(scope, kind, None, Some(body), |tx| tx.insert(scope, kind, key, body, terms))
    }

    fn update(
        &mut self,
        scope: &Scope,
        kind: &'static str,
        key: &str,
        version: i64,
        body: &str,
        terms: &[Term],
    ) -> Result<(), StoreError> {
        if !COUNTED.contains(&kind) {
            return self.tx.update(scope, kind, key, version, body, terms);
        }
        let before = self.tx.fetch(scope, kind, key)?.map(|row| row.body);
        self.change(scope, kind, before.as_deref(), Some(body), |tx| tx.update(scope, kind, key, version, body, terms))
    }

    fn remove(&mut self, scope: &Scope, kind: &'static str, key: &str, version: i64) -> Result<(), StoreError> {
        if !COUNTED.contains(&kind) {
            return self.tx.remove(scope, kind, key, version);
        }
        let before = self.tx.fetch(scope, kind, key)?.map(|row| row.body);
        self.change(scope, kind, before.as_deref(), None, |tx| tx.remove(scope, kind, key, version))
    }
}
