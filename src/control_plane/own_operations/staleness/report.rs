//! ReportStale.

use hadron_model::hadron::{Operation, ReportStaleInput, ReportStaleOutput};

use crate::control_plane::operations::listing::Listing;
use crate::control_plane::plane::Plane;
use crate::control_plane::staleness::{Wanted, place};
use crate::control_plane::wire::{Call, ProtonError};

/// Lists what is behind the version that its template recommends, or was deployed with outputs that have changed since;
/// with `all` everything. In the order of environments, then services with their pipeline and instances.
///
/// # Errors
/// `ValidationException` for a token of another request.
pub(crate) async fn report_stale(
    plane: &Plane,
    call: &mut Call,
    input: ReportStaleInput,
) -> Result<ReportStaleOutput, ProtonError> {
    let ReportStaleInput { all, environment_name, max_results, next_token, service_name, template_name } = input;
    let filter = (&all, &environment_name, &service_name, &template_name);
    let listing = Listing::new(call, Operation::ReportStale, &filter, max_results, next_token)?;
    let wanted = Wanted { all: all.unwrap_or(false), environment_name, service_name, template_name };
    let scope = call.scope.clone();
    plane
        .store
        .read(move |tx| {
            let rows = wanted.rows(tx, &scope)?;
            let page = listing.page_of(rows, false, place)?;
            Ok(ReportStaleOutput { rows: page.items, next_token: page.next_token })
        })
        .await
}
