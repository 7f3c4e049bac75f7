//! The embedded S3 of one machine: the protocol is the crate `s3s`'s, the storage is ours.
//!
//! What an object *is* (its key, its headers, which files hold its bytes) is a document in the record; the bytes lie in
//! files that are never changed once written, or in the record too where they are few. So a put writes a new file, syncs
//! it, and then changes the record in one transaction; a small one is that transaction alone. That transaction checks the conditions too, and the record's single writer makes `If-None-Match` and
//! `If-Match` atomic without any lock of our own. A crash leaves at worst a file that no document names; the next start
//! removes it.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/Welcome.html>

mod access;
mod buckets;
mod catalog;
mod conditions;
mod content;
mod digest;
mod explain;
mod frames;
mod intake;
mod listing;
mod multipart;
mod objects;
mod own;
mod service;

use std::fmt;
use std::path::Path;
use std::time::Duration;

use axum::body::Body;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use s3s::service::{S3Service, S3ServiceBuilder};

pub(crate) use self::access::object;
use self::access::{Access, Keys, Names, ServerKey};
use self::content::Contents;
pub(crate) use self::own::put_within;
use self::service::Objects;
use super::authority::Authority;
use super::seal::Sealer;
use super::store::{Store, StoreError};
use crate::support::{Clock, Secret};

/// The bucket in which Hadron keeps bundles and run records. Nobody needs to know it, since tags name objects in full;
/// without it nothing could be registered, so it can't be deleted.
pub const OWN_BUCKET: &str = "hadron";

/// Where several servers share the folder, a file without a document may be an upload that goes through another one;
/// nobody sends for this long.
const LONGEST_UPLOAD: Duration = Duration::from_hours(24);

/// Why the object server can't start.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the members are named by the messages")]
pub enum ObjectServerError {
    /// Its folder can't be made, read or written.
    #[error("the folder of objects {folder} can't be used; make it writable, or choose another data directory")]
    Folder {
        folder: String,
        #[source]
        source: std::io::Error,
    },
    /// The record refuses.
    #[error("the record of objects can't be read")]
    Store(#[from] StoreError),
}

/// Whom the objects are kept from.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    /// Who may do what.
    pub authority: Authority,
    /// The account of the installation, which our own bucket belongs to.
    pub account: String,
}

/// Answers S3 requests; cheap to clone.
#[derive(Clone)]
pub struct ObjectServer {
    service: S3Service,
    own_key: ServerKey,
}

impl fmt::Debug for ObjectServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ObjectServer")
    }
}

impl ObjectServer {
    /// Serves the objects of `store` whose bytes lie below `folder`, sealed, and removes what a crash has left there.
    ///
    /// # Errors
    /// That the folder can't be used or the record can't be read.
    pub async fn open(
        store: Store,
        folder: &Path,
        sealer: Sealer,
        clock: Clock,
        guard: Guard,
    ) -> Result<Self, ObjectServerError> {
        let refused = |source| ObjectServerError::Folder { folder: folder.display().to_string(), source };
        let contents = Contents::open(folder, sealer).map_err(refused)?;
        let wanted = store.read(catalog::pieces).await?;
        let idle = if store.is_shared() { LONGEST_UPLOAD } else { Duration::ZERO };
        let removed = contents.sweep(&wanted, idle).map_err(refused)?;
        if removed > 0 {
            tracing::info!(removed, "{removed} files of unfinished uploads are removed");
        }
        let own_key = ServerKey::new();
        let mut builder = S3ServiceBuilder::new(Objects { store: store.clone(), contents, clock: clock.clone() });
        builder.set_auth(Keys { store: store.clone(), clock, own_key: own_key.clone() });
        builder.set_access(Access { store, guard, own_key: own_key.clone() });
        builder.set_validation(Names);
        Ok(Self { service: builder.build(), own_key })
    }

    /// The key pair with which the server itself works on objects: it lies in no record, is good for nothing but
    /// objects, and ends with this process.
    pub fn own_key(&self) -> (String, Secret) {
        (self.own_key.id.clone(), self.own_key.secret.clone())
    }

    /// Answers one request, whose path must be as the client signed it.
    pub async fn handle(&self, request: Request<Body>) -> Response<Body> {
        let mut request = request.map(s3s::Body::http_body_unsync);
        join_encodings(request.headers_mut());
        let mut response = match self.service.call(request).await {
            Ok(response) if response.status().is_client_error() || response.status().is_server_error() => {
                explain::explain(response).map(Body::new)
            }
            Ok(response) => response.map(Body::new),
            Err(error) => {
                tracing::error!(?error, "an object request could not be answered");
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                response
            }
        };
        if response.status() == StatusCode::NOT_MODIFIED {
            // Such an answer has no body, and must not announce one.
            *response.body_mut() = Body::empty();
            response.headers_mut().remove(CONTENT_LENGTH);
        }
        let id = uuid::Uuid::new_v4().simple().to_string();
        response.headers_mut().insert("x-amz-request-id", HeaderValue::from_str(&id).expect("hexadecimal is ASCII"));
        response
    }
}

/// The AWS SDK says `aws-chunked` in a header beside the caller's own Content-Encoding, where s3s takes only one. Joined
/// by a comma they mean and sign the same.
fn join_encodings(headers: &mut HeaderMap) {
    let all: Vec<&[u8]> = headers.get_all(CONTENT_ENCODING).iter().map(HeaderValue::as_bytes).collect();
    if all.len() > 1 {
        let joined = HeaderValue::from_bytes(&all.join(&b","[..])).expect("parts of header values make a header value");
        headers.insert(CONTENT_ENCODING, joined);
    }
}
