//! The gate within the sixth step: plan, let people decide, apply exactly what they have seen.
//!
//! While it waits, nothing runs and nothing is locked: there is the saved plan, and a heartbeat that asks. A restarted
//! agent finds the finished plan and asks again.

use std::time::Duration;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::StepError;
use super::claim::Claimed;
use super::context::Context;
use super::heartbeat::Pulse;
use super::progress::Stage;
use super::records::Recorder;
use super::workdir::{MOST_PLANS, round_folder};
use crate::proton::Decision;
use crate::terraform::{Applied, Event, Mode, Plan, Session, Step, TerraformError};

/// What stands in plan.txt for a sealed input.
const MASK: &str = "(sealed value)";

/// Shorter texts are masked only where they are a whole value: they occur everywhere.
const SHORT: usize = 4;

/// The pause after the first question; it doubles up to the heartbeat's.
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// One run at the gate.
pub(super) struct Gate<'a> {
    pub(super) context: &'a Context,
    pub(super) claimed: &'a Claimed,
    pub(super) recorder: &'a Recorder,
    pub(super) pulse: &'a Pulse,
    /// Cancelled once the agent is asked to go; whoever waits then leaves.
    pub(super) leaving: &'a CancellationToken,
}

/// Whether a run has come to a gate before; then it stays behind one, whatever the settings say by now.
pub(super) fn was_gated(session: &Session) -> bool {
    session.run_dir.join(Step::Plan.folder()).exists()
}

impl Gate<'_> {
    /// Plans, asks and applies; again if the plan is stale by then. The inner error is the apply's.
    pub(super) async fn apply(
        &self,
        session: &mut Session,
        mode: Mode,
        on_event: &mut (dyn FnMut(&Event) + Send),
    ) -> Result<Result<Applied, TerraformError>, StepError> {
        let run_dir = session.run_dir.clone();
        let known = (1..MOST_PLANS).take_while(|round| round_folder(&run_dir, *round).exists()).last();
        let mut round = known.unwrap_or(0);
        loop {
            session.run_dir = round_folder(&run_dir, round);
            let applied = self.round(session, mode, on_event).await;
            if matches!(applied, Err(StepError::StillAwaiting)) {
                return Err(StepError::StillAwaiting);
            }
            session.forget_plan().map_err(before)?;
            match applied? {
                Err(error) if error.is_stale_plan() && round + 1 < MOST_PLANS => {
                    tracing::info!(deployment.id = %self.id(), "the plan was stale when it was to be applied");
                    self.say("the state has changed since the plan was made; planning again");
                    round += 1;
                }
                applied => return Ok(applied),
            }
        }
    }

    async fn round(
        &self,
        session: &Session,
        mode: Mode,
        on_event: &mut (dyn FnMut(&Event) + Send),
    ) -> Result<Result<Applied, TerraformError>, StepError> {
        if session.has_begun(mode) {
            return Ok(session.follow_apply(mode, &self.pulse.interrupt, on_event).await);
        }
        let plan = tokio::select! {
            plan = session.plan(mode, &self.pulse.interrupt, on_event) => plan.map_err(before)?,
            // A plan changes nothing, so it may be left to end by itself.
            () = self.pulse.lost.cancelled() => return Err(StepError::LeaseLost),
        };
        if plan.differs {
            self.publish(session).await?;
            self.decided(&plan).await?;
        }
        self.pulse.may_change().await?;
        Ok(session.apply_plan(mode, &plan.digest, &self.pulse.interrupt, on_event).await)
    }

    /// Puts the plan where people can read it. They can do without it, so a store that is away is no reason to fail.
    async fn publish(&self, session: &Session) -> Result<(), StepError> {
        let text = session.show_plan(&self.pulse.interrupt).await.map_err(before)?;
        match self.context.proton.sealed_inputs(&self.claimed.lease).await {
            Ok(sealed) => self.recorder.plan(masked(text, sealed.values())).await,
            Err(error) => tracing::warn!(%error, "the plan isn't shown: what must be hidden in it isn't known"),
        }
        Ok(())
    }

    /// Waits until people have decided on the plan.
    async fn decided(&self, plan: &Plan) -> Result<(), StepError> {
        let _waiting = self.context.waits();
        let summary = plan.summary();
        tracing::info!(deployment.id = %self.id(), plan = plan.digest, "awaiting approval: {summary}");
        self.say(&format!("awaiting approval: {summary}"));
        // A machine may decide at once; people take longer.
        let mut pause = FIRST_PAUSE;
        loop {
            match self.pulse.ask(plan).await {
                Ok(Some(Decision::Approved)) => return Ok(()),
                Ok(Some(Decision::Rejected { by, comment })) => {
                    return Err(StepError::Rejected { summary, by, comment });
                }
                Ok(Some(Decision::Pending)) => {}
                Ok(None) => self.pulse.may_begin().and(Err(StepError::CannotAsk))?,
                Err(error) if error.is_passing() => tracing::debug!(%error, "nobody could be asked; trying on"),
                Err(error) => self.pulse.may_begin().and(Err(StepError::Proton(error)))?,
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(self.pulse.ask_every()),
                () = self.pulse.interrupt.cancelled() => return Err(StepError::Cancelled),
                () = self.pulse.lost.cancelled() => return Err(StepError::LeaseLost),
                () = self.leaving.cancelled() => return Err(StepError::StillAwaiting),
            }
        }
    }

    fn say(&self, text: &str) {
        self.context.tell(&self.claimed.lease, &self.claimed.target, Stage::Terraform(text.to_owned()));
    }

    fn id(&self) -> &str {
        &self.claimed.candidate.id
    }
}

/// What goes wrong before the apply has changed nothing.
fn before(source: TerraformError) -> StepError {
    match source {
        TerraformError::Stopped { .. } | TerraformError::Interrupted { .. } => StepError::Cancelled,
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
