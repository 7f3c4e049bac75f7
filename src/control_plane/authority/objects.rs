//! What keys may do with the objects of the embedded S3, in IAM's words.

use hadron_model::hadron::Role;

/// An action on buckets and objects, by its name in IAM.
///
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "IAM's own names")]
pub enum ObjectAction {
    AbortMultipartUpload,
    CreateBucket,
    DeleteBucket,
    DeleteObject,
    GetBucketLocation,
    GetObject,
    ListAllMyBuckets,
    ListBucket,
    ListBucketMultipartUploads,
    ListMultipartUploadParts,
    PutObject,
    /// Whatever we don't serve.
    Unserved,
}

impl ObjectAction {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::AbortMultipartUpload,
        Self::CreateBucket,
        Self::DeleteBucket,
        Self::DeleteObject,
        Self::GetBucketLocation,
        Self::GetObject,
        Self::ListAllMyBuckets,
        Self::ListBucket,
        Self::ListBucketMultipartUploads,
        Self::ListMultipartUploadParts,
        Self::PutObject,
        Self::Unserved,
    ];

    /// Its name in policies.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AbortMultipartUpload => "AbortMultipartUpload",
            Self::CreateBucket => "CreateBucket",
            Self::DeleteBucket => "DeleteBucket",
            Self::DeleteObject => "DeleteObject",
            Self::GetBucketLocation => "GetBucketLocation",
            Self::GetObject => "GetObject",
            Self::ListAllMyBuckets => "ListAllMyBuckets",
            Self::ListBucket => "ListBucket",
            Self::ListBucketMultipartUploads => "ListBucketMultipartUploads",
            Self::ListMultipartUploadParts => "ListMultipartUploadParts",
            Self::PutObject => "PutObject",
            Self::Unserved => "Unserved",
        }
    }

    /// Whether it changes nothing.
    pub const fn reads(self) -> bool {
        matches!(
            self,
            Self::GetBucketLocation
                | Self::GetObject
                | Self::ListAllMyBuckets
                | Self::ListBucket
                | Self::ListBucketMultipartUploads
                | Self::ListMultipartUploadParts
        )
    }

    /// The resource types it is about.
    pub(super) const fn applies_to(self) -> &'static str {
        match self {
            Self::ListBucket => "S3::Bucket, S3::Object",
            Self::AbortMultipartUpload
            | Self::DeleteObject
            | Self::GetObject
            | Self::ListMultipartUploadParts
            | Self::PutObject => "S3::Object",
            _ => "S3::Bucket",
        }
    }
}

/// Who asks for an object.
#[derive(Debug, Clone)]
pub struct ObjectCaller {
    /// The access key's id.
    pub access_key: String,
    /// The principal's ARN.
    pub principal: String,
    /// The account of the key.
    pub account: String,
    /// The key's role.
    pub role: Role,
    /// Its groups.
    pub groups: Vec<String>,
    /// The environments that it is bound to.
    pub environments: Vec<String>,
}

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectResource {
    /// The bucket; empty for all of them.
    pub bucket: String,
    /// The object, or the prefix of a list; none for the bucket itself.
    pub key: Option<String>,
    /// Whose it is; empty for everyone's.
    pub account: String,
    /// Whether it lies in the bucket that Hadron keeps bundles, inputs and runs in.
    pub own: bool,
    /// Whether it belongs to a deployment that the caller's key claimed last.
    pub claimed: bool,
}

impl ObjectResource {
    /// Its ARN, as IAM writes it.
    pub fn arn(&self) -> String {
        match (&self.key, self.bucket.as_str()) {
            (_, "") => "*".into(),
            (Some(key), bucket) => format!("arn:aws:s3:::{bucket}/{key}"),
            (None, bucket) => format!("arn:aws:s3:::{bucket}"),
        }
    }

    /// The first part of its key.
    pub(super) fn folder(&self) -> &str {
        self.key.as_deref().and_then(|key| key.split_once('/')).map_or("", |(folder, _)| folder)
    }
}
