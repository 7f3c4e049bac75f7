//! What Proton's operations do: one folder a resource, one file a verb, each input → rules → store → output.

pub(crate) mod arn;
pub(crate) mod history;
pub(crate) mod idempotency;
pub(crate) mod listing;
pub(crate) mod tags;
pub(crate) mod templates;

use hadron_model::*;

use super::plane::Plane;
use super::wire::{Call, ProtonError};

pub(crate) mod service;

/// The routing table: every operation and the function that performs it. An operation that isn't here answers
/// UnknownOperationException.
macro_rules! operations {
    ($($name:ident($input:ident) -> $output:ident = $($path:ident)::+;)*) => {
        impl Proton for Plane {
            type Call = Call;
            type Error = ProtonError;
            $(async fn $name(&self, call: &mut Call, input: $input) -> Result<$output, ProtonError> {
                $($path)::+(self, call, input).await
            })*
        }
    };
}

operations! {
    // templates

    // environments

    // services

    // components

    // deployments

    // tags, account settings, summary
}
