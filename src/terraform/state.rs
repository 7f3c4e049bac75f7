//! The state's own commands, as steps of a run: pull, push, move, remove, import.
//!
//! What a dead run has made is brought into the state by `terraform import`, one object at a time, and not by generated
//! `import` blocks, since: a block acts only with the apply that follows, so that one object that can't be imported would
//! stop the whole apply and leave all of them outside; a destroy doesn't look at blocks at all; and a plan that people
//! are to approve should be made against a state that is right already.
//!
//! <https://developer.hashicorp.com/terraform/cli/commands/state>,
//! <https://developer.hashicorp.com/terraform/cli/commands/import>

use std::fs;
use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use super::step::StepDir;
use super::{Event, EventKind, Mode, Session, Step, TerraformError, args};

impl Session {
    /// The same deployment's Terraform with its steps in another folder, for commands beside the run's own steps.
    #[must_use]
    pub fn beside(&self, run_dir: PathBuf) -> Self {
        Self {
            terraform: self.terraform.clone(),
            supervisor: self.supervisor.clone(),
            run_dir,
            work_dir: self.work_dir.clone(),
            env: self.env.clone(),
            backend: self.backend.clone(),
            lock_timeout: self.lock_timeout,
            warm: None,
            state_reader: None,
            providers: self.providers.clone(),
        }
    }

    /// The current state as the backend keeps it; empty where there is none. It holds secrets, and no copy stays on disk.
    ///
    /// # Errors
    /// See [`TerraformError`].
    pub async fn state_pull(&self, stop: &CancellationToken) -> Result<Vec<u8>, TerraformError> {
        let ran = self.anew(Step::StatePull, args::state_pull(), stop).await;
        let path = StepDir::new(self.run_dir.join(Step::StatePull.folder())).stdout();
        let text = fs::read(&path).map_err(TerraformError::io("reading", &path));
        // A command that never started has printed nothing.
        fs::remove_file(&path).ok();
        ran?;
        text
    }

    /// Makes a file the current state. Terraform itself refuses another lineage and an older serial.
    ///
    /// # Errors
    /// See [`TerraformError`].
    pub async fn state_push(&self, file: &Path, stop: &CancellationToken) -> Result<(), TerraformError> {
        self.anew(Step::StatePush, args::state_push(self.lock_timeout, file), stop).await
    }

    /// Makes the state forget an object.
    ///
    /// # Errors
    /// See [`TerraformError`].
    pub async fn state_rm(&self, address: &str, stop: &CancellationToken) -> Result<(), TerraformError> {
        self.anew(Step::StateRemove, args::state_rm(self.lock_timeout, address), stop).await
    }

    /// Gives an object of the state another address.
    ///
    /// # Errors
    /// See [`TerraformError`].
    pub async fn state_mv(&self, from: &str, to: &str, stop: &CancellationToken) -> Result<(), TerraformError> {
        self.anew(Step::StateMove, args::state_mv(self.lock_timeout, from, to), stop).await
    }

    /// Brings an object that exists into the state, at an address that the configuration has and the state hasn't.
    ///
    /// # Errors
    /// [`TerraformError::Failed`] with Terraform's words when it can't be imported, and the rest.
    pub async fn import(&self, address: &str, id: &str, stop: &CancellationToken) -> Result<(), TerraformError> {
        self.anew(Step::Import, args::import(self.lock_timeout, address, id), stop).await
    }

    /// The objects that an apply or a destroy would make now, replacements among them, by address and type. Nothing is changed, and no
    /// plan is kept.
    ///
    /// # Errors
    /// See [`TerraformError`].
    pub async fn would_make(
        &self,
        mode: Mode,
        stop: &CancellationToken,
    ) -> Result<Vec<(String, String)>, TerraformError> {
        self.clear(Step::Plan)?;
        let mut planned = Vec::new();
        let mut note = |event: &Event| {
            if let EventKind::PlannedChange(change) = &event.kind
                && matches!(change.action.as_str(), "create" | "replace")
            {
                planned.push((change.address.clone(), change.kind.clone()));
            }
        };
        self.run(Step::Plan, args::compare(mode, self.lock_timeout), stop, &mut note).await?;
        Ok(planned)
    }

    /// Runs a step that leaves no trace of an earlier one of its kind. Whoever calls has waited for that.
    async fn anew(&self, which: Step, words: Vec<String>, stop: &CancellationToken) -> Result<(), TerraformError> {
        self.clear(which)?;
        self.run(which, words, stop, &mut |_| {}).await.map(drop)
    }

    fn clear(&self, step: Step) -> Result<(), TerraformError> {
        let folder = self.run_dir.join(step.folder());
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(TerraformError::io("removing", &folder))?;
        }
        Ok(())
    }
}

/// The address where an object waits to be destroyed whose own address belongs to another by now: beside it, under a name
/// that no configuration has.
pub fn parking_address(address: &str, id: &str) -> Option<String> {
    use sha2::{Digest, Sha256};
    let without_key = strip_key(address);
    let (before, name) = without_key.rsplit_once('.')?;
    let mark = hex::encode(&Sha256::digest(format!("{address}\0{id}"))[..4]);
    Some(format!("{before}.{name}_replaced_{mark}"))
}

/// `a.b["c.d"]` → `a.b`.
fn strip_key(address: &str) -> &str {
    if !address.ends_with(']') {
        return address;
    }
    let mut quoted = false;
    let mut opening = None;
    let mut escaped = false;
    for (at, c) in address.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '[' if !quoted => opening = Some(at),
            _ => {}
        }
    }
    opening.map_or(address, |at| &address[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_replaced_waits_beside_its_address_under_a_name_of_its_own() {
        let one = parking_address(r#"module.m["a.b[0]"].aws_x.n["k[\"."]"#, "i-1").unwrap();
        assert!(one.starts_with(r#"module.m["a.b[0]"].aws_x.n_replaced_"#), "{one}");
        assert_ne!(parking_address("aws_x.n[0]", "i-1"), parking_address("aws_x.n[1]", "i-1"));
        assert_eq!(strip_key("aws_x.n"), "aws_x.n");
    }
}
