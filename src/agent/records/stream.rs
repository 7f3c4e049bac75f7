//! One of a run's two streams, piece by piece.

use bytes::Bytes;

use super::PIECE;
use super::store::Destination;
use crate::objects::{ObjectUri, ObjectsError};

/// What waits to be sent, and where that begins.
#[derive(Debug)]
pub(super) struct Stream {
    name: &'static str,
    pending: Vec<u8>,
    /// The offset of `pending` in the stream.
    offset: u64,
    /// Below this everything has arrived.
    arrived: u64,
}

impl Stream {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, pending: Vec::new(), offset: 0, arrived: 0 }
    }

    pub(super) fn waiting(&self) -> usize {
        self.pending.len()
    }

    pub(super) fn append(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// Learns how much an earlier life has sent.
    pub(super) async fn resume(&mut self, to: &Destination) -> Result<(), ObjectsError> {
        self.arrived = self.arrived(to).await?;
        Ok(())
    }

    /// Sends all that waits. A piece is never written over: one that is there already may be longer or shorter than the
    /// one at hand, come from an earlier life or from a request whose answer was lost. What it holds has arrived.
    pub(super) async fn send(&mut self, to: &Destination) -> Result<(), ObjectsError> {
        self.forget();
        while !self.pending.is_empty() {
            let length = piece_of(&self.pending);
            let piece = Bytes::copy_from_slice(&self.pending[..length]);
            let uri = to.object(&format!("{}/{:020}", self.name, self.offset));
            if to.put_new(&uri, piece).await? {
                self.arrived = self.offset + length as u64;
            } else {
                let arrived = self.arrived(to).await?;
                if arrived <= self.offset {
                    return Err(shapeless(uri));
                }
                self.arrived = arrived;
            }
            self.forget();
        }
        Ok(())
    }

    /// The end of what has arrived without a gap.
    async fn arrived(&self, to: &Destination) -> Result<u64, ObjectsError> {
        let folder = to.object(&format!("{}/", self.name));
        let pieces = to.list(&folder).await?;
        let pieces = pieces.iter().filter_map(|piece| Some((piece.key.strip_prefix(&folder.key)?, piece.size)));
        Ok(end_of(pieces.filter_map(|(name, size)| Some((name.parse().ok()?, size)))))
    }

    /// Lets go of what has arrived.
    fn forget(&mut self) {
        let known = usize::try_from(self.arrived.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        let known = known.min(self.pending.len());
        self.pending.drain(..known);
        self.offset += known as u64;
    }
}

/// How much of what waits makes the next piece: whole lines, where a line isn't longer than a piece.
fn piece_of(pending: &[u8]) -> usize {
    let most = &pending[..pending.len().min(PIECE)];
    match most.iter().rposition(|byte| *byte == b'\n') {
        Some(end) if most.len() < pending.len() => end + 1,
        _ => most.len(),
    }
}

/// The end of the pieces that begin at 0 and follow each other, given by offset and size in ascending order.
fn end_of(pieces: impl Iterator<Item = (u64, u64)>) -> u64 {
    pieces.fold(0, |end, (offset, size)| if offset <= end { end.max(offset + size) } else { end })
}

/// An object that lies where a piece belongs, and holds nothing of it.
fn shapeless(uri: ObjectUri) -> ObjectsError {
    ObjectsError::BrokenOff { uri, cause: "an object without bytes lies in its place".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_life_has_sent_is_not_sent_again() {
        let mut stream = Stream { name: "log", pending: b"0123456789".to_vec(), offset: 0, arrived: 4 };
        stream.forget();
        assert_eq!((stream.pending.as_slice(), stream.offset), (&b"456789"[..], 4));
        stream.arrived = 40;
        stream.forget();
        assert_eq!((stream.waiting(), stream.offset), (0, 10), "the rest of it isn't read yet");
        stream.append(b"ab");
        stream.forget();
        assert_eq!((stream.waiting(), stream.offset), (0, 12));
    }

    #[test]
    fn pieces_end_with_a_line_unless_it_is_longer_than_a_piece() {
        let text = |line: usize| [vec![b'x'; line], vec![b'\n'], vec![b'y'; PIECE]].concat();
        assert_eq!(piece_of(&text(10)), 11);
        assert_eq!(piece_of(&text(PIECE + 3)), PIECE);
        assert_eq!(piece_of(b"ab"), 2);
    }

    #[test]
    fn behind_a_gap_nothing_counts_as_arrived() {
        assert_eq!(end_of([(0, 5), (5, 5), (11, 4)].into_iter()), 10);
        assert_eq!(end_of([(0, 9), (5, 2), (9, 1)].into_iter()), 10, "an overlap is no gap");
        assert_eq!(end_of([].into_iter()), 0);
    }
}
