//! A run's log and events, sent to the object store while it goes on.
//!
//! Pieces are named by where they begin (`…/log/<20-digit byte offset>`), never change, and together are the stream.
//! What is sent is read from the run directory, which stays the truth: a store that is away delays the pieces, never
//! Terraform, and a restarted agent goes on behind the last piece that arrived.

mod recorder;
mod sender;
mod source;
mod stream;
mod summary;

pub(super) use recorder::Recorder;
pub(super) use summary::Summary;

/// The size at which a piece is sealed.
const PIECE: usize = 1 << 20;
