//! The task that sends: reads what is new on disk, seals pieces, bears with a store that is away.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::source::{Said, Source};
use super::store::Destination;
use super::stream::Stream;
use super::{PIECE, PLAN};
use crate::objects::ObjectsError;

/// How often the run directory is looked at. The events of a look that found a resource beginning or ending are sealed
/// at once, so that they are on their way within a quarter of a second.
const LOOK: Duration = Duration::from_millis(200);

/// Everything else is sealed after this time, if there isn't a whole piece before.
const SEAL_AFTER: Duration = Duration::from_secs(2);

/// A store that is away isn't asked more often than this; the time doubles from [`SEAL_AFTER`] on.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How much may wait in memory for a store that is away; the rest waits on disk.
const WAITING: usize = 4 * PIECE;

/// Sends the streams of one run directory.
#[derive(Debug)]
pub(super) struct Sender {
    to: Destination,
    run_dir: PathBuf,
    source: Source,
    log: Stream,
    events: Stream,
    /// Whether it is known how much an earlier life has sent.
    resumed: bool,
    /// Whether the last call failed.
    failing: Arc<AtomicBool>,
    complained: bool,
}

impl Sender {
    /// Follows a run directory. A run that isn't `fresh` may have been sent in part.
    pub(super) fn new(to: Destination, run_dir: &Path, fresh: bool) -> Self {
        Self {
            to,
            run_dir: run_dir.to_owned(),
            source: Source::new(run_dir),
            log: Stream::new("log"),
            events: Stream::new("events"),
            resumed: fresh,
            failing: Arc::default(),
            complained: false,
        }
    }

    /// True as long as the store's last answer was none, or not the one that was hoped for.
    pub(super) fn failing(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.failing)
    }

    /// Sends until the end, and then the rest; whether all of it has arrived.
    pub(super) async fn send_until(mut self, end: CancellationToken) -> bool {
        let (mut sealed, mut pause) = (Instant::now(), SEAL_AFTER);
        loop {
            tokio::select! {
                () = end.cancelled() => return self.send_rest().await,
                () = tokio::time::sleep(LOOK) => {}
            }
            let urgent = self.read(false);
            let away = self.failing.load(Ordering::Relaxed);
            let full = self.log.waiting().max(self.events.waiting()) >= PIECE;
            let due = sealed.elapsed() >= pause || (full && !away);
            if !due && (away || !urgent) {
                continue;
            }
            let sent = if due { self.send().await } else { self.send_events().await };
            if due {
                sealed = Instant::now();
            }
            pause = match self.heed(&sent) {
                true => SEAL_AFTER,
                false => (pause * 2).min(LONGEST_PAUSE),
            };
        }
    }

    /// Sends everything that is left on disk, however much; false as soon as the store is found away.
    pub(super) async fn send_rest(&mut self) -> bool {
        loop {
            self.read(true);
            if self.log.waiting().max(self.events.waiting()) == 0 && self.resumed {
                return true;
            }
            let sent = self.send().await;
            if !self.heed(&sent) {
                return false;
            }
        }
    }

    /// Takes note of how the store answered; true if it did well.
    fn heed(&mut self, sent: &Result<(), ObjectsError>) -> bool {
        self.failing.store(sent.is_err(), Ordering::Relaxed);
        if let Err(error) = sent
            && !std::mem::replace(&mut self.complained, true)
        {
            tracing::warn!(%error, "a run's records can't be sent now; they stay on disk");
        }
        sent.is_ok()
    }

    /// Takes in what is new on disk, as far as there is room; whether it is urgent.
    fn read(&mut self, last: bool) -> bool {
        if self.log.waiting().max(self.events.waiting()) >= WAITING {
            return false;
        }
        let mut said = Said::default();
        if let Err(error) = self.source.read(last, &mut said) {
            tracing::debug!(%error, "a run's output can't be read");
        }
        self.log.append(&said.log);
        self.events.append(&said.events);
        said.urgent
    }

    async fn send(&mut self) -> Result<(), ObjectsError> {
        self.resume().await?;
        // At once: the end of a run waits for this.
        let (events, log) = tokio::join!(Box::pin(self.events.send(&self.to)), Box::pin(self.log.send(&self.to)));
        events.and(log)?;
        send_plan(&self.to, &self.run_dir).await
    }

    async fn send_events(&mut self) -> Result<(), ObjectsError> {
        self.resume().await?;
        self.events.send(&self.to).await
    }

    async fn resume(&mut self) -> Result<(), ObjectsError> {
        if !self.resumed {
            self.events.resume(&self.to).await?;
            self.log.resume(&self.to).await?;
            self.resumed = true;
        }
        Ok(())
    }
}

/// Sends the plan that waits in a run directory, if there is one.
pub(super) async fn send_plan(to: &Destination, run_dir: &Path) -> Result<(), ObjectsError> {
    let path = run_dir.join(PLAN);
    let Ok(text) = std::fs::read(&path) else { return Ok(()) };
    to.put(PLAN, text, "text/plain; charset=utf-8").await?;
    // If it stays it is sent once more.
    std::fs::remove_file(&path).ok();
    Ok(())
}
