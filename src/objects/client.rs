//! Get, put, put-if-absent, list, presign.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{RequestChecksumCalculation, ResponseChecksumValidation};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use bytes::{Bytes, BytesMut};

use super::error::status;
use super::{ObjectUri, ObjectsError};
use crate::support::{AwsAccess, Secret, Trust};

/// S3 answers 409 when two conditional writes of one key meet; the loser is to ask again.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>
const CONDITIONAL_TRIES: usize = 4;

/// A store that sends nothing for so long while an object is read sends nothing any more.
const STALL: Duration = Duration::from_secs(15);

/// Which store, and as whom.
#[derive(Debug, Clone)]
pub struct ObjectsConfig {
    /// Where the store answers; None = AWS, or what `AWS_ENDPOINT_URL_S3` and the profile say.
    pub endpoint: Option<String>,
    /// The region to sign for; empty = what the default chain finds.
    pub region: String,
    /// An access key's id and secret; None = the default AWS chain.
    pub credentials: Option<(String, Secret)>,
    /// Whether the bucket goes into the path (`host/bucket/key`), as stores without wildcard DNS need.
    pub path_style: bool,
    /// Whose certificates are trusted; None = the system's.
    pub trust: Option<Trust>,
}

/// A client of one object store; cheap to clone.
#[derive(Debug, Clone)]
pub struct Objects {
    client: Client,
    region: String,
}

/// One line of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// The object's full key.
    pub key: String,
    /// Its length in bytes.
    pub size: u64,
}

impl Objects {
    /// Builds the client; nothing is sent yet.
    pub async fn new(config: ObjectsConfig) -> Self {
        let region = Some(config.region.clone()).filter(|region| !region.is_empty());
        let ObjectsConfig { endpoint, credentials, trust, .. } = config;
        let access = AwsAccess { endpoint, region, credentials, trust };
        let sdk = access.sdk_config().await;
        let region = sdk.region().map_or_else(|| "us-east-1".to_owned(), ToString::to_string);
        // What needs a digest carries it in its name; S3 look-alikes often refuse the SDK's default trailing checksums.
        let s3 = aws_sdk_s3::config::Builder::from(&sdk)
            .region(aws_sdk_s3::config::Region::new(region.clone()))
            .force_path_style(config.path_style)
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .build();
        Self { client: Client::from_conf(s3), region }
    }

    /// Reads a whole object.
    ///
    /// # Errors
    /// [`ObjectsError`], `NotFound` among them.
    pub async fn get(&self, uri: &ObjectUri) -> Result<Bytes, ObjectsError> {
        self.get_limited(uri, u64::MAX).await
    }

    /// Reads a whole object of at most `max_bytes`; a larger one costs neither memory nor time.
    ///
    /// # Errors
    /// [`ObjectsError::TooLarge`] and the rest.
    pub async fn get_limited(&self, uri: &ObjectUri, max_bytes: u64) -> Result<Bytes, ObjectsError> {
        let request = self.client.get_object().bucket(&uri.bucket).key(&uri.key);
        let answer = tokio::time::timeout(STALL, request.send()).await.map_err(|_| stalled(uri))?;
        let answer = answer.map_err(|error| ObjectsError::from_sdk(uri, &error))?;
        read_limited(uri, answer, max_bytes).await
    }

    /// Reads a whole object of at most `max_bytes`, with the tag that changes whenever its content does.
    ///
    /// # Errors
    /// [`ObjectsError`].
    pub async fn get_with_etag(
        &self,
        uri: &ObjectUri,
        max_bytes: u64,
    ) -> Result<(Bytes, Option<String>), ObjectsError> {
        let request = self.client.get_object().bucket(&uri.bucket).key(&uri.key);
        let answer = request.send().await.map_err(|error| ObjectsError::from_sdk(uri, &error))?;
        let etag = answer.e_tag().map(str::to_owned);
        Ok((read_limited(uri, answer, max_bytes).await?, etag))
    }

    /// Writes an object, over whatever was there.
    ///
    /// # Errors
    /// [`ObjectsError`].
    pub async fn put(&self, uri: &ObjectUri, bytes: Bytes, content_type: &str) -> Result<(), ObjectsError> {
        let request = self.client.put_object().bucket(&uri.bucket).key(&uri.key).content_type(content_type);
        request.body(ByteStream::from(bytes)).send().await.map_err(|error| ObjectsError::from_sdk(uri, &error))?;
        Ok(())
    }

    /// Writes an object unless one is there already; true when this call created it.
    ///
    /// # Errors
    /// [`ObjectsError`]; that the object exists is no error.
    pub async fn put_if_absent(&self, uri: &ObjectUri, bytes: Bytes) -> Result<bool, ObjectsError> {
        self.put_new(uri, bytes, "application/octet-stream").await
    }

    /// The same, with a content type.
    ///
    /// # Errors
    /// As [`Objects::put_if_absent`].
    pub async fn put_new(&self, uri: &ObjectUri, bytes: Bytes, content_type: &str) -> Result<bool, ObjectsError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let request = self.client.put_object().bucket(&uri.bucket).key(&uri.key).if_none_match("*");
            let request = request.content_type(content_type);
            match request.body(ByteStream::from(bytes.clone())).send().await {
                Ok(_) => return Ok(true),
                Err(error) if status(&error) == Some(412) => return Ok(false),
                Err(error) if status(&error) == Some(409) && tries < CONDITIONAL_TRIES => {}
                Err(error) => return Err(ObjectsError::from_sdk(uri, &error)),
            }
        }
    }

    /// Removes an object; one that isn't there is no error.
    ///
    /// # Errors
    /// [`ObjectsError`].
    pub async fn delete(&self, uri: &ObjectUri) -> Result<(), ObjectsError> {
        let request = self.client.delete_object().bucket(&uri.bucket).key(&uri.key);
        match request.send().await.map_err(|error| ObjectsError::from_sdk(uri, &error)) {
            Ok(_) | Err(ObjectsError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// All objects whose key begins with the URI's key, in key order, from behind the key `after` on.
    ///
    /// # Errors
    /// [`ObjectsError`].
    pub async fn list(&self, prefix: &ObjectUri, after: Option<&str>) -> Result<Vec<ObjectInfo>, ObjectsError> {
        let request = self.client.list_objects_v2().bucket(&prefix.bucket).prefix(&prefix.key);
        let mut pages = request.set_start_after(after.map(str::to_owned)).into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| ObjectsError::from_sdk(prefix, &error))?;
            found.extend(page.contents.unwrap_or_default().into_iter().filter_map(|object| {
                let size = u64::try_from(object.size.unwrap_or_default()).unwrap_or_default();
                Some(ObjectInfo { key: object.key?, size })
            }));
        }
        Ok(found)
    }

    /// A URL by which anyone may read the object for that long, without credentials.
    ///
    /// # Errors
    /// [`ObjectsError::Refused`] for a time that S3 doesn't allow (0, or more than a week); nothing is sent.
    pub async fn presigned_get(&self, uri: &ObjectUri, seconds: u64) -> Result<String, ObjectsError> {
        let refused =
            |message: String| ObjectsError::Refused { uri: uri.clone(), code: "InvalidExpiry".into(), message };
        let time = PresigningConfig::expires_in(Duration::from_secs(seconds)).map_err(|e| refused(e.to_string()))?;
        let request = self.client.get_object().bucket(&uri.bucket).key(&uri.key);
        let signed = request.presigned(time).await.map_err(|error| ObjectsError::from_sdk(uri, &error))?;
        Ok(signed.uri().to_owned())
    }

    /// Makes a bucket; one that is ours already is fine.
    ///
    /// # Errors
    /// [`ObjectsError`], also when the name belongs to somebody else.
    pub async fn create_bucket(&self, bucket: &str) -> Result<(), ObjectsError> {
        let mut request = self.client.create_bucket().bucket(bucket);
        // us-east-1 is the one region that must not be named.
        if self.region != "us-east-1" {
            let place = BucketLocationConstraint::from(self.region.as_str());
            let place = CreateBucketConfiguration::builder().location_constraint(place).build();
            request = request.create_bucket_configuration(place);
        }
        let Err(error) = request.send().await else { return Ok(()) };
        // Who may use a bucket may not be allowed to make one.
        let may_be_there = matches!(status(&error), Some(403 | 409));
        if may_be_there && self.client.head_bucket().bucket(bucket).send().await.is_ok() {
            return Ok(());
        }
        Err(ObjectsError::from_sdk(&ObjectUri::new(bucket, ""), &error))
    }
}

async fn read_limited(uri: &ObjectUri, answer: GetObjectOutput, max_bytes: u64) -> Result<Bytes, ObjectsError> {
    let too_large = || ObjectsError::TooLarge { uri: uri.clone(), limit: max_bytes };
    let announced = answer.content_length.and_then(|length| u64::try_from(length).ok()).unwrap_or(0);
    if announced > max_bytes {
        return Err(too_large());
    }
    // The announcement may lie, so it sizes the buffer only up to a harmless bound.
    let mut bytes = BytesMut::with_capacity(usize::try_from(announced.min(16 << 20)).unwrap_or(0));
    let mut body = answer.body;
    while let Some(piece) = tokio::time::timeout(STALL, body.next()).await.map_err(|_| stalled(uri))? {
        let piece = piece.map_err(|error| ObjectsError::BrokenOff { uri: uri.clone(), cause: error.to_string() })?;
        if (bytes.len() + piece.len()) as u64 > max_bytes {
            return Err(too_large());
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.freeze())
}

fn stalled(uri: &ObjectUri) -> ObjectsError {
    ObjectsError::BrokenOff { uri: uri.clone(), cause: format!("nothing came for {} s", STALL.as_secs()) }
}
