//! Who signed a request: AWS Signature Version 4 in the `Authorization` header, checked in AWS's order and words.
//!
//! Proton's requests are all `POST /`, so none of SigV4's hard parts (normalising paths and queries, chunks, presigned
//! URLs) arise. The key derivation and the HMAC are those of `aws-sigv4`; the body is always hashed here.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

mod canonical;
mod header;
mod moment;

use std::time::{Duration, SystemTime};

use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use http::request::Parts;

use self::header::{Authorization, Scope};
use self::moment::Moment;
use crate::support::Secret;

pub use header::scope_service;

/// How far a client's clock may be off, in milliseconds.
const SKEW: i64 = 5 * 60 * 1000;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Why a request's signature isn't accepted; the texts are AWS's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// There is no signature.
    #[error("Request is missing Authentication Token")]
    Missing,
    /// Parts of the signature are missing or unreadable.
    #[error("{0}")]
    Incomplete(String),
    /// The signature is too old, for something else, or wrong.
    #[error("{0}")]
    Invalid(String),
    /// Nobody has this access key.
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
}

/// A signature that is complete, of now and for us; whether it is right takes the key's secret.
#[derive(Debug, Clone)]
pub struct Claim {
    scope: Scope,
    signed_headers: Vec<String>,
    signature: String,
    moment: Moment,
}

impl Claim {
    /// Reads a request's signature for `service`, at `now` in milliseconds since the epoch.
    ///
    /// # Errors
    /// Everything that can be wrong before the key is looked up.
    pub fn read(parts: &Parts, service: &str, now: i64) -> Result<Self, SignatureError> {
        let authorization = Authorization::read(parts)?;
        let moment = Moment::read(parts)?;
        check_clock(&moment, now)?;
        authorization.check_signed_headers(parts)?;
        let scope = authorization.scope(service, &moment)?;
        let Authorization { signed_headers, signature, .. } = authorization;
        Ok(Self { scope, signed_headers, signature, moment })
    }

    /// The access key's id.
    pub fn access_key(&self) -> &str {
        &self.scope.access_key
    }

    /// The region that the request is for.
    pub fn region(&self) -> &str {
        &self.scope.region
    }

    /// Holds the signature against the request and the key's secret.
    ///
    /// # Errors
    /// [`SignatureError::Invalid`] with both canonical texts, which hold nothing secret and help to find the difference.
    pub fn verify(&self, parts: &Parts, body: &[u8], secret: &Secret) -> Result<(), SignatureError> {
        let Self { scope, signed_headers, signature, moment } = self;
        let request = canonical::request(parts, signed_headers, body);
        let text = canonical::string_to_sign(&moment.text, scope, &request);
        let key = generate_signing_key(secret.reveal(), moment.system_time(), &scope.region, &scope.service);
        let expected = calculate_signature(key, text.as_bytes());
        let right = subtle::ConstantTimeEq::ct_eq(expected.as_bytes(), signature.as_bytes());
        if right.into() {
            return Ok(());
        }
        let request = String::from_utf8_lossy(&request);
        Err(SignatureError::Invalid(format!(
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
             Access Key and signing method. Consult the service documentation for details.\n\nThe Canonical String for \
             this request should have been\n'{request}'\n\nThe String-to-Sign should have been\n'{text}'\n"
        )))
    }
}

fn check_clock(moment: &Moment, now: i64) -> Result<(), SignatureError> {
    let (earliest, latest) = (now.saturating_sub(SKEW), now.saturating_add(SKEW));
    let (told, now, given) = (moment::basic, moment::basic(now), &moment.text);
    if moment.milliseconds < earliest {
        let limit = told(earliest);
        return Err(SignatureError::Invalid(format!(
            "Signature expired: {given} is now earlier than {limit} ({now} - 5 min.)"
        )));
    }
    if moment.milliseconds > latest {
        let limit = told(latest);
        return Err(SignatureError::Invalid(format!(
            "Signature not yet current: {given} is still later than {limit} ({now} + 5 min.)"
        )));
    }
    Ok(())
}

impl Moment {
    fn system_time(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(self.milliseconds).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests;
