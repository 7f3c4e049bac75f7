//! Objects: put, read, copied and deleted.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use s3s::dto::{
    CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource, DeleteObjectInput, DeleteObjectOutput,
    DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, ETag, ETagCondition, GetObjectInput, GetObjectOutput,
    HeadObjectInput, HeadObjectOutput, MetadataDirective, ObjectIdentifier, PutObjectInput, PutObjectOutput, Timestamp,
};
use s3s::{S3Request, S3Result, s3_error};

use super::catalog::{self, Object, Piece, scope};
use super::conditions::{ReadIf, WriteIf};
use super::content::{Draft, Reading};
use super::digest::Announced;
use super::service::Objects;
use crate::control_plane::store::{Transaction, Typed};

/// So many bytes lie in the record with the object's document, and a put is one write of the record's: a file of its own
/// would be synced, and so would its folder, before the record is. Run records, inputs and most bundles are smaller.
pub(super) const FEW: usize = 16 << 10;

/// S3 takes no more keys in one DeleteObjects.
const MOST_DELETED: usize = 1000;

/// As S3 tells times.
pub(super) fn timestamp(milliseconds: i64) -> Timestamp {
    let since = Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default());
    Timestamp::from(SystemTime::UNIX_EPOCH + since)
}

/// As S3 tells sizes.
pub(super) fn length(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

pub(super) async fn put(server: &Objects, request: S3Request<PutObjectInput>) -> S3Result<PutObjectOutput> {
    let announced = Announced::of(&request.headers);
    let S3Request { input, trailing_headers, .. } = request;
    let conditions = WriteIf { matches: input.if_match, none_matches: input.if_none_match };
    // Asked early, so that a refused put needn't upload first; what counts is the same question at the end.
    let (early, bucket, key) = (conditions.clone(), input.bucket.clone(), input.key.clone());
    let check = move |tx: &mut dyn Transaction| early.check(catalog::object(tx, &bucket, &key)?.as_deref());
    server.store.read(check).await?;
    let (draft, digests) = server.contents.receive(input.body, announced, trailing_headers, FEW).await?;
    let object = Object {
        bucket: input.bucket,
        key: input.key,
        size: draft.piece.size,
        pieces: vec![draft.piece.clone()],
        etag: digests.etag(),
        modified_at: server.clock.now(),
        described: catalog::described!(input),
        checksums: digests.checksums(),
        upload: None,
    };
    let mut output = PutObjectOutput { e_tag: Some(ETag::Strong(object.etag.clone())), ..Default::default() };
    macros::checksums!(output, object.checksums);
    record(server, object, conditions, vec![draft]).await?;
    Ok(output)
}

/// Makes an object of new files: one transaction checks the conditions and changes the record.
async fn record(server: &Objects, object: Object, conditions: WriteIf, drafts: Vec<Draft>) -> S3Result<()> {
    // The drafts move into the work: if the client goes away meanwhile, the work is done all the same, and decides
    // over the files.
    let drafts = Arc::new(drafts);
    let replaced = server.store.write(move |tx| {
        conditions.check(catalog::object(tx, &object.bucket, &object.key)?.as_deref())?;
        let replaced = catalog::replace(tx, object.clone())?;
        for Draft { piece, bytes, .. } in drafts.iter() {
            bytes.iter().try_for_each(|bytes| catalog::keep_bytes(tx, piece, bytes))?;
        }
        drafts.iter().for_each(Draft::keep);
        Ok::<_, s3s::S3Error>(replaced)
    });
    server.contents.discard(&replaced.await?);
    Ok(())
}

pub(super) async fn get(server: &Objects, request: S3Request<GetObjectInput>) -> S3Result<GetObjectOutput> {
    let input = request.input;
    let conditions = ReadIf {
        matches: input.if_match,
        none_matches: input.if_none_match,
        modified_since: input.if_modified_since,
        unmodified_since: input.if_unmodified_since,
    };
    let (object, reading) = find(server, &input.bucket, &input.key).await?;
    conditions.check(&object)?;
    let range = wanted(&object, input.range, input.part_number)?;
    let Range { start, end } = range.clone().unwrap_or(0..object.size);
    let mut output = GetObjectOutput {
        body: Some(server.contents.read(reading, start, end - start)),
        content_length: Some(length(end - start)),
        content_range: range.as_ref().map(|_| content_range(start, end, object.size)),
        parts_count: input.part_number.and_then(|_| i32::try_from(object.pieces.len()).ok()),
        ..Default::default()
    };
    if range.is_none() && input.checksum_mode.is_some() {
        macros::checksums!(output, object.checksums);
    }
    macros::describe!(output, object);
    Ok(output)
}

pub(super) async fn head(server: &Objects, request: S3Request<HeadObjectInput>) -> S3Result<HeadObjectOutput> {
    let input = request.input;
    let conditions = ReadIf {
        matches: input.if_match,
        none_matches: input.if_none_match,
        modified_since: input.if_modified_since,
        unmodified_since: input.if_unmodified_since,
    };
    let (object, _) = find(server, &input.bucket, &input.key).await?;
    conditions.check(&object)?;
    let range = wanted(&object, input.range, input.part_number)?;
    let Range { start, end } = range.clone().unwrap_or(0..object.size);
    let mut output = HeadObjectOutput {
        content_length: Some(length(end - start)),
        content_range: range.as_ref().map(|_| content_range(start, end, object.size)),
        parts_count: input.part_number.and_then(|_| i32::try_from(object.pieces.len()).ok()),
        ..Default::default()
    };
    if range.is_none() && input.checksum_mode.is_some() {
        macros::checksums!(output, object.checksums);
    }
    macros::describe!(output, object);
    Ok(output)
}

/// An object, with a hold on its bytes.
async fn find(server: &Objects, bucket: &str, key: &str) -> S3Result<(Object, Reading)> {
    loop {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        let found = server.store.read(move |tx| {
            let object = catalog::object(tx, &bucket, &key)?;
            let object = object.ok_or_else(|| s3_error!(NoSuchKey, "the specified key does not exist"))?.value;
            let bytes = catalog::bytes(tx, &object)?;
            Ok::<_, s3s::S3Error>((object, bytes))
        });
        let (object, bytes) = found.await?;
        match server.contents.hold(&object.pieces, bytes) {
            Some(reading) => return Ok((object, reading)),
            None if !still(server, &object).await? => {}
            None => {
                tracing::error!(object.key = %object.key, "the file of an object is missing: {}", object.key);
                return Err(s3_error!(InternalError, "the object's file is missing"));
            }
        }
    }
}

/// Whether an object is still what was read, and not replaced meanwhile.
async fn still(server: &Objects, object: &Object) -> S3Result<bool> {
    let (bucket, key) = (object.bucket.clone(), object.key.clone());
    let now = server.store.read(move |tx| catalog::object(tx, &bucket, &key)).await?;
    Ok(now.is_some_and(|now| now.pieces == object.pieces))
}

/// The bytes that a request wants, if not all.
fn wanted(object: &Object, range: Option<s3s::dto::Range>, part: Option<i32>) -> S3Result<Option<Range<u64>>> {
    match (range, part) {
        (Some(_), Some(_)) => Err(s3_error!(InvalidRequest, "a range and a part number exclude each other")),
        (Some(range), None) => Ok(Some(range.check(object.size)?)),
        (None, Some(number)) => Ok(Some(part_of(&object.pieces, number)?)),
        (None, None) => Ok(None),
    }
}

fn part_of(pieces: &[Piece], number: i32) -> S3Result<Range<u64>> {
    let no_such = || s3_error!(InvalidRange, "the requested part number is not satisfiable");
    let index = usize::try_from(number).ok().and_then(|n| n.checked_sub(1)).ok_or_else(no_such)?;
    let piece = pieces.get(index).ok_or_else(no_such)?;
    let start: u64 = pieces[..index].iter().map(|piece| piece.size).sum();
    Ok(start..start + piece.size)
}

fn content_range(start: u64, end: u64, size: u64) -> String {
    format!("bytes {start}-{}/{size}", end.saturating_sub(1))
}

/// What a copy copies, if it is as demanded.
pub(super) async fn source(server: &Objects, source: CopySource, conditions: &ReadIf) -> S3Result<(Object, Reading)> {
    let CopySource::Bucket { bucket, key, version_id: None } = source else {
        return Err(s3_error!(NotImplemented, "a copy's source is an object of a bucket, without a version"));
    };
    let (object, reading) = find(server, &bucket, &key).await?;
    // For a copy a condition that doesn't hold is a failure, not an answer.
    conditions.check(&object).map_err(|_| s3_error!(PreconditionFailed, "the copy's source is not as demanded"))?;
    Ok((object, reading))
}

pub(super) async fn copy(server: &Objects, request: S3Request<CopyObjectInput>) -> S3Result<CopyObjectOutput> {
    let input = request.input;
    let replaces = input.metadata_directive.is_some_and(|given| given.as_str() == MetadataDirective::REPLACE);
    let conditions = ReadIf {
        matches: input.copy_source_if_match,
        none_matches: input.copy_source_if_none_match,
        modified_since: input.copy_source_if_modified_since,
        unmodified_since: input.copy_source_if_unmodified_since,
    };
    let (source, reading) = source(server, input.copy_source, &conditions).await?;
    if !replaces && source.bucket == input.bucket && source.key == input.key {
        return Err(s3_error!(InvalidRequest, "a copy onto itself must replace the metadata"));
    }
    let drafts = server.contents.link(&reading).await?;
    let given = catalog::described!(input);
    let object = Object {
        bucket: input.bucket,
        key: input.key,
        pieces: drafts.iter().map(|draft| draft.piece.clone()).collect(),
        modified_at: server.clock.now(),
        described: if replaces { given } else { source.described },
        upload: None,
        ..source
    };
    let result = CopyObjectResult {
        e_tag: Some(ETag::Strong(object.etag.clone())),
        last_modified: Some(timestamp(object.modified_at)),
        ..Default::default()
    };
    record(server, object, WriteIf::default(), drafts).await?;
    Ok(CopyObjectOutput { copy_object_result: Some(result), ..Default::default() })
}

pub(super) async fn delete(server: &Objects, request: S3Request<DeleteObjectInput>) -> S3Result<DeleteObjectOutput> {
    let DeleteObjectInput { bucket, key, if_match, .. } = request.input;
    let unnamed = server.store.write(move |tx| {
        catalog::bucket(tx, &bucket)?;
        remove(tx, &bucket, &key, if_match.as_ref())
    });
    server.contents.discard(&unnamed.await?);
    Ok(DeleteObjectOutput::default())
}

/// Deletes what is there; that nothing is there is no error.
fn remove(tx: &mut dyn Transaction, bucket: &str, key: &str, if_match: Option<&ETagCondition>) -> S3Result<Vec<Piece>> {
    let present = tx.get::<Object>(&scope(), &Object::key_of(bucket, key))?;
    WriteIf { matches: if_match.cloned(), none_matches: None }.check(present.as_deref())?;
    let Some(object) = present else { return Ok(Vec::new()) };
    tx.delete(&scope(), &object)?;
    Ok(catalog::let_go(tx, object.value.pieces)?)
}

pub(super) async fn delete_many(
    server: &Objects,
    request: S3Request<DeleteObjectsInput>,
) -> S3Result<DeleteObjectsOutput> {
    let DeleteObjectsInput { bucket, delete, .. } = request.input;
    if delete.objects.len() > MOST_DELETED {
        return Err(s3_error!(MalformedXML, "at most {MOST_DELETED} objects are deleted at once"));
    }
    let quiet = delete.quiet.unwrap_or(false);
    let outcome = server.store.write(move |tx| {
        catalog::bucket(tx, &bucket)?;
        delete_each(tx, &bucket, &delete.objects)
    });
    let (unnamed, deleted, errors) = outcome.await?;
    server.contents.discard(&unnamed);
    let deleted = if quiet { Vec::new() } else { deleted };
    Ok(DeleteObjectsOutput { deleted: Some(deleted), errors: Some(errors), ..Default::default() })
}

/// Deletes each whose condition holds, and tells of the others.
fn delete_each(
    tx: &mut dyn Transaction,
    bucket: &str,
    objects: &[ObjectIdentifier],
) -> S3Result<(Vec<Piece>, Vec<DeletedObject>, Vec<s3s::dto::Error>)> {
    let (mut unnamed, mut deleted, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    for ObjectIdentifier { key, e_tag, .. } in objects {
        let condition = e_tag.clone().map(ETagCondition::ETag);
        match remove(tx, bucket, key, condition.as_ref()) {
            Ok(pieces) => {
                unnamed.extend(pieces);
                deleted.push(DeletedObject { key: Some(key.clone()), ..Default::default() });
            }
            Err(error) if *error.code() == s3s::S3ErrorCode::InternalError => return Err(error),
            Err(error) => errors.push(s3s::dto::Error {
                key: Some(key.clone()),
                code: Some(error.code().as_str().to_owned()),
                message: error.message().map(str::to_owned),
                version_id: None,
            }),
        }
    }
    Ok((unnamed, deleted, errors))
}

/// Members that several of S3's shapes share by name, but not by type.
mod macros {
    /// Tells a whole object's checksums.
    macro_rules! checksums {
        ($output:ident, $checksums:expr) => {
            $output.checksum_crc32 = $checksums.get("crc32").cloned();
            $output.checksum_crc32c = $checksums.get("crc32c").cloned();
            $output.checksum_crc64nvme = $checksums.get("crc64nvme").cloned();
            $output.checksum_sha1 = $checksums.get("sha1").cloned();
            $output.checksum_sha256 = $checksums.get("sha256").cloned();
        };
    }

    /// Tells what a reader of an object learns besides its bytes.
    macro_rules! describe {
        ($output:ident, $object:ident) => {
            $output.accept_ranges = Some("bytes".to_owned());
            $output.e_tag = Some(ETag::Strong($object.etag));
            $output.last_modified = Some(timestamp($object.modified_at));
            $output.content_type =
                Some($object.described.content_type.unwrap_or_else(|| "binary/octet-stream".to_owned()));
            $output.content_encoding = $object.described.content_encoding;
            $output.content_language = $object.described.content_language;
            $output.content_disposition = $object.described.content_disposition;
            $output.cache_control = $object.described.cache_control;
            $output.metadata = Some($object.described.metadata.into_iter().collect());
        };
    }

    pub(super) use {checksums, describe};
}
