//! Multipart uploads: begun, filled part by part, completed into an object or given up.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html>

use std::collections::BTreeMap;
use std::sync::Arc;

use md5::{Digest, Md5};
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput, CompleteMultipartUploadOutput,
    CompletedPart, CopyPartResult, CreateMultipartUploadInput, CreateMultipartUploadOutput, ETag,
    ListMultipartUploadsInput, ListMultipartUploadsOutput, ListPartsInput, ListPartsOutput, MultipartUpload,
    Part as PartEntry, Range, UploadPartCopyInput, UploadPartCopyOutput, UploadPartInput, UploadPartOutput,
};
use s3s::{S3Request, S3Result, s3_error};

use super::catalog::{self, Object, Part, Piece, Upload, scope};
use super::conditions::{ReadIf, WriteIf};
use super::content::Draft;
use super::digest::{Announced, Digests};
use super::objects::{self, length, timestamp};
use super::service::Objects;
use crate::control_plane::store::{Document, Stored, Transaction, Typed};

/// Every part but the last has at least 5 MiB.
const SMALLEST: u64 = 5 * 1024 * 1024;
/// The highest number of a part.
const MOST: i32 = 10_000;
/// So many bytes of a part stay in the record; all but the last part are large anyway.
const IN_FILES: usize = 0;

pub(super) async fn create(
    server: &Objects,
    request: S3Request<CreateMultipartUploadInput>,
) -> S3Result<CreateMultipartUploadOutput> {
    let input = request.input;
    let upload = Upload {
        id: uuid::Uuid::new_v4().simple().to_string(),
        bucket: input.bucket,
        key: input.key,
        started_at: server.clock.now(),
        described: catalog::described!(input),
    };
    let output = CreateMultipartUploadOutput {
        bucket: Some(upload.bucket.clone()),
        key: Some(upload.key.clone()),
        upload_id: Some(upload.id.clone()),
        checksum_algorithm: input.checksum_algorithm,
        checksum_type: input.checksum_type,
        ..Default::default()
    };
    let created = server.store.write(move |tx| {
        catalog::bucket(tx, &upload.bucket)?;
        Ok::<_, s3s::S3Error>(tx.add(&scope(), &upload)?)
    });
    created.await?;
    Ok(output)
}

pub(super) async fn upload_part(server: &Objects, request: S3Request<UploadPartInput>) -> S3Result<UploadPartOutput> {
    let announced = Announced::of(&request.headers);
    let S3Request { input, trailing_headers, .. } = request;
    let whose = Whose { bucket: input.bucket, key: input.key, upload: input.upload_id };
    expected(server, &whose, input.part_number).await?;
    let (draft, digests) = server.contents.receive(input.body, announced, trailing_headers, IN_FILES).await?;
    let checksums = digests.checksums();
    let part = record(server, whose, input.part_number, draft, &digests).await?;
    Ok(UploadPartOutput {
        e_tag: Some(ETag::Strong(part.etag)),
        checksum_crc32: checksums.get("crc32").cloned(),
        checksum_crc32c: checksums.get("crc32c").cloned(),
        checksum_crc64nvme: checksums.get("crc64nvme").cloned(),
        checksum_sha1: checksums.get("sha1").cloned(),
        checksum_sha256: checksums.get("sha256").cloned(),
        ..Default::default()
    })
}

pub(super) async fn upload_part_copy(
    server: &Objects,
    request: S3Request<UploadPartCopyInput>,
) -> S3Result<UploadPartCopyOutput> {
    let input = request.input;
    let whose = Whose { bucket: input.bucket, key: input.key, upload: input.upload_id };
    expected(server, &whose, input.part_number).await?;
    let conditions = ReadIf {
        matches: input.copy_source_if_match,
        none_matches: input.copy_source_if_none_match,
        modified_since: input.copy_source_if_modified_since,
        unmodified_since: input.copy_source_if_unmodified_since,
    };
    let (source, reading) = objects::source(server, input.copy_source, &conditions).await?;
    let range = match input.copy_source_range {
        Some(range) => {
            Range::parse(&range).map_err(|_| s3_error!(InvalidArgument, "{range} is no range"))?.check(source.size)?
        }
        None => 0..source.size,
    };
    let body = server.contents.read(reading, range.start, range.end - range.start);
    let (draft, digests) = server.contents.receive(Some(body), Announced::default(), None, IN_FILES).await?;
    let part = record(server, whose, input.part_number, draft, &digests).await?;
    let result = CopyPartResult {
        e_tag: Some(ETag::Strong(part.etag)),
        last_modified: Some(timestamp(part.modified_at)),
        ..Default::default()
    };
    Ok(UploadPartCopyOutput { copy_part_result: Some(result), ..Default::default() })
}

/// Refuses a part that no upload waits for, before it is sent.
async fn expected(server: &Objects, whose: &Whose, number: i32) -> S3Result<()> {
    if !(1..=MOST).contains(&number) {
        return Err(s3_error!(InvalidArgument, "a part's number lies between 1 and {MOST}"));
    }
    let whose = whose.clone();
    server.store.read(move |tx| find(tx, &whose).map(|_| ())).await
}

/// Makes a part of a new file, in the place of whatever had its number.
async fn record(server: &Objects, whose: Whose, number: i32, draft: Draft, digests: &Digests) -> S3Result<Part> {
    let part = Part {
        upload: whose.upload.clone(),
        number,
        piece: draft.piece.clone(),
        etag: digests.etag(),
        modified_at: server.clock.now(),
    };
    // The draft moves into the work, which decides over its file even if the client goes away meanwhile.
    let (new, draft) = (part.clone(), Arc::new(draft));
    let replaced = server.store.write(move |tx| {
        find(tx, &whose)?;
        let replaced = replace(tx, new.clone())?;
        draft.keep();
        Ok::<_, s3s::S3Error>(replaced)
    });
    server.contents.discard(&replaced.await?);
    Ok(part)
}

/// Which upload a request means.
#[derive(Debug, Clone)]
struct Whose {
    bucket: String,
    key: String,
    upload: String,
}

fn find(tx: &mut dyn Transaction, whose: &Whose) -> S3Result<Stored<Upload>> {
    catalog::bucket(tx, &whose.bucket)?;
    let upload = tx.get::<Upload>(&scope(), &whose.upload)?;
    let upload = upload.filter(|upload| upload.bucket == whose.bucket && upload.key == whose.key);
    upload.ok_or_else(|| s3_error!(NoSuchUpload, "the specified upload does not exist"))
}

fn replace(tx: &mut dyn Transaction, part: Part) -> S3Result<Vec<Piece>> {
    match tx.get::<Part>(&scope(), &part.key())? {
        None => {
            tx.add(&scope(), &part)?;
            Ok(Vec::new())
        }
        Some(mut stored) => {
            let before = std::mem::replace(&mut stored.value, part);
            tx.save(&scope(), &mut stored)?;
            Ok(vec![before.piece])
        }
    }
}

pub(super) async fn complete(
    server: &Objects,
    request: S3Request<CompleteMultipartUploadInput>,
) -> S3Result<CompleteMultipartUploadOutput> {
    let input = request.input;
    let whose = Whose { bucket: input.bucket.clone(), key: input.key.clone(), upload: input.upload_id };
    let named = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
    let conditions = WriteIf { matches: input.if_match, none_matches: input.if_none_match };
    let now = server.clock.now();
    let completed = server.store.write(move |tx| assemble(tx, &whose, &named, &conditions, now));
    let (etag, unnamed) = completed.await?;
    server.contents.discard(&unnamed);
    Ok(CompleteMultipartUploadOutput {
        location: Some(format!("/{}/{}", input.bucket, input.key)),
        bucket: Some(input.bucket),
        key: Some(input.key),
        e_tag: Some(ETag::Strong(etag)),
        ..Default::default()
    })
}

/// Makes the object out of the named parts; the files stay where they are. Returns its entity tag and the files that
/// nothing names any more.
fn assemble(
    tx: &mut dyn Transaction,
    whose: &Whose,
    named: &[CompletedPart],
    conditions: &WriteIf,
    now: i64,
) -> S3Result<(String, Vec<Piece>)> {
    let present = catalog::object(tx, &whose.bucket, &whose.key)?;
    let Some(upload) = tx.get::<Upload>(&scope(), &whose.upload)? else {
        // A completion whose answer was lost comes again.
        let repeated = present.filter(|object| object.upload.as_deref() == Some(whose.upload.as_str()));
        let etag = repeated.map(|object| object.value.etag);
        return etag.map(|etag| (etag, Vec::new())).ok_or_else(|| s3_error!(NoSuchUpload, "the upload does not exist"));
    };
    find(tx, whose)?;
    conditions.check(present.as_deref())?;
    let parts = chosen(tx, &whose.upload, named)?;
    let object = Object {
        bucket: whose.bucket.clone(),
        key: whose.key.clone(),
        size: parts.iter().map(|part| part.piece.size).sum(),
        pieces: parts.iter().map(|part| part.piece.clone()).collect(),
        etag: etag_of(&parts),
        modified_at: now,
        described: upload.described.clone(),
        checksums: BTreeMap::new(),
        upload: Some(whose.upload.clone()),
    };
    let etag = object.etag.clone();
    let kept = object.pieces.clone();
    let mut unnamed = catalog::replace(tx, object)?;
    unnamed.extend(forget(tx, &upload)?.into_iter().filter(|piece| !kept.contains(piece)));
    Ok((etag, unnamed))
}

/// The parts that a completion names, which must be there as it says, in order, and large enough.
fn chosen(tx: &mut dyn Transaction, upload: &str, named: &[CompletedPart]) -> S3Result<Vec<Part>> {
    if named.is_empty() {
        return Err(s3_error!(MalformedXML, "a completion names at least one part"));
    }
    let mut parts: Vec<Part> = Vec::with_capacity(named.len());
    for CompletedPart { part_number, e_tag, .. } in named {
        let number = part_number.ok_or_else(|| s3_error!(MalformedXML, "a part has no number"))?;
        if parts.last().is_some_and(|last| last.number >= number) {
            return Err(s3_error!(InvalidPartOrder, "the parts are not in ascending order"));
        }
        let part = tx.get::<Part>(&scope(), &Part::key_of(upload, number))?;
        let part = part.filter(|part| e_tag.as_ref().is_none_or(|etag| etag.value() == part.etag));
        let part = part.ok_or_else(|| s3_error!(InvalidPart, "part {number} is missing or has another entity tag"))?;
        parts.push(part.value);
    }
    let (_, all_but_last) = parts.split_last().expect("there is one part at least");
    if let Some(small) = all_but_last.iter().find(|part| part.piece.size < SMALLEST) {
        return Err(s3_error!(EntityTooSmall, "part {} is smaller than the minimum allowed size", small.number));
    }
    Ok(parts)
}

/// As S3 tags an object of parts: the MD5 of their MD5s, and their count.
fn etag_of(parts: &[Part]) -> String {
    let mut md5 = Md5::new();
    for part in parts {
        md5.update(hex::decode(&part.etag).unwrap_or_default());
    }
    format!("{}-{}", hex::encode(md5.finalize()), parts.len())
}

/// Removes an upload and its parts from the record; returns the parts' files.
pub(super) fn forget(tx: &mut dyn Transaction, upload: &Stored<Upload>) -> S3Result<Vec<Piece>> {
    let mut pieces = Vec::new();
    for part in tx.by_term::<Part>(&scope(), Part::OF_UPLOAD, &upload.id)? {
        tx.delete(&scope(), &part)?;
        pieces.push(part.value.piece);
    }
    tx.delete(&scope(), upload)?;
    Ok(pieces)
}

pub(super) async fn abort(
    server: &Objects,
    request: S3Request<AbortMultipartUploadInput>,
) -> S3Result<AbortMultipartUploadOutput> {
    let AbortMultipartUploadInput { bucket, key, upload_id: upload, .. } = request.input;
    let whose = Whose { bucket, key, upload };
    let unnamed = server.store.write(move |tx| {
        let upload = find(tx, &whose)?;
        forget(tx, &upload)
    });
    server.contents.discard(&unnamed.await?);
    Ok(AbortMultipartUploadOutput::default())
}

pub(super) async fn list_parts(server: &Objects, request: S3Request<ListPartsInput>) -> S3Result<ListPartsOutput> {
    let input = request.input;
    let whose = Whose { bucket: input.bucket.clone(), key: input.key.clone(), upload: input.upload_id.clone() };
    let parts = server.store.read(move |tx| {
        find(tx, &whose)?;
        Ok::<_, s3s::S3Error>(tx.by_term::<Part>(&scope(), Part::OF_UPLOAD, &whose.upload)?)
    });
    let behind = input.part_number_marker.unwrap_or(0);
    let limit = input.max_parts.and_then(|most| usize::try_from(most).ok()).unwrap_or(1000).min(1000);
    let mut parts: Vec<Part> = parts.await?.into_iter().map(|part| part.value).filter(|p| p.number > behind).collect();
    let is_truncated = parts.len() > limit;
    parts.truncate(limit);
    let entry = |part: &Part| PartEntry {
        part_number: Some(part.number),
        e_tag: Some(ETag::Strong(part.etag.clone())),
        size: Some(length(part.piece.size)),
        last_modified: Some(timestamp(part.modified_at)),
        ..Default::default()
    };
    Ok(ListPartsOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(input.upload_id),
        max_parts: i32::try_from(limit).ok(),
        part_number_marker: Some(behind),
        is_truncated: Some(is_truncated),
        next_part_number_marker: parts.last().filter(|_| is_truncated).map(|part| part.number),
        parts: Some(parts.iter().map(entry).collect()),
        ..Default::default()
    })
}

/// Answers all in one page: unfinished uploads are few.
pub(super) async fn list(
    server: &Objects,
    request: S3Request<ListMultipartUploadsInput>,
) -> S3Result<ListMultipartUploadsOutput> {
    let input = request.input;
    let bucket = input.bucket.clone();
    let uploads = server.store.read(move |tx| {
        catalog::bucket(tx, &bucket)?;
        Ok::<_, s3s::S3Error>(tx.by_term::<Upload>(&scope(), Upload::IN_BUCKET, &bucket)?)
    });
    let prefix = input.prefix.clone().unwrap_or_default();
    let entry = |upload: Upload| MultipartUpload {
        key: Some(upload.key),
        upload_id: Some(upload.id),
        initiated: Some(timestamp(upload.started_at)),
        ..Default::default()
    };
    let uploads = uploads.await?.into_iter().map(|upload| upload.value).filter(|u| u.key.starts_with(&prefix));
    Ok(ListMultipartUploadsOutput {
        bucket: Some(input.bucket),
        prefix: input.prefix,
        is_truncated: Some(false),
        uploads: Some(uploads.map(entry).collect()),
        ..Default::default()
    })
}
