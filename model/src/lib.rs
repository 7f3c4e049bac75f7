//! Both APIs as data: their shapes as Rust types, their constraints as tables, their operations as a trait each.
//!
//! Everything is generated at build time, AWS Proton's from `proton-model.json`, a stripped form of the public service
//! model, and our own from `hadron-model.json`, so that types, checks and the list of operations can't drift apart.
//! [`check`] holds a request against the constraints in AWS's wording; [`dispatch`] hands a checked request to a
//! [`Proton`], [`hadron::dispatch`] to a [`hadron::Hadron`]. An [`Action`] is an operation of either.

mod action;
mod constraints;
mod timestamp;

#[expect(clippy::match_same_arms, reason = "one row for each operation, even where two answer alike")]
#[expect(missing_docs, reason = "generated from the model; the AWS API reference documents every shape and member")]
mod proton {
    use crate::{
        Unimplemented,
        constraints::{Kind, Member, Pattern, Shape},
    };
    include!(concat!(env!("OUT_DIR"), "/proton.rs"));
}

/// What Proton's API has no words for: runs, approval, state, keys, audit, events, staleness.
#[expect(clippy::match_same_arms, reason = "one row for each operation, even where two answer alike")]
#[expect(clippy::unreadable_literal, reason = "bounds stand here as the model writes them")]
#[expect(missing_docs, reason = "generated from the model, which is their documentation")]
pub mod hadron {
    use crate::{
        Unimplemented,
        constraints::{Kind, Member, Pattern, Shape},
    };
    include!(concat!(env!("OUT_DIR"), "/hadron.rs"));

    /// The stripped model itself, for tools that write it in another form.
    pub const MODEL: &str = include_str!("../hadron-model.json");

    /// What comes before the operation's name in `X-Amz-Target`.
    pub const TARGET_PREFIX: &str = "Hadron20261122";

    /// The service name in a credential scope.
    pub const SIGNING_NAME: &str = "hadron";
}

pub use action::Action;
pub use constraints::{Kind, Member, Pattern, Refusal, Shape, check};
pub use proton::*;
pub use timestamp::Timestamp;

/// The stripped model itself, for tools that write it in another form.
pub const MODEL: &str = include_str!("../proton-model.json");

/// What comes before the operation's name in `X-Amz-Target`.
pub const TARGET_PREFIX: &str = "AwsProton20200720";

/// The service name in a credential scope.
pub const SIGNING_NAME: &str = "proton";

/// An operation that the service at hand has no code for, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unimplemented(pub &'static str);

impl Operation {
    /// Finds an operation by its name in `X-Amz-Target`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|operation| operation.name() == name)
    }
}
