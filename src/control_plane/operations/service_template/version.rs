//! Service template versions on the wire.

use hadron_model::{
    CreateServiceTemplateVersionInput, CreateServiceTemplateVersionOutput, DeleteServiceTemplateVersionInput,
    DeleteServiceTemplateVersionOutput, GetServiceTemplateVersionInput, GetServiceTemplateVersionOutput,
    ListServiceTemplateVersionsInput, ListServiceTemplateVersionsOutput, Operation, TemplateVersionSourceInput,
    UpdateServiceTemplateVersionInput, UpdateServiceTemplateVersionOutput,
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
    input: CreateServiceTemplateVersionInput,
) -> Result<CreateServiceTemplateVersionOutput, ProtonError> {
    let once = Once::new(Operation::CreateServiceTemplateVersion, input.client_token.as_deref(), &input)?;
    let TemplateVersionSourceInput::S3(source) = input.source;
    let new = NewVersion {
        kind: KIND,
        template: input.template_name,
        major: input.major_version,
        description: input.description,
        source,
        compatible: input.compatible_environment_templates,
        component_sources: input.supported_component_sources.unwrap_or_default(),
        tags: input.tags,
    };
    let created = version::create(plane, call, new, once).await?;
    Ok(CreateServiceTemplateVersionOutput { service_template_version: version_shown(&call.scope, created) })
}

/// Reads a version.
pub(crate) async fn get_version(
    plane: &Plane,
    call: &mut Call,
    input: GetServiceTemplateVersionInput,
) -> Result<GetServiceTemplateVersionOutput, ProtonError> {
    let named = named(input.template_name, input.major_version, input.minor_version);
    let found = version::get(plane, call, named).await?;
    Ok(GetServiceTemplateVersionOutput { service_template_version: version_shown(&call.scope, found) })
}

/// Lists a template's majors, or the minors of one major.
pub(crate) async fn list_versions(
    plane: &Plane,
    call: &mut Call,
    input: ListServiceTemplateVersionsInput,
) -> Result<ListServiceTemplateVersionsOutput, ProtonError> {
    let of = (KIND, input.template_name, input.major_version);
    let filter = (&of.1, &of.2);
    let listing =
        Listing::new(call, Operation::ListServiceTemplateVersions, &filter, input.max_results, input.next_token)?;
    let page = version::list(plane, call, of, listing).await?.map(|found| version_summary(&call.scope, found));
    Ok(ListServiceTemplateVersionsOutput { next_token: page.next_token, template_versions: page.items })
}

/// Publishes or describes a version.
pub(crate) async fn update_version(
    plane: &Plane,
    call: &mut Call,
    input: UpdateServiceTemplateVersionInput,
) -> Result<UpdateServiceTemplateVersionOutput, ProtonError> {
    let named = named(input.template_name, input.major_version, input.minor_version);
    let changes = Changes {
        status: input.status,
        description: input.description,
        compatible: input.compatible_environment_templates,
        component_sources: input.supported_component_sources,
    };
    let updated = version::update(plane, call, named, changes).await?;
    Ok(UpdateServiceTemplateVersionOutput { service_template_version: version_shown(&call.scope, updated) })
}

/// Removes a version.
pub(crate) async fn delete_version(
    plane: &Plane,
    call: &mut Call,
    input: DeleteServiceTemplateVersionInput,
) -> Result<DeleteServiceTemplateVersionOutput, ProtonError> {
    let named = named(input.template_name, input.major_version, input.minor_version);
    let deleted = version::delete(plane, call, named).await?;
    Ok(DeleteServiceTemplateVersionOutput { service_template_version: Some(version_shown(&call.scope, deleted)) })
}

fn named(template: String, major: String, minor: String) -> Named {
    Named { kind: KIND, template, major, minor }
}
