//! The run's side of its records: start, plan, end.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use super::sender::{Sender, send_plan};
use super::store::{Address, Destination, all_sent, lay_down};
use super::summary::RunSummary;
use super::{PLAN, SUMMARY};
use crate::objects::{ObjectUri, Objects};

/// How long the end of a run, or its plan, waits for the store before it goes on without.
const FAREWELL: Duration = Duration::from_secs(5);

/// The same, if the store was away right before.
const SHORT_FAREWELL: Duration = Duration::from_secs(1);

/// The task that sends a run's records.
#[derive(Debug)]
pub(in crate::agent) struct Recorder {
    to: Destination,
    run_dir: PathBuf,
    failing: Arc<AtomicBool>,
    end: CancellationToken,
    task: AbortOnDropHandle<bool>,
}

impl Recorder {
    /// Starts to follow a run directory. A run that isn't `fresh` may have been sent in part.
    pub(in crate::agent) fn start(objects: Objects, address: &Address, run_dir: &Path, fresh: bool) -> Self {
        if let Err(error) = address.keep(run_dir) {
            tracing::warn!(%error, "what a store doesn't take of this run's records won't be sent after it");
        }
        let end = CancellationToken::new();
        let to = Destination { objects, prefix: address.prefix.clone() };
        let sender = Sender::new(to.clone(), run_dir, fresh);
        let failing = sender.failing();
        let task =
            AbortOnDropHandle::new(tokio::spawn(sender.send_until(end.clone()).instrument(tracing::Span::current())));
        Self { to, run_dir: run_dir.to_owned(), failing, end, task }
    }

    /// The store that the records go to.
    pub(in crate::agent) fn objects(&self) -> &Objects {
        &self.to.objects
    }

    /// Where a record of this name lies.
    pub(in crate::agent) fn within(&self, name: &str) -> ObjectUri {
        ObjectUri::new(&self.to.prefix.bucket, format!("{}{name}", self.to.prefix.key))
    }

    /// Puts the plan beside the log, so that people can read what they decide on. If the store is away it follows.
    pub(in crate::agent) async fn plan(&self, text: String) {
        if let Err(error) = lay_down(&self.run_dir, PLAN, text.as_bytes()) {
            tracing::warn!(%error, "a run's plan could not be kept");
            return;
        }
        match tokio::time::timeout(self.patience(), send_plan(&self.to, &self.run_dir)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "a run's plan could not be sent yet"),
            Err(_) => tracing::warn!("a run's plan could not be sent in time; it follows"),
        }
    }

    /// Sends what there is, of a run that goes on in another life.
    pub(in crate::agent) async fn pause(self) {
        let patience = self.patience();
        self.end.cancel();
        tokio::time::timeout(patience, self.task).await.ok();
    }

    /// Sends the rest and the summary, as far as the store lets us within seconds; what it doesn't take stays on disk.
    pub(in crate::agent) async fn finish(self, summary: RunSummary) {
        let patience = self.patience();
        self.end.cancel();
        let run_dir = self.run_dir.clone();
        let text = spawn_blocking(move || summary.recalled(&run_dir).kept(&run_dir)).await.unwrap_or_default();
        let sent = tokio::time::timeout(patience, async {
            // At once: what a run waits for at its end is one write of the store's, not two.
            let (complete, put) = tokio::join!(self.task, self.to.put(SUMMARY, text, "application/json"));
            put.map(|()| complete.unwrap_or(false))
        });
        match sent.await {
            Ok(Ok(true)) => all_sent(&self.run_dir),
            Ok(Ok(false)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "a run's summary could not be sent; it is on disk"),
            Err(_) => tracing::warn!("a run's records could not be sent in time; they are on disk"),
        }
    }

    fn patience(&self) -> Duration {
        if self.failing.load(Ordering::Relaxed) { SHORT_FAREWELL } else { FAREWELL }
    }
}
