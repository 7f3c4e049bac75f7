//! RotateDataKey.

use hadron_model::hadron::{RotateDataKeyInput, RotateDataKeyOutput};

use crate::control_plane::plane::Plane;
use crate::control_plane::seal::SealError;
use crate::control_plane::wire::{Call, ProtonError};

/// Makes a new data key the one that seals. What older ones have sealed still opens, and is sealed anew in the background.
pub(crate) async fn rotate_data_key(
    plane: &Plane,
    call: &mut Call,
    _input: RotateDataKeyInput,
) -> Result<RotateDataKeyOutput, ProtonError> {
    match plane.sealer.rotate(&plane.store, call.now).await {
        Ok(data_key_id) => Ok(RotateDataKeyOutput { data_key_id }),
        Err(SealError::Contended) => Err(ProtonError::conflict("Another server changes the keyring at this moment")),
        Err(error) => Err(ProtonError::internal(error)),
    }
}

#[cfg(test)]
mod tests {
    use hadron_model::hadron::Hadron;

    use super::*;
    use crate::control_plane::seal::{MasterKey, keyring};
    use crate::control_plane::store::{Sealed, Sqlite, Store};
    use crate::control_plane::test_plane::TestPlane;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_rotation_names_the_new_key_and_what_the_old_one_sealed_still_opens() {
        let mut test = TestPlane::new().await;
        let record = Store::new(Sqlite::temporary().unwrap());
        let master = MasterKey::local(MasterKey::random());
        let sealer = keyring::open(&record, master, None, test.plane.clock.now()).await.unwrap();
        let Plane { objects, clock, settings, .. } = test.plane;
        test.plane = Plane::new(record.through(Sealed(sealer.clone())), objects, sealer, clock, (*settings).clone());
        let old = test.plane.sealer.seal("x", "c").unwrap();
        let begun = test.environment("dev").await;
        let done = test.plane.rotate_data_key(&mut test.call(), RotateDataKeyInput {}).await.unwrap();
        assert!(test.plane.sealer.seal("x", "c").unwrap().starts_with(&format!("v2.{}.", done.data_key_id)));
        assert_eq!(test.plane.sealer.unseal(&old, "c").unwrap(), "x");
        test.settle(&begun, &[("url", "u")]).await;
        assert_eq!(test.shown("dev").await.unwrap().1, "first");
    }
}
