//! The provider lock of a template version: recorded by its first deployment, used by every other.
//!
//! It lies in the bundle's bucket, at `locks/sha256/BUNDLE/PART.hcl`: the parts of a service's bundle need different
//! providers. Whoever comes first records it; it is never written over. A lock file in the bundle itself, or in an
//! overlay, counts more, and then none is recorded.

use std::fs;
use std::time::Duration;

use bytes::Bytes;

use super::StepError;
use super::workdir::RunDir;
use crate::domain::{Role, Target, lock_key};
use crate::objects::{ObjectUri, Objects, ObjectsError};
use crate::terraform::LOCK_FILE;

/// A lock file is some kilobytes.
const LARGEST: u64 = 4 << 20;

/// The file of a run directory that says where its lock file is to be recorded.
const TO_RECORD: &str = "lock-to-record";

/// How long a deployment waits for its lock file to be recorded; a later one may do it.
const PATIENCE: Duration = Duration::from_secs(5);

/// The lock of the bundle at hand.
#[derive(Debug)]
pub(super) struct TemplateLock {
    uri: ObjectUri,
    recorded: Option<Bytes>,
}

impl TemplateLock {
    /// Looks for the lock of a bundle that is named by its digest. A store that doesn't let us look has none for us.
    ///
    /// # Errors
    /// The store can't be asked: then nobody knows which providers would be the right ones.
    pub(super) async fn find(
        objects: &Objects,
        bucket: &str,
        digest: &str,
        target: &Target,
    ) -> Result<Option<Self>, ObjectsError> {
        let uri = ObjectUri::new(bucket, lock_key(digest, Role::of(target)));
        match objects.get_limited(&uri, LARGEST).await {
            Ok(lock) => Ok(Some(Self { uri, recorded: Some(lock) })),
            Err(ObjectsError::NotFound { .. }) => Ok(Some(Self { uri, recorded: None })),
            Err(error @ ObjectsError::Refused { .. }) => {
                tracing::debug!(%error, "template locks can't be used here");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The file to lay beside the rendered ones, if one is recorded.
    pub(super) fn file(&self) -> Option<(String, Vec<u8>)> {
        self.recorded.as_ref().map(|lock| (LOCK_FILE.to_owned(), lock.to_vec()))
    }

    /// Notes in a run directory that its lock file is to be recorded, unless one is.
    pub(super) fn note(&self, run_dir: &RunDir) -> Result<(), StepError> {
        if self.recorded.is_some() {
            return Ok(());
        }
        let path = run_dir.path().join(TO_RECORD);
        fs::write(&path, self.uri.to_string()).map_err(StepError::io("writing", &path))
    }
}

/// Records what `init` has locked, if that is this run's to do. It isn't needed for this deployment, so a store that
/// doesn't take it is no reason to fail.
pub(super) async fn record(objects: &Objects, run_dir: &RunDir) {
    let note = run_dir.path().join(TO_RECORD);
    let Ok(uri) = fs::read_to_string(&note).unwrap_or_default().parse::<ObjectUri>() else { return };
    // Without providers there is nothing to lock.
    if let Ok(lock) = fs::read(run_dir.work().join(LOCK_FILE)) {
        match tokio::time::timeout(PATIENCE, objects.put_if_absent(&uri, lock.into())).await {
            Ok(Ok(true)) => tracing::info!("recorded the template version's provider lock"),
            Ok(Ok(false)) => tracing::debug!(object = %uri, "another deployment has recorded the provider lock"),
            Ok(Err(error)) => return tracing::warn!(%error, "the provider lock could not be recorded"),
            Err(_) => return tracing::warn!(object = %uri, "the provider lock could not be recorded in time"),
        }
    }
    fs::remove_file(&note).ok();
}
