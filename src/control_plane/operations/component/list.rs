//! ListComponents.

use hadron_model::{ListComponentsInput, ListComponentsOutput, Operation};

use super::view;
use crate::control_plane::operations::listing::Listing;
use crate::control_plane::plane::Plane;
use crate::control_plane::records::Component;
use crate::control_plane::store::ALL;
use crate::control_plane::wire::{Call, ProtonError};

/// All components by name, or those of an environment, a service or an instance.
pub(crate) async fn list_components(
    plane: &Plane,
    call: &mut Call,
    input: ListComponentsInput,
) -> Result<ListComponentsOutput, ProtonError> {
    let ListComponentsInput { environment_name, max_results, next_token, service_instance_name, service_name } = input;
    if service_instance_name.is_some() && service_name.is_none() {
        return Err(ProtonError::validation("a service instance is named without its service"));
    }
    let filter = (environment_name, service_name, service_instance_name);
    let listing = Listing::new(call, Operation::ListComponents, &filter, max_results, next_token)?;
    let (environment, service, instance) = filter;
    let (term, value) = match (&environment, &service) {
        (_, Some(service)) => ("service", service.clone()),
        (Some(environment), None) => ("environment", environment.clone()),
        (None, None) => (ALL, String::new()),
    };
    let scope = call.scope.clone();
    let wanted = move |it: &Component| {
        environment.as_ref().is_none_or(|name| it.environment == *name)
            && instance.as_ref().is_none_or(|name| it.attached_to.as_ref().is_some_and(|(_, own)| own == name))
    };
    let page = plane.store.read(move |tx| listing.page::<Component>(tx, (term, &value), false, &wanted)).await?;
    let page = page.map(|found| view::summary(&scope, &found));
    Ok(ListComponentsOutput { components: page.items, next_token: page.next_token })
}
