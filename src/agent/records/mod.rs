//! A run's log and events, sent to the object store while it goes on.
//!
//! Pieces are named by where they begin (`…/log/<20-digit byte offset>`), never change, and together are the stream.
//! What is sent is read from the run directory, which stays the truth: a store that is away delays the pieces, never
//! Terraform, and a restarted agent goes on behind the last piece that arrived. What a store doesn't take until the end
//! stays there and is sent when it is back.

mod backlog;
mod recorder;
mod sender;
mod source;
mod store;
mod stream;
mod summary;

pub(super) use backlog::Backlog;
pub(super) use recorder::Recorder;
pub(super) use store::Address;
pub use summary::RunSummary;

/// The size at which a piece is sealed.
const PIECE: usize = 1 << 20;

/// The names of the run's two documents, on disk and in the store.
const PLAN: &str = "plan.txt";
const SUMMARY: &str = "summary.json";
