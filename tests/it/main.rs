//! Hermetic tests with real parts: the built `hadron`, a real Terraform, nothing from the network.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod session;
mod state;
mod supervisor;
