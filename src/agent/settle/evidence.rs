//! What a run has done: from its directory where that is at hand, else from the events that it shipped.

use super::{Settler, Trouble};
use crate::agent::StepError;
use crate::agent::error::chain;
use crate::agent::workdir::{MOST_PLANS, RunDir, round_folder};
use crate::objects::{ObjectUri, Objects, ObjectsError};
use crate::terraform::{Known, Ledger, Remains, booted_at};

/// What stands in the object store once a run's apply begins, before it can have changed anything.
pub(super) const APPLYING: &str = "applying";

/// What is known of runs that nobody settled.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    pub(super) ledger: Ledger,
    /// Whether every run is known as far as it came.
    pub(super) whole: bool,
    /// Whether every Terraform has ended by itself.
    pub(super) saved: bool,
    /// Whether any of them has come to its apply.
    pub(super) began: bool,
    /// Runs that had come to their apply, and of which not even the plan is known.
    pub(super) untold: Vec<String>,
}

impl Evidence {
    pub(super) fn known(&self) -> Known {
        Known { whole: self.whole, saved: self.saved }
    }
}

/// The ledger of a run whose directory is here.
pub(super) fn local(run_dir: &RunDir) -> Result<(Ledger, Known), Trouble> {
    let mut evidence = Evidence { whole: true, saved: true, ..Evidence::default() };
    read_local(run_dir, &mut evidence)?;
    let known = evidence.known();
    Ok((evidence.ledger, known))
}

pub(super) fn read_local(run_dir: &RunDir, evidence: &mut Evidence) -> Result<(), Trouble> {
    for round in 0..MOST_PLANS {
        let folder = round_folder(run_dir.path(), round);
        if !folder.exists() {
            break;
        }
        let remains = Remains::read(&folder, &mut evidence.ledger)?;
        if remains.began {
            evidence.began = true;
            evidence.saved &= remains.ended;
        }
    }
    // What Terraform wrote before the machine went down may not have reached the disk.
    evidence.whole &= booted_at().is_none_or(|booted| booted * 1000 <= run_dir.record.started_at);
    Ok(())
}

/// The ledger of a run that worked elsewhere, as far as it was shipped. `held` says that a lock was left, as none is by a
/// Terraform that ended by itself: an apply may have begun, whatever the store knows of it.
pub(super) async fn read_shipped(
    settler: &Settler<'_>,
    (deployment, attempt): &(String, u64),
    held: bool,
    evidence: &mut Evidence,
) -> Result<(), Trouble> {
    let objects = settler.context.objects(&settler.claimed.lease, &settler.claimed.scope).await;
    let prefix = ObjectUri::new(&settler.run_dir.record.bucket, format!("runs/{deployment}/{attempt}/"));
    let within = |name: &str| ObjectUri::new(&prefix.bucket, format!("{}{name}", prefix.key));
    let before = evidence.ledger.has_changed();
    let mut ledger = std::mem::take(&mut evidence.ledger);
    let plans = ledger.plans();
    for piece in pieces(&objects, &within("events/")).await? {
        let text = objects.get(&ObjectUri::new(&prefix.bucket, piece)).await.map_err(trouble)?;
        // A line may go over two pieces only where it is longer than one; such a line is no event of use.
        for line in String::from_utf8_lossy(&text).lines() {
            ledger.line(line);
        }
    }
    let changed = ledger.has_changed() && !before;
    let finished = ledger.is_finished() || there(&objects, &within("summary.json")).await?;
    let began = held || changed || there(&objects, &within(APPLYING)).await?;
    evidence.ledger = ledger;
    evidence.began |= began;
    if began && !finished {
        evidence.whole = false;
        evidence.saved = false;
        if evidence.ledger.plans() == plans {
            evidence.untold.push(format!("{deployment}.{attempt}"));
        }
    }
    Ok(())
}

async fn pieces(objects: &Objects, folder: &ObjectUri) -> Result<Vec<String>, Trouble> {
    match objects.list(folder, None).await {
        Ok(found) => Ok(found.into_iter().map(|piece| piece.key).collect()),
        Err(ObjectsError::NotFound { .. }) => Ok(Vec::new()),
        Err(error) => Err(trouble(error)),
    }
}

async fn there(objects: &Objects, uri: &ObjectUri) -> Result<bool, Trouble> {
    match objects.get_limited(uri, 64 << 20).await {
        Ok(_) | Err(ObjectsError::TooLarge { .. }) => Ok(true),
        Err(ObjectsError::NotFound { .. }) => Ok(false),
        Err(error) => Err(trouble(error)),
    }
}

fn trouble(error: ObjectsError) -> Trouble {
    if error.is_passing() || matches!(error, ObjectsError::Refused { .. }) {
        return Trouble::Passing(chain(&error));
    }
    Trouble::Final(Box::new(StepError::Objects(error)))
}
