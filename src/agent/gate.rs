//! The gate within the sixth step: plan, let people decide, apply exactly what they have seen.
//!
//! People are asked as soon as there is a plan; what Terraform shows of it in full follows a moment later, and a machine
//! that decides at once doesn't wait for it. While it waits, nothing runs and nothing is locked: there is the saved plan,
//! sealed, and a heartbeat that asks. A restarted agent finds the finished plan and asks again; what doesn't open any more
//! is planned, and asked about, anew.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::StepError;
use super::claim::Claimed;
use super::context::Context;
use super::error::chain;
use super::heartbeat::Pulse;
use super::progress::Stage;
use super::records::Recorder;
use super::sealed_plan::{self, SealedPlan};
use super::steps::{Step as Seen, timed};
use super::workdir::{MOST_PLANS, round_folder};
use crate::proton::Decision;
use crate::terraform::{Applied, Event, Mode, Plan, Session, Step, TerraformError};

/// What stands in plan.txt for a sealed input.
const MASK: &str = "(sealed value)";

/// Shorter texts are masked only where they are a whole value: they occur everywhere.
const SHORT: usize = 4;

/// The pause after the first question; it doubles up to the heartbeat's.
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// How long an endpoint may hold its answer until somebody has decided.
const HOLD: Duration = Duration::from_secs(20);

/// An answer that took this long was held, and may be asked for again at once.
const HELD: Duration = Duration::from_secs(1);

/// One run at the gate.
pub(super) struct Gate<'a> {
    pub(super) context: &'a Context,
    pub(super) claimed: &'a Claimed,
    pub(super) recorder: &'a Recorder,
    pub(super) pulse: &'a Pulse,
    /// Cancelled once the agent is asked to go; whoever waits then leaves.
    pub(super) leaving: &'a CancellationToken,
}

/// The plan in clear, while Terraform shows it and may be told to apply it.
#[derive(Default)]
struct InClear {
    /// Whether the apply needs it, so that it stays.
    wanted: AtomicBool,
    /// Whether it was removed.
    gone: AtomicBool,
}

impl InClear {
    /// Removes it, unless it is wanted by now.
    fn remove(&self, sealed: &SealedPlan) -> Result<(), StepError> {
        if !self.wanted.load(Relaxed) {
            sealed.close()?;
            self.gone.store(true, Relaxed);
        }
        Ok(())
    }
}

/// Whether a run has come to a gate before; then it stays behind one, whatever the settings say by now.
pub(super) fn was_gated(session: &Session) -> bool {
    session.run_dir.join(Step::Plan.folder()).exists()
}

impl Gate<'_> {
    /// Plans, asks and applies; again if the plan is stale or lost by then. The inner error is the apply's.
    pub(super) async fn apply(
        &self,
        session: &mut Session,
        mode: Mode,
        on_event: &mut (dyn FnMut(&Event) + Send),
    ) -> Result<Result<Applied, TerraformError>, StepError> {
        let run_dir = session.run_dir.clone();
        let known = (1..MOST_PLANS).take_while(|round| round_folder(&run_dir, *round).exists()).last();
        let mut round = known.unwrap_or(0);
        // A life that had to leave has interrupted its plan; this one plans anew.
        session.run_dir = round_folder(&run_dir, round);
        if session.plan_was_cut_short() && round + 1 < MOST_PLANS {
            round += 1;
        }
        loop {
            session.run_dir = round_folder(&run_dir, round);
            let applied = Box::pin(self.round(session, round, mode, on_event)).await;
            // However it ended, nobody reads the plan in clear any more.
            self.forget(session.forget_plan().map_err(before));
            let again = match &applied {
                Ok(Err(error)) if error.is_stale_plan() => {
                    tracing::info!(deployment.id = %self.id(), "the plan was stale when it was to be applied");
                    Some("the state has changed since the plan was made; planning again")
                }
                Err(error @ StepError::PlanLost { .. }) => {
                    tracing::warn!(deployment.id = %self.id(), %error, "the saved plan is lost; planning and asking again");
                    Some("the saved plan can't be opened any more; planning again")
                }
                // The sealed plan of a run that isn't applied stays for the next life, until the end is reported.
                Err(_) => return applied,
                Ok(_) => None,
            };
            self.forget(sealed_plan::forget(session));
            let Some(why) = again.filter(|_| round + 1 < MOST_PLANS) else { return applied };
            self.say(why);
            round += 1;
        }
    }

    async fn round(
        &self,
        session: &Session,
        round: usize,
        mode: Mode,
        on_event: &mut (dyn FnMut(&Event) + Send),
    ) -> Result<Result<Applied, TerraformError>, StepError> {
        if session.has_begun(mode) {
            return Ok(session.follow_apply(mode, &self.pulse.interrupt, on_event).await);
        }
        let sealed = SealedPlan::of(self.context, self.claimed, session, round).await?;
        let plan = self.plan(session, &sealed, mode, on_event).await?;
        if !plan.differs {
            self.pulse.may_change().await?;
            self.may_still_change()?;
            let applying = session.apply_plan(mode, &plan.digest, &self.pulse.interrupt, on_event);
            return Ok(timed(&self.context.metrics, Seen::Apply, applying).await);
        }
        let clear = InClear::default();
        let mut showing = pin!(self.show(session, &sealed, &clear));
        let shown = {
            let mut deciding = pin!(timed(&self.context.metrics, Seen::Approval, self.decided(&plan)));
            tokio::select! {
                // Whoever has decided needn't be shown anything first.
                biased;
                decided = &mut deciding => decided.map(|()| false)?,
                shown = &mut showing => {
                    shown?;
                    deciding.await?;
                    true
                }
            }
        };
        self.pulse.may_change().await?;
        self.may_still_change()?;
        clear.wanted.store(true, Relaxed);
        if clear.gone.load(Relaxed) {
            sealed.unseal(&plan.digest)?;
        }
        let applying = session.apply_plan(mode, &plan.digest, &self.pulse.interrupt, on_event);
        let applying = timed(&self.context.metrics, Seen::Apply, applying);
        if shown {
            return Ok(applying.await);
        }
        let (applied, shown) = tokio::join!(applying, showing);
        if let Err(error) = shown {
            // It was approved without, and how the run ends doesn't hang on it.
            tracing::warn!(deployment.id = %self.id(), error = %chain(&error), "the plan isn't shown");
        }
        Ok(applied)
    }

    /// The plan; one that people must decide on is sealed, and lies in clear if it has still to be shown.
    async fn plan(
        &self,
        session: &Session,
        sealed: &SealedPlan,
        mode: Mode,
        on_event: &mut (dyn FnMut(&Event) + Send),
    ) -> Result<Plan, StepError> {
        let stop = &self.pulse.interrupt;
        if let Some(digest) = sealed.digest()? {
            // An earlier life may have died before it removed this, or after it had laid it out.
            session.forget_plan().map_err(before)?;
            if !session.plan_was_shown() {
                sealed.unseal(&digest)?;
            }
            return session.recall_plan(mode, digest, stop, on_event).await.map_err(|it| self.before(it));
        }
        let plan = tokio::select! {
            plan = timed(&self.context.metrics, Seen::Plan, session.plan(mode, stop, on_event)) => plan.map_err(|it| self.before(it))?,
            // A plan changes nothing, so it may be left to end by itself.
            () = self.pulse.lost.cancelled() => return Err(StepError::LeaseLost),
        };
        if plan.differs {
            sealed.seal(&plan.digest)?;
        }
        Ok(plan)
    }

    /// Puts the plan where people can read it. They can do without it, so a store that is away is no reason to fail.
    async fn show(&self, session: &Session, sealed: &SealedPlan, clear: &InClear) -> Result<(), StepError> {
        if session.plan_was_shown() {
            return clear.remove(sealed);
        }
        let text = session.show_plan(&self.pulse.interrupt).await.map_err(|it| self.before(it))?;
        clear.remove(sealed)?;
        match self.context.proton.sealed_inputs(&self.claimed.lease).await {
            Ok(sealed) => self.recorder.plan(masked(text, sealed.values())).await,
            Err(error) => tracing::warn!(%error, "the plan isn't shown: what must be hidden in it isn't known"),
        }
        session.note_shown();
        Ok(())
    }

    /// Waits until people have decided on the plan.
    async fn decided(&self, plan: &Plan) -> Result<(), StepError> {
        let _waiting = self.context.waits();
        let began = Instant::now();
        let summary = plan.summary();
        tracing::info!(deployment.id = %self.id(), plan = plan.digest, "awaiting approval: {summary}");
        self.say(&format!("awaiting approval: {summary}"));
        // Where an answer isn't held: a machine may decide at once, people take longer.
        let mut pause = FIRST_PAUSE;
        loop {
            let hold =
                self.context.config.approval_wait.map_or(HOLD, |wait| wait.saturating_sub(began.elapsed()).min(HOLD));
            let asked = Instant::now();
            let answer = tokio::select! {
                answer = self.pulse.ask(plan, hold) => answer,
                over = self.over() => return Err(over),
            };
            match answer {
                Ok(Some(Decision::Approved)) => return Ok(()),
                Ok(Some(Decision::Rejected { by, comment })) => {
                    return Err(StepError::Rejected { summary, by, comment });
                }
                Ok(Some(Decision::Pending)) => {
                    if self.context.config.approval_wait.is_some_and(|wait| began.elapsed() >= wait) {
                        return Err(StepError::StillAwaiting);
                    }
                    if asked.elapsed() >= HELD {
                        continue;
                    }
                }
                Ok(None) => self.pulse.may_begin().and(Err(StepError::CannotAsk))?,
                Err(error) if error.is_passing() => tracing::debug!(%error, "nobody could be asked; trying on"),
                Err(error) => self.pulse.may_begin().and(Err(StepError::Proton(error)))?,
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(self.pulse.ask_every()),
                over = self.over() => return Err(over),
            }
        }
    }

    /// Waits until there is no more use in waiting for people, and says why.
    async fn over(&self) -> StepError {
        tokio::select! {
            () = self.pulse.cancelled.cancelled() => StepError::Cancelled,
            () = self.pulse.lost.cancelled() => StepError::LeaseLost,
            () = self.leaving.cancelled() => StepError::StillAwaiting,
        }
    }

    /// A file that stays is removed with its folder when the end is reported, and doesn't change how the run ended.
    fn forget(&self, forgotten: Result<(), StepError>) {
        if let Err(error) = forgotten {
            tracing::warn!(deployment.id = %self.id(), error = %chain(&error), "a saved plan can't be removed now");
        }
    }

    /// Refuses to begin an apply that the host won't wait for.
    pub(super) fn may_still_change(&self) -> Result<(), StepError> {
        let departure = self.context.config.host.departure;
        if self.leaving.is_cancelled() && !departure.may_still_begin() { Err(StepError::Left) } else { Ok(()) }
    }

    /// What goes wrong before the apply has changed nothing.
    fn before(&self, source: TerraformError) -> StepError {
        match source {
            TerraformError::Stopped { .. } | TerraformError::Interrupted { .. } => self.pulse.stopped(),
            source => before(source),
        }
    }

    fn say(&self, text: &str) {
        self.context.tell(&self.claimed.lease, &self.claimed.target, Stage::Terraform(text.to_owned()));
    }

    fn id(&self) -> &str {
        &self.claimed.candidate.id
    }
}

fn before(source: TerraformError) -> StepError {
    match source {
        TerraformError::PlanGone { file } => StepError::PlanLost { path: file, why: "is gone" },
        source => StepError::Terraform { source, changing: false },
    }
}

/// The text without the values that the record keeps sealed. Terraform hides what a template calls sensitive; that an
/// input is, the template needn't know. A value that a template transforms first isn't recognised.
fn masked<'a>(mut text: String, sealed: impl Iterator<Item = &'a Value>) -> String {
    let mut secrets: Vec<String> = sealed.filter_map(Value::as_str).flat_map(forms).collect();
    // A secret within another must not spoil it.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    for secret in secrets {
        if secret.len() < SHORT {
            text = text.replace(&format!("\"{secret}\""), MASK);
        } else {
            text = text.replace(&secret, MASK);
        }
    }
    text
}

/// A text as it is, as Terraform quotes it, and line by line, as a heredoc shows it.
fn forms(text: &str) -> Vec<String> {
    let quoted = Value::from(text).to_string();
    let lines = text.lines().map(|line| line.trim().to_owned());
    let mut forms: Vec<String> = lines.filter(|line| line.len() >= SHORT).collect();
    forms.extend([text.to_owned(), quoted[1..quoted.len() - 1].to_owned()]);
    forms.retain(|form| !form.is_empty());
    forms
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_sealed_value_is_masked_in_every_form_that_terraform_shows_it_in() {
        let plan = "a = \"hush-1\"\nb = \"say \\\"hush\\\"\"\nc = <<-EOT\n    first line\n    second line\nEOT\nd = \"xy\"\ne = \"oxyde\"";
        let sealed = [json!("hush-1"), json!("say \"hush\""), json!("first line\nsecond line"), json!("xy")];
        let text = masked(plan.to_owned(), sealed.iter());
        assert_eq!(
            text,
            "a = \"(sealed value)\"\nb = \"(sealed value)\"\nc = <<-EOT\n    (sealed value)\n    (sealed value)\nEOT\nd = (sealed value)\ne = \"oxyde\""
        );
    }
}
