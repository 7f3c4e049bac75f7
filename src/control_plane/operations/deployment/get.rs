//! GetDeployment.

use hadron_model::{GetDeploymentInput, GetDeploymentOutput};

use super::view;
use crate::control_plane::deployments::Selection;
use crate::control_plane::plane::Plane;
use crate::control_plane::records::Deployment;
use crate::control_plane::store::Typed;
use crate::control_plane::wire::{Call, ProtonError};

/// One deployment; whatever else is named must be its own.
pub(crate) async fn get_deployment(
    plane: &Plane,
    call: &mut Call,
    input: GetDeploymentInput,
) -> Result<GetDeploymentOutput, ProtonError> {
    let scope = call.scope.clone();
    let selection = Selection {
        environment: input.environment_name,
        service: input.service_name,
        instance: input.service_instance_name,
        component: input.component_name,
    };
    plane
        .store
        .read(move |tx| {
            let found = tx
                .get::<Deployment>(&scope, &input.id)?
                .filter(|found| selection.holds(&found.target, &found.environment));
            let found = found.ok_or_else(|| unknown(&input.id))?;
            Ok(GetDeploymentOutput { deployment: Some(view::full(&scope, &found)) })
        })
        .await
}

pub(super) fn unknown(id: &str) -> ProtonError {
    ProtonError::not_found(format!("deployment {id} doesn't exist"))
}
