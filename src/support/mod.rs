//! Small things every room needs and none owns: the clock, secrets, files that appear whole or not at all, causes in
//! one line, and how an AWS client is built.

mod aws;
mod causes;
mod clock;
pub mod credential;
pub mod files;
mod secret;

pub use aws::AwsAccess;
pub use causes::causes;
pub use clock::Clock;
pub use secret::Secret;
