//! UpdateServiceSyncBlocker.

use hadron_model::{BlockerStatus, UpdateServiceSyncBlockerInput, UpdateServiceSyncBlockerOutput};

use super::blocker::shown;
use crate::control_plane::plane::Plane;
use crate::control_plane::records::SyncBlocker;
use crate::control_plane::store::Typed;
use crate::control_plane::wire::{Call, ProtonError};

/// Resolves a blocker: syncing may go on. That can be said once.
pub(crate) async fn resolve(
    plane: &Plane,
    call: &mut Call,
    input: UpdateServiceSyncBlockerInput,
) -> Result<UpdateServiceSyncBlockerOutput, ProtonError> {
    let (scope, now) = (call.scope.clone(), call.now);
    plane
        .store
        .write(move |tx| {
            let found = tx.get::<SyncBlocker>(&scope, &input.id)?;
            let mut blocker =
                found.ok_or_else(|| ProtonError::not_found(format!("sync blocker {} doesn't exist", input.id)))?;
            if blocker.status == BlockerStatus::Resolved {
                return Err(ProtonError::conflict(format!("sync blocker {} is RESOLVED already", input.id)));
            }
            blocker.status = BlockerStatus::Resolved;
            blocker.resolved_at = Some(now);
            blocker.resolved_reason = Some(input.resolved_reason.clone());
            tx.save(&scope, &mut blocker)?;
            Ok(UpdateServiceSyncBlockerOutput {
                service_instance_name: blocker.instance.clone(),
                service_name: blocker.service.clone(),
                service_sync_blocker: shown(&blocker),
            })
        })
        .await
}
