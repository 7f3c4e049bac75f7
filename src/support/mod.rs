//! Small things every room needs and none owns: the clock, secrets, files that appear whole or not at all.

mod clock;
pub mod credential;
pub mod files;
mod secret;

pub use clock::Clock;
pub use secret::Secret;
