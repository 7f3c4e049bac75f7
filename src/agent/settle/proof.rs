//! That an old Terraform is dead: by its process where it ran here, by the lock of the state everywhere.

use std::time::Duration;

use uuid::Uuid;

use super::{Settler, Trouble, lockfile};
use crate::agent::StepError;
use crate::proton::{Locked, ProtonError, StateDoor};

/// How often a lock is asked for. The server passes it on once its holder has been silent for several leases.
const ASK: Duration = Duration::from_secs(1);

/// Gives back the lock of this run's own Terraform, which is dead by now. What stays locked is told, in words.
pub(super) async fn release_own(settler: &Settler<'_>) -> Result<Option<String>, Trouble> {
    match &settler.door {
        Some(door) => release_own_at(settler, door).await.map(|()| None),
        None => lockfile::release(settler, settler.run_dir).await,
    }
}

async fn release_own_at(settler: &Settler<'_>, door: &StateDoor) -> Result<(), Trouble> {
    let id = Uuid::new_v4().to_string();
    match door.lock(&id, settler.context.identity.id()).await {
        Ok(Locked::Granted) => Ok(door.unlock(&id).await?),
        // Refused unless this run is the holder.
        Ok(Locked::Held { id, .. }) => match door.unlock(&id).await {
            Ok(()) | Err(ProtonError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        },
        // Whoever may not lock may have the lock no more.
        Err(ProtonError::Conflict { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Gets the lock itself, so that whoever had it is over, and gives it back; whether somebody had it. `dead` are runs whose
/// end is proved already.
pub(super) async fn get_lock(settler: &Settler<'_>, door: &StateDoor, dead: &[String]) -> Result<bool, StepError> {
    let (id, who) = (Uuid::new_v4().to_string(), settler.context.identity.id());
    let (mut told_once, mut had) = (false, false);
    loop {
        match settler.patiently(|| async { Ok(door.lock(&id, who).await?) }).await? {
            Locked::Granted => {
                settler.patiently(|| async { Ok(door.unlock(&id).await?) }).await?;
                return Ok(had);
            }
            Locked::Held { id: held, told } => {
                had = true;
                if release_of_dead(settler, &held, dead).await {
                    continue;
                }
                if !told_once {
                    settler.say(&format!("waiting for the lock, to be sure that an earlier run is over: {told}"));
                    told_once = true;
                }
            }
        }
        settler.pulse.may_begin()?;
        tokio::select! {
            () = tokio::time::sleep(ASK) => {}
            () = settler.pulse.lost.cancelled() => return Err(StepError::LeaseLost),
            () = settler.pulse.interrupt.cancelled() => return Err(StepError::Cancelled),
            () = settler.leaving.cancelled() => return Err(StepError::StillSettling),
        }
    }
}

/// Gives a lock back in the name of a run whose Terraform has died on this host: its holder may always do so.
async fn release_of_dead(settler: &Settler<'_>, lock: &str, dead: &[String]) -> bool {
    for user in dead {
        if let Ok(Some(door)) = settler.context.proton.state_door(&settler.claimed.lease, user).await
            && door.unlock(lock).await.is_ok()
        {
            return true;
        }
    }
    false
}
