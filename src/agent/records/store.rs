//! Where a run's records go, and how long its answers are waited for.

use std::io;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::objects::{ObjectInfo, ObjectUri, Objects, ObjectsError};

/// A call that hasn't been answered by then is given up and tried again later.
const CALL: Duration = Duration::from_secs(8);

/// The file in a run directory that says where its records go.
const FILE: &str = "records.json";

/// The file that says that all of them have arrived.
const SENT: &str = "sent";

/// What an agent needs to send a run's records in another life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::agent) struct Address {
    /// The folder of the run's records.
    pub(super) prefix: ObjectUri,
    /// The endpoint that the claim named, and the region to sign for; None for the configured store.
    pub(super) store: Option<(String, String)>,
}

impl Address {
    pub(in crate::agent) fn new(prefix: ObjectUri, store: Option<(String, String)>) -> Self {
        Self { prefix, store }
    }

    /// Keeps it in a run directory.
    pub(super) fn keep(&self, run_dir: &Path) -> io::Result<()> {
        lay_down(run_dir, FILE, &serde_json::to_vec(self).expect("an address can be written"))
    }

    /// That of a run directory whose records have not all arrived.
    pub(super) fn unsent(run_dir: &Path) -> Option<Self> {
        if run_dir.join(SENT).exists() {
            return None;
        }
        serde_json::from_slice(&std::fs::read(run_dir.join(FILE)).ok()?).ok()
    }
}

/// Notes that all records of a run directory have arrived.
pub(super) fn all_sent(run_dir: &Path) {
    // If not, they are looked for once more.
    std::fs::write(run_dir.join(SENT), "").ok();
}

/// Writes a file that appears whole. It isn't synced: a run waits for it, and after a power cut it is only not sent.
pub(super) fn lay_down(run_dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let new = run_dir.join(format!(".{name}.new"));
    std::fs::write(&new, bytes)?;
    std::fs::rename(new, run_dir.join(name))
}

/// The folder of a run's records in a store that answers within a time, or not at all.
#[derive(Debug, Clone)]
pub(super) struct Destination {
    pub(super) objects: Objects,
    pub(super) prefix: ObjectUri,
}

impl Destination {
    pub(super) fn object(&self, name: &str) -> ObjectUri {
        ObjectUri::new(&self.prefix.bucket, format!("{}{name}", self.prefix.key))
    }

    /// Writes a piece; false if one is there already.
    pub(super) async fn put_new(&self, uri: &ObjectUri, bytes: Bytes) -> Result<bool, ObjectsError> {
        within(uri, self.objects.put_new(uri, bytes, "text/plain; charset=utf-8")).await
    }

    pub(super) async fn put(&self, name: &str, bytes: Vec<u8>, content_type: &str) -> Result<(), ObjectsError> {
        let uri = self.object(name);
        within(&uri, self.objects.put(&uri, Bytes::from(bytes), content_type)).await
    }

    pub(super) async fn list(&self, folder: &ObjectUri) -> Result<Vec<ObjectInfo>, ObjectsError> {
        within(folder, self.objects.list(folder, None)).await
    }
}

async fn within<T>(uri: &ObjectUri, call: impl Future<Output = Result<T, ObjectsError>>) -> Result<T, ObjectsError> {
    let silent = |_| ObjectsError::Unreachable { uri: uri.clone(), cause: format!("no answer within {CALL:?}") };
    // Boxed: what the SDK keeps for a call is large, and every caller's future would hold it.
    tokio::time::timeout(CALL, Box::pin(call)).await.map_err(silent)?
}
