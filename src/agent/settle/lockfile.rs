//! The lock beside a state in a bucket: `<key>.tflock`.
//!
//! Nobody but its own Terraform tells whose it is, so it is read once while that is at work, and kept in the run
//! directory. One whose id was never recorded is somebody else's, and is never released.
//!
//! <https://developer.hashicorp.com/terraform/language/backend/s3#state-locking>

use std::fs;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

use super::{Settler, Trouble};
use crate::agent::StepError;
use crate::agent::context::Context;
use crate::agent::error::chain;
use crate::agent::workdir::RunDir;
use crate::objects::{ObjectUri, Objects, ObjectsError};
use crate::support::files;
use crate::terraform::{Backend, Session};

/// Where the lock is kept, in the run directory.
const RECORD: &str = "lock.json";

/// Lock files are a few hundred bytes.
const LARGEST: u64 = 1 << 16;

/// A lock file as it was while our Terraform held it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Recorded {
    id: String,
    etag: Option<String>,
}

#[derive(Deserialize)]
struct Info {
    #[serde(rename = "ID")]
    id: String,
}

/// Reads the lock file as soon as Terraform works under it.
#[derive(Debug)]
pub(in crate::agent) struct Watch {
    works: Arc<Notify>,
    _task: AbortOnDropHandle<()>,
}

impl Watch {
    /// Begins to wait for the first sign that Terraform has the lock; None where the state isn't in a bucket.
    pub(in crate::agent) async fn start(context: &Context, session: &Session, run_dir: &RunDir) -> Option<Self> {
        let (uri, objects) = lock_file(context, session).await?;
        let path = run_dir.path().join(RECORD);
        let works = Arc::new(Notify::new());
        let waits = Arc::clone(&works);
        let task = tokio::spawn(async move {
            waits.notified().await;
            match objects.get_with_etag(&uri, LARGEST).await {
                Ok((bytes, etag)) => {
                    let Ok(Info { id }) = serde_json::from_slice(&bytes) else { return };
                    let text = serde_json::to_vec(&Recorded { id, etag }).expect("a record can be written");
                    if let Err(error) = files::write_atomically(&path, &text) {
                        tracing::warn!(%error, "{} can't be written", path.display());
                    }
                }
                Err(error) => tracing::debug!(%error, "the lock file can't be read"),
            }
        });
        Some(Self { works, _task: AbortOnDropHandle::new(task) })
    }

    /// Terraform reads or changes something, which it does under its lock only.
    pub(in crate::agent) fn works(&self) {
        self.works.notify_one();
    }
}

async fn lock_file(context: &Context, session: &Session) -> Option<(ObjectUri, Objects)> {
    let Backend::S3 { bucket, key, region, endpoint, use_path_style, dynamodb_table: None, .. } = &session.backend
    else {
        return None;
    };
    let objects = context.state_objects(endpoint.clone(), region.clone(), *use_path_style, &session.env).await;
    Some((ObjectUri::new(bucket, format!("{key}.tflock")), objects))
}

/// Removes the lock file of a run whose Terraform is dead, if it is the one that was recorded.
pub(super) async fn release(settler: &Settler<'_>, run_dir: &RunDir) -> Result<(), Trouble> {
    let Some((uri, objects)) = lock_file(settler.context, settler.session).await else { return Ok(()) };
    let path = run_dir.path().join(RECORD);
    let Some(recorded) = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<Recorded>(&bytes).ok()) else {
        return Ok(());
    };
    let (bytes, etag) = match objects.get_with_etag(&uri, LARGEST).await {
        Ok(found) => found,
        Err(ObjectsError::NotFound { .. }) => return Ok(()),
        Err(error) if error.is_passing() => return Err(Trouble::Passing(chain(&error))),
        Err(error) => return Err(Trouble::Final(Box::new(StepError::Objects(error)))),
    };
    let same = serde_json::from_slice::<Info>(&bytes).is_ok_and(|info| info.id == recorded.id);
    if same && etag == recorded.etag {
        tracing::warn!(object = %uri, "the lock {} of a dead terraform is released", recorded.id);
        objects.delete(&uri).await.map_err(|error| Trouble::Passing(chain(&error)))?;
    }
    Ok(())
}
