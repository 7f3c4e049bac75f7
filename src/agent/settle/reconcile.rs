//! Brings what the state lacks into it, one `terraform import` an object.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use tokio_util::sync::CancellationToken;

use super::{Settler, Trouble};
use crate::terraform::{Known, Ledger, Missing, Replaced, Session, State, Suspect, TerraformError, parking_address};

/// Whoever fails twice isn't tried again: what fails is often an id that its provider takes in another form.
const PASSES: usize = 2;

/// What holding state and journal together came to.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// What was brought into the state.
    pub(super) adopted: Vec<Missing>,
    /// What somebody must look at.
    pub(super) suspects: Vec<Suspect>,
    /// Why somebody must, if not because of the suspects.
    pub(super) reason: Option<String>,
    /// What is still locked, if anything is.
    pub(super) locked: Option<String>,
}

impl Found {
    /// In words, for the status message.
    pub(super) fn note(&self) -> String {
        let locked = self.locked.as_ref().map_or_else(|| "; nothing is locked.".to_owned(), |it| format!(".\n{it}"));
        if self.adopted.is_empty() {
            return format!("Everything that was done before that is in the state{locked}");
        }
        let mut text = String::from("What was done before that and wasn't in the state yet was adopted:");
        for Missing { address, id, .. } in &self.adopted {
            write!(text, "\n  {address} ({id})").expect("a String takes all");
        }
        text + "\nState and infrastructure agree again" + &locked
    }
}

/// Holds a ledger against the current state, and imports what is missing.
pub(super) async fn reconcile(
    settler: &Settler<'_>,
    session: &Session,
    ledger: &Ledger,
    known: Known,
) -> Result<Found, Trouble> {
    let never = CancellationToken::new();
    let mut found = Found::default();
    let mut refused: Vec<Suspect> = Vec::new();
    // The second pass also sees that what was imported is there.
    for _ in 0..PASSES {
        let state = State::parse(&session.state_pull(&never).await?)?;
        let gap = ledger.gap(state.as_ref(), known);
        found.suspects = gap.suspects;
        refused.clear();
        if gap.missing.is_empty() {
            break;
        }
        for missing in gap.missing {
            settler
                .say(&format!("adopting {}: it was created and isn't in the state ({})", missing.address, missing.id));
            match adopt(session, &missing, state.as_ref(), &never).await {
                Ok(()) => found.adopted.push(missing),
                Err(error @ TerraformError::Failed { .. }) => refused.push(in_doubt(&missing, &error)),
                Err(error) => return Err(error.into()),
            }
        }
    }
    found.suspects.extend(refused);
    let mut seen = BTreeSet::new();
    found.adopted.retain(|missing| seen.insert(missing.address.clone()));
    Ok(found)
}

/// Brings one object in. What stands at its address goes first, to where it can be forgotten or destroyed.
pub(super) async fn adopt(
    session: &Session,
    missing: &Missing,
    state: Option<&State>,
    never: &CancellationToken,
) -> Result<(), TerraformError> {
    let Missing { address, id, .. } = missing;
    match missing.replaces {
        None => {}
        Some(Replaced::Destroyed) => session.state_rm(address, never).await?,
        Some(Replaced::Standing) => {
            let old = state.and_then(|state| state.current(address)).and_then(|object| object.id.as_deref());
            match parking_address(address, old.unwrap_or_default()) {
                Some(beside) => session.state_mv(address, &beside, never).await?,
                None => session.state_rm(address, never).await?,
            }
        }
    }
    session.import(address, id, never).await
}

fn in_doubt(missing: &Missing, error: &TerraformError) -> Suspect {
    let why = error.diagnostics().iter().find(|diagnostic| !diagnostic.summary.is_empty());
    let why = why.map_or_else(|| error.to_string(), |diagnostic| diagnostic.summary.clone());
    let why = format!("it was created, and can't be imported by this id: {why}");
    Suspect::new(&missing.address, &missing.kind, Some(&missing.id), &why)
}
