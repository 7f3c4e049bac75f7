//! GetService.

use hadron_model::{GetServiceInput, GetServiceOutput};

use super::{plan, view};
use crate::control_plane::Plane;
use crate::control_plane::deployments::Deployments;
use crate::control_plane::records::Pipeline;
use crate::control_plane::store::Typed;
use crate::control_plane::wire::{Call, ProtonError};

/// Shows a service with its whole spec and its pipeline.
///
/// <https://docs.aws.amazon.com/proton/latest/APIReference/API_GetService.html>
pub(crate) async fn get_service(
    plane: &Plane,
    call: &mut Call,
    input: GetServiceInput,
) -> Result<GetServiceOutput, ProtonError> {
    let engine = Deployments::of(plane, call);
    plane
        .store
        .read(move |tx| {
            let service = plan::service_of(&engine, tx, &input.name)?;
            let pipeline = tx.get::<Pipeline>(&engine.scope, &input.name)?;
            Ok(GetServiceOutput { service: Some(view::service(&engine.scope, &service, pipeline.as_deref())) })
        })
        .await
}
