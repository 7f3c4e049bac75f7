//! A plan from nothing: what files would make where nothing is yet.
//!
//! The state is a file beside the plan, and both go with the folder; nothing outside is changed. It is for authors, whose
//! terminal ends with them, so no supervisor watches over it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::diagnostic::Severity;
use super::event::{Event, EventKind};
use super::{Terraform, TerraformError, args, env};
use crate::domain::BACKEND_FILE;
use crate::domain::Files;
use crate::support::files;

/// A place to plan in.
#[derive(Debug)]
pub struct Trial<'a> {
    /// The Terraform to run.
    pub terraform: &'a Terraform,
    /// An empty folder.
    pub folder: &'a Path,
    /// What Terraform's environment gets from the site, see [`super::child_env`].
    pub site: &'a BTreeMap<String, String>,
}

/// Why there is no plan: what Terraform said, one problem after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(pub String);

impl Trial<'_> {
    /// Plans rendered files. Blocks until Terraform has ended.
    ///
    /// The answer is `terraform show -json`'s
    /// (<https://developer.hashicorp.com/terraform/internals/json-format#plan-representation>); it has sensitive values in
    /// clear.
    ///
    /// # Errors
    /// Terraform can't be started, or the folder not be written to. That Terraform refuses is an answer.
    pub fn plan(&self, rendered: &Files) -> Result<Result<Value, Refusal>, TerraformError> {
        let work = self.lay_out(rendered)?;
        if let Some(refusal) = self.refused(&work, args::init(self.terraform))? {
            return Ok(Err(refusal));
        }
        let file = self.folder.join("plan");
        if let Some(refusal) = self.refused(&work, args::trial(&file))? {
            return Ok(Err(refusal));
        }
        let shown = self.run(&work, args::document(&file))?;
        Ok(serde_json::from_slice(&shown.stdout).map_err(|error| Refusal(format!("the plan can't be shown: {error}"))))
    }

    /// Writes the files, and beside them what keeps the state here.
    fn lay_out(&self, rendered: &Files) -> Result<PathBuf, TerraformError> {
        let work = self.folder.join("work");
        let state = json!({ "terraform": { "backend": { "local": { "path": self.folder.join("state") } } } });
        let ours = (BACKEND_FILE.to_owned(), state.to_string().into_bytes());
        for (path, bytes) in rendered.iter().chain([(&ours.0, &ours.1)]) {
            let path = work.join(path);
            let parent = path.parent().unwrap_or(&work);
            files::create_private_folder(parent).map_err(TerraformError::io("creating", parent))?;
            std::fs::write(&path, bytes).map_err(TerraformError::io("writing", &path))?;
        }
        let temporary = self.folder.join("home/tmp");
        files::create_private_folder(&temporary).map_err(TerraformError::io("creating", &temporary))?;
        Ok(work)
    }

    fn refused(&self, work: &Path, words: Vec<String>) -> Result<Option<Refusal>, TerraformError> {
        let output = self.run(work, words)?;
        if output.status.success() {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut told: Vec<String> = text.lines().filter_map(|line| error_in(&Event::parse(line))).collect();
        // Each instance of a resource may say the same.
        told.dedup();
        // An older `init` speaks no JSON, and what keeps Terraform from starting is told on stderr.
        let plain = || [&text, String::from_utf8_lossy(&output.stderr).as_ref()].concat().trim().to_owned();
        Ok(Some(Refusal(if told.is_empty() { plain() } else { told.join("\n") })))
    }

    fn run(&self, work: &Path, words: Vec<String>) -> Result<std::process::Output, TerraformError> {
        let child_env = env::bare_env(self.site, &self.folder.join("home"))?;
        env::lay_home(&child_env)?;
        let command = duct::cmd(&self.terraform.binary, words).full_env(child_env).dir(work);
        let ran = command.stdin_null().stdout_capture().stderr_capture().unchecked().run();
        ran.map_err(TerraformError::io("starting", &self.terraform.binary))
    }
}

/// The words of an error; what Terraform only warns of is left out.
fn error_in(event: &Event) -> Option<String> {
    match &event.kind {
        EventKind::Diagnostic(diagnostic) if diagnostic.severity == Severity::Error => Some(diagnostic.to_string()),
        _ => None,
    }
}
