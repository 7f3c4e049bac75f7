//! The embedded S3, asked by the AWS SDK over loopback.

mod bench;
mod conditions;
mod listing;
mod multipart;
mod objects;
