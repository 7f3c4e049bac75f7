//! Who may ask, and what a bucket may be called.

use s3s::auth::{S3Auth, SecretKey};
use s3s::validation::{AwsNameValidation, NameValidation};
use s3s::{S3Error, S3Result, s3_error};

use crate::control_plane::records::AccessKey;
use crate::control_plane::store::{Store, StoreError, Typed};
use crate::support::Clock;

/// Top-level paths of ours, which a bucket of that name would hide. `_hadron` can be no bucket anyway.
const RESERVED: &[&str] = &["healthz", "readyz", "metrics"];

/// The record's access keys; a revoked one, or one that has expired, isn't there.
pub(super) struct Keys {
    pub(super) store: Store,
    pub(super) clock: Clock,
}

#[async_trait::async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        let id = access_key.to_owned();
        let key = self.store.read::<_, StoreError, _>(move |tx| tx.get::<AccessKey>(&AccessKey::scope(), &id)).await?;
        let key = key.filter(|key| key.is_active(self.clock.now()));
        let key = key.ok_or_else(|| s3_error!(InvalidAccessKeyId, "the access key doesn't exist in our records"))?;
        Ok(SecretKey::from(key.value.secret.reveal()))
    }
}

/// AWS's rules for names, and ours.
pub(super) struct Names;

impl NameValidation for Names {
    fn validate_bucket_name(&self, name: &str) -> bool {
        AwsNameValidation::new().validate_bucket_name(name) && !RESERVED.contains(&name)
    }
}

impl From<StoreError> for S3Error {
    /// Rules are checked inside transactions, so what the store itself refuses is our fault; the client learns no more.
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the record of objects refuses");
        s3_error!(error, InternalError, "internal error")
    }
}

/// A file system's refusal: ours too.
pub(super) fn broken(error: std::io::Error) -> S3Error {
    tracing::error!(%error, "the files of objects can't be read or written");
    s3_error!(error, InternalError, "internal error: {}", error.kind())
}
