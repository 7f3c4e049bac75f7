//! The last step: Proton is told how it ended, again and again until it has heard.

use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::claim::Claimed;
use super::context::Context;
use super::ending::Cause;
use super::progress::Stage;
use super::retention;
use super::run::Ran;
use super::workdir::RunDir;
use super::{Outcome, StepError};
use crate::domain::Verdict;
use crate::proton::{ProtonError, Report, Settles};

/// The first wait before the report is repeated; it doubles up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// So many leases' time it is repeated to a Proton that denies us access, and this where there are no leases: a clock or
/// a policy may be put right.
const DENIED_IN_LEASES: u32 = 4;
const DENIED: Duration = Duration::from_mins(2);

/// How long an agent that is asked to leave goes on trying. What it couldn't say then, its next life will.
const FAREWELL: Duration = Duration::from_secs(20);

/// What stands before the message of a run that was interrupted though nobody had cancelled it.
const EVICTED: &str = "the agent was asked to leave by its host, which doesn't wait for Terraform to finish: ";

/// A deployment that is behind us.
#[derive(Debug)]
pub(super) struct Reported {
    pub(super) outcome: Outcome,
}

/// Reports, and notes in the run directory that it was heard. What goes on in another life isn't reported.
pub(super) async fn report(
    context: &Context,
    claimed: Claimed,
    result: Result<Ran, StepError>,
    cause: &Cause,
    leaving: &CancellationToken,
) -> Reported {
    let run_dir = RunDir::find(&context.config.data, &claimed.candidate.id, claimed.lease.attempt).ok().flatten();
    let path = run_dir.as_ref().map(RunDir::path);
    let mut outcome = Outcome { run_dir: path.map(Path::to_owned), ..Outcome::of(&claimed, &result) };
    let settles = settles(&claimed, &result, run_dir.as_ref());
    let report = match result {
        Ok(ran) => Report::Succeeded { outputs: ran.outputs, message: None },
        Err(error) if error.goes_on() => {
            tracing::info!(deployment.id = %claimed.candidate.id, "left the {}: {error}", claimed.target);
            return Reported { outcome: Outcome { message: Some(error.to_string()), ..outcome } };
        }
        Err(error) => {
            let why = if error.is_interrupt() && matches!(cause, Cause::Leaving(_)) { EVICTED } else { "" };
            Report::Failed { message: format!("{why}{}", error.message(context.identity.id(), path)) }
        }
    };
    if let Report::Failed { message } = &report {
        outcome.message = Some(message.clone());
    }
    let verdict = outcome.verdict;
    log(&claimed, verdict, &report);
    let (verdict, heard) = match say_until_heard(context, &claimed, report, (verdict, settles), leaving).await {
        Ok(verdict) => (verdict, true),
        Err(error) => (after_refusal(&claimed, verdict, &error), !may_be_heard_later(&error)),
    };
    if let Some(run_dir) = run_dir.filter(|_| heard)
        && let Err(error) = run_dir.mark_reported(&format!("{verdict:?}\n"))
    {
        tracing::warn!(error = %super::error::chain(&error), "a run's end could not be noted");
    }
    let (data, now) = (context.config.data.clone(), context.config.clock.now());
    if let Err(error) = tokio::task::spawn_blocking(move || retention::tidy(&data, now)).await {
        tracing::error!(%error, "old run directories could not be removed");
    }
    context.tell(&claimed.lease, &claimed.target, Stage::Ended(verdict));
    Reported { outcome: Outcome { verdict, ..outcome } }
}

/// What nobody has settled yet is for whoever claims next.
fn settles(claimed: &Claimed, result: &Result<Ran, StepError>, run_dir: Option<&RunDir>) -> Settles {
    match result {
        Err(StepError::CannotSettle { .. }) => return Settles::Nothing,
        // Noted on this machine only, so the next claim must be told of it.
        Err(StepError::AtRisk { risk, .. }) if !risk.blocked => return Settles::Nothing,
        _ => {}
    }
    let inherited = !claimed.lease.unsettled.is_empty() && !run_dir.is_some_and(RunDir::has_taken_over);
    if inherited { Settles::Own } else { Settles::All }
}

/// Repeats the report until it is heard or refused for good. A success that Proton won't take is reported as a failure.
async fn say_until_heard(
    context: &Context,
    claimed: &Claimed,
    mut report: Report,
    (mut verdict, settles): (Verdict, Settles),
    leaving: &CancellationToken,
) -> Result<Verdict, ProtonError> {
    let mut wait = FIRST_WAIT;
    let mut last_try: Option<Instant> = None;
    let patience = claimed.lease.seconds.map_or(DENIED, |lease| Duration::from_secs(lease) * DENIED_IN_LEASES);
    let denied_until = Instant::now() + patience;
    loop {
        let error = match context.proton.report_and_settle(&claimed.lease, &report, settles).await {
            Ok(()) => return Ok(verdict),
            Err(error) => error,
        };
        match (&error, &report) {
            (ProtonError::Refused { .. }, Report::Succeeded { .. }) => {
                verdict = Verdict::ApplyFailed;
                report = Report::Failed { message: format!("everything was applied, but {error}") };
                continue;
            }
            (ProtonError::Denied { .. }, _) if Instant::now() < denied_until => {}
            _ if !error.is_passing() => return Err(error),
            _ => {}
        }
        if leaving.is_cancelled() {
            let until =
                *last_try.get_or_insert_with(|| Instant::now() + context.config.host.departure.farewell(FAREWELL));
            if Instant::now() >= until {
                return Err(error);
            }
        }
        tracing::warn!(deployment.id = %claimed.candidate.id, %error, "the report wasn't heard; trying on");
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = leaving.cancelled(), if last_try.is_none() => {}
        }
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Whether the next life should say it again.
fn may_be_heard_later(error: &ProtonError) -> bool {
    error.is_passing() || matches!(error, ProtonError::Denied { .. })
}

/// Nobody wants the report: the deployment was taken away, or is over.
fn after_refusal(claimed: &Claimed, verdict: Verdict, error: &ProtonError) -> Verdict {
    tracing::warn!(deployment.id = %claimed.candidate.id, %error, "the end of the deployment couldn't be reported");
    match error {
        ProtonError::Conflict { .. } | ProtonError::NotFound { .. } => verdict.max(Verdict::LeaseLost),
        _ => verdict.max(Verdict::Unexpected),
    }
}

fn log(claimed: &Claimed, verdict: Verdict, report: &Report) {
    let (id, target) = (&claimed.candidate.id, &claimed.target);
    match report {
        Report::Succeeded { outputs, .. } => {
            tracing::info!(deployment.id = %id, outputs = outputs.len(), "deployed the {target}");
        }
        Report::Failed { message } => {
            tracing::warn!(deployment.id = %id, verdict = ?verdict, "the {target} failed: {message}");
        }
    }
}
