//! DeleteEnvironment.

use hadron_model::{DeleteEnvironmentInput, DeleteEnvironmentOutput};

use super::{get::by_name, view};
use crate::control_plane::deployments::Deployments;
use crate::control_plane::plane::Plane;
use crate::control_plane::records::{Component, ServiceInstance};
use crate::control_plane::store::{Document, StoreError, Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::{Scope, Target};

/// Deletes an environment in which nothing lies any more.
pub(crate) async fn delete_environment(
    plane: &Plane,
    call: &mut Call,
    input: DeleteEnvironmentInput,
) -> Result<DeleteEnvironmentOutput, ProtonError> {
    let engine = Deployments::of(plane, call);
    let environment = plane
        .store
        .write(move |tx| {
            let environment = by_name(tx, &engine.scope, &input.name)?;
            must_be_empty(tx, &engine.scope, &input.name)?;
            let deployment = engine.delete(tx, &Target::Environment { name: input.name.clone() })?;
            let mut shown = view::full(tx, &engine.scope, &environment)?;
            shown.deployment_status = deployment.status;
            shown.last_attempted_deployment_id = Some(deployment.id.clone());
            Ok::<_, ProtonError>(shown)
        })
        .await?;
    plane.work.ring();
    Ok(DeleteEnvironmentOutput { environment: Some(environment) })
}

fn must_be_empty(tx: &mut dyn Transaction, scope: &Scope, name: &str) -> Result<(), ProtonError> {
    let instances = lying_in::<ServiceInstance>(tx, scope, name)?;
    let components = lying_in::<Component>(tx, scope, name)?;
    let mut inside = Vec::new();
    if !instances.is_empty() {
        inside.push(format!("service instances {}", instances.join(", ")));
    }
    if !components.is_empty() {
        inside.push(format!("components {}", components.join(", ")));
    }
    if inside.is_empty() {
        return Ok(());
    }
    Err(ProtonError::conflict(format!("environment {name} still has {}: delete them first", inside.join(" and "))))
}

fn lying_in<T: Document>(tx: &mut dyn Transaction, scope: &Scope, name: &str) -> Result<Vec<String>, StoreError> {
    Ok(tx.by_term::<T>(scope, "environment", name)?.iter().map(|it| it.key()).collect())
}
