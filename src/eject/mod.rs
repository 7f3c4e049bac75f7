//! The way out: what Hadron deploys as plain Terraform roots, which need nothing but Terraform, a bucket and a pipeline.
//!
//! Rendered files in, a repository's files out; whoever calls has read the record and moves the states.

mod handover;
mod masks;
mod plain;

pub use handover::{RootLine, handover};
pub use masks::{Masked, divided, masked};
pub use plain::{StatePlace, backend, folder, plain};
