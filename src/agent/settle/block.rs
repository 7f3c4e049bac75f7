//! A target that people must look at: kept from everybody by the server where that can, else by this agent.

use std::fs;

use serde::{Deserialize, Serialize};

use super::reconcile::Found;
use super::{AtRisk, Settler, Trouble};
use crate::agent::StepError;
use crate::agent::workdir::RunDir;
use crate::proton::{Block, BlockSuspect, ProtonError};
use crate::support::files;
use crate::terraform::Suspect;

/// Where this agent notes that a target must not be touched, in the directory of the run that left it so.
pub(in crate::agent) const AT_RISK: &str = "at-risk";

/// What that file holds.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    risk: AtRisk,
    /// The addresses that are in doubt; none where it is the state that couldn't be saved.
    addresses: Vec<String>,
}

/// Blocks the target because of what was found.
pub(super) async fn block(settler: &Settler<'_>, found: &Found, state: Option<String>) -> Result<AtRisk, Trouble> {
    let block = Block { reason: reason(settler, found), suspects: found.suspects.iter().map(wire).collect(), state };
    let Some(commands) = ask(settler, &block).await? else { return Ok(here_only(settler, found)) };
    Ok(AtRisk { reason: block.reason, suspects: lines(&found.suspects), commands, blocked: true })
}

/// Hands the server a state that can't be pushed, and blocks the target.
pub(super) async fn park(
    settler: &Settler<'_>,
    run_dir: &RunDir,
    reason: String,
    state: String,
) -> Result<AtRisk, Trouble> {
    let block = Block { reason: reason.clone(), suspects: Vec::new(), state: Some(state) };
    if let Some(commands) = ask(settler, &block).await? {
        return Ok(AtRisk { reason, suspects: Vec::new(), commands, blocked: true });
    }
    let work = run_dir.work();
    let commands = vec![
        format!("terraform -chdir={} state push -force errored.tfstate", quoted(&work.display().to_string())),
        format!("rm {}", quoted(&work.join(super::errored::ERRORED).display().to_string())),
    ];
    let risk = AtRisk { reason, suspects: Vec::new(), commands, blocked: false };
    note(run_dir, &risk, Vec::new());
    Ok(risk)
}

/// The commands of the server; None where it knows no blocks.
async fn ask(settler: &Settler<'_>, block: &Block) -> Result<Option<Vec<String>>, Trouble> {
    let Some(door) = &settler.door else { return Ok(None) };
    match door.block(block).await {
        Ok(commands) => Ok(Some(commands)),
        Err(ProtonError::NotFound { .. } | ProtonError::Refused { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Notes it in the run directory, where the next run of this agent finds it.
pub(super) fn here_only(settler: &Settler<'_>, found: &Found) -> AtRisk {
    let (run_dir, work) = (settler.run_dir, quoted(&settler.run_dir.work().display().to_string()));
    let ids: Option<Vec<_>> =
        found.suspects.iter().map(|suspect| Some((&suspect.address, suspect.id.as_ref()?))).collect();
    let mut commands = Vec::new();
    if let Some(ids) = ids.filter(|ids| !ids.is_empty()) {
        let import = |(address, id): &(&String, &String)| {
            format!(" && terraform -chdir={work} import {} {}", quoted(address), quoted(id))
        };
        commands.push(format!("terraform -chdir={work} init{}", ids.iter().map(import).collect::<String>()));
    }
    commands.push(format!("rm {}", quoted(&run_dir.path().join(AT_RISK).display().to_string())));
    let reason = reason(settler, found);
    let risk = AtRisk { reason, suspects: lines(&found.suspects), commands, blocked: false };
    note(run_dir, &risk, found.suspects.iter().map(|suspect| suspect.address.clone()).collect());
    risk
}

fn note(run_dir: &RunDir, risk: &AtRisk, addresses: Vec<String>) {
    let path = run_dir.path().join(AT_RISK);
    let text = serde_json::to_vec_pretty(&Note { risk: risk.clone(), addresses }).expect("a note can be written");
    if let Err(error) = files::write_atomically(&path, &text) {
        tracing::error!(%error, "{} can't be written", path.display());
    }
}

/// What an earlier run of the same target has noted, if it still stands.
pub(super) fn noted(run_dir: &RunDir) -> Result<Option<AtRisk>, StepError> {
    Ok(read(run_dir)?.map(|note| note.risk))
}

/// The addresses that are in doubt by that.
pub(super) fn doubtful(run_dir: &RunDir) -> Result<Vec<String>, StepError> {
    Ok(read(run_dir)?.map(|note| note.addresses).unwrap_or_default())
}

fn read(run_dir: &RunDir) -> Result<Option<Note>, StepError> {
    let path = run_dir.path().join(AT_RISK);
    match fs::read(&path) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StepError::io("reading", &path)(error)),
    }
}

/// Takes such a note away.
pub(super) fn forget(run_dir: &RunDir) -> Result<(), StepError> {
    let path = run_dir.path().join(AT_RISK);
    fs::remove_file(&path).map_err(StepError::io("removing", &path))
}

fn reason(settler: &Settler<'_>, found: &Found) -> String {
    found.reason.clone().unwrap_or_else(|| {
        let count = found.suspects.len();
        let objects = if count == 1 { "one object may exist".to_owned() } else { format!("{count} objects may exist") };
        format!("after the run of deployment {} {objects} without being in the state", settler.id())
    })
}

fn wire(suspect: &Suspect) -> BlockSuspect {
    let Suspect { address, kind, id, why } = suspect.clone();
    BlockSuspect { address, kind, id, why }
}

fn lines(suspects: &[Suspect]) -> Vec<String> {
    let line = |Suspect { address, id, why, .. }: &Suspect| match id {
        Some(id) => format!("{address} ({id}): {why}"),
        None => format!("{address}: {why}"),
    };
    suspects.iter().map(line).collect()
}

/// As a shell takes it for one word.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_pasted() {
        assert_eq!(quoted("/data/runs/d-1/1/work"), "/data/runs/d-1/1/work");
        assert_eq!(quoted(r#"module.m["it's"].aws_vpc.a"#), r#"'module.m["it'\''s"].aws_vpc.a'"#);
    }

    #[test]
    fn a_suspect_is_named_by_address_and_id() {
        let id = "vpc-1".to_owned();
        let suspects =
            [Suspect::new("aws_vpc.a", "aws_vpc", Some(&id), "why"), Suspect::new("aws_vpc.b", "aws_vpc", None, "x")];
        assert_eq!(lines(&suspects), ["aws_vpc.a (vpc-1): why", "aws_vpc.b: x"]);
    }
}
