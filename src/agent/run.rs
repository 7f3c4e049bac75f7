//! The sixth step: Terraform.

use std::collections::BTreeMap;

use tokio_util::sync::CancellationToken;

use super::claim::Claimed;
use super::context::Context;
use super::error::chain;
use super::gate::{Gate, was_gated};
use super::heartbeat::Pulse;
use super::locks;
use super::progress::Stage;
use super::records::{Address, Recorder, RunSummary};
use super::render::Rendered;
use super::settle::{self, Next};
use super::steps::{Step, Watch, timed};
use super::workdir::{RunDir, round_folder};
use super::{EnvironmentConfig, S3State, StepError};
use crate::domain::{Output, Outputs, proton_outputs, state_key};
use crate::objects::ObjectUri;
use crate::proton::StateAt;
use crate::renderer;
use crate::terraform::{
    Applied, Backend, Changes, Event, EventKind, Mode, Phase, ProviderStore, Session, TerraformError, Warm, child_env,
};

/// A run that ended well.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) outputs: Vec<Output>,
    pub(super) changes: Changes,
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
    let applied = match applied {
        Err(error) if error.goes_on() => {
            recorder.pause().await;
            return Err(error);
        }
        applied => applied,
    };
    let result = applied.and_then(|applied| outputs(applied, run_dir.record.mode()));
    let summary = summary(context, claimed, &run_dir, result.as_ref().map(|(_, applied)| applied));
    recorder.finish(summary).await;
    result.map(|(outputs, applied)| Ran { outputs, changes: applied.changes })
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
        prepare(gate, &session).await?;
        locks::record(&context.objects(&claimed.lease, &claimed.scope).await, run_dir).await;
        settle::take_over(gate, run_dir, &session).await?;
    }
    let mut signs = Signs { marked: begun, ..Signs::default() };
    loop {
        // Both in one Terraform; what it says tells where the one ends and the other begins.
        signs.watch = (!gated && !session.has_begun(mode)).then(|| Watch::begin(&context.metrics, Step::Plan));
        let mut on_event = |event: &Event| {
            signs.note(event, gated, gate, run_dir);
            pulse.ending.note(event);
            follow(context, claimed, event);
        };
        let applied = if gated {
            session.run_dir = run_dir.path().to_owned();
            match gate.apply(&mut session, mode, &mut on_event).await {
                // Of a plan, only its lock can be left.
                Err(StepError::Terraform { source, .. }) if settle::is_unclean(&source) => Err(source),
                applied => applied?,
            }
        } else {
            session.run_dir = round_folder(run_dir.path(), settle::current_round(run_dir));
            if !session.has_begun(mode) {
                pulse.may_change().await?;
                gate.may_still_change()?;
            }
            match session.apply(mode, &pulse.interrupt, &mut on_event).await {
                Err(error) if session.doubts_its_copy(mode.into(), &error) => {
                    again(&session, mode, error, pulse, &mut on_event).await?
                }
                applied => applied,
            }
        };
        if let Some(watch) = signs.watch.take() {
            watch.end(&applied);
        }
        let source = match applied {
            Ok(applied) => return Ok(applied),
            Err(TerraformError::Stopped { .. }) => return Err(pulse.stopped()),
            Err(source) if settle::is_unclean(&source) => source,
            Err(source) => return Err(StepError::Terraform { source, changing: signs.changing }),
        };
        match settle::settle(gate, run_dir, &session, source).await {
            Next::Again => {}
            Next::Over(error) => return Err(error),
        }
    }
}

/// What the events of a run have shown so far.
#[derive(Default)]
struct Signs<'a> {
    /// The plan, or the apply.
    watch: Option<Watch<'a>>,
    /// Whether Terraform has begun to change resources.
    changing: bool,
    /// Whether there is a plan.
    planned: bool,
    /// Whether it is noted in the object store that the run has come to its apply.
    marked: bool,
}

impl<'a> Signs<'a> {
    fn note(&mut self, event: &Event, gated: bool, gate: &Gate<'a>, run_dir: &RunDir) {
        match &event.kind {
            // The first line of a step. The apply's comes long before its first change, and before the lock.
            EventKind::Version { .. } if !self.marked && (self.planned || !gated) => {
                self.marked = true;
                settle::mark_applying(gate, run_dir);
            }
            EventKind::ChangeSummary { .. } => {
                if let Some(planning) = self.watch.take_if(|_| !self.planned) {
                    planning.end(&Ok::<_, StepError>(()));
                    self.watch = Some(Watch::begin(&gate.context.metrics, Step::Apply));
                }
                self.planned = true;
            }
            EventKind::Apply(Phase::Start, resource) if resource.action != "read" => self.changing = true,
            _ => {}
        }
    }
}

/// Everything that comes before the first change.
async fn prepare(gate: &Gate<'_>, session: &Session) -> Result<(), StepError> {
    let (pulse, metrics) = (gate.pulse, &gate.context.metrics);
    let before = |source| StepError::Terraform { source, changing: false };
    let stored = session.has_its_providers();
    tokio::select! {
        // Init changes nothing and locks nothing, so whoever has to leave lets it end by itself; only a cancel stops it.
        initialised = timed(metrics, Step::Init, session.init(&pulse.cancelled)) => initialised.map_err(before)?,
        () = pulse.lost.cancelled() => return Err(StepError::LeaseLost),
        () = gate.context.hurry.cancelled() => return Err(StepError::Left),
    }
    let providers = match (session.began_warm(), stored) {
        (true, _) => "copy",
        (false, true) => "store",
        (false, false) => "looked_up",
    };
    metrics.inits.with_label_values(&[providers]).inc();
    pulse.may_begin()
}

/// Initialises after all, and applies once more if that made a difference.
async fn again(
    session: &Session,
    mode: Mode,
    error: TerraformError,
    pulse: &Pulse,
    on_event: &mut (dyn FnMut(&Event) + Send),
) -> Result<Result<Applied, TerraformError>, StepError> {
    let before = |source| StepError::Terraform { source, changing: false };
    let differs = tokio::select! {
        differs = session.init_after_all(mode.into(), &pulse.interrupt) => differs.map_err(before)?,
        () = pulse.lost.cancelled() => return Err(StepError::LeaseLost),
    };
    if !differs {
        return Ok(Err(error));
    }
    pulse.may_change().await?;
    Ok(session.apply(mode, &pulse.interrupt, on_event).await)
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
    let env = child_env(&site, &backend, &run_dir.home(), Some(&claimed.candidate.id))
        .map_err(|source| StepError::Terraform { source, changing: false })?;
    Ok(Session {
        terraform: context.terraform.clone(),
        supervisor: context.config.supervisor.clone(),
        run_dir: run_dir.path().to_owned(),
        work_dir: run_dir.work(),
        env,
        backend,
        lock_timeout: context.config.lock_timeout,
        // Without it Terraform is asked, by a process more.
        state_reader: context.proton.https().ok(),
        providers: context.config.provider_store.clone().map(|folder| ProviderStore { folder }),
        // What is to be settled first is settled with an init of its own: no apply would notice a copy that doesn't fit.
        warm: (claimed.lease.unsettled.is_empty() && claimed.lease.adopt == 0).then(|| Warm {
            folder: context.config.data.join("warm"),
            comments: renderer::comments(&claimed.candidate.target_arn),
        }),
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
    if let Some(at) = &lease.state_at {
        return adopted(context, at, choices, site).await;
    }
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
        role: None,
    })
}

/// The state of an imported target, where AWS's sample workflow has kept it. A bucket that needs another role can't be
/// probed with our own credentials; Amazon's all lock.
async fn adopted(
    context: &Context,
    at: &StateAt,
    choices: &EnvironmentConfig,
    site: &BTreeMap<String, String>,
) -> Result<Backend, StepError> {
    let region = at.region.clone().or_else(|| site.get("AWS_REGION").cloned()).unwrap_or_default();
    let state = S3State {
        bucket: at.bucket.clone(),
        region,
        endpoint: choices.state_endpoint.clone(),
        use_path_style: choices.state_endpoint.is_some(),
        dynamodb_table: None,
    };
    if at.role.is_none() {
        context.probe(&state, site).await?;
    }
    let S3State { bucket, region, endpoint, use_path_style, dynamodb_table } = state;
    let (key, role) = (at.key.clone(), at.role.clone());
    Ok(Backend::S3 { bucket, key, region, endpoint, use_path_style, dynamodb_table, role })
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
