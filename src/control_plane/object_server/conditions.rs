//! Conditional requests, as RFC 9110 §13 and S3 have them.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html>

use s3s::dto::{ETag, ETagCondition, Timestamp};
use s3s::{S3Result, s3_error};

use super::catalog::Object;
use super::objects::timestamp;

/// What must hold for a write to happen.
#[derive(Debug, Clone, Default)]
pub(super) struct WriteIf {
    pub(super) matches: Option<ETagCondition>,
    pub(super) none_matches: Option<ETagCondition>,
}

impl WriteIf {
    /// Checks a write against what is there; meant to run in the transaction that writes.
    pub(super) fn check(&self, present: Option<&Object>) -> S3Result<()> {
        match (&self.matches, present) {
            (Some(_), None) => return Err(s3_error!(NoSuchKey, "the object that If-Match names doesn't exist")),
            (Some(condition), Some(object)) if !is(condition, object) => return Err(failed("If-Match")),
            _ => {}
        }
        match (&self.none_matches, present) {
            (Some(ETagCondition::ETag(_)), _) => Err(s3_error!(NotImplemented, "a write knows only If-None-Match: *")),
            (Some(ETagCondition::Any), Some(_)) => Err(failed("If-None-Match")),
            _ => Ok(()),
        }
    }
}

/// What must hold for a read to be worth while.
#[derive(Debug, Clone, Default)]
pub(super) struct ReadIf {
    pub(super) matches: Option<ETagCondition>,
    pub(super) none_matches: Option<ETagCondition>,
    pub(super) modified_since: Option<Timestamp>,
    pub(super) unmodified_since: Option<Timestamp>,
}

impl ReadIf {
    /// Checks a read; an entity tag, where given, decides over a time.
    pub(super) fn check(&self, object: &Object) -> S3Result<()> {
        // A time in a header has whole seconds.
        let modified = timestamp(object.modified_at / 1000 * 1000);
        match (&self.matches, &self.unmodified_since) {
            (Some(condition), _) if !is(condition, object) => return Err(failed("If-Match")),
            (None, Some(since)) if modified > *since => return Err(failed("If-Unmodified-Since")),
            _ => {}
        }
        match (&self.none_matches, &self.modified_since) {
            (Some(condition), _) if is(condition, object) => Err(s3_error!(NotModified)),
            (None, Some(since)) if modified <= *since => Err(s3_error!(NotModified)),
            _ => Ok(()),
        }
    }
}

fn is(condition: &ETagCondition, object: &Object) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(etag) => is_etag(etag, object),
    }
}

/// Whether an entity tag is the object's.
pub(super) fn is_etag(etag: &ETag, object: &Object) -> bool {
    etag.value() == object.etag
}

fn failed(condition: &'static str) -> s3s::S3Error {
    s3_error!(PreconditionFailed, "at least one of the preconditions did not hold: {condition}")
}
