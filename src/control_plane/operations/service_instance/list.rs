//! ListServiceInstances: filtered, sorted, in pages.

use hadron_model::hadron::Staleness;
use hadron_model::{
    DeploymentStatus, ListServiceInstancesFilter, ListServiceInstancesFilterBy as FilterBy, ListServiceInstancesInput,
    ListServiceInstancesOutput, ListServiceInstancesSortBy as SortBy, Operation, SortOrder,
};

use crate::control_plane::Plane;
use crate::control_plane::deployments::Deployments;
use crate::control_plane::operations::listing::{Listing, Page};
use crate::control_plane::operations::service::{plan, view};
use crate::control_plane::records::{ListedInstance, ServiceInstance, Template, TemplateKind};
use crate::control_plane::store::{ALL, Document, StoreError, Stored, Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::Scope;

/// Lists instances, of one service or of all.
///
/// <https://docs.aws.amazon.com/proton/latest/APIReference/API_ListServiceInstances.html>
pub(crate) async fn list_service_instances(
    plane: &Plane,
    call: &mut Call,
    input: ListServiceInstancesInput,
) -> Result<ListServiceInstancesOutput, ProtonError> {
    let engine = Deployments::of(plane, call);
    let filters = input.filters.unwrap_or_default().into_iter().map(Filter::read).collect::<Result<Vec<_>, _>>()?;
    let order = (input.sort_by.unwrap_or(SortBy::ServiceName), input.sort_order.unwrap_or(SortOrder::Ascending));
    let shown: Vec<_> = filters.iter().map(|filter| (filter.by.as_str(), &filter.value)).collect();
    let query = (&input.service_name, order.0.as_str(), order.1.as_str(), shown);
    let listing = Listing::new(call, Operation::ListServiceInstances, &query, input.max_results, input.next_token)?;
    let service = input.service_name;
    plane
        .store
        .read(move |tx| {
            if let Some(name) = &service {
                plan::service_of(&engine, tx, name)?;
            }
            let term = narrowest(tx, &engine.scope, service.as_deref(), &filters)?;
            let page = match order {
                (SortBy::ServiceName, order) => {
                    let descending = order == SortOrder::Descending;
                    listing.page_where(tx, term, descending, |tx, it| all_hold(&filters, &engine, tx, it))?
                }
                _ => sorted(&engine, tx, &listing, term, &filters, order)?,
            };
            let page = page.map(|it| view::instance_summary(&engine.scope, it.value));
            Ok(ListServiceInstancesOutput { service_instances: page.items, next_token: page.next_token })
        })
        .await
}

/// How far the terms of a request are followed to see which one ends first.
const PROBES: [usize; 4] = [32, 128, 512, 2048];

/// The term that the fewest instances carry among those that all which are asked for do. All are followed as far as the
/// shortest reaches, so a filter that fits half of the record costs nothing beside one that fits five instances.
fn narrowest<'a>(
    tx: &mut dyn Transaction,
    scope: &Scope,
    service: Option<&'a str>,
    filters: &'a [Filter],
) -> Result<(&'static str, &'a str), StoreError> {
    let mut terms: Vec<_> = service.map(|service| ("service", service)).into_iter().collect();
    terms.extend(filters.iter().filter_map(|filter| Some((term_of(filter.by)?, filter.value.as_str()))));
    // The likely order, for when all are long.
    terms.sort_by_key(|(name, _)| {
        ["service", "name", "template", "environment", "status"].iter().position(|it| it == name)
    });
    if let [_, _, ..] = terms[..] {
        for limit in PROBES {
            for &(term, value) in &terms {
                if tx.count(scope, ServiceInstance::KIND, (term, value), limit)? < limit {
                    return Ok((term, value));
                }
            }
        }
    }
    Ok(terms.first().copied().unwrap_or((ALL, "")))
}

/// The term that finds what a filter lets through.
fn term_of(by: FilterBy) -> Option<&'static str> {
    match by {
        FilterBy::ServiceName => Some("service"),
        FilterBy::Name => Some("name"),
        FilterBy::TemplateName => Some("template"),
        FilterBy::EnvironmentName => Some("environment"),
        FilterBy::DeploymentStatus => Some("status"),
        _ => None,
    }
}

/// A page in an order that the record doesn't keep.
fn sorted(
    engine: &Deployments,
    tx: &mut dyn Transaction,
    listing: &Listing,
    (term, value): (&str, &str),
    filters: &[Filter],
    order: (SortBy, SortOrder),
) -> Result<Page<Stored<ListedInstance>>, ProtonError> {
    let mut instances = Vec::new();
    for it in tx.by_term::<ListedInstance>(&engine.scope, term, value)? {
        if all_hold(filters, engine, tx, &it)? {
            instances.push(it);
        }
    }
    instances.sort_by_cached_key(|it| place(order.0, it));
    let descending = order.1 == SortOrder::Descending;
    if descending {
        instances.reverse();
    }
    if lasts(order.0) {
        return listing.page_of(instances, descending, |it| position(order.0, it));
    }
    let ranked: Vec<_> = instances.into_iter().enumerate().collect();
    Ok(listing.page_of(ranked, false, |(rank, _)| format!("{rank:010}"))?.map(|(_, it)| it))
}

fn all_hold(
    filters: &[Filter],
    engine: &Deployments,
    tx: &mut dyn Transaction,
    it: &ListedInstance,
) -> Result<bool, ProtonError> {
    for filter in filters {
        if !filter.holds(engine, tx, it)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn place(by: SortBy, it: &ListedInstance) -> (String, String, String) {
    let first = match by {
        SortBy::Name => it.name.clone(),
        SortBy::DeploymentStatus => it.progress.status.to_string(),
        SortBy::TemplateName => it.template.template.clone(),
        SortBy::ServiceName => it.service.clone(),
        SortBy::EnvironmentName => it.environment.clone(),
        SortBy::LastDeploymentAttemptedAt => format!("{:020}", it.progress.last_attempted_at),
        SortBy::CreatedAt => format!("{:020}", it.created_at),
    };
    (first, it.service.clone(), it.name.clone())
}

/// Whether a page can end where an instance stands. What one shows for good is a position that lasts, whatever comes or
/// goes before it; statuses and times of attempts change between pages, so there only the rank is left.
fn lasts(by: SortBy) -> bool {
    !matches!(by, SortBy::DeploymentStatus | SortBy::LastDeploymentAttemptedAt)
}

fn position(by: SortBy, it: &ListedInstance) -> String {
    let (first, service, name) = place(by, it);
    format!("{first}\0{service}\0{name}")
}

/// One filter; all filters of a request must hold.
struct Filter {
    by: FilterBy,
    value: String,
    /// The value as milliseconds since the epoch, where the filter is about time.
    at: i64,
}

impl Filter {
    fn read(filter: ListServiceInstancesFilter) -> Result<Self, ProtonError> {
        use FilterBy as F;
        let (Some(by), Some(value)) = (filter.key, filter.value) else {
            return Err(ProtonError::validation("a filter needs a key and a value"));
        };
        let about_time = matches!(
            by,
            F::LastDeploymentAttemptedAtBefore
                | F::LastDeploymentAttemptedAtAfter
                | F::CreatedAtBefore
                | F::CreatedAtAfter
        );
        let at = match about_time {
            false => 0,
            true => value.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_millisecond).map_err(|_| {
                ProtonError::validation(format!("filter {by}: {value} is no time; write it like 2026-11-22T09:30:00Z"))
            })?,
        };
        let known: Vec<_> = match by {
            F::DeployedTemplateVersionStatus => STALENESS.to_vec(),
            F::DeploymentStatus => DeploymentStatus::ALL.iter().map(|status| status.as_str()).collect(),
            _ => Vec::new(),
        };
        if !known.is_empty() && !known.contains(&value.as_str()) {
            let list = known.join(", ");
            return Err(ProtonError::validation(format!("filter {by}: {value} is none of {list}")));
        }
        Ok(Self { by, value, at })
    }

    fn holds(&self, engine: &Deployments, tx: &mut dyn Transaction, it: &ListedInstance) -> Result<bool, ProtonError> {
        use FilterBy as F;
        Ok(match self.by {
            F::Name => it.name == self.value,
            F::DeploymentStatus => it.progress.status.as_str() == self.value,
            F::TemplateName => it.template.template == self.value,
            F::ServiceName => it.service == self.value,
            F::EnvironmentName => it.environment == self.value,
            F::DeployedTemplateVersionStatus => staleness(engine, tx, it)? == self.value,
            F::LastDeploymentAttemptedAtBefore => it.progress.last_attempted_at < self.at,
            F::LastDeploymentAttemptedAtAfter => it.progress.last_attempted_at > self.at,
            F::CreatedAtBefore => it.created_at < self.at,
            F::CreatedAtAfter => it.created_at > self.at,
        })
    }
}

/// Proton never published these values; they follow the members of its resource counts.
const STALENESS: [&str; 3] = ["UP_TO_DATE", "BEHIND_MINOR", "BEHIND_MAJOR"];

fn staleness(engine: &Deployments, tx: &mut dyn Transaction, it: &ListedInstance) -> Result<&'static str, ProtonError> {
    let key = Template::key_of(TemplateKind::Service, &it.template.template);
    let recommended = tx.get::<Template>(&engine.scope, &key)?.and_then(|template| template.value.recommended);
    Ok(match it.template.version.staleness(recommended) {
        Staleness::BehindMajor => "BEHIND_MAJOR",
        Staleness::BehindMinor => "BEHIND_MINOR",
        Staleness::UpToDate | Staleness::Unpublished => "UP_TO_DATE",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control_plane::records::Progress;
    use crate::control_plane::test_plane::TestPlane;

    fn filter(by: FilterBy, value: &str) -> Filter {
        Filter { by, value: value.into(), at: 0 }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_term_that_the_fewest_instances_carry_is_followed() {
        let test = TestPlane::new().await;
        test.settled_environment("dev", &[]).await;
        test.settled_instance("shop", "one", "dev").await;
        let one = test.get::<ServiceInstance>("shop/one").await.unwrap().value;
        for n in 0..40 {
            let status = if n == 0 { DeploymentStatus::Failed } else { DeploymentStatus::Succeeded };
            let progress = Progress { status, ..one.progress.clone() };
            test.add(ServiceInstance { name: format!("more-{n}"), progress, ..one.clone() }).await;
        }
        let scope = test.scope.clone();
        let term = test.plane.store.read::<_, StoreError, _>(move |tx| {
            let filters = [
                filter(FilterBy::TemplateName, "web"),
                filter(FilterBy::EnvironmentName, "dev"),
                filter(FilterBy::DeploymentStatus, "FAILED"),
            ];
            let (term, value) = narrowest(tx, &scope, None, &filters)?;
            Ok((term, value.to_owned()))
        });
        assert_eq!(term.await.unwrap(), ("status", "FAILED".to_owned()));
    }
}
