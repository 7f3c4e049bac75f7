//! One of a run's two streams, piece by piece.

use bytes::Bytes;

use super::PIECE;
use crate::objects::{ObjectUri, Objects, ObjectsError};

/// The offset behind the last piece that arrived.
pub(super) async fn already_sent(objects: &Objects, prefix: &ObjectUri, name: &str) -> Result<u64, ObjectsError> {
    let folder = ObjectUri::new(&prefix.bucket, format!("{}{name}/", prefix.key));
    let pieces = objects.list(&folder, None).await?;
    let ends = pieces.iter().filter_map(|piece| {
        let offset: u64 = piece.key.strip_prefix(&folder.key)?.parse().ok()?;
        Some(offset + piece.size)
    });
    Ok(ends.max().unwrap_or(0))
}

/// One of the two streams: what waits to be sent, and where that begins.
pub(super) struct Stream {
    pub(super) name: &'static str,
    pub(super) pending: Vec<u8>,
    /// The offset of `pending` in the stream.
    offset: u64,
    /// Below this everything has arrived.
    pub(super) sent: u64,
}

impl Stream {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, pending: Vec::new(), offset: 0, sent: 0 }
    }

    pub(super) async fn send(&mut self, objects: &Objects, prefix: &ObjectUri) -> Result<(), ObjectsError> {
        let known = usize::try_from(self.sent.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        self.forget(known.min(self.pending.len()));
        while !self.pending.is_empty() {
            let length = self.pending.len().min(PIECE);
            let piece = Bytes::copy_from_slice(&self.pending[..length]);
            let key = format!("{}{}/{:020}", prefix.key, self.name, self.offset);
            objects.put(&ObjectUri::new(&prefix.bucket, key), piece, "text/plain; charset=utf-8").await?;
            self.forget(length);
        }
        Ok(())
    }

    fn forget(&mut self, length: usize) {
        self.pending.drain(..length);
        self.offset += length as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_life_has_sent_is_not_sent_again() {
        let mut stream = Stream { name: "log", pending: b"0123456789".to_vec(), offset: 0, sent: 4 };
        let known = usize::try_from(stream.sent - stream.offset).unwrap();
        stream.forget(known);
        assert_eq!((stream.pending.as_slice(), stream.offset), (&b"456789"[..], 4));
    }
}
