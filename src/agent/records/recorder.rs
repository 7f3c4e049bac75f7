//! The run's side of its records: start, plan, end.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::sender::Sender;
use super::summary::Summary;
use crate::objects::{ObjectUri, Objects};

/// How long the end of a run waits for the store.
const FAREWELL: Duration = Duration::from_secs(10);

/// The task that sends a run's records.
#[derive(Debug)]
pub(in crate::agent) struct Recorder {
    objects: Objects,
    prefix: ObjectUri,
    end: CancellationToken,
    task: AbortOnDropHandle<()>,
}

impl Recorder {
    /// Starts to follow a run directory. A run that isn't `fresh` may have been sent in part.
    pub(in crate::agent) fn start(objects: Objects, prefix: ObjectUri, run_dir: &Path, fresh: bool) -> Self {
        let end = CancellationToken::new();
        let sender = Sender::new(objects.clone(), prefix.clone(), run_dir, fresh);
        let task = AbortOnDropHandle::new(tokio::spawn(sender.send_until(end.clone())));
        Self { objects, prefix, end, task }
    }

    /// Puts the plan beside the log, so that people can read what they decide on.
    pub(in crate::agent) async fn plan(&self, text: String) {
        let uri = ObjectUri::new(&self.prefix.bucket, format!("{}plan.txt", self.prefix.key));
        let put = self.objects.put(&uri, Bytes::from(text), "text/plain; charset=utf-8");
        match tokio::time::timeout(FAREWELL, put).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "a run's plan could not be sent"),
            Err(_) => tracing::warn!(object = %uri, "a run's plan could not be sent in time"),
        }
    }

    /// Sends what there is, of a run that goes on in another life.
    pub(in crate::agent) async fn pause(self) {
        self.end.cancel();
        tokio::time::timeout(FAREWELL, self.task).await.ok();
    }

    /// Sends the rest and the summary, as far as the store lets us within seconds.
    pub(in crate::agent) async fn finish(self, summary: &Summary) {
        self.end.cancel();
        let text = serde_json::to_vec_pretty(summary).expect("a summary can be written");
        let uri = ObjectUri::new(&self.prefix.bucket, format!("{}summary.json", self.prefix.key));
        let sent = tokio::time::timeout(FAREWELL, async {
            self.task.await.ok();
            self.objects.put(&uri, Bytes::from(text), "application/json").await
        });
        match sent.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "a run's summary could not be sent"),
            Err(_) => tracing::warn!(object = %uri, "a run's records could not be sent in time; they are on disk"),
        }
    }
}
