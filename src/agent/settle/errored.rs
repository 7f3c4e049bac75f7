//! `errored.tfstate`: the state that Terraform couldn't save. It is pushed where it continues what is there, forgotten
//! where that holds it already, and parked where another history has begun: a state never forks.
//!
//! <https://developer.hashicorp.com/terraform/cli/commands/state/push>

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{AtRisk, Settler, Trouble, block, lockfile};
use crate::agent::StepError;
use crate::agent::error::chain;
use crate::agent::workdir::RunDir;
use crate::proton::{Locked, ProtonError, StateDoor};
use crate::support::files;
use crate::terraform::{Ledger, Session, State, TerraformError};

/// Where Terraform leaves it, in the work directory.
pub(in crate::agent) const ERRORED: &str = "errored.tfstate";

/// What it is called once the server keeps it.
const PARKED: &str = "errored.tfstate.parked";

/// What it is called where only a part of it was written.
const TORN: &str = "errored.tfstate.torn";

/// What became of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Home {
    /// There is none.
    None,
    /// It is saved; how, in words.
    Saved(String),
    /// Terraform couldn't write it whole, so that it is worth nothing; the journal tells more.
    Torn,
    /// It isn't saved.
    AtRisk(AtRisk),
}

/// How a state stands to the one that is current.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    /// It is there already.
    There,
    /// It continues the current one. The serial is what it must have to be taken.
    Continues,
    /// It is another history; in words.
    Forked(String),
}

/// Saves what a run has left in its work directory. `user` is that run's name to the state server.
pub(super) async fn bring_home(
    settler: &Settler<'_>,
    session: &Session,
    run_dir: &RunDir,
    ledger: &Ledger,
    user: &str,
) -> Result<Home, Trouble> {
    let file = run_dir.work().join(ERRORED);
    let Some(bytes) = read(&file)? else { return Ok(Home::None) };
    let Ok(Some(errored)) = State::parse(&bytes) else {
        rename(&file, TORN)?;
        return Ok(Home::Torn);
    };
    let door = settler.context.proton.state_door(&settler.claimed.lease, user).await?;
    let current = match &settler.door {
        Some(door) => door.get().await?.to_vec(),
        None => session.state_pull(&CancellationToken::new()).await?,
    };
    let saved = match standing(&bytes, &errored, &current, ledger)? {
        Standing::There => Ok("The state that terraform couldn't save was saved already.".to_owned()),
        Standing::Forked(why) => Err(why),
        Standing::Continues => {
            let pushed = match &door {
                Some(door) => push(settler, door, &bytes).await?,
                None => push_to_bucket(settler, session, run_dir, &bytes, &current).await?,
            };
            pushed.map(|()| {
                format!(
                    "The state that terraform couldn't save (serial {}) was pushed; nothing is locked.",
                    errored.serial
                )
            })
        }
    };
    match saved {
        Ok(how) => {
            fs::remove_file(&file).map_err(StepError::io("removing", &file))?;
            Ok(Home::Saved(how))
        }
        Err(why) => park(settler, run_dir, &bytes, &why).await.map(Home::AtRisk),
    }
}

async fn park(settler: &Settler<'_>, run_dir: &RunDir, bytes: &[u8], why: &str) -> Result<AtRisk, Trouble> {
    let reason = format!("terraform couldn't save the state, and what it left can't be pushed: {why}");
    let text = String::from_utf8_lossy(bytes).into_owned();
    let risk = block::park(settler, run_dir, reason, text).await?;
    if risk.blocked {
        rename(&run_dir.work().join(ERRORED), PARKED)?;
    }
    Ok(risk)
}

/// Compares a state with the current one. Newer is not enough: everything that the current one knows must be in it, or
/// have been destroyed by the run itself, since else somebody has written in between.
fn standing(bytes: &[u8], errored: &State, current: &[u8], ledger: &Ledger) -> Result<Standing, TerraformError> {
    let Some(found) = State::parse(current)? else { return Ok(Standing::Continues) };
    if found.lineage != errored.lineage {
        let why = format!("the state's lineage is {}, and this one's {}", found.lineage, errored.lineage);
        return Ok(Standing::Forked(why));
    }
    let parse = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).ok();
    if bytes == current || parse(bytes) == parse(current) {
        return Ok(Standing::There);
    }
    if errored.serial < found.serial {
        let lacks = lacking(&found, errored, ledger);
        return Ok(match lacks {
            None => Standing::There,
            Some(address) => Standing::Forked(format!(
                "the state's serial is {} by now, this one's {}, and only this one has {address}",
                found.serial, errored.serial
            )),
        });
    }
    Ok(match lacking(errored, &found, ledger) {
        None => Standing::Continues,
        Some(address) => Standing::Forked(format!(
            "somebody else has written serial {} meanwhile, which has {address}, and this one hasn't",
            found.serial
        )),
    })
}

/// An object of `other` that neither `state` knows nor the run has destroyed.
fn lacking(state: &State, other: &State, ledger: &Ledger) -> Option<String> {
    let lost = other.objects.iter().find(|object| match &object.id {
        Some(id) => !state.knows(&object.kind, id) && !ledger.has_destroyed(&object.address, id),
        None => state.current(&object.address).is_none(),
    });
    lost.map(|object| object.address.clone())
}

/// Pushes to the state server, under a lock of our own or the one that the dead run still holds. The inner error says why
/// it isn't taken.
async fn push(settler: &Settler<'_>, door: &StateDoor, bytes: &[u8]) -> Result<Result<(), String>, Trouble> {
    let own = Uuid::new_v4().to_string();
    let id = match door.lock(&own, settler.context.identity.id()).await {
        Ok(Locked::Granted) => own,
        Ok(Locked::Held { id, .. }) => id,
        Err(ProtonError::Conflict { message }) => return Ok(Err(message)),
        Err(error) => return Err(error.into()),
    };
    match door.post(&id, bytes).await {
        Ok(()) => {}
        Err(ProtonError::Conflict { message }) => return Ok(Err(message)),
        // It won't be taken later either, so people must know.
        Err(error @ ProtonError::Denied { .. }) => return Ok(Err(chain(&error))),
        Err(error) => return Err(error.into()),
    }
    door.unlock(&id).await?;
    Ok(Ok(()))
}

async fn push_to_bucket(
    settler: &Settler<'_>,
    session: &Session,
    run_dir: &RunDir,
    bytes: &[u8],
    current: &[u8],
) -> Result<Result<(), String>, Trouble> {
    lockfile::release(settler, run_dir).await?;
    let file = run_dir.path().join("settling").join("push.tfstate");
    if let Some(folder) = file.parent() {
        files::create_private_folder(folder).map_err(StepError::io("creating", folder))?;
    }
    fs::write(&file, continued(bytes, current)).map_err(StepError::io("writing", &file))?;
    let pushed = session.state_push(&file, &CancellationToken::new()).await;
    fs::remove_file(&file).map_err(StepError::io("removing", &file))?;
    // Whether it can't be reached or won't take it, only prose would say; so it is tried again, for a while.
    Ok(Ok(pushed?))
}

/// The state with a serial that Terraform takes: an equal one means to it that nothing has changed.
fn continued(bytes: &[u8], current: &[u8]) -> Vec<u8> {
    let (Ok(Some(errored)), Ok(Some(found))) = (State::parse(bytes), State::parse(current)) else {
        return bytes.to_vec();
    };
    if errored.serial > found.serial {
        return bytes.to_vec();
    }
    let text = String::from_utf8_lossy(bytes);
    let (old, new) = (format!("\"serial\": {}", errored.serial), format!("\"serial\": {}", found.serial + 1));
    text.replacen(&old, &new, 1).into_bytes()
}

fn read(file: &Path) -> Result<Option<Vec<u8>>, Trouble> {
    match fs::read(file) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StepError::io("reading", file)(error).into()),
    }
}

fn rename(file: &Path, name: &str) -> Result<(), Trouble> {
    let to: PathBuf = file.with_file_name(name);
    Ok(fs::rename(file, &to).map_err(StepError::io("renaming", file))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(lineage: &str, serial: u64, ids: &[&str]) -> Vec<u8> {
        let instances = |id: &&str| {
            format!(
                r#"{{"mode":"managed","type":"aws_vpc","name":"{id}","instances":[{{"attributes":{{"id":"{id}"}}}}]}}"#
            )
        };
        let resources: Vec<String> = ids.iter().map(instances).collect();
        format!(
            "{{\n  \"version\": 4,\n  \"serial\": {serial},\n  \"lineage\": \"{lineage}\",\n  \"resources\": [{}]\n}}",
            resources.join(",")
        )
        .into_bytes()
    }

    fn compare(errored: &[u8], current: &[u8]) -> Standing {
        let parsed = State::parse(errored).unwrap().unwrap();
        standing(errored, &parsed, current, &Ledger::default()).unwrap()
    }

    #[test]
    fn a_state_that_continues_the_current_one_is_pushed() {
        assert_eq!(compare(&state("l", 3, &["a", "b"]), &state("l", 2, &["a"])), Standing::Continues);
        assert_eq!(compare(&state("l", 3, &["a", "b"]), &state("l", 3, &["a"])), Standing::Continues);
        assert_eq!(compare(&state("l", 1, &["a"]), b""), Standing::Continues);
    }

    #[test]
    fn a_state_that_is_there_already_is_not_pushed_again() {
        assert_eq!(compare(&state("l", 3, &["a"]), &state("l", 3, &["a"])), Standing::There);
        assert_eq!(compare(&state("l", 2, &["a"]), &state("l", 3, &["a", "b"])), Standing::There);
    }

    #[test]
    fn another_history_is_never_overwritten() {
        assert!(matches!(compare(&state("l", 9, &["a"]), &state("m", 2, &["a"])), Standing::Forked(_)));
        let newer_and_lacking = compare(&state("l", 9, &["a"]), &state("l", 2, &["a", "b"]));
        assert!(matches!(newer_and_lacking, Standing::Forked(why) if why.contains("aws_vpc.b")));
        assert!(matches!(compare(&state("l", 2, &["c"]), &state("l", 3, &["a"])), Standing::Forked(_)));
    }

    #[test]
    fn an_equal_serial_is_counted_on_and_nothing_else_is_touched() {
        let text = String::from_utf8(continued(&state("l", 3, &["a"]), &state("l", 3, &[]))).unwrap();
        assert_eq!(text, String::from_utf8(state("l", 4, &["a"])).unwrap());
        assert_eq!(continued(&state("l", 5, &["a"]), &state("l", 3, &[])), state("l", 5, &["a"]));
    }
}
