//! Tests of whole rooms, on real parts, without a network.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod architecture;
mod object_server;
mod state_server;
