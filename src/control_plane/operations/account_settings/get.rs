//! GetAccountSettings.

use hadron_model::{GetAccountSettingsInput, GetAccountSettingsOutput};

use super::{current, shown};
use crate::control_plane::plane::Plane;
use crate::control_plane::wire::{Call, ProtonError};

/// Reads the settings, which are all unset until someone sets them.
pub(crate) async fn get(
    plane: &Plane,
    call: &mut Call,
    _: GetAccountSettingsInput,
) -> Result<GetAccountSettingsOutput, ProtonError> {
    let scope = call.scope.clone();
    let settings = plane.store.read(move |tx| Ok::<_, ProtonError>(current(tx, &scope)?)).await?;
    Ok(GetAccountSettingsOutput { account_settings: Some(shown(settings)) })
}
