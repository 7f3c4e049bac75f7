//! Environment templates on the wire; the rules are in [`super::templates`].

mod shown;
mod version;

pub(crate) use version::{create_version, delete_version, get_version, list_versions, update_version};

use hadron_model::{
    CreateEnvironmentTemplateInput, CreateEnvironmentTemplateOutput, DeleteEnvironmentTemplateInput,
    DeleteEnvironmentTemplateOutput, GetEnvironmentTemplateInput, GetEnvironmentTemplateOutput,
    ListEnvironmentTemplatesInput, ListEnvironmentTemplatesOutput, Operation, UpdateEnvironmentTemplateInput,
    UpdateEnvironmentTemplateOutput,
};

use self::shown::{shown, summary};
use super::listing::Listing;
use super::templates::{self, NewTemplate};
use crate::control_plane::plane::Plane;
use crate::control_plane::records::TemplateKind;
use crate::control_plane::wire::{Call, ProtonError};

const KIND: TemplateKind = TemplateKind::Environment;

/// Creates a template, a name without versions yet.
pub(crate) async fn create(
    plane: &Plane,
    call: &mut Call,
    input: CreateEnvironmentTemplateInput,
) -> Result<CreateEnvironmentTemplateOutput, ProtonError> {
    let new = NewTemplate {
        kind: KIND,
        name: input.name,
        description: input.description,
        display_name: input.display_name,
        encryption_key: input.encryption_key,
        customer_managed: input.provisioning.is_some(),
        tags: input.tags,
    };
    let template = templates::create(plane, call, new).await?;
    Ok(CreateEnvironmentTemplateOutput { environment_template: shown(&call.scope, template) })
}

/// Reads a template.
pub(crate) async fn get(
    plane: &Plane,
    call: &mut Call,
    input: GetEnvironmentTemplateInput,
) -> Result<GetEnvironmentTemplateOutput, ProtonError> {
    let template = templates::get(plane, call, KIND, input.name).await?;
    Ok(GetEnvironmentTemplateOutput { environment_template: shown(&call.scope, template) })
}

/// Lists templates by name.
pub(crate) async fn list(
    plane: &Plane,
    call: &mut Call,
    input: ListEnvironmentTemplatesInput,
) -> Result<ListEnvironmentTemplatesOutput, ProtonError> {
    let listing = Listing::new(call, Operation::ListEnvironmentTemplates, &(), input.max_results, input.next_token)?;
    let page = templates::list(plane, KIND, listing).await?.map(|template| summary(&call.scope, template));
    Ok(ListEnvironmentTemplatesOutput { next_token: page.next_token, templates: page.items })
}

/// Changes a template's description and display name.
pub(crate) async fn update(
    plane: &Plane,
    call: &mut Call,
    input: UpdateEnvironmentTemplateInput,
) -> Result<UpdateEnvironmentTemplateOutput, ProtonError> {
    let texts = (input.display_name, input.description);
    let template = templates::update(plane, call, KIND, input.name, texts).await?;
    Ok(UpdateEnvironmentTemplateOutput { environment_template: shown(&call.scope, template) })
}

/// Removes a template without versions.
pub(crate) async fn delete(
    plane: &Plane,
    call: &mut Call,
    input: DeleteEnvironmentTemplateInput,
) -> Result<DeleteEnvironmentTemplateOutput, ProtonError> {
    let template = templates::delete(plane, call, KIND, input.name).await?;
    Ok(DeleteEnvironmentTemplateOutput { environment_template: Some(shown(&call.scope, template)) })
}
