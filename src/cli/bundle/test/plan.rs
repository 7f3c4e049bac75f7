//! What Terraform would make of rendered files.

use anyhow::Context;
use serde_json::Value;

use super::super::super::{Exit, Failure, agent};
use crate::domain::Files;
use crate::settings::{Resolved, child_environment};
use crate::terraform::{Refusal, Trial};

/// The document of a plan from nothing, or what Terraform said instead.
pub(in crate::cli) async fn of(settings: &Resolved, rendered: &Files) -> Result<Result<Value, String>, Failure> {
    let terraform = agent::find_terraform(settings)?;
    let mut site = child_environment(settings, &[]);
    for (setting, variable) in
        [("terraform.cli_config", "TF_CLI_CONFIG_FILE"), ("terraform.plugin_cache", "TF_PLUGIN_CACHE_DIR")]
    {
        if let Some(path) = settings.text(setting) {
            site.insert(variable.into(), std::path::absolute(path)?.display().to_string());
        }
    }
    let files = rendered.clone();
    let planned = tokio::task::spawn_blocking(move || {
        let folder = tempfile::tempdir().context("making a folder to plan in")?;
        let trial = Trial { terraform: &terraform, folder: folder.path(), site: &site };
        trial.plan(&files).context("planning")
    });
    let planned = planned.await.context("planning")?.map_err(|error| Failure::new(Exit::Unexpected, error))?;
    Ok(planned.map_err(|Refusal(words)| words))
}
