//! The form of sealed bytes: compressed first, since a Terraform state shrinks to a tenth.
//!
//! [`MAGIC`], one byte that counts the data key's id, the id, then nonce and ciphertext of the deflated bytes.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

use super::{Ring, SealError};

/// Begins sealed bytes; neither JSON nor an archive begins so.
pub(crate) const MAGIC: &[u8] = b"\0hadron\x02";

/// Compresses and seals under the current key.
pub(crate) fn seal(ring: &Ring, plaintext: &[u8], context: &str) -> Result<Vec<u8>, SealError> {
    let mut shrinking = DeflateEncoder::new(Vec::new(), Compression::fast());
    let shrunk = shrinking.write_all(plaintext).and_then(|()| shrinking.finish()).map_err(|_| SealError::Broken)?;
    let id = ring.current().as_bytes();
    let length = u8::try_from(id.len()).map_err(|_| SealError::Broken)?;
    let sealed = ring.encrypt(&shrunk, context.as_bytes())?;
    Ok([MAGIC, &[length], id, &sealed].concat())
}

/// Opens what [`seal`] returned.
pub(crate) fn open(ring: &Ring, sealed: &[u8], context: &str) -> Result<Vec<u8>, SealError> {
    let (id, rest) = parts(sealed).ok_or(SealError::Broken)?;
    let deflated = ring.decrypt(id, rest.to_vec(), context.as_bytes())?;
    let mut plaintext = Vec::new();
    DeflateDecoder::new(deflated.as_slice()).read_to_end(&mut plaintext).map_err(|_| SealError::Broken)?;
    Ok(plaintext)
}

/// The data key that bytes are sealed under; None of bytes that aren't sealed.
pub(crate) fn key_of(bytes: &[u8]) -> Option<&str> {
    parts(bytes).map(|(id, _)| id)
}

/// Whether bytes claim to be sealed, even if they broke off.
pub(crate) fn is_sealed(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

fn parts(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = bytes.strip_prefix(MAGIC)?.split_first()?;
    let (id, rest) = rest.split_at_checked(usize::from(*length))?;
    Some((std::str::from_utf8(id).ok()?, rest))
}
