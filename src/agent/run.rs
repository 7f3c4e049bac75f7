//! The sixth step: Terraform.

use std::collections::BTreeMap;

use tokio_util::sync::CancellationToken;

use super::claim::Claimed;
use super::context::Context;
use super::error::chain;
use super::gate::{Gate, was_gated};
use super::heartbeat::Pulse;
use super::progress::Stage;
use super::records::{Address, Recorder, RunSummary};
use super::render::Rendered;
use super::workdir::RunDir;
use super::{EnvironmentConfig, StepError};
use crate::domain::{Output, Outputs, proton_outputs, state_key};
use crate::objects::ObjectUri;
use crate::terraform::{Applied, Backend, Event, EventKind, Mode, Phase, Session, TerraformError, child_env};

/// A run that ended well.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) outputs: Vec<Output>,
}

/// Runs Terraform, or comes back to the run of an earlier life, and sends its log off meanwhile.
pub(super) async fn run(
    context: &Context,
    claimed: &Claimed,
    rendered: Rendered,
    pulse: &Pulse,
    leaving: &CancellationToken,
) -> Result<Ran, StepError> {
    let Rendered { run_dir, fresh } = rendered;
    let prefix = format!("runs/{}/{}/", claimed.candidate.id, claimed.lease.attempt);
    let prefix = ObjectUri::new(&run_dir.record.bucket, prefix);
    let objects = context.objects(&claimed.lease, &claimed.scope).await;
    let address = Address::new(prefix, Context::named_store(&claimed.lease, &claimed.scope));
    let recorder = Recorder::start(objects, &address, run_dir.path(), fresh);
    let gate = Gate { context, claimed, recorder: &recorder, pulse, leaving };
    let applied = terraform(&gate, &run_dir).await;
    if let Err(StepError::StillAwaiting) = applied {
        recorder.pause().await;
        return Err(StepError::StillAwaiting);
    }
    let result = applied.and_then(|applied| outputs(applied, run_dir.record.mode()));
    let summary = summary(context, claimed, &run_dir, result.as_ref().map(|(_, applied)| applied));
    recorder.finish(summary).await;
    result.map(|(outputs, _)| Ran { outputs })
}

async fn terraform(gate: &Gate<'_>, run_dir: &RunDir) -> Result<Applied, StepError> {
    let Gate { context, claimed, pulse, .. } = *gate;
    let mut session = session(context, claimed, run_dir).await?;
    let mode = run_dir.record.mode();
    // A run that has begun is followed to its end, whoever else may hold the deployment by now, and wherever the state
    // server may be by now: its files are what Terraform is reading.
    let begun = session.has_begun(mode);
    let choices = context.config.environment(&claimed.candidate.environment);
    let gated = was_gated(&session) || (choices.approval && !begun);
    if !begun {
        prepare(&session, pulse).await?;
    }
    let mut changing = false;
    let mut on_event = |event: &Event| {
        changing |= matches!(&event.kind, EventKind::Apply(Phase::Start, resource) if resource.action != "read");
        follow(context, claimed, event);
    };
    let applied = if gated {
        gate.apply(&mut session, mode, &mut on_event).await?
    } else {
        session.apply(mode, &pulse.interrupt, &mut on_event).await
    };
    applied.map_err(|source| match source {
        TerraformError::Stopped { .. } => StepError::Cancelled,
        source => StepError::Terraform { source, changing },
    })
}

/// Everything that comes before the first change.
async fn prepare(session: &Session, pulse: &Pulse) -> Result<(), StepError> {
    let before = |source| StepError::Terraform { source, changing: false };
    tokio::select! {
        initialised = session.init(&pulse.interrupt) => initialised.map_err(before)?,
        // Init changes nothing, so it may be left to end by itself.
        () = pulse.lost.cancelled() => return Err(StepError::LeaseLost),
    }
    pulse.may_change().await
}

fn follow(context: &Context, claimed: &Claimed, event: &Event) {
    if let Some(text) = event.human() {
        tracing::debug!(deployment.id = %claimed.candidate.id, step = "run", "{text}");
        context.tell(&claimed.lease, &claimed.target, Stage::Terraform(text));
    }
}

async fn session(context: &Context, claimed: &Claimed, run_dir: &RunDir) -> Result<Session, StepError> {
    let choices = context.config.environment(&claimed.candidate.environment);
    let mut site: BTreeMap<String, String> = context.config.child_env.clone();
    site.extend(choices.child_env.clone());
    let backend = backend(context, claimed, &choices, &site).await?;
    let env = child_env(&site, &backend, &run_dir.home())
        .map_err(|source| StepError::Terraform { source, changing: false })?;
    Ok(Session {
        terraform: context.terraform.clone(),
        supervisor: context.config.supervisor.clone(),
        run_dir: run_dir.path().to_owned(),
        work_dir: run_dir.work(),
        env,
        backend,
        lock_timeout: context.config.lock_timeout,
    })
}

/// The endpoint's own state server where it has one; else the bucket that the operator brought, once it has proved to
/// lock.
async fn backend(
    context: &Context,
    claimed: &Claimed,
    choices: &EnvironmentConfig,
    site: &BTreeMap<String, String>,
) -> Result<Backend, StepError> {
    let lease = &claimed.lease;
    if let Some(address) = &lease.state {
        let username = lease.username();
        let password = context.proton.password(address, &username).await?;
        return Ok(Backend::Http { address: address.clone(), username, password });
    }
    let state = choices.state.as_ref().ok_or(StepError::NoState)?;
    context.probe(state, site).await?;
    let key = lease.state_key.clone();
    let key = key.unwrap_or_else(|| state_key(&claimed.target, &claimed.candidate.environment));
    Ok(Backend::S3 {
        bucket: state.bucket.clone(),
        key,
        region: state.region.clone(),
        endpoint: state.endpoint.clone(),
        use_path_style: state.use_path_style,
        dynamodb_table: state.dynamodb_table.clone(),
    })
}

/// What was destroyed has no outputs to report.
fn outputs(applied: Applied, mode: Mode) -> Result<(Vec<Output>, Applied), StepError> {
    if mode == Mode::Destroy {
        return Ok((Vec::new(), applied));
    }
    let values = applied.outputs.iter().map(|(name, output)| (name.as_str(), &output.value, output.sensitive));
    let Outputs { outputs, refusals } = proton_outputs(values);
    if !refusals.is_empty() {
        return Err(StepError::OutputsAfterApply(refusals));
    }
    Ok((outputs, applied))
}

fn summary(context: &Context, claimed: &Claimed, run_dir: &RunDir, result: Result<&Applied, &StepError>) -> RunSummary {
    let action = if run_dir.record.destroys { "destroy" } else { "apply" };
    let mut summary = RunSummary {
        deployment_id: claimed.candidate.id.clone(),
        target: claimed.candidate.target_arn.clone(),
        attempt: claimed.lease.attempt,
        agent: context.identity.id().to_owned(),
        terraform: context.terraform.version.to_string(),
        action: action.to_owned(),
        started_at: run_dir.record.started_at,
        ended_at: context.config.clock.now(),
        ..RunSummary::default()
    };
    match result {
        Ok(applied) => {
            summary.succeeded = true;
            summary.changes = [applied.changes.add, applied.changes.change, applied.changes.remove];
            summary.outputs = applied.outputs.keys().cloned().collect();
            let resources = applied.resources.iter();
            summary.resources = resources.map(|r| [r.address.clone(), r.kind.clone(), r.action.clone()]).collect();
        }
        Err(error) => summary.error = Some(chain(error)),
    }
    summary
}
