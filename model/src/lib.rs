//! AWS Proton's API as data: its shapes as Rust types, its constraints as tables, its operations as a trait.
//!
//! Everything is generated at build time from `proton-model.json`, a stripped form of the public service model, so that
//! types, checks and the list of operations can't drift apart. [`check`] holds a request against the constraints in
//! AWS's wording; [`dispatch`] hands a checked request to a [`Proton`].

mod constraints;
mod timestamp;

#[expect(clippy::match_same_arms, reason = "one row for each operation, even where two answer alike")]
#[expect(missing_docs, reason = "generated from the model; the AWS API reference documents every shape and member")]
mod generated {
    use crate::{
        Unimplemented,
        constraints::{Kind, Member, Pattern, Shape},
    };
    include!(concat!(env!("OUT_DIR"), "/generated.rs"));
}

pub use constraints::{Kind, Member, Pattern, Refusal, Shape, check};
pub use generated::*;
pub use timestamp::Timestamp;

/// The stripped model itself, for tools that write it in another form.
pub const MODEL: &str = include_str!("../proton-model.json");

/// What comes before the operation's name in `X-Amz-Target`.
pub const TARGET_PREFIX: &str = "AwsProton20200720";

/// The service name in a credential scope.
pub const SIGNING_NAME: &str = "proton";

/// An operation that the service at hand has no code for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unimplemented(pub Operation);

impl Operation {
    /// Finds an operation by its name in `X-Amz-Target`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|operation| operation.name() == name)
    }
}
