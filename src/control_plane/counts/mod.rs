//! How many there are of everything, kept up with every change, so that GetResourcesSummary costs the same with ten
//! instances and with ten thousand.
//!
//! [`Counting`] is a layer of the store. Whenever a counted document is added, changed or removed it adds a delta
//! in the same transaction: one more row, which conflicts with nobody else's. [`fold`] gathers deltas into one document
//! per account and region; a summary is that document and the deltas that aren't in it yet.

mod class;
mod fold;
mod layer;
mod tally;
#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use class::full_count;
#[cfg(test)]
pub(crate) use fold::fold;
pub use fold::keep_counts;
pub(crate) use fold::{current, prepare};
pub(crate) use layer::Counting;
pub(crate) use tally::{Counts, Tally};
