//! A master key that AWS KMS keeps: data keys travel to it to be wrapped and unwrapped.

use std::fmt;

use aws_sdk_kms::Client;
use aws_sdk_kms::error::DisplayErrorContext;
use aws_sdk_kms::primitives::Blob;

use tokio::runtime::Handle;

use super::SealError;
use crate::support::AwsAccess;

/// The name in the encryption context under which a data key's place is bound.
const CONTEXT: &str = "hadron";

/// A symmetric KMS key.
///
/// <https://docs.aws.amazon.com/kms/latest/developerguide/symmetric-cmks.html>
#[derive(Clone)]
pub struct KmsKey {
    arn: String,
    client: Client,
    /// Where the client's requests run.
    runtime: Handle,
}

impl fmt::Debug for KmsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KmsKey({})", self.arn)
    }
}

impl KmsKey {
    /// The key of an ARN, in its own region, with the identity that AWS's default chain finds. None of a text that is no
    /// key's ARN. Its requests run on the runtime that this is called on.
    pub async fn of(arn: &str) -> Option<Self> {
        let region = region(arn)?;
        let access = AwsAccess { region: Some(region.to_owned()), ..AwsAccess::default() };
        Some(Self { arn: arn.to_owned(), client: Client::new(&access.sdk_config().await), runtime: Handle::current() })
    }

    /// Its ARN.
    pub fn arn(&self) -> &str {
        &self.arn
    }

    pub(super) async fn encrypt(&self, plaintext: &[u8], context: &str) -> Result<Vec<u8>, SealError> {
        let request = self.client.encrypt().key_id(&self.arn).plaintext(Blob::new(plaintext));
        let answer = request.encryption_context(CONTEXT, context).send().await;
        let answer = answer.map_err(|error| self.refused("wrap", DisplayErrorContext(error).to_string()))?;
        let sealed = answer.ciphertext_blob.ok_or_else(|| self.refused("wrap", "the answer is empty".into()))?;
        Ok(sealed.into_inner())
    }

    pub(super) async fn decrypt(&self, sealed: &[u8], context: &str) -> Result<Vec<u8>, SealError> {
        let request = self.client.decrypt().key_id(&self.arn).ciphertext_blob(Blob::new(sealed));
        let answer = request.encryption_context(CONTEXT, context).send().await.map_err(|error| {
            let wrong = error
                .as_service_error()
                .is_some_and(|it| it.is_invalid_ciphertext_exception() || it.is_incorrect_key_exception());
            if wrong { SealError::Broken } else { self.refused("unwrap", DisplayErrorContext(error).to_string()) }
        })?;
        let plaintext = answer.plaintext.ok_or_else(|| self.refused("unwrap", "the answer is empty".into()))?;
        Ok(plaintext.into_inner())
    }

    /// Waits for a request where nothing may be awaited. A thread of its own waits, since the caller may be on the
    /// runtime itself.
    pub(super) fn wait_for<T: Send>(
        &self,
        work: impl Future<Output = Result<T, SealError>> + Send,
    ) -> Result<T, SealError> {
        std::thread::scope(|scope| scope.spawn(|| self.runtime.block_on(work)).join())
            .unwrap_or_else(|_| Err(self.refused("unwrap", "the request panicked".into())))
    }

    fn refused(&self, doing: &'static str, message: String) -> SealError {
        SealError::Kms { doing, key: self.arn.clone(), source: message.into() }
    }
}

/// The region of `arn:aws:kms:REGION:ACCOUNT:key/ID`.
fn region(arn: &str) -> Option<&str> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    match parts[..] {
        ["arn", _, "kms", region, account, key]
            if !region.is_empty() && !account.is_empty() && key.starts_with("key/") =>
        {
            Some(region)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::region;

    #[test]
    fn only_the_arn_of_a_key_names_a_key() {
        assert_eq!(region("arn:aws:kms:eu-west-1:123456789012:key/1-2"), Some("eu-west-1"));
        for other in ["alias/x", "arn:aws:kms:eu-west-1:123456789012:alias/x", "arn:aws:kms::1:key/1", "1-2-3", ""] {
            assert_eq!(region(other), None, "{other}");
        }
    }
}
