//! What Hadron's own operations do: what Proton's API has no words for. One folder a noun, one file a verb, as in
//! [`operations`](super::operations).

mod audit;

use hadron_model::hadron::Hadron;

use super::plane::Plane;
use super::wire::{Call, ProtonError};

/// The routing table: every operation and the function that performs it. An operation that isn't here answers
/// UnknownOperationException.
macro_rules! operations {
    ($($name:ident($input:ident) -> $output:ident = $($path:ident)::+;)*) => {
        impl Hadron for Plane {
            type Call = Call;
            type Error = ProtonError;
            $(async fn $name(
                &self,
                call: &mut Call,
                input: hadron_model::hadron::$input,
            ) -> Result<hadron_model::hadron::$output, ProtonError> {
                $($path)::+(self, call, input).await
            })*
        }
    };
}

operations! {
    // the audit log
    list_audit_entries(ListAuditEntriesInput) -> ListAuditEntriesOutput = audit::list_audit_entries;
    verify_audit(VerifyAuditInput) -> VerifyAuditOutput = audit::verify_audit;
}
