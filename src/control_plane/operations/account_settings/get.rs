//! GetAccountSettings.

use hadron_model::{GetAccountSettingsInput, GetAccountSettingsOutput};

use super::{KEY, shown};
use crate::control_plane::plane::Plane;
use crate::control_plane::records::AccountSettings;
use crate::control_plane::store::Typed;
use crate::control_plane::wire::{Call, ProtonError};

/// Reads the settings, which are all unset until someone sets them.
pub(crate) async fn get(
    plane: &Plane,
    call: &mut Call,
    _: GetAccountSettingsInput,
) -> Result<GetAccountSettingsOutput, ProtonError> {
    let scope = call.scope.clone();
    let stored = plane.store.read(move |tx| Ok::<_, ProtonError>(tx.get::<AccountSettings>(&scope, KEY)?)).await?;
    let settings = stored.map(|stored| stored.value).unwrap_or_default();
    Ok(GetAccountSettingsOutput { account_settings: Some(shown(settings)) })
}
