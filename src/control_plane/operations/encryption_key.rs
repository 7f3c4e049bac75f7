//! The `encryptionKey` of templates and repositories: honoured or refused, never ignored.

use crate::control_plane::plane::Plane;
use crate::control_plane::wire::ProtonError;

/// Accepts no key at all, and the KMS key that is this server's master key: then all that is kept of the resource is
/// sealed under it. Keys of single resources there are none.
///
/// <https://docs.aws.amazon.com/proton/latest/userguide/data-protection.html>
pub(crate) fn accept(plane: &Plane, given: Option<&str>) -> Result<(), ProtonError> {
    match (given, plane.sealer.kms_key()) {
        (None, _) => Ok(()),
        (Some(given), Some(master)) if given == master => Ok(()),
        (Some(given), Some(master)) => Err(ProtonError::validation(format!(
            "encryptionKey: this server seals all that it keeps under {master} and can't use {given} for one resource; \
             leave encryptionKey out, or name that key"
        ))),
        (Some(given), None) => Err(ProtonError::validation(format!(
            "encryptionKey: this server's master key is not in KMS, so {given} would protect nothing; leave encryptionKey \
             out, or start the server with the setting master_key = \"kms:{given}\""
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control_plane::test_plane::TestPlane;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_key_that_would_protect_nothing_is_refused_with_the_way_out() {
        let plane = TestPlane::new().await.plane;
        accept(&plane, None).unwrap();
        let key = "arn:aws:kms:us-east-1:123456789012:key/1";
        let ProtonError::Validation(words) = accept(&plane, Some(key)).unwrap_err() else { panic!("no validation") };
        assert!(words.contains("leave encryptionKey out") && words.contains(&format!("\"kms:{key}\"")), "{words}");
    }
}
