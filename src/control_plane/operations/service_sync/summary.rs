//! GetServiceSyncBlockerSummary.

use hadron_model::{GetServiceSyncBlockerSummaryInput, GetServiceSyncBlockerSummaryOutput, ServiceSyncBlockerSummary};

use super::{blocker, must_have_instance};
use crate::control_plane::deployments::Deployments;
use crate::control_plane::operations::service::plan::service_of;
use crate::control_plane::plane::Plane;
use crate::control_plane::wire::{Call, ProtonError};

/// What blocks a service as a whole, or what blocks one of its instances alone; newest first, resolved ones among them.
/// Whoever wants to know whether an instance is blocked asks both.
///
/// <https://docs.aws.amazon.com/proton/latest/APIReference/API_ServiceSyncBlockerSummary.html>
pub(crate) async fn summary(
    plane: &Plane,
    call: &mut Call,
    input: GetServiceSyncBlockerSummaryInput,
) -> Result<GetServiceSyncBlockerSummaryOutput, ProtonError> {
    let engine = Deployments::of(plane, call);
    plane
        .store
        .read(move |tx| {
            let GetServiceSyncBlockerSummaryInput { service_instance_name, service_name } = input.clone();
            service_of(&engine, tx, &service_name)?;
            if let Some(instance) = &service_instance_name {
                must_have_instance(tx, &engine.scope, &service_name, instance)?;
            }
            let blockers = blocker::of(tx, &engine, &service_name, service_instance_name.as_deref())?;
            let latest = blockers.iter().rev().map(|it| blocker::shown(it)).collect();
            let summary =
                ServiceSyncBlockerSummary { latest_blockers: Some(latest), service_instance_name, service_name };
            Ok(GetServiceSyncBlockerSummaryOutput { service_sync_blocker_summary: Some(summary) })
        })
        .await
}
