//! What both rooms mean by a word: values in, values out; no I/O, no async, no clock.

mod deployment;
mod id;
mod target;

pub use deployment::{IllegalMove, advance};
pub use id::{Scope, partition};
pub use target::{Target, UnknownTarget};
