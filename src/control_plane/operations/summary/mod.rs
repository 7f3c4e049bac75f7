//! GetResourcesSummary: how many of everything, how much of it failed, how much lags behind its template.

use hadron_model::{CountsSummary, GetResourcesSummaryInput, GetResourcesSummaryOutput, ResourceCountsSummary};

use crate::control_plane::counts::{self, Counts, Tally};
use crate::control_plane::plane::Plane;
use crate::control_plane::store::StoreError;
use crate::control_plane::wire::{Call, ProtonError};

/// Says how many of the account's resources there are in this region.
pub(crate) async fn get(
    plane: &Plane,
    call: &mut Call,
    _: GetResourcesSummaryInput,
) -> Result<GetResourcesSummaryOutput, ProtonError> {
    let scope = call.scope.clone();
    let counts = plane.store.read::<_, StoreError, _>(move |tx| counts::current(tx, &scope)).await?;
    Ok(GetResourcesSummaryOutput { counts: shown(&counts) })
}

fn shown(counts: &Counts) -> CountsSummary {
    let total = |tally: Tally| ResourceCountsSummary {
        total: tally.total,
        behind_major: None,
        behind_minor: None,
        failed: None,
        up_to_date: None,
    };
    let whole = |tally: Tally| ResourceCountsSummary {
        failed: Some(tally.failed),
        up_to_date: Some(tally.up_to_date),
        behind_minor: Some(tally.behind_minor),
        behind_major: Some(tally.behind_major),
        ..total(tally)
    };
    CountsSummary {
        components: Some(ResourceCountsSummary { failed: Some(counts.components.failed), ..total(counts.components) }),
        environment_templates: Some(total(counts.environment_templates)),
        environments: Some(whole(counts.environments)),
        pipelines: Some(whole(counts.pipelines)),
        service_instances: Some(whole(counts.instances)),
        service_templates: Some(total(counts.service_templates)),
        services: Some(whole(counts.services)),
    }
}
