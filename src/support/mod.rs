//! Small things every room needs and none owns: the clock, secrets, a cipher, files that appear whole or not at all,
//! causes in one line, how an AWS client is built, whose certificates are trusted, HTTP for what has no SDK and the proxy
//! that all of it goes by, numbers for Prometheus, and whether a part works.

pub mod address;
mod aws;
mod causes;
pub mod cipher;
mod clock;
pub mod credential;
pub mod files;
pub mod health;
pub mod https;
#[cfg(test)]
pub(crate) mod judge;
pub mod metrics;
mod moment;
pub mod proxy;
mod secret;
mod trust;

pub use aws::AwsAccess;
pub use causes::causes;
pub use clock::Clock;
pub use moment::Moment;
pub use secret::Secret;
pub use trust::{Trust, remedy};

/// Who we say we are, to whom we ask.
pub const USER_AGENT: &str = concat!("hadron/", env!("CARGO_PKG_VERSION"));
