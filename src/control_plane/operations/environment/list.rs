//! ListEnvironments.

use hadron_model::{EnvironmentTemplateFilter, ListEnvironmentsInput, ListEnvironmentsOutput, Operation};

use super::view;
use crate::control_plane::operations::listing::Listing;
use crate::control_plane::plane::Plane;
use crate::control_plane::records::Environment;
use crate::control_plane::store::ALL;
use crate::control_plane::wire::{Call, ProtonError};

/// All environments by name, or those of some templates' major versions.
pub(crate) async fn list_environments(
    plane: &Plane,
    call: &mut Call,
    input: ListEnvironmentsInput,
) -> Result<ListEnvironmentsOutput, ProtonError> {
    let ListEnvironmentsInput { environment_templates, max_results, next_token } = input;
    let filter = environment_templates.filter(|templates| !templates.is_empty());
    let listing = Listing::new(call, Operation::ListEnvironments, &filter, max_results, next_token)?;
    let scope = call.scope.clone();
    let wanted = move |it: &Environment| filter.as_ref().is_none_or(|all| all.iter().any(|one| uses(it, one)));
    plane
        .store
        .read(move |tx| {
            let page = listing.page::<Environment>(tx, (ALL, ""), false, &wanted)?;
            let shown = page.items.iter().map(|it| view::summary(tx, &scope, it));
            let environments = shown.collect::<Result<_, _>>()?;
            Ok(ListEnvironmentsOutput { environments, next_token: page.next_token })
        })
        .await
}

fn uses(environment: &Environment, filter: &EnvironmentTemplateFilter) -> bool {
    let used = &environment.template;
    used.template == filter.template_name && used.version.major.to_string() == filter.major_version
}
