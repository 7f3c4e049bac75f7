//! Environment template versions on the wire.

use hadron_model::{
    CreateEnvironmentTemplateVersionInput, CreateEnvironmentTemplateVersionOutput,
    DeleteEnvironmentTemplateVersionInput, DeleteEnvironmentTemplateVersionOutput, GetEnvironmentTemplateVersionInput,
    GetEnvironmentTemplateVersionOutput, ListEnvironmentTemplateVersionsInput, ListEnvironmentTemplateVersionsOutput,
    Operation, TemplateVersionSourceInput, UpdateEnvironmentTemplateVersionInput,
    UpdateEnvironmentTemplateVersionOutput,
};

use super::KIND;
use super::shown::{version_shown, version_summary};
use crate::control_plane::operations::idempotency::Once;
use crate::control_plane::operations::listing::Listing;
use crate::control_plane::operations::templates::version::{self, Changes, Named, NewVersion};
use crate::control_plane::plane::Plane;
use crate::control_plane::wire::{Call, ProtonError};

/// Numbers a version; its bundle is checked afterwards.
pub(crate) async fn create_version(
    plane: &Plane,
    call: &mut Call,
    input: CreateEnvironmentTemplateVersionInput,
) -> Result<CreateEnvironmentTemplateVersionOutput, ProtonError> {
    let once = Once::new(Operation::CreateEnvironmentTemplateVersion, input.client_token.as_deref(), &input)?;
    let TemplateVersionSourceInput::S3(source) = input.source;
    let new = NewVersion {
        kind: KIND,
        template: input.template_name,
        major: input.major_version,
        description: input.description,
        source,
        compatible: Vec::new(),
        component_sources: Vec::new(),
        tags: input.tags,
    };
    let created = version::create(plane, call, new, once).await?;
    Ok(CreateEnvironmentTemplateVersionOutput { environment_template_version: version_shown(&call.scope, created) })
}

/// Reads a version.
pub(crate) async fn get_version(
    plane: &Plane,
    call: &mut Call,
    input: GetEnvironmentTemplateVersionInput,
) -> Result<GetEnvironmentTemplateVersionOutput, ProtonError> {
    let named = named(input.template_name, input.major_version, input.minor_version);
    let found = version::get(plane, call, named).await?;
    Ok(GetEnvironmentTemplateVersionOutput { environment_template_version: version_shown(&call.scope, found) })
}

/// Lists a template's majors, or the minors of one major.
pub(crate) async fn list_versions(
    plane: &Plane,
    call: &mut Call,
    input: ListEnvironmentTemplateVersionsInput,
) -> Result<ListEnvironmentTemplateVersionsOutput, ProtonError> {
    let of = (KIND, input.template_name, input.major_version);
    let filter = (&of.1, &of.2);
    let listing =
        Listing::new(call, Operation::ListEnvironmentTemplateVersions, &filter, input.max_results, input.next_token)?;
    let page = version::list(plane, call, of, listing).await?.map(|found| version_summary(&call.scope, found));
    Ok(ListEnvironmentTemplateVersionsOutput { next_token: page.next_token, template_versions: page.items })
}

/// Publishes or describes a version.
pub(crate) async fn update_version(
    plane: &Plane,
    call: &mut Call,
    input: UpdateEnvironmentTemplateVersionInput,
) -> Result<UpdateEnvironmentTemplateVersionOutput, ProtonError> {
    let named = named(input.template_name, input.major_version, input.minor_version);
    let changes = Changes { status: input.status, description: input.description, ..Changes::default() };
    let updated = version::update(plane, call, named, changes).await?;
    Ok(UpdateEnvironmentTemplateVersionOutput { environment_template_version: version_shown(&call.scope, updated) })
}

/// Removes a version.
pub(crate) async fn delete_version(
    plane: &Plane,
    call: &mut Call,
    input: DeleteEnvironmentTemplateVersionInput,
) -> Result<DeleteEnvironmentTemplateVersionOutput, ProtonError> {
    let named = named(input.template_name, input.major_version, input.minor_version);
    let deleted = version::delete(plane, call, named).await?;
    Ok(DeleteEnvironmentTemplateVersionOutput {
        environment_template_version: Some(version_shown(&call.scope, deleted)),
    })
}

fn named(template: String, major: String, minor: String) -> Named {
    Named { kind: KIND, template, major, minor }
}
