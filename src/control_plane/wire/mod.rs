//! The protocol: AWS JSON 1.0 with SigV4, knowing nothing of what operations do.

mod call;
mod error;
pub mod paging;

pub use call::{Call, Caller};
pub use error::ProtonError;
