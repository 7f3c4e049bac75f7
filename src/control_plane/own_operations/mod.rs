//! What Hadron's own operations do: what Proton's API has no words for. One folder a noun, one file a verb, as in
//! [`operations`](super::operations).

mod audit;
mod data_key;
mod dead_letters;
mod environments;
mod estate;
mod keys;
mod runs;
mod staleness;
mod states;

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
    // staleness
    report_stale(ReportStaleInput) -> ReportStaleOutput = staleness::report_stale;
    send_stale_report(SendStaleReportInput) -> SendStaleReportOutput = staleness::send_stale_report;
    // the audit log
    list_audit_entries(ListAuditEntriesInput) -> ListAuditEntriesOutput = audit::list_audit_entries;
    verify_audit(VerifyAuditInput) -> VerifyAuditOutput = audit::verify_audit;
    // access keys
    create_key(CreateKeyInput) -> CreateKeyOutput = keys::create_key;
    list_keys(ListKeysInput) -> ListKeysOutput = keys::list_keys;
    revoke_key(RevokeKeyInput) -> RevokeKeyOutput = keys::revoke_key;
    rotate_key(RotateKeyInput) -> RotateKeyOutput = keys::rotate_key;

    // Terraform's states
    list_states(ListStatesInput) -> ListStatesOutput = states::list_states;
    describe_state(DescribeStateInput) -> DescribeStateOutput = states::describe_state;
    list_state_versions(ListStateVersionsInput) -> ListStateVersionsOutput = states::list_state_versions;
    get_state_version(GetStateVersionInput) -> GetStateVersionOutput = states::get_state_version;
    push_state(PushStateInput) -> PushStateOutput = states::push_state;
    release_lock(ReleaseLockInput) -> ReleaseLockOutput = states::release_lock;
    adopt_resources(AdoptResourcesInput) -> AdoptResourcesOutput = states::adopt_resources;
    block_state(BlockStateInput) -> BlockStateOutput = states::block_state;
    unblock_state(UnblockStateInput) -> UnblockStateOutput = states::unblock_state;

    // runs
    list_runs(ListRunsInput) -> ListRunsOutput = runs::list_runs;
    describe_run(DescribeRunInput) -> DescribeRunOutput = runs::describe_run;
    approve_run(ApproveRunInput) -> ApproveRunOutput = runs::approve_run;
    reject_run(RejectRunInput) -> RejectRunOutput = runs::reject_run;

    // environments
    set_executor(SetExecutorInput) -> SetExecutorOutput = environments::set_executor;

    // what AWS Proton left
    import_estate(ImportEstateInput) -> ImportEstateOutput = estate::import_estate;
    list_quarantined(ListQuarantinedInput) -> ListQuarantinedOutput = estate::list_quarantined;
    record_adoption_plan(RecordAdoptionPlanInput) -> RecordAdoptionPlanOutput = estate::record_adoption_plan;
    adopt_target(AdoptTargetInput) -> AdoptTargetOutput = estate::adopt_target;

    // encryption at rest
    rotate_data_key(RotateDataKeyInput) -> RotateDataKeyOutput = data_key::rotate_data_key;
    // events that couldn't be delivered
    list_dead_letters(ListDeadLettersInput) -> ListDeadLettersOutput = dead_letters::list_dead_letters;
    replay_dead_letters(ReplayDeadLettersInput) -> ReplayDeadLettersOutput = dead_letters::replay_dead_letters;
}
