//! CreateEnvironmentAccountConnection.

use hadron_model::{
    CreateEnvironmentAccountConnectionInput, CreateEnvironmentAccountConnectionOutput,
    EnvironmentAccountConnectionStatus as Status, Operation,
};

use super::{arn, note, view};
use crate::control_plane::operations::idempotency::Once;
use crate::control_plane::operations::tags::create_tags;
use crate::control_plane::plane::Plane;
use crate::control_plane::records::EnvironmentAccountConnection;
use crate::control_plane::store::{Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::Scope;

/// The most connections of an environment account and region.
///
/// <https://docs.aws.amazon.com/proton/latest/userguide/ag-limits.html>
const MOST: usize = 1000;

/// The caller's account asks another to manage an environment in it.
pub(crate) async fn create(
    plane: &Plane,
    call: &mut Call,
    input: CreateEnvironmentAccountConnectionInput,
) -> Result<CreateEnvironmentAccountConnectionOutput, ProtonError> {
    let operation = Operation::CreateEnvironmentAccountConnection;
    let once = Once::new(operation, input.client_token.as_deref(), &input)?;
    let (scope, now) = (call.scope.clone(), call.now);
    let id = uuid::Uuid::new_v4().to_string();
    let shared = EnvironmentAccountConnection::scope(&scope.region);
    let environment_account_connection = plane
        .store
        .write(move |tx| {
            // What an earlier request made may be gone again; then this is a new one.
            if let Some(earlier) = once.earlier(tx, &scope, now)?
                && let Some(known) = tx.get::<EnvironmentAccountConnection>(&shared, &earlier)?
            {
                return Ok(view::full(&scope.region, &known));
            }
            let connection = drafted(&scope, &input, &id, now);
            refuse_second(tx, &shared, &connection)?;
            tx.add(&shared, &connection)?;
            create_tags(tx, &scope, &arn(&connection, &scope.region), input.tags.as_deref(), &[])?;
            note(tx, &scope.region, &connection, None, Status::Pending.as_str(), now)?;
            once.remember(tx, &scope, &id, now)?;
            Ok::<_, ProtonError>(view::full(&scope.region, &connection))
        })
        .await?;
    Ok(CreateEnvironmentAccountConnectionOutput { environment_account_connection })
}

fn drafted(
    scope: &Scope,
    input: &CreateEnvironmentAccountConnectionInput,
    id: &str,
    now: i64,
) -> EnvironmentAccountConnection {
    EnvironmentAccountConnection {
        id: id.to_owned(),
        environment_account: scope.account.clone(),
        management_account: input.management_account_id.clone(),
        environment_name: input.environment_name.clone(),
        role_arn: input.role_arn.clone(),
        component_role_arn: input.component_role_arn.clone(),
        codebuild_role_arn: input.codebuild_role_arn.clone(),
        status: Status::Pending,
        requested_at: now,
        last_modified_at: now,
    }
}

/// An account asks once for an environment, until it is rejected or withdraws what it asked for.
fn refuse_second(
    tx: &mut dyn Transaction,
    shared: &Scope,
    new: &EnvironmentAccountConnection,
) -> Result<(), ProtonError> {
    type Connection = EnvironmentAccountConnection;
    let own = tx.by_term::<Connection>(shared, Connection::OF_ENVIRONMENT_ACCOUNT, &new.environment_account)?;
    let same = |it: &Connection| {
        it.management_account == new.management_account
            && it.environment_name == new.environment_name
            && it.status != Status::Rejected
    };
    if let Some(known) = own.iter().find(|it| same(it)) {
        return Err(ProtonError::conflict(format!(
            "environment account connection {} of this account to environment {} of account {} is {} already",
            known.id, known.environment_name, known.management_account, known.status
        )));
    }
    if own.len() >= MOST {
        return Err(ProtonError::quota(format!("there are {MOST} environment account connections already")));
    }
    Ok(())
}
