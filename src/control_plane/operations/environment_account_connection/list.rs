//! ListEnvironmentAccountConnections.

use hadron_model::{
    EnvironmentAccountConnectionRequesterAccountType as Side, ListEnvironmentAccountConnectionsInput,
    ListEnvironmentAccountConnectionsOutput, Operation,
};

use super::view;
use crate::control_plane::operations::listing::Listing;
use crate::control_plane::plane::Plane;
use crate::control_plane::records::EnvironmentAccountConnection as Connection;
use crate::control_plane::wire::{Call, ProtonError};

/// The connections that the caller's account has been asked for as the management account, or has asked for as the
/// environment account; oldest first.
pub(crate) async fn list(
    plane: &Plane,
    call: &mut Call,
    input: ListEnvironmentAccountConnectionsInput,
) -> Result<ListEnvironmentAccountConnectionsOutput, ProtonError> {
    let ListEnvironmentAccountConnectionsInput { environment_name, max_results, next_token, requested_by, statuses } =
        input;
    let filter = (requested_by, environment_name, statuses);
    let operation = Operation::ListEnvironmentAccountConnections;
    let listing = Listing::new(call, operation, &filter, max_results, next_token)?;
    let (_, name, statuses) = filter;
    let term = match requested_by {
        Side::ManagementAccount => Connection::OF_MANAGEMENT_ACCOUNT,
        Side::EnvironmentAccount => Connection::OF_ENVIRONMENT_ACCOUNT,
    };
    let (account, region) = (call.scope.account.clone(), call.scope.region.clone());
    let listing = listing.within(Connection::scope(&region));
    let wanted = move |it: &Connection| {
        name.as_ref().is_none_or(|name| it.environment_name == *name)
            && statuses.as_ref().is_none_or(|wanted| wanted.is_empty() || wanted.contains(&it.status))
    };
    let page = plane.store.read(move |tx| listing.page::<Connection>(tx, (term, &account), false, &wanted)).await?;
    let page = page.map(|found| view::summary(&region, &found));
    Ok(ListEnvironmentAccountConnectionsOutput {
        environment_account_connections: page.items,
        next_token: page.next_token,
    })
}
