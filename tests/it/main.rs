//! Hermetic tests with real parts: the built `hadron`, a real Terraform, nothing from the network.

mod session;
mod state;
mod supervisor;
