//! SetExecutor.

use hadron_model::hadron::{self, SetExecutorInput, SetExecutorOutput};

use crate::control_plane::plane::Plane;
use crate::control_plane::records::{Deployment, Environment, Executor};
use crate::control_plane::store::{Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::Scope;

/// Says who deploys what lies in an environment from now on: Hadron's agents, or a pipeline outside that notifies. There
/// is one executor at a time, so what is under way is brought to its end first.
pub(crate) async fn set_executor(
    plane: &Plane,
    call: &mut Call,
    input: SetExecutorInput,
) -> Result<SetExecutorOutput, ProtonError> {
    let SetExecutorInput { environment_name, executor } = input;
    let (scope, name) = (call.scope.clone(), environment_name.clone());
    let next = match executor {
        hadron::Executor::Agent => Executor::Agent,
        hadron::Executor::Ci => Executor::Ci,
    };
    plane.store.write(move |tx| set(tx, &scope, &name, next)).await?;
    Ok(SetExecutorOutput { environment_name, executor })
}

fn set(tx: &mut dyn Transaction, scope: &Scope, name: &str, next: Executor) -> Result<(), ProtonError> {
    let environment = tx.get::<Environment>(scope, name)?;
    let mut environment =
        environment.ok_or_else(|| ProtonError::not_found(format!("environment {name} doesn't exist")))?;
    if environment.executor == next {
        return Ok(());
    }
    let under_way = tx.by_term::<Deployment>(scope, "in_flight", "")?;
    if let Some(other) = under_way.iter().find(|it| it.environment == name && it.executor != next) {
        return Err(ProtonError::conflict(format!(
            "deployment {} of {} is under way: wait for its end, or cancel it",
            other.id, other.target
        )));
    }
    environment.executor = next;
    Ok(tx.save(scope, &mut environment)?)
}
