//! Before the first change: what earlier runs of the target have left is settled, and what operators want is adopted.

use tokio_util::sync::CancellationToken;

use super::evidence::{self, Evidence};
use super::reconcile::{self, Found, reconcile};
use super::{Settler, Trouble, block, errored, lockfile, proof};
use crate::agent::StepError;
use crate::agent::gate::Gate;
use crate::agent::workdir::RunDir;
use crate::proton::Adoption;
use crate::terraform::{
    Missing, Replaced, Session, State, Suspect, TerraformError, lives_outside, parking_address, wait_for_all,
};

/// Settles what runs before this one have left, and brings in what operators have decided. Nothing has changed yet.
///
/// # Errors
/// [`StepError::AtRisk`] when people must look first, and whatever keeps the run from being settled.
pub(in crate::agent) async fn take_over(gate: &Gate<'_>, run_dir: &RunDir, session: &Session) -> Result<(), StepError> {
    let others = others(gate, run_dir)?;
    nobody_at_work(gate, &others).await?;
    // An earlier life may have begun to settle.
    nobody_at_work(gate, std::slice::from_ref(run_dir)).await?;
    let lease = &gate.claimed.lease;
    let noted = noted(&others)?;
    if lease.unsettled.is_empty() && lease.adopt == 0 && noted.is_empty() {
        return Ok(());
    }
    let settler = Settler::new(gate, run_dir, session).await?;
    if !lease.unsettled.is_empty() {
        settler.take_over_runs(&others).await?;
        run_dir.mark_taken_over()?;
    }
    for other in noted {
        settler.clear_note(other).await?;
    }
    if lease.adopt > 0 {
        settler.adopt().await?;
    }
    Ok(())
}

/// The directories here of other runs of the same target.
fn others(gate: &Gate<'_>, run_dir: &RunDir) -> Result<Vec<RunDir>, StepError> {
    let (context, target) = (gate.context, &run_dir.record.candidate.target_arn);
    let mut others = context.runs_here.of_target(&context.config.data, target)?;
    others.retain(|other| other.path() != run_dir.path());
    others.sort_by_key(|other| other.record.started_at);
    Ok(others)
}

/// Waits for a Terraform that still works on the target here, under a lease that is over: it is never doubled.
async fn nobody_at_work(gate: &Gate<'_>, others: &[RunDir]) -> Result<(), StepError> {
    for other in others {
        tokio::select! {
            waited = wait_for_all(other.path(), &gate.pulse.interrupt) => {
                waited.map_err(|source| StepError::Terraform { source, changing: false })?;
            }
            () = gate.pulse.lost.cancelled() => return Err(StepError::LeaseLost),
        }
    }
    Ok(())
}

/// Those that this agent itself has noted as being in doubt.
fn noted(others: &[RunDir]) -> Result<Vec<&RunDir>, StepError> {
    let mut noted = Vec::new();
    for other in others {
        if block::noted(other)?.is_some() {
            noted.push(other);
        }
    }
    Ok(noted)
}

impl Settler<'_> {
    async fn take_over_runs(&self, others: &[RunDir]) -> Result<(), StepError> {
        let runs = &self.claimed.lease.unsettled;
        let here = |run: &(String, u64)| {
            others.iter().find(|other| other.record.candidate.id == run.0 && other.record.attempt == run.1)
        };
        let names: Vec<String> = runs.iter().map(|(deployment, attempt)| format!("{deployment}.{attempt}")).collect();
        self.say(&format!("settling what earlier runs have left: {}", names.join(", ")));
        // Their processes were waited for.
        let dead: Vec<String> =
            runs.iter().zip(&names).filter(|(run, _)| here(run).is_some()).map(|(_, name)| name.clone()).collect();
        let held = match &self.door {
            Some(door) => proof::get_lock(self, door, &dead).await?,
            None => false,
        };
        let runs: Vec<_> = runs.iter().zip(names).map(|(run, name)| (run, here(run), name)).collect();
        let found = self.patiently(|| self.settle_runs(&runs, held)).await?;
        if !found.suspects.is_empty() || found.reason.is_some() {
            let risk = self.patiently(|| block::block(self, &found, None)).await?;
            // From here on it is the block that knows.
            self.run_dir.mark_taken_over()?;
            return Err(StepError::AtRisk { end: None, risk: Box::new(risk) });
        }
        if !found.adopted.is_empty() {
            self.say(&found.note());
        }
        Ok(())
    }

    /// One try at settling all earlier runs together.
    async fn settle_runs(
        &self,
        runs: &[(&(String, u64), Option<&RunDir>, String)],
        held: bool,
    ) -> Result<Found, Trouble> {
        let session = self.commands();
        let mut evidence = Evidence { whole: true, saved: true, ..Evidence::default() };
        let mut torn = false;
        for (run, here, name) in runs {
            let Some(other) = here else {
                evidence::read_shipped(self, run, held, &mut evidence).await?;
                continue;
            };
            evidence::read_local(other, &mut evidence)?;
            if self.door.is_none() {
                lockfile::release(self, other).await?;
            }
            match errored::bring_home(self, &session, other, &evidence.ledger, name).await? {
                errored::Home::AtRisk(risk) => {
                    return Err(StepError::AtRisk { end: None, risk: Box::new(risk) }.into());
                }
                errored::Home::Torn => torn = true,
                errored::Home::None | errored::Home::Saved(_) => {}
            }
        }
        evidence.saved &= !torn;
        if !evidence.began {
            return Ok(Found::default());
        }
        let mut found = reconcile(self, &session, &evidence.ledger, evidence.known()).await?;
        if !evidence.untold.is_empty() {
            self.suspect_all(&session, &evidence.untold, &mut found).await?;
        }
        Ok(found)
    }

    /// Of a run that had come to its apply neither the directory nor the plan is left. It may have made whatever an apply
    /// would make now.
    async fn suspect_all(&self, session: &Session, untold: &[String], found: &mut Found) -> Result<(), Trouble> {
        let runs = untold.join(", ");
        let planned = match session.would_make(self.run_dir.record.mode(), &CancellationToken::new()).await {
            Ok(planned) => planned,
            Err(TerraformError::Failed { .. }) => {
                let why = "had come to its apply, and neither its directory nor its journal is left";
                found.reason = Some(format!("run {runs} {why}: what it has made isn't known"));
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        // Another deployment's configuration was another one, so that what it lacks is not all that there may be.
        let others: Vec<&str> = untold.iter().map(String::as_str).filter(|run| !run.starts_with(self.id())).collect();
        if !others.is_empty() {
            found.reason = Some(format!(
                "run {} of an earlier deployment had come to its apply, and neither its directory nor its journal is \
                 left: look for what its template makes",
                others.join(", ")
            ));
        }
        let why = format!("it would be created now, and run {runs}, whose journal is lost, may have done that");
        for (address, kind) in planned.into_iter().filter(|(_, kind)| lives_outside(kind)) {
            if !found.suspects.iter().any(|suspect| suspect.address == address) {
                found.suspects.push(Suspect::new(&address, &kind, None, &why));
            }
        }
        Ok(())
    }

    /// Looks again at what an earlier run was left in doubt about.
    async fn clear_note(&self, other: &RunDir) -> Result<(), StepError> {
        let Some(risk) = block::noted(other)? else { return Ok(()) };
        let doubtful = block::doubtful(other)?;
        if doubtful.is_empty() {
            let home = self.patiently(|| async {
                let (ledger, _) = evidence::local(other)?;
                let user = format!("{}.{}", other.record.candidate.id, other.record.attempt);
                errored::bring_home(self, &self.commands(), other, &ledger, &user).await
            });
            match home.await? {
                errored::Home::AtRisk(risk) => return Err(StepError::AtRisk { end: None, risk: Box::new(risk) }),
                errored::Home::None | errored::Home::Saved(_) | errored::Home::Torn => return block::forget(other),
            }
        }
        let session = self.commands();
        let state = self.patiently(|| async { Ok(session.state_pull(&CancellationToken::new()).await?) }).await?;
        let state = State::parse(&state).map_err(|source| StepError::Terraform { source, changing: false })?;
        if state.is_some_and(|state| doubtful.iter().all(|address| state.current(address).is_some())) {
            return block::forget(other);
        }
        Err(StepError::AtRisk { end: None, risk: Box::new(risk) })
    }

    /// An id for import may be another form of the id that stands already, and then it was one object all along: it must
    /// not be destroyed under its other name.
    async fn forget_twin(&self, session: &Session, address: &str, old: Option<String>) -> Result<(), StepError> {
        let (never, before) = (CancellationToken::new(), |source| StepError::Terraform { source, changing: false });
        let Some(old) = old else { return Ok(()) };
        let state = self.patiently(|| async { Ok(session.state_pull(&never).await?) }).await?;
        let state = State::parse(&state).map_err(before)?;
        let same = state.as_ref().and_then(|it| it.current(address)).is_some_and(|it| it.id.as_ref() == Some(&old));
        match parking_address(address, &old).filter(|_| same) {
            Some(beside) => session.state_rm(&beside, &never).await.map_err(before),
            None => Ok(()),
        }
    }

    /// Brings in what operators have named. Whatever can't be is told, and nothing is applied.
    async fn adopt(&self) -> Result<(), StepError> {
        let Some(door) = &self.door else { return Ok(()) };
        let wanted = self.patiently(|| async { Ok(door.adoptions().await?) }).await?;
        let never = CancellationToken::new();
        let session = self.commands();
        let mut refused = Vec::new();
        for Adoption { address, id, asked } in wanted {
            let state = self.patiently(|| async { Ok(session.state_pull(&never).await?) }).await?;
            let before = |source| StepError::Terraform { source, changing: false };
            let state = State::parse(&state).map_err(before)?;
            let stands = state.as_ref().and_then(|state| state.current(&address));
            if stands.is_some_and(|object| object.id.as_ref() == Some(&id)) {
                self.say(&format!("{address} is in the state already"));
                continue;
            }
            if let Some(object) = stands.filter(|_| !asked) {
                refused.push(standing(&address, &id, object.id.as_deref()));
                continue;
            }
            self.say(&format!("adopting {address} as an operator has decided ({id})"));
            // What the run had begun to replace may be there still: it waits beside, where Terraform will destroy it.
            let replaces = stands.map(|_| Replaced::Standing);
            let missing = Missing { address: address.clone(), kind: String::new(), id: id.clone(), replaces };
            let old = stands.and_then(|object| object.id.clone());
            match reconcile::adopt(&session, &missing, state.as_ref(), &never).await {
                Ok(()) => self.forget_twin(&session, &address, old).await?,
                Err(error @ TerraformError::Failed { .. }) => refused.push(refusal(&address, &id, &error)),
                Err(source) => return Err(before(source)),
            }
        }
        if refused.is_empty() {
            return Ok(());
        }
        let reason = "what was to be adopted can't be imported, or would replace what the state holds".to_owned();
        let found = Found { suspects: refused, reason: Some(reason), ..Found::default() };
        let risk = self.patiently(|| block::block(self, &found, None)).await?;
        Err(StepError::AtRisk { end: None, risk: Box::new(risk) })
    }
}

/// Nobody has asked for an object at this address, and Terraform would destroy the one that stands there.
fn standing(address: &str, id: &str, stands: Option<&str>) -> Suspect {
    let there = stands.unwrap_or("an object without an id");
    let why = format!(
        "it was to be adopted as {id}, but the state holds {there} there, which would be destroyed for it: to let it stand, \
         say --none; to have it replaced, name {id} again"
    );
    Suspect::new(address, kind(address), None, &why)
}

/// The resource type within an address.
fn kind(address: &str) -> &str {
    address.split('[').next().unwrap_or_default().rsplit('.').nth(1).unwrap_or_default()
}

/// What an operator has named wrongly is in doubt again, without an id.
fn refusal(address: &str, id: &str, error: &TerraformError) -> Suspect {
    let said = error.diagnostics().first().map_or_else(|| error.to_string(), |first| first.summary.clone());
    Suspect::new(
        address,
        kind(address),
        None,
        &format!("it was to be adopted as {id}, and can't be imported by that: {said}"),
    )
}
