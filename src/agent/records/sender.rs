//! The task that sends: reads what is new on disk, seals pieces, bears with a store that is away.

use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::PIECE;
use super::source::Source;
use super::stream::{Stream, already_sent};
use crate::objects::{ObjectUri, Objects, ObjectsError};

/// How often the run directory is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// A piece is sealed after this time, if it isn't full before.
const SEAL_AFTER: Duration = Duration::from_secs(2);

/// How much may wait in memory for a store that is away; the rest waits on disk.
const WAITING: usize = 4 * PIECE;

pub(super) struct Sender {
    objects: Objects,
    prefix: ObjectUri,
    source: Source,
    streams: [Stream; 2],
    /// Whether it is known how much an earlier life has sent.
    resumed: bool,
    complained: bool,
}

impl Sender {
    /// Follows a run directory. A run that isn't `fresh` may have been sent in part.
    pub(super) fn new(objects: Objects, prefix: ObjectUri, run_dir: &Path, fresh: bool) -> Self {
        let (source, streams) = (Source::new(run_dir), [Stream::new("log"), Stream::new("events")]);
        Self { objects, prefix, source, streams, resumed: fresh, complained: false }
    }

    pub(super) async fn send_until(mut self, end: CancellationToken) {
        let mut sealed = Instant::now();
        loop {
            let last = tokio::select! {
                () = end.cancelled() => true,
                () = tokio::time::sleep(LOOK) => false,
            };
            let waiting = self.read(last);
            if !last && waiting < PIECE && sealed.elapsed() < SEAL_AFTER {
                continue;
            }
            sealed = Instant::now();
            if last {
                self.drain().await;
                return;
            }
            if let Err(error) = self.send().await {
                self.complain(&error);
            }
        }
    }

    /// The end: everything that is left on disk, however much; a store that is away ends it.
    async fn drain(&mut self) {
        loop {
            if let Err(error) = self.send().await {
                return self.complain(&error);
            }
            if self.read(true) == 0 {
                return;
            }
        }
    }

    fn complain(&mut self, error: &ObjectsError) {
        if !self.complained {
            tracing::warn!(%error, "a run's records can't be sent now; they stay on disk");
        }
        self.complained = true;
    }

    /// Takes in what is new on disk, as far as there is room; says how much waits.
    fn read(&mut self, last: bool) -> usize {
        let [log, events] = &mut self.streams;
        if log.pending.len().max(events.pending.len()) < WAITING
            && let Err(error) = self.source.read(last, &mut log.pending, &mut events.pending)
        {
            tracing::debug!(%error, "a run's output can't be read");
        }
        log.pending.len().max(events.pending.len())
    }

    async fn send(&mut self) -> Result<(), ObjectsError> {
        for stream in &mut self.streams {
            if !self.resumed {
                stream.sent = already_sent(&self.objects, &self.prefix, stream.name).await?;
            }
        }
        self.resumed = true;
        for stream in &mut self.streams {
            stream.send(&self.objects, &self.prefix).await?;
        }
        Ok(())
    }
}
