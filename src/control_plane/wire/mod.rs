//! The protocol: AWS JSON 1.0 with SigV4, knowing nothing of what operations do.
//!
//! A connection is taken ([`listener`]), over TLS or plain ([`tls`]). A request is routed ([`server`]), read, its signature checked ([`sigv4`]), held against the model, performed by
//! whoever [`Operations`] is, and answered. Who may sign is asked of [`Keys`].

mod answer;
mod api;
mod call;
mod error;
mod guarded;
mod keys;
mod listener;
mod pace;
pub mod paging;
mod server;
pub mod sigv4;
mod sts;
mod tls;

pub use api::Operations;
pub use call::{Call, Caller, Peer, RequestId};
pub use error::ProtonError;
pub use keys::{Attempt, Key, Keys};
pub use listener::{Limits, Port};
pub use server::{Answered, Front, Handler, Outside, serve, serve_only};
pub use tls::{Tls, TlsError};
