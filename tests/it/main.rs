//! Hermetic tests of whole rooms: real clients and real Terraform against far ends on loopback.

#![expect(deprecated, reason = "AWS marks the whole service as closed; its API is what we keep alive")]
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod far_end;

mod architecture;
mod assemble;
#[expect(dead_code, reason = "each test binary uses its own part")]
#[path = "../support/bundle.rs"]
mod bundle;
mod conformance;
mod docs;
mod estate;
mod journey;
#[path = "../support/mdbook.rs"]
mod mdbook;
mod object_server;
mod objects;
mod observability;
#[expect(dead_code, reason = "each test binary uses its own part")]
#[path = "../support/process.rs"]
mod process;
mod proton;
mod providers;
mod session;
mod state;
mod state_server;
mod supervisor;
#[expect(dead_code, reason = "each test binary uses its own part")]
#[path = "../support/tools.rs"]
mod tools;
mod upkeep;
#[path = "../support/values.rs"]
mod values;
mod warm;
mod wire;
