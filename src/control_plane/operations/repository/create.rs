//! CreateRepository.

use hadron_model::{CreateRepositoryInput, CreateRepositoryOutput};

use super::{named, shown};
use crate::control_plane::operations::arn::arn_of_new;
use crate::control_plane::operations::tags::create_tags;
use crate::control_plane::plane::Plane;
use crate::control_plane::records::Repository;
use crate::control_plane::store::{ALL, Document, Typed};
use crate::control_plane::wire::{Call, ProtonError};

/// The most repositories of an account and region. AWS names no number; this is what it allows of most other things.
const MOST: usize = 1000;

/// Links a repository.
pub(crate) async fn create(
    plane: &Plane,
    call: &mut Call,
    input: CreateRepositoryInput,
) -> Result<CreateRepositoryOutput, ProtonError> {
    let (scope, now) = (call.scope.clone(), call.now);
    plane
        .store
        .write(move |tx| {
            let repository = Repository {
                repository: named(input.provider, &input.name),
                connection_arn: input.connection_arn.clone(),
                encryption_key: input.encryption_key.clone(),
                created_at: now,
            };
            let arn = arn_of_new(&scope, format_args!("repository/{}", repository.repository))?;
            if tx.get::<Repository>(&scope, &repository.repository.to_string())?.is_some() {
                return Err(ProtonError::conflict(format!("repository {} is linked already", repository.repository)));
            }
            if tx.count(&scope, Repository::KIND, (ALL, ""), MOST)? >= MOST {
                return Err(ProtonError::quota(format!("there are {MOST} linked repositories already")));
            }
            tx.add(&scope, &repository)?;
            create_tags(tx, &scope, &arn, input.tags.as_deref(), &[("aws:proton:account", &scope.account)])?;
            Ok(CreateRepositoryOutput { repository: shown(&scope, &repository) })
        })
        .await
}
