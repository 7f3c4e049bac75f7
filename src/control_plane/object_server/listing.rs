//! Listing a bucket: by prefix, folded at a delimiter, page by page.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::{
    CommonPrefix, ETag, EncodingType, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output,
    Object as Entry, ObjectStorageClass,
};
use s3s::{S3Request, S3Result, s3_error};

use super::catalog::{self, Object, scope};
use super::objects::{length, timestamp};
use super::service::Objects;
use crate::control_plane::store::{Document, Select, Transaction, Typed};

/// S3 never answers more at once.
const MOST: usize = 1000;

/// As S3 encodes keys for XML: a slash stays.
const RESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/').remove(b'*');

/// What to list.
#[derive(Debug, Clone)]
struct Wanted {
    bucket: String,
    prefix: String,
    delimiter: String,
    /// Everything listed comes behind this key or folded prefix.
    after: String,
    limit: usize,
}

/// One page.
#[derive(Debug, Default)]
struct Page {
    objects: Vec<Object>,
    prefixes: Vec<String>,
    /// Where the next page begins: the last key or prefix of this one, if there is more.
    next: Option<String>,
}

impl Page {
    fn len(&self) -> usize {
        self.objects.len() + self.prefixes.len()
    }

    fn last(&self) -> Option<&str> {
        let object = self.objects.last().map(|object| object.key.as_str());
        object.max(self.prefixes.last().map(String::as_str))
    }
}

/// Walks the keys in order. A folded prefix is one step, however many keys it holds.
fn page(tx: &mut dyn Transaction, wanted: &Wanted) -> S3Result<Page> {
    catalog::bucket(tx, &wanted.bucket)?;
    let mut page = Page::default();
    let mut at = begin(wanted);
    loop {
        let after = Some((at.0.as_str(), at.1.as_str()));
        let select =
            Select { term: Object::IN_BUCKET, value: &wanted.bucket, after, descending: false, limit: MOST + 1 };
        let found = tx.page::<Object>(&scope(), &select)?;
        let Some(end) = found.last() else { return Ok(page) };
        at = (end.sort.clone(), end.value.key());
        for stored in found {
            let object = stored.value;
            if !object.key.starts_with(&wanted.prefix) {
                return Ok(page);
            }
            let folded = folded(&object.key, wanted);
            if folded.is_some_and(|prefix| page.prefixes.last().is_some_and(|last| last == prefix)) {
                continue;
            }
            if page.len() == wanted.limit {
                page.next = page.last().map(str::to_owned);
                return Ok(page);
            }
            if let Some(prefix) = folded.map(str::to_owned) {
                // All below this prefix are passed over at once.
                at = behind(&prefix);
                page.prefixes.push(prefix);
                break;
            }
            page.objects.push(object);
        }
    }
}

/// The position to look behind first: just before the prefix, or where the last page ended.
fn begin(wanted: &Wanted) -> (String, String) {
    if wanted.after < wanted.prefix {
        return (wanted.prefix.clone(), String::new());
    }
    match folded(&wanted.after, wanted) {
        // A page ended with this folded prefix.
        Some(prefix) if prefix == wanted.after => behind(prefix),
        _ => (wanted.after.clone(), Object::key_of(&wanted.bucket, &wanted.after)),
    }
}

/// The position behind all keys that begin so: no character is greater than this one.
fn behind(prefix: &str) -> (String, String) {
    (format!("{prefix}{}", char::MAX), char::MAX.to_string())
}

/// What a key is folded into: itself up to the first delimiter behind the prefix.
fn folded<'k>(key: &'k str, wanted: &Wanted) -> Option<&'k str> {
    let rest = key.strip_prefix(&wanted.prefix).filter(|_| !wanted.delimiter.is_empty())?;
    let end = rest.find(&wanted.delimiter)?;
    Some(&key[..wanted.prefix.len() + end + wanted.delimiter.len()])
}

async fn read(server: &Objects, wanted: Wanted) -> S3Result<Page> {
    server.store.read(move |tx| page(tx, &wanted)).await
}

pub(super) async fn list_v2(server: &Objects, request: S3Request<ListObjectsV2Input>) -> S3Result<ListObjectsV2Output> {
    let input = request.input;
    let after = match &input.continuation_token {
        Some(token) => opened(token)?,
        None => input.start_after.clone().unwrap_or_default(),
    };
    let limit = limit(input.max_keys)?;
    let wanted = Wanted {
        bucket: input.bucket.clone(),
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: input.delimiter.clone().unwrap_or_default(),
        after,
        limit,
    };
    let page = read(server, wanted).await?;
    let encode = encoder(input.encoding_type.as_ref());
    Ok(ListObjectsV2Output {
        name: Some(input.bucket),
        max_keys: i32::try_from(limit).ok(),
        key_count: i32::try_from(page.len()).ok(),
        is_truncated: Some(page.next.is_some()),
        next_continuation_token: page.next.as_ref().map(|next| STANDARD.encode(next)),
        contents: Some(page.objects.into_iter().map(|object| entry(object, encode)).collect()),
        common_prefixes: Some(page.prefixes.iter().map(|prefix| common(prefix, encode)).collect()),
        prefix: Some(encode(&input.prefix.unwrap_or_default())),
        delimiter: input.delimiter.map(|delimiter| encode(&delimiter)),
        start_after: input.start_after.map(|start| encode(&start)),
        continuation_token: input.continuation_token,
        encoding_type: input.encoding_type,
        ..Default::default()
    })
}

pub(super) async fn list(server: &Objects, request: S3Request<ListObjectsInput>) -> S3Result<ListObjectsOutput> {
    let input = request.input;
    let limit = limit(input.max_keys)?;
    let wanted = Wanted {
        bucket: input.bucket.clone(),
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: input.delimiter.clone().unwrap_or_default(),
        after: input.marker.clone().unwrap_or_default(),
        limit,
    };
    let page = read(server, wanted).await?;
    let encode = encoder(input.encoding_type.as_ref());
    Ok(ListObjectsOutput {
        name: Some(input.bucket),
        max_keys: i32::try_from(limit).ok(),
        is_truncated: Some(page.next.is_some()),
        next_marker: page.next.as_deref().map(encode),
        contents: Some(page.objects.into_iter().map(|object| entry(object, encode)).collect()),
        common_prefixes: Some(page.prefixes.iter().map(|prefix| common(prefix, encode)).collect()),
        prefix: Some(encode(&input.prefix.unwrap_or_default())),
        delimiter: input.delimiter.map(|delimiter| encode(&delimiter)),
        marker: Some(encode(&input.marker.unwrap_or_default())),
        encoding_type: input.encoding_type,
        ..Default::default()
    })
}

fn limit(max_keys: Option<i32>) -> S3Result<usize> {
    let Some(given) = max_keys else { return Ok(MOST) };
    let given = usize::try_from(given).map_err(|_| s3_error!(InvalidArgument, "max-keys must not be negative"))?;
    Ok(given.min(MOST))
}

fn opened(token: &str) -> S3Result<String> {
    let key = STANDARD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    key.ok_or_else(|| s3_error!(InvalidArgument, "the continuation token provided is incorrect"))
}

/// XML can't hold every character that a key may have; who knows that asks for percent encoding.
fn encoder(encoding: Option<&EncodingType>) -> fn(&str) -> String {
    match encoding {
        Some(encoding) if encoding.as_str() == EncodingType::URL => {
            |text| utf8_percent_encode(text, RESERVED).to_string()
        }
        Some(_) | None => str::to_owned,
    }
}

fn common(prefix: &str, encode: fn(&str) -> String) -> CommonPrefix {
    CommonPrefix { prefix: Some(encode(prefix)) }
}

fn entry(object: Object, encode: fn(&str) -> String) -> Entry {
    Entry {
        key: Some(encode(&object.key)),
        size: Some(length(object.size)),
        e_tag: Some(ETag::Strong(object.etag)),
        last_modified: Some(timestamp(object.modified_at)),
        storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
        ..Default::default()
    }
}
