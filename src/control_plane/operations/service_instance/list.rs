//! ListServiceInstances: filtered, sorted, in pages.

use hadron_model::hadron::Staleness;
use hadron_model::{
    ListServiceInstancesFilter, ListServiceInstancesFilterBy as FilterBy, ListServiceInstancesInput,
    ListServiceInstancesOutput, ListServiceInstancesSortBy as SortBy, Operation, SortOrder,
};

use crate::control_plane::Plane;
use crate::control_plane::deployments::Deployments;
use crate::control_plane::operations::listing::{Listing, Page};
use crate::control_plane::operations::service::{plan, view};
use crate::control_plane::records::{ServiceInstance, Template, TemplateKind};
use crate::control_plane::store::{ALL, Stored, Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};

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
            let term = narrowest(service.as_deref(), &filters);
            let page = match order {
                (SortBy::ServiceName, order) => {
                    let descending = order == SortOrder::Descending;
                    listing.page_where(tx, term, descending, |tx, it| all_hold(&filters, &engine, tx, it))?
                }
                _ => sorted(&engine, tx, &listing, term, &filters, order)?,
            };
            let page = page.map(|it| view::instance_summary(&engine.scope, &it));
            Ok(ListServiceInstancesOutput { service_instances: page.items, next_token: page.next_token })
        })
        .await
}

/// The term that the fewest instances carry among those that all which are asked for do.
fn narrowest<'a>(service: Option<&'a str>, filters: &'a [Filter]) -> (&'static str, &'a str) {
    if let Some(service) = service {
        return ("service", service);
    }
    let of = |by: FilterBy, term: &'static str| {
        filters.iter().find(|filter| filter.by == by).map(|filter| (term, filter.value.as_str()))
    };
    of(FilterBy::ServiceName, "service")
        .or_else(|| of(FilterBy::Name, "name"))
        .or_else(|| of(FilterBy::TemplateName, "template"))
        .or_else(|| of(FilterBy::EnvironmentName, "environment"))
        .or_else(|| of(FilterBy::DeploymentStatus, "status"))
        .unwrap_or((ALL, ""))
}

/// A page in an order that the record doesn't keep.
fn sorted(
    engine: &Deployments,
    tx: &mut dyn Transaction,
    listing: &Listing,
    (term, value): (&str, &str),
    filters: &[Filter],
    order: (SortBy, SortOrder),
) -> Result<Page<Stored<ServiceInstance>>, ProtonError> {
    let mut instances = Vec::new();
    for it in tx.by_term::<ServiceInstance>(&engine.scope, term, value)? {
        if all_hold(filters, engine, tx, &it)? {
            instances.push(it);
        }
    }
    instances.sort_by_cached_key(|it| place(order.0, it));
    if order.1 == SortOrder::Descending {
        instances.reverse();
    }
    let ranked: Vec<_> = instances.into_iter().enumerate().collect();
    Ok(listing.page_of(ranked, |(rank, it)| position(order, *rank, it))?.map(|(_, it)| it))
}

fn all_hold(
    filters: &[Filter],
    engine: &Deployments,
    tx: &mut dyn Transaction,
    it: &ServiceInstance,
) -> Result<bool, ProtonError> {
    for filter in filters {
        if !filter.holds(engine, tx, it)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn place(by: SortBy, it: &ServiceInstance) -> (String, String, String) {
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

/// Where a page ended. What an instance shows for good is a position that lasts, whatever comes or goes before it;
/// statuses and times change between pages, so there only the rank is left.
fn position((by, order): (SortBy, SortOrder), rank: usize, it: &ServiceInstance) -> String {
    let lasting = !matches!(by, SortBy::DeploymentStatus | SortBy::LastDeploymentAttemptedAt);
    if lasting && order == SortOrder::Ascending {
        let (first, service, name) = place(by, it);
        format!("{first}\0{service}\0{name}")
    } else {
        format!("{rank:010}")
    }
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
        if by == F::DeployedTemplateVersionStatus && !STALENESS.contains(&value.as_str()) {
            let list = STALENESS.join(", ");
            return Err(ProtonError::validation(format!("filter {by}: {value} is none of {list}")));
        }
        Ok(Self { by, value, at })
    }

    fn holds(&self, engine: &Deployments, tx: &mut dyn Transaction, it: &ServiceInstance) -> Result<bool, ProtonError> {
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

fn staleness(
    engine: &Deployments,
    tx: &mut dyn Transaction,
    it: &ServiceInstance,
) -> Result<&'static str, ProtonError> {
    let key = Template::key_of(TemplateKind::Service, &it.template.template);
    let recommended = tx.get::<Template>(&engine.scope, &key)?.and_then(|template| template.value.recommended);
    Ok(match it.template.version.staleness(recommended) {
        Staleness::BehindMajor => "BEHIND_MAJOR",
        Staleness::BehindMinor => "BEHIND_MINOR",
        Staleness::UpToDate | Staleness::Unpublished => "UP_TO_DATE",
    })
}
