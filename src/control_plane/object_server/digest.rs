//! Digests of what comes in: our own MD5 for the entity tag, and whatever the client sent to compare with.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use md5::{Digest, Md5};
use s3s::checksum::ChecksumHasher;
use s3s::crypto::Checksum as _;
use s3s::dto::Checksum;
use s3s::{S3Result, TrailingHeaders, s3_error};

/// The headers that carry a checksum, and the algorithm each names.
const CHECKSUMS: [&str; 5] = ["crc32", "crc32c", "crc64nvme", "sha1", "sha256"];

/// The digests that a request announces for its body.
#[derive(Debug, Clone, Default)]
pub(super) struct Announced {
    md5: Option<String>,
    /// In base64 by algorithm; none where the value follows the body.
    checksums: BTreeMap<&'static str, Option<String>>,
}

impl Announced {
    /// Reads them from the request's headers.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let trailer = text("x-amz-trailer").unwrap_or_default();
        let mut announced = Self { md5: text("content-md5"), checksums: BTreeMap::new() };
        for algorithm in CHECKSUMS {
            let header = header(algorithm);
            let follows = trailer.split(',').any(|name| name.trim().eq_ignore_ascii_case(&header));
            match text(&header) {
                Some(value) => drop(announced.checksums.insert(algorithm, Some(value))),
                None if follows => drop(announced.checksums.insert(algorithm, None)),
                None => {}
            }
        }
        announced
    }

    /// Takes over the values that came behind the body.
    pub(super) fn complete(&mut self, trailers: Option<&TrailingHeaders>) {
        for (algorithm, value) in self.checksums.iter_mut().filter(|(_, value)| value.is_none()) {
            let header = header(algorithm);
            let read = |headers: &HeaderMap| headers.get(&header)?.to_str().ok().map(str::to_owned);
            *value = trailers.and_then(|trailers| trailers.read(read)).flatten();
        }
    }
}

fn header(algorithm: &str) -> String {
    format!("x-amz-checksum-{algorithm}")
}

/// Digests in the making.
pub(super) struct Hasher {
    md5: Md5,
    checksums: ChecksumHasher,
}

/// The digests of a whole body.
#[derive(Debug, Clone)]
pub(super) struct Digests {
    md5: [u8; 16],
    checksums: Checksum,
}

impl Hasher {
    /// Computes what the entity tag needs and what was announced, nothing more.
    pub(super) fn new(announced: &Announced) -> Self {
        let wanted = |algorithm| announced.checksums.contains_key(algorithm);
        let checksums = ChecksumHasher {
            crc32: wanted("crc32").then(s3s::crypto::Crc32::new),
            crc32c: wanted("crc32c").then(s3s::crypto::Crc32c::new),
            crc64nvme: wanted("crc64nvme").then(s3s::crypto::Crc64Nvme::new),
            sha1: wanted("sha1").then(s3s::crypto::Sha1::new),
            sha256: wanted("sha256").then(s3s::crypto::Sha256::new),
        };
        Self { md5: Md5::new(), checksums }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        Digest::update(&mut self.md5, bytes);
        self.checksums.update(bytes);
    }

    pub(super) fn finish(self) -> Digests {
        Digests { md5: Digest::finalize(self.md5).into(), checksums: self.checksums.finalize() }
    }
}

impl Digests {
    /// The entity tag, without quotes.
    pub(super) fn etag(&self) -> String {
        hex::encode(self.md5)
    }

    /// Refuses a body that isn't what was announced.
    pub(super) fn check(&self, announced: &Announced) -> S3Result<()> {
        let md5 = STANDARD.encode(self.md5);
        if announced.md5.as_ref().is_some_and(|announced| *announced != md5) {
            return Err(s3_error!(BadDigest, "the Content-MD5 you specified did not match what we received"));
        }
        let computed = self.checksums();
        for (algorithm, announced) in &announced.checksums {
            if announced.as_ref() != computed.get(*algorithm) {
                return Err(s3_error!(BadDigest, "the {algorithm} you specified did not match what we received"));
            }
        }
        Ok(())
    }

    /// The announced checksums, in base64 by algorithm.
    pub(super) fn checksums(&self) -> BTreeMap<String, String> {
        let Checksum { checksum_crc32, checksum_crc32c, checksum_crc64nvme, checksum_sha1, checksum_sha256, .. } =
            self.checksums.clone();
        let values = [checksum_crc32, checksum_crc32c, checksum_crc64nvme, checksum_sha1, checksum_sha256];
        let named = CHECKSUMS.into_iter().zip(values);
        named.filter_map(|(algorithm, value)| Some((algorithm.to_owned(), value?))).collect()
    }
}
