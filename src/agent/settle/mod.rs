//! What comes after an end that wasn't clean: state and journal are brought together before anything else is applied.
//!
//! Terraform saves its state only now and then while it applies, so that a killed one has done more than the state says;
//! one that couldn't save it at all leaves it in `errored.tfstate`; and a host that vanished leaves nothing but the lock,
//! the state, and the events that were shipped. Two verbs deal with it:
//!
//! [`settle`] after an apply of this very run, [`take_over`] before the first change of a run that follows one which
//! nobody settled. Both prove first that the old Terraform is dead ([`proof`]), read what it has done ([`evidence`]),
//! bring home an `errored.tfstate` ([`errored`]), and adopt what the state lacks ([`reconcile`]). What remains in doubt
//! blocks the target, with the commands that clear it ([`block`]).

mod block;
mod errored;
mod evidence;
mod lockfile;
mod proof;
mod reconcile;
mod takeover;

use std::fs;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::StepError;
use super::claim::Claimed;
use super::context::Context;
use super::error::chain;
use super::gate::Gate;
use super::heartbeat::Pulse;
use super::progress::Stage;
use super::workdir::{MOST_PLANS, RunDir, round_folder};
use crate::proton::{ProtonError, StateDoor};
use crate::support::files;
use crate::terraform::{Session, TerraformError};

pub(super) use takeover::take_over;

/// How an unclean end was settled, in the run directory, so that the next life says the same.
const OUTCOME: &str = "settled.json";

/// The pause before something that failed is tried again; it doubles up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// One run, and everything that settling it may use.
pub(super) struct Settler<'a> {
    context: &'a Context,
    claimed: &'a Claimed,
    pulse: &'a Pulse,
    leaving: &'a CancellationToken,
    run_dir: &'a RunDir,
    session: &'a Session,
    /// The state server's door, where there is one.
    door: Option<StateDoor>,
}

/// What settling came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Outcome {
    /// State and journal agree; the note says what that took.
    Settled(String),
    /// Somebody must look.
    AtRisk(AtRisk),
}

/// What keeps a state from being trusted, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AtRisk {
    /// In words.
    pub reason: String,
    /// The objects that may exist without being in the state, one a line.
    pub suspects: Vec<String>,
    /// What clears it: each command alone does, the recommended one first.
    pub commands: Vec<String>,
    /// Whether the server keeps everybody else from the target until then.
    pub blocked: bool,
}

/// How a run goes on after an unclean end.
pub(super) enum Next {
    /// With another round of the same attempt: nobody ended it on purpose.
    Again,
    /// Not at all.
    Over(StepError),
}

/// Why one try of settling came to nothing.
enum Trouble {
    /// It may work later.
    Passing(String),
    /// It won't.
    Final(Box<StepError>),
}

impl From<ProtonError> for Trouble {
    fn from(error: ProtonError) -> Self {
        if error.is_passing() { Self::Passing(chain(&error)) } else { Self::Final(Box::new(StepError::Proton(error))) }
    }
}

impl From<TerraformError> for Trouble {
    fn from(error: TerraformError) -> Self {
        Self::Passing(chain(&error))
    }
}

impl From<StepError> for Trouble {
    fn from(error: StepError) -> Self {
        Self::Final(Box::new(error))
    }
}

/// Whether an end leaves something to settle.
pub(super) fn is_unclean(error: &TerraformError) -> bool {
    use TerraformError as E;
    match error {
        error if error.left_its_lock() => true,
        E::Killed { step, .. } | E::Interrupted { step, .. } | E::StateAtRisk { step, .. } => step.changes(),
        E::SupervisorLost { step_dir } => step_dir.file_name().is_some_and(|name| {
            let name = name.to_string_lossy();
            name.ends_with("-apply") || name.ends_with("-destroy")
        }),
        // A provider that was killed answered nothing, and Terraform ended by itself.
        E::Failed { step, .. } => step.changes() && (error.is_unanswered() || error.is_crash()),
        _ => false,
    }
}

/// Settles what an apply or a destroy of this run has left.
pub(super) async fn settle(gate: &Gate<'_>, run_dir: &RunDir, session: &Session, error: TerraformError) -> Next {
    let outcome = match Settler::new(gate, run_dir, session).await {
        Ok(settler) => settler.outcome(&error).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(Outcome::Settled(note)) => {
            let lost = matches!(error, TerraformError::SupervisorLost { .. });
            if lost && gate.pulse.may_begin().is_ok() && next_round(run_dir).is_ok() {
                tracing::warn!(deployment.id = %gate.claimed.candidate.id, "the run goes on after its terraform was lost: {note}");
                return Next::Again;
            }
            Next::Over(StepError::Settled { end: Box::new(error), note })
        }
        Ok(Outcome::AtRisk(risk)) => Next::Over(StepError::AtRisk { end: Some(Box::new(error)), risk: Box::new(risk) }),
        Err(error) => Next::Over(error),
    }
}

/// The folder of the round that a run is in.
pub(super) fn current_round(run_dir: &RunDir) -> usize {
    (1..MOST_PLANS).take_while(|round| round_folder(run_dir.path(), *round).exists()).last().unwrap_or(0)
}

/// Makes the folder of the next round, which is where every life goes on from now on.
fn next_round(run_dir: &RunDir) -> Result<(), StepError> {
    let round = current_round(run_dir) + 1;
    if round >= MOST_PLANS {
        return Err(StepError::StillSettling);
    }
    let folder = round_folder(run_dir.path(), round);
    files::create_private_folder(&folder).map_err(StepError::io("creating", &folder))
}

impl<'a> Settler<'a> {
    async fn new(gate: &Gate<'a>, run_dir: &'a RunDir, session: &'a Session) -> Result<Self, StepError> {
        let Gate { context, claimed, pulse, leaving, .. } = *gate;
        let door = context.proton.state_door(&claimed.lease, &claimed.lease.username()).await?;
        Ok(Self { context, claimed, pulse, leaving, run_dir, session, door })
    }

    /// What an earlier life came to, or what this one does.
    async fn outcome(&self, error: &TerraformError) -> Result<Outcome, StepError> {
        // A run that goes on settles each of its ends.
        let path = round_folder(self.run_dir.path(), current_round(self.run_dir)).join(OUTCOME);
        if let Some(known) = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
            return Ok(known);
        }
        self.say("settling what terraform has left");
        let outcome = match self.patiently(|| self.own_end(error)).await {
            Err(StepError::CannotSettle { why }) => self.ask_people(&why).await,
            // Whoever has the deployment next settles it, or this agent's next life.
            Err(error) if error.goes_on() || matches!(error, StepError::LeaseLost | StepError::Cancelled) => {
                return Err(error);
            }
            Err(error) => self.ask_people(&chain(&error)).await,
            Ok(outcome) => outcome,
        };
        let text = serde_json::to_vec_pretty(&outcome).expect("an outcome can be written");
        files::write_atomically(&path, &text).map_err(StepError::io("writing", &path))?;
        Ok(outcome)
    }

    /// One try at settling an end of this run.
    async fn own_end(&self, error: &TerraformError) -> Result<Outcome, Trouble> {
        let session = self.commands();
        crate::terraform::wait_for_all(self.run_dir.path(), &self.pulse.interrupt).await?;
        let (ledger, mut known) = evidence::local(self.run_dir)?;
        let user = self.claimed.lease.username();
        let home = errored::bring_home(self, &session, self.run_dir, &ledger, &user).await?;
        if let errored::Home::AtRisk(risk) = home {
            return Ok(Outcome::AtRisk(risk));
        }
        // Terraform ended by itself, and what it couldn't save is saved by now.
        if let (TerraformError::StateAtRisk { .. }, errored::Home::Saved(how)) = (error, &home) {
            let locked = proof::release_own(self).await?;
            return Ok(Outcome::Settled([how.clone()].into_iter().chain(locked).collect::<Vec<_>>().join("\n")));
        }
        known.saved &= !matches!(home, errored::Home::Torn);
        let locked = proof::release_own(self).await?;
        let mut found = reconcile::reconcile(self, &session, &ledger, known).await?;
        found.locked = locked;
        if found.suspects.is_empty() {
            return Ok(Outcome::Settled(found.note()));
        }
        Ok(Outcome::AtRisk(block::block(self, &found, None).await?))
    }

    /// What can't be settled is for people.
    async fn ask_people(&self, why: &str) -> Outcome {
        let reason = format!("what the last run has left could not be settled: {why}");
        let found = reconcile::Found { reason: Some(reason), ..reconcile::Found::default() };
        match block::block(self, &found, None).await {
            Ok(risk) => Outcome::AtRisk(risk),
            Err(_) => Outcome::AtRisk(block::here_only(self, &found)),
        }
    }

    /// Commands beside the run's own steps.
    fn commands(&self) -> Session {
        self.session.beside(self.run_dir.path().join("settling"))
    }

    /// Tries until it works, or can't, or somebody else has the deployment, or the agent leaves.
    async fn patiently<T, Try>(&self, attempt: impl Fn() -> Try) -> Result<T, StepError>
    where
        Try: Future<Output = Result<T, Trouble>>,
    {
        let until = Instant::now() + self.context.config.settle_patience;
        let mut wait = FIRST_WAIT;
        loop {
            let tried = tokio::select! {
                tried = attempt() => tried,
                () = self.pulse.lost.cancelled() => return Err(StepError::LeaseLost),
            };
            let why = match tried {
                Ok(value) => return Ok(value),
                Err(Trouble::Final(error)) => return Err(*error),
                Err(Trouble::Passing(why)) => why,
            };
            tracing::warn!(deployment.id = %self.id(), "not settled yet, trying on: {why}");
            if Instant::now() >= until {
                return Err(StepError::CannotSettle { why });
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.pulse.lost.cancelled() => return Err(StepError::LeaseLost),
                () = self.leaving.cancelled() => return Err(StepError::StillSettling),
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    fn say(&self, text: &str) {
        tracing::info!(deployment.id = %self.id(), "{text}");
        self.context.tell(&self.claimed.lease, &self.claimed.target, Stage::Terraform(text.to_owned()));
    }

    fn id(&self) -> &str {
        &self.claimed.candidate.id
    }
}

/// Notes in the object store that a run has come to its apply, so that whoever follows it after its host has vanished
/// knows even where the journal is lost. Nobody waits for it.
pub(super) fn mark_applying(gate: &Gate<'_>, run_dir: &RunDir) {
    let uri = gate.recorder.within(evidence::APPLYING);
    let (objects, text) = (gate.recorder.objects().clone(), run_dir.record.attempt.to_string());
    let noting = async move {
        if let Err(error) = objects.put(&uri, text.into(), "text/plain").await {
            tracing::debug!(%error, "that the apply begins could not be noted");
        }
    };
    tokio::spawn(noting.instrument(tracing::Span::current()));
}

impl std::fmt::Display for AtRisk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.reason)?;
        for suspect in &self.suspects {
            write!(f, "\n  {suspect}")?;
        }
        let keeps = if self.blocked { "The target is blocked" } else { "This agent keeps from the target" };
        write!(f, "\n{keeps} until one of these is run:")?;
        for command in &self.commands {
            write!(f, "\n  {command}")?;
        }
        Ok(())
    }
}

/// Whether a run directory has something that is nowhere else, or keeps its target from being touched.
pub(super) fn holds_the_only_copy(run_dir: &RunDir) -> bool {
    run_dir.work().join(errored::ERRORED).exists() || run_dir.path().join(block::AT_RISK).exists()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terraform::Step;

    #[test]
    fn a_terraform_that_crashed_leaves_something_to_settle() {
        let ended = |step, exit| is_unclean(&TerraformError::Failed { step, exit, diagnostics: Vec::new() });
        assert_eq!([1, 2, 11].map(|exit| ended(Step::Apply, exit)), [false, true, true]);
        assert_eq!([1, 2, 11].map(|exit| ended(Step::Destroy, exit)), [false, true, true]);
        assert!(!ended(Step::Plan, 11));
    }
}
