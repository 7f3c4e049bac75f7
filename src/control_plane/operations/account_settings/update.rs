//! UpdateAccountSettings.

use hadron_model::{UpdateAccountSettingsInput, UpdateAccountSettingsOutput};

use super::{KEY, shown};
use crate::control_plane::operations::repository_branch;
use crate::control_plane::plane::Plane;
use crate::control_plane::records::AccountSettings;
use crate::control_plane::store::Typed;
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::Scope;

/// Changes what is given; an empty role clears it.
pub(crate) async fn update(
    plane: &Plane,
    call: &mut Call,
    input: UpdateAccountSettingsInput,
) -> Result<UpdateAccountSettingsOutput, ProtonError> {
    let scope = call.scope.clone();
    let both = input.delete_pipeline_provisioning_repository == Some(true);
    if both && input.pipeline_provisioning_repository.is_some() {
        return Err(ProtonError::validation(
            "deletePipelineProvisioningRepository and pipelineProvisioningRepository exclude each other",
        ));
    }
    plane
        .store
        .write(move |tx| {
            let stored = tx.get::<AccountSettings>(&scope, KEY)?;
            let mut settings = stored.as_ref().map(|stored| stored.value.clone()).unwrap_or_default();
            apply(&mut settings, &scope, &input);
            match stored {
                Some(mut stored) => {
                    stored.value = settings.clone();
                    tx.save(&scope, &mut stored)?;
                }
                None => tx.add(&scope, &settings)?,
            }
            Ok(UpdateAccountSettingsOutput { account_settings: shown(settings) })
        })
        .await
}

fn apply(settings: &mut AccountSettings, scope: &Scope, input: &UpdateAccountSettingsInput) {
    let set = |role: &mut Option<String>, given: &Option<String>| {
        if let Some(given) = given {
            *role = Some(given.clone()).filter(|given| !given.is_empty());
        }
    };
    set(&mut settings.pipeline_service_role_arn, &input.pipeline_service_role_arn);
    set(&mut settings.pipeline_codebuild_role_arn, &input.pipeline_codebuild_role_arn);
    if input.delete_pipeline_provisioning_repository == Some(true) {
        settings.pipeline_provisioning_repository = None;
    }
    if let Some(given) = &input.pipeline_provisioning_repository {
        settings.pipeline_provisioning_repository = Some(repository_branch(scope, given));
    }
}
