//! GetServiceInstanceSyncStatus.

use hadron_model::{GetServiceInstanceSyncStatusInput, GetServiceInstanceSyncStatusOutput};

use super::{existing, must_have_instance};
use crate::control_plane::plane::Plane;
use crate::control_plane::wire::{Call, ProtonError};

/// How the last sync of an instance went. There is nothing to tell before a first sync.
pub(crate) async fn status(
    plane: &Plane,
    call: &mut Call,
    input: GetServiceInstanceSyncStatusInput,
) -> Result<GetServiceInstanceSyncStatusOutput, ProtonError> {
    let scope = call.scope.clone();
    plane
        .store
        .read(move |tx| {
            must_have_instance(tx, &scope, &input.service_name, &input.service_instance_name)?;
            existing(tx, &scope, &input.service_name)?;
            Ok(GetServiceInstanceSyncStatusOutput::default())
        })
        .await
}
