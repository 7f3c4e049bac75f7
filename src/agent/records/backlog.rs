//! Records that a store didn't take while their runs went on: sent when it is back, by whoever works in this data
//! directory then.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::task::AbortOnDropHandle;

use super::SUMMARY;
use super::sender::{Sender, send_plan};
use super::store::{Address, Destination, all_sent};
use crate::agent::context::Context;
use crate::agent::workdir::RunDir;
use crate::objects::ObjectsError;

/// How often what is left is tried again.
const EVERY: Duration = Duration::from_mins(1);

/// How long an agent that leaves for good tries: its disk may go with it.
const LAST_TRY: Duration = Duration::from_secs(5);

/// The task that sends what is left.
#[derive(Debug)]
pub(in crate::agent) struct Backlog {
    context: Arc<Context>,
    task: AbortOnDropHandle<()>,
}

impl Backlog {
    /// Begins with what earlier lives have left.
    pub(in crate::agent) fn start(context: Arc<Context>) -> Self {
        // Between two passes it must not keep the data directory for an agent that is gone.
        let working = Arc::downgrade(&context);
        let task = tokio::spawn(async move {
            while let Some(context) = working.upgrade() {
                send_all(&context).await;
                drop(context);
                tokio::time::sleep(EVERY).await;
            }
        });
        Self { context, task: AbortOnDropHandle::new(task) }
    }

    /// Tries once more, for seconds, if anything is left.
    pub(in crate::agent) async fn finish(self) {
        self.task.abort();
        // Only now it has let go of the data directory.
        self.task.await.ok();
        tokio::time::timeout(LAST_TRY, send_all(&self.context)).await.ok();
    }
}

/// Sends the records of all finished runs that haven't arrived. A store that is away ends the pass.
async fn send_all(context: &Context) {
    let mut left: Vec<_> = RunDir::reported(&context.config.data);
    left.retain(|run_dir| Address::unsent(run_dir).is_some());
    let backlog = &context.metrics.backlog;
    backlog.set(i64::try_from(left.len()).unwrap_or(i64::MAX));
    for run_dir in left {
        let Some(address) = Address::unsent(&run_dir) else { continue };
        let objects = context.store(address.store.clone()).await;
        let to = Destination { objects, prefix: address.prefix };
        match send(to, &run_dir).await {
            Ok(true) => {
                all_sent(&run_dir);
                backlog.dec();
                tracing::info!(run = %run_dir.display(), "sent the records of an earlier run");
            }
            Ok(false) => return,
            Err(error) if error.is_passing() => return,
            Err(error) => tracing::debug!(%error, run = %run_dir.display(), "a run's records can't be sent"),
        }
    }
}

/// Whether all of a run's records have arrived.
async fn send(to: Destination, run_dir: &Path) -> Result<bool, ObjectsError> {
    if !Sender::new(to.clone(), run_dir, false).send_rest().await {
        return Ok(false);
    }
    send_plan(&to, run_dir).await?;
    if let Ok(text) = std::fs::read(run_dir.join(SUMMARY)) {
        to.put(SUMMARY, text, "application/json").await?;
    }
    Ok(true)
}
