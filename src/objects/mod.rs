//! The object store: bundles, inputs and run records in one S3 bucket. The only importer of `aws-sdk-s3`.

mod client;
mod error;
mod probe;
mod uri;

pub use client::{ObjectInfo, Objects, ObjectsConfig};
pub use error::ObjectsError;
pub use uri::{NotAnObjectUri, ObjectUri};
