//! GetRepository.

use hadron_model::{GetRepositoryInput, GetRepositoryOutput};

use super::{linked, named, shown};
use crate::control_plane::plane::Plane;
use crate::control_plane::wire::{Call, ProtonError};

/// One linked repository.
pub(crate) async fn get(
    plane: &Plane,
    call: &mut Call,
    input: GetRepositoryInput,
) -> Result<GetRepositoryOutput, ProtonError> {
    let scope = call.scope.clone();
    plane
        .store
        .read(move |tx| {
            let repository = linked(tx, &scope, &named(input.provider, &input.name))?;
            Ok(GetRepositoryOutput { repository: shown(&scope, &repository) })
        })
        .await
}
