//! The settings of an account in a region. They are kept and echoed; no operation depends on them.

mod get;
mod update;

pub(crate) use get::get;
pub(crate) use update::update;

use hadron_model::AccountSettings as Shown;

use crate::control_plane::records::AccountSettings;
use crate::control_plane::store::{StoreError, Transaction, Typed};
use crate::domain::Scope;

/// The key of the one document.
const KEY: &str = "settings";

/// The settings as they are, all unset until someone sets them.
pub(crate) fn current(tx: &mut dyn Transaction, scope: &Scope) -> Result<AccountSettings, StoreError> {
    Ok(tx.get::<AccountSettings>(scope, KEY)?.map(|stored| stored.value).unwrap_or_default())
}

fn shown(settings: AccountSettings) -> Shown {
    Shown {
        pipeline_codebuild_role_arn: settings.pipeline_codebuild_role_arn,
        pipeline_provisioning_repository: settings.pipeline_provisioning_repository,
        pipeline_service_role_arn: settings.pipeline_service_role_arn,
    }
}
