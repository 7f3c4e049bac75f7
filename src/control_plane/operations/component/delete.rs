//! DeleteComponent.

use hadron_model::{DeleteComponentInput, DeleteComponentOutput};

use super::{get::by_name, view};
use crate::control_plane::deployments::Deployments;
use crate::control_plane::plane::Plane;
use crate::control_plane::records::Component;
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::Target;

/// Deletes a component that is attached to nothing.
pub(crate) async fn delete_component(
    plane: &Plane,
    call: &mut Call,
    input: DeleteComponentInput,
) -> Result<DeleteComponentOutput, ProtonError> {
    let engine = Deployments::of(plane, call);
    let component = plane
        .store
        .write(move |tx| {
            let component = by_name(tx, &engine.scope, &input.name)?;
            must_be_detached(&component)?;
            let deployment = engine.delete(tx, &Target::Component { name: input.name.clone() })?;
            let mut shown = view::full(&engine.scope, &component);
            shown.deployment_status = deployment.status;
            shown.last_attempted_deployment_id = Some(deployment.id.clone());
            Ok::<_, ProtonError>(shown)
        })
        .await?;
    plane.work.ring();
    Ok(DeleteComponentOutput { component: Some(component) })
}

/// An attached component can't be deleted, since the instance may use its outputs. One that never succeeded has none; to
/// demand that it first be detached, which takes a successful deployment, would make it undeletable.
fn must_be_detached(component: &Component) -> Result<(), ProtonError> {
    match &component.attached_to {
        Some((service, instance)) if component.progress.last_succeeded_at.is_some() => {
            Err(ProtonError::conflict(format!(
                "component {} is attached to {service}/{instance}: detach it first (deployment type CURRENT_VERSION, \
                 empty serviceName and serviceInstanceName)",
                component.name
            )))
        }
        _ => Ok(()),
    }
}
