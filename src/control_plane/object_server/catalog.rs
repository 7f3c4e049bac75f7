//! The documents of buckets, objects and unfinished uploads.
//!
//! They lie in one scope for all accounts, since the embedded S3 is one machine's, as are its bucket names.

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;
use s3s::{S3Result, s3_error};
use serde::{Deserialize, Serialize};

use crate::control_plane::store::{Document, Select, StoreError, Stored, Term, Transaction, Typed};
use crate::domain::Scope;

/// The scope that all of this lies in.
pub(super) fn scope() -> Scope {
    Scope::new("", "")
}

/// A bucket.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Bucket {
    pub(super) name: String,
    pub(super) region: String,
    pub(super) created_at: i64,
    /// Whose it is; buckets of older records, without one, are everybody's.
    #[serde(default)]
    pub(super) account: String,
}

impl Document for Bucket {
    const KIND: &'static str = "s3_bucket";

    fn key(&self) -> String {
        self.name.clone()
    }
}

/// The kind of the blobs that hold the bytes of small objects, by their pieces' names.
const BYTES: &str = "s3_bytes";

/// Bytes of an object: a file, or a blob of the record where they are few.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Piece {
    pub(super) file: String,
    pub(super) size: u64,
    /// Whether they are in the record; then there is no file, and the object has no other piece.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) in_record: bool,
}

/// What a client says of an object, to be said again to whoever reads it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Described {
    pub(super) content_type: Option<String>,
    pub(super) content_encoding: Option<String>,
    pub(super) content_language: Option<String>,
    pub(super) content_disposition: Option<String>,
    pub(super) cache_control: Option<String>,
    pub(super) metadata: BTreeMap<String, String>,
}

/// What the input of a put, a copy or an upload says of its object.
macro_rules! described {
    ($input:ident) => {
        $crate::control_plane::object_server::catalog::Described {
            content_type: $input.content_type,
            content_encoding: $input
                .content_encoding
                .as_deref()
                .and_then($crate::control_plane::object_server::catalog::encoding_at_rest),
            content_language: $input.content_language,
            content_disposition: $input.content_disposition,
            cache_control: $input.cache_control,
            metadata: $input.metadata.unwrap_or_default().into_iter().collect(),
        }
    };
}
pub(super) use described;

/// How an object is encoded, without how it travelled.
pub(super) fn encoding_at_rest(sent: &str) -> Option<String> {
    let kept: Vec<&str> = sent.split(',').map(str::trim).filter(|coding| *coding != "aws-chunked").collect();
    Some(kept.join(",")).filter(|encoding| !encoding.is_empty())
}

/// An object.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Object {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) pieces: Vec<Piece>,
    pub(super) size: u64,
    /// Without quotes.
    pub(super) etag: String,
    pub(super) modified_at: i64,
    pub(super) described: Described,
    /// In base64 by the algorithm's name, of the whole object.
    pub(super) checksums: BTreeMap<String, String>,
    /// The multipart upload it came from, so that a repeated completion is recognised.
    pub(super) upload: Option<String>,
}

impl Object {
    /// The term that lists a bucket's objects by their keys.
    pub(super) const IN_BUCKET: &'static str = "bucket";

    /// Its key in the record; a bucket's name has no slash.
    pub(super) fn key_of(bucket: &str, key: &str) -> String {
        format!("{bucket}/{key}")
    }
}

impl Document for Object {
    const KIND: &'static str = "s3_object";

    fn key(&self) -> String {
        Self::key_of(&self.bucket, &self.key)
    }

    fn terms(&self) -> Vec<Term> {
        vec![Term::new(Self::IN_BUCKET, &self.bucket).sorted_by(&self.key)]
    }
}

/// A multipart upload that isn't complete.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Upload {
    pub(super) id: String,
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) started_at: i64,
    pub(super) described: Described,
}

impl Upload {
    /// The term that lists a bucket's uploads by their objects' keys.
    pub(super) const IN_BUCKET: &'static str = "bucket";
}

impl Document for Upload {
    const KIND: &'static str = "s3_upload";

    fn key(&self) -> String {
        self.id.clone()
    }

    fn terms(&self) -> Vec<Term> {
        vec![Term::new(Self::IN_BUCKET, &self.bucket).sorted_by(&self.key)]
    }
}

/// One part of an upload.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) upload: String,
    /// From 1 to 10,000.
    pub(super) number: i32,
    pub(super) piece: Piece,
    /// MD5 in hexadecimal.
    pub(super) etag: String,
    pub(super) modified_at: i64,
}

impl Part {
    /// The term that lists an upload's parts by their numbers.
    pub(super) const OF_UPLOAD: &'static str = "upload";

    /// Its key in the record.
    pub(super) fn key_of(upload: &str, number: i32) -> String {
        format!("{upload}/{number:05}")
    }
}

impl Document for Part {
    const KIND: &'static str = "s3_part";

    fn key(&self) -> String {
        Self::key_of(&self.upload, self.number)
    }

    fn terms(&self) -> Vec<Term> {
        vec![Term::new(Self::OF_UPLOAD, &self.upload).sorted_by(format!("{:05}", self.number))]
    }
}

/// The bucket, or the refusal that there is none.
pub(super) fn bucket(tx: &mut dyn Transaction, name: &str) -> S3Result<Stored<Bucket>> {
    let bucket = tx.get::<Bucket>(&scope(), name)?;
    bucket.ok_or_else(|| s3_error!(NoSuchBucket, "the bucket {name} doesn't exist"))
}

/// An object of a bucket that exists.
pub(super) fn object(tx: &mut dyn Transaction, bucket_name: &str, key: &str) -> S3Result<Option<Stored<Object>>> {
    bucket(tx, bucket_name)?;
    Ok(tx.get::<Object>(&scope(), &Object::key_of(bucket_name, key))?)
}

/// The bytes of a small object; none of any other.
///
/// # Errors
/// The record lacks what it says it has.
pub(super) fn bytes(tx: &mut dyn Transaction, object: &Object) -> S3Result<Option<Bytes>> {
    let [Piece { file, in_record: true, .. }] = object.pieces.as_slice() else { return Ok(None) };
    let bytes = tx.blob(&scope(), BYTES, file)?;
    let bytes = bytes.ok_or_else(|| s3_error!(InternalError, "the bytes of the object {} are missing", object.key))?;
    Ok(Some(bytes.into()))
}

/// Puts the bytes of a small object beside its document.
pub(super) fn keep_bytes(tx: &mut dyn Transaction, piece: &Piece, bytes: &[u8]) -> Result<(), StoreError> {
    tx.put_blob(&scope(), BYTES, &piece.file, bytes)
}

/// Removes the bytes of a small object that is gone; returns the pieces that are files, for their folder to remove.
pub(super) fn let_go(tx: &mut dyn Transaction, pieces: Vec<Piece>) -> Result<Vec<Piece>, StoreError> {
    let (within, files): (Vec<Piece>, Vec<Piece>) = pieces.into_iter().partition(|piece| piece.in_record);
    within.iter().try_for_each(|piece| tx.remove_blob(&scope(), BYTES, &piece.file))?;
    Ok(files)
}

/// Of our own bucket, what is written once: deployments rely on a lock's staying what it is.
fn is_written_once(object: &Object) -> bool {
    object.bucket == super::OWN_BUCKET && object.key.starts_with("locks/")
}

/// Puts an object in the place of whatever was there; returns the files that nothing names any more.
pub(super) fn replace(tx: &mut dyn Transaction, object: Object) -> S3Result<Vec<Piece>> {
    match tx.get::<Object>(&scope(), &object.key())? {
        None => {
            tx.add(&scope(), &object)?;
            Ok(Vec::new())
        }
        Some(_) if is_written_once(&object) => {
            Err(s3_error!(PreconditionFailed, "{} is written once; it is there already", object.key))
        }
        Some(mut stored) => {
            let before = std::mem::replace(&mut stored.value, object);
            tx.save(&scope(), &mut stored)?;
            Ok(let_go(tx, before.pieces)?)
        }
    }
}

/// The files that the record names.
pub(super) fn pieces(tx: &mut dyn Transaction) -> Result<HashSet<String>, StoreError> {
    let mut files = HashSet::new();
    each::<Object>(tx, |object| files.extend(object.pieces.into_iter().map(|piece| piece.file)))?;
    each::<Part>(tx, |part| files.extend([part.piece.file]))?;
    Ok(files)
}

/// Walks all documents of a kind without holding them all.
fn each<T: Document>(tx: &mut dyn Transaction, mut visit: impl FnMut(T)) -> Result<(), StoreError> {
    let mut last: Option<(String, String)> = None;
    loop {
        let after = last.as_ref().map(|(sort, key)| (sort.as_str(), key.as_str()));
        let select =
            Select { term: crate::control_plane::store::ALL, value: "", after, descending: false, limit: 1000 };
        let page = tx.page::<T>(&scope(), &select)?;
        let Some(end) = page.last() else { return Ok(()) };
        last = Some((end.sort.clone(), end.value.key()));
        for stored in page {
            visit(stored.value);
        }
    }
}
