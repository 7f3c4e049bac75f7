//! Requests that were opened and not yet merged: `<data>/requests/<deployment>.json`. One that is closed calls its
//! deployment off; one whose deployment was called off is closed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hadron_model::DeploymentStatus;
use serde::{Deserialize, Serialize};

use super::context::Context;
use crate::forge::{self, Forge, ForgeError, Standing};
use crate::proton::ProtonError;
use crate::support::files;

/// A request, and the deployment that waits for its merge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    pub(super) deployment_id: String,
    pub(super) target_arn: String,
    pub(super) repository: String,
    pub(super) number: u64,
    pub(super) url: String,
}

/// Why a look at a request came to nothing.
#[derive(Debug, thiserror::Error)]
enum LookError {
    #[error(transparent)]
    Proton(#[from] ProtonError),
    #[error(transparent)]
    Forge(#[from] ForgeError),
}

fn folder(data: &Path) -> PathBuf {
    data.join("requests")
}

fn file(data: &Path, deployment_id: &str) -> PathBuf {
    folder(data).join(format!("{deployment_id}.json"))
}

/// Keeps a note, so that the request is watched by this life of the agent and those after it.
pub(super) fn keep(data: &Path, note: &Note) -> io::Result<()> {
    files::create_private_folder(&folder(data))?;
    files::write_atomically(&file(data, &note.deployment_id), &serde_json::to_vec_pretty(note)?)
}

fn notes(data: &Path) -> Vec<Note> {
    let entries = fs::read_dir(folder(data)).into_iter().flatten().flatten();
    let read = entries.filter_map(|entry| serde_json::from_slice(&fs::read(entry.path()).ok()?).ok());
    read.collect()
}

/// Looks at all requests, again and again.
pub(super) async fn watch(context: Arc<Context>) {
    loop {
        tokio::time::sleep(context.config.watch_every).await;
        look(&context).await;
    }
}

/// Looks at all requests once.
pub(super) async fn look(context: &Context) {
    let Some(access) = &context.config.forge else { return };
    for note in notes(&context.config.data) {
        match settled(context, access, &note).await {
            Ok(false) => {}
            Ok(true) => {
                if let Err(error) = fs::remove_file(file(&context.config.data, &note.deployment_id)) {
                    tracing::warn!(%error, "the note of {} stays", note.url);
                }
            }
            Err(error) => {
                tracing::warn!(deployment.id = %note.deployment_id, %error, "{} can't be looked at", note.url);
            }
        }
    }
}

/// Whether there is nothing left to watch.
async fn settled(context: &Context, access: &forge::Access, note: &Note) -> Result<bool, LookError> {
    let Note { deployment_id, target_arn, repository, number, url } = note;
    let forge = Forge::of(repository, access)?;
    let status = match context.proton.deployment(deployment_id).await {
        Ok(deployment) => Some(deployment.status),
        Err(ProtonError::NotFound { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let called_off = matches!(status, None | Some(DeploymentStatus::Cancelled));
    let waits = matches!(status, Some(DeploymentStatus::InProgress | DeploymentStatus::DeleteInProgress));
    let standing = forge.standing(*number).await?;
    match standing {
        Standing::Open if called_off => {
            tracing::info!(deployment.id = %deployment_id, "closes {url}: its deployment was called off");
            forge.close(*number).await?;
            Ok(true)
        }
        Standing::Closed if waits => {
            let words = format!("the request was closed without being merged: {url}");
            match context.proton.request_closed(target_arn, deployment_id, &words).await {
                // Somebody else was quicker.
                Ok(()) | Err(ProtonError::Conflict { .. } | ProtonError::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            tracing::info!(deployment.id = %deployment_id, "called off: {url} was closed");
            Ok(true)
        }
        Standing::Open => Ok(false),
        Standing::Merged | Standing::Closed => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_outlives_its_agent() {
        let data = tempfile::tempdir().unwrap();
        assert!(notes(data.path()).is_empty());
        let note = Note {
            deployment_id: "d-1".into(),
            target_arn: "arn".into(),
            repository: "https://github.com/acme/infra".into(),
            number: 7,
            url: "https://github.com/acme/infra/pull/7".into(),
        };
        keep(data.path(), &note).unwrap();
        keep(data.path(), &note).unwrap();
        assert_eq!(notes(data.path()), [note]);
    }
}
