//! A run's log and events, sent to the object store while it goes on.
//!
//! Pieces are named by where they begin (`…/log/<20-digit byte offset>`), never change, and together are the stream.
//! What is sent is read from the run directory, which stays the truth: a store that is away delays the pieces, never
//! Terraform, and a restarted agent goes on behind the last piece that arrived.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::workdir::{MOST_PLANS, round_folder};
use crate::objects::{ObjectUri, Objects, ObjectsError};
use crate::terraform::{Event, SET_ASIDE, Step};

/// How often the run directory is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// A piece is sealed after this time…
const SEAL_AFTER: Duration = Duration::from_secs(2);

/// … or at this size.
const PIECE: usize = 1 << 20;

/// How much may wait in memory for a store that is away; the rest waits on disk.
const WAITING: usize = 4 * PIECE;

/// How long the end of a run waits for the store.
const FAREWELL: Duration = Duration::from_secs(10);

/// The steps whose output is a run's record, after init's. The outputs step isn't among them: it prints secrets.
const STEPS: [Step; 3] = [Step::Plan, Step::Apply, Step::Destroy];

/// Init; what was set aside, and the init after it; then the steps of each round.
const MOST_STEPS: usize = ROUNDS + STEPS.len() * MOST_PLANS;
const SECOND_INIT: usize = 1 + STEPS.len();
const ROUNDS: usize = SECOND_INIT + 1;

/// What `summary.json` says.
#[derive(Debug, Default, Serialize)]
pub(super) struct Summary {
    pub(super) deployment_id: String,
    pub(super) target: String,
    pub(super) attempt: u64,
    pub(super) agent: String,
    pub(super) terraform: String,
    pub(super) action: &'static str,
    pub(super) succeeded: bool,
    pub(super) error: Option<String>,
    /// Milliseconds since the epoch.
    pub(super) started_at: i64,
    pub(super) ended_at: i64,
    /// Added, changed, removed.
    pub(super) changes: [u64; 3],
    /// Address, type and action of every resource there is.
    pub(super) resources: Vec<[String; 3]>,
    /// The outputs' names.
    pub(super) outputs: Vec<String>,
}

/// The task that sends a run's records.
#[derive(Debug)]
pub(super) struct Recorder {
    objects: Objects,
    prefix: ObjectUri,
    end: CancellationToken,
    task: AbortOnDropHandle<()>,
}

impl Recorder {
    /// Starts to follow a run directory. A run that isn't `fresh` may have been sent in part.
    pub(super) fn start(objects: Objects, prefix: ObjectUri, run_dir: &Path, fresh: bool) -> Self {
        let end = CancellationToken::new();
        let sender = Sender {
            objects: objects.clone(),
            prefix: prefix.clone(),
            source: Source::new(run_dir),
            streams: [Stream::new("log"), Stream::new("events")],
            resumed: fresh,
            complained: false,
        };
        let task = AbortOnDropHandle::new(tokio::spawn(sender.send_until(end.clone())));
        Self { objects, prefix, end, task }
    }

    /// Puts the plan beside the log, so that people can read what they decide on.
    pub(super) async fn plan(&self, text: String) {
        let uri = ObjectUri::new(&self.prefix.bucket, format!("{}plan.txt", self.prefix.key));
        let put = self.objects.put(&uri, Bytes::from(text), "text/plain; charset=utf-8");
        match tokio::time::timeout(FAREWELL, put).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "a run's plan could not be sent"),
            Err(_) => tracing::warn!(object = %uri, "a run's plan could not be sent in time"),
        }
    }

    /// Sends what there is, of a run that goes on in another life.
    pub(super) async fn pause(self) {
        self.end.cancel();
        tokio::time::timeout(FAREWELL, self.task).await.ok();
    }

    /// Sends the rest and the summary, as far as the store lets us within seconds.
    pub(super) async fn finish(self, summary: &Summary) {
        self.end.cancel();
        let text = serde_json::to_vec_pretty(summary).expect("a summary can be written");
        let uri = ObjectUri::new(&self.prefix.bucket, format!("{}summary.json", self.prefix.key));
        let sent = tokio::time::timeout(FAREWELL, async {
            let (_, put) = tokio::join!(self.task, self.objects.put(&uri, Bytes::from(text), "application/json"));
            put
        });
        match sent.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "a run's summary could not be sent"),
            Err(_) => tracing::warn!(object = %uri, "a run's records could not be sent in time; they are on disk"),
        }
    }
}

struct Sender {
    objects: Objects,
    prefix: ObjectUri,
    source: Source,
    streams: [Stream; 2],
    /// Whether it is known how much an earlier life has sent.
    resumed: bool,
    complained: bool,
}

impl Sender {
    async fn send_until(mut self, end: CancellationToken) {
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
        // At once: what a run waits for at its end is one write of the store's, not two.
        let [log, events] = &mut self.streams;
        let (objects, prefix) = (&self.objects, &self.prefix);
        tokio::try_join!(Box::pin(log.send(objects, prefix)), Box::pin(events.send(objects, prefix))).map(drop)
    }
}

/// The offset behind the last piece that arrived.
async fn already_sent(objects: &Objects, prefix: &ObjectUri, name: &str) -> Result<u64, ObjectsError> {
    let folder = ObjectUri::new(&prefix.bucket, format!("{}{name}/", prefix.key));
    let pieces = objects.list(&folder, None).await?;
    let ends = pieces.iter().filter_map(|piece| {
        let offset: u64 = piece.key.strip_prefix(&folder.key)?.parse().ok()?;
        Some(offset + piece.size)
    });
    Ok(ends.max().unwrap_or(0))
}

/// One of the two streams: what waits to be sent, and where that begins.
struct Stream {
    name: &'static str,
    pending: Vec<u8>,
    /// The offset of `pending` in the stream.
    offset: u64,
    /// Below this everything has arrived.
    sent: u64,
}

impl Stream {
    fn new(name: &'static str) -> Self {
        Self { name, pending: Vec::new(), offset: 0, sent: 0 }
    }

    async fn send(&mut self, objects: &Objects, prefix: &ObjectUri) -> Result<(), ObjectsError> {
        let known = usize::try_from(self.sent.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        self.forget(known.min(self.pending.len()));
        while !self.pending.is_empty() {
            let length = self.pending.len().min(PIECE);
            let piece = Bytes::copy_from_slice(&self.pending[..length]);
            let key = format!("{}{}/{:020}", prefix.key, self.name, self.offset);
            objects.put(&ObjectUri::new(&prefix.bucket, key), piece, "text/plain; charset=utf-8").await?;
            self.forget(length);
        }
        Ok(())
    }

    fn forget(&mut self, length: usize) {
        self.pending.drain(..length);
        self.offset += length as u64;
    }
}

/// The steps' output files, one after the other.
struct Source {
    run_dir: PathBuf,
    /// Which step, see [`Source::folder`], and how far that step's stdout has been read.
    step: usize,
    offset: u64,
    /// Whether what may have been set aside was looked for behind us.
    looked_back: bool,
}

impl Source {
    fn new(run_dir: &Path) -> Self {
        Self { run_dir: run_dir.to_owned(), step: 0, offset: 0, looked_back: false }
    }

    /// Goes back to a step that was set aside, as far as it has been read, and then on to the init after it.
    fn look_back(&mut self) {
        let aside = (1..SECOND_INIT).find(|step| self.folder(*step).exists());
        let Some(aside) = aside.filter(|_| self.step >= ROUNDS && !self.looked_back) else { return };
        self.looked_back = true;
        if self.step == aside - 1 + ROUNDS {
            self.step = aside;
        } else {
            (self.step, self.offset) = (SECOND_INIT, 0);
        }
    }

    /// Appends complete lines: as they are to `events`, as people read them to `log`. `last` says that nobody writes any
    /// more, so that an incomplete line won't be completed.
    fn read(&mut self, last: bool, log: &mut Vec<u8>, events: &mut Vec<u8>) -> io::Result<()> {
        self.look_back();
        while self.step < MOST_STEPS {
            let folder = self.folder(self.step);
            let ended = last || folder.join("exit.json").exists();
            let more = self.read_stdout(&folder, ended, log, events)?;
            if more {
                return Ok(());
            }
            if !ended {
                // Another one of the later steps may be the one that runs.
                if folder.exists() || !self.later_step_exists() {
                    return Ok(());
                }
            } else if let Ok(stderr) = std::fs::read(folder.join("stderr.log")) {
                log.extend_from_slice(&stderr);
            }
            // Whoever has come by here in order has read it.
            self.looked_back |= (1..=SECOND_INIT).contains(&self.step) && folder.exists();
            self.step += 1;
            self.offset = 0;
        }
        Ok(())
    }

    fn later_step_exists(&self) -> bool {
        (self.step + 1..MOST_STEPS).any(|step| self.folder(step).exists())
    }

    fn folder(&self, step: usize) -> PathBuf {
        let aside = self.run_dir.join(SET_ASIDE);
        match step {
            0 => self.run_dir.join(Step::Init.folder()),
            SECOND_INIT => aside.join(Step::Init.folder()),
            step if step < SECOND_INIT => aside.join(STEPS[step - 1].folder()),
            step => {
                let later = step - ROUNDS;
                round_folder(&self.run_dir, later / STEPS.len()).join(STEPS[later % STEPS.len()].folder())
            }
        }
    }

    /// Reads at most one piece; true if there may be more.
    fn read_stdout(&mut self, folder: &Path, ended: bool, log: &mut Vec<u8>, events: &mut Vec<u8>) -> io::Result<bool> {
        let mut file = match File::open(folder.join("stdout.jsonl")) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        file.seek(SeekFrom::Start(self.offset))?;
        let mut text = Vec::new();
        file.take(PIECE as u64).read_to_end(&mut text)?;
        let full = text.len() == PIECE;
        let complete = match text.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => end + 1,
            // A line longer than a piece is passed on in parts; one that is still being written can wait.
            None if full || ended => text.len(),
            None => 0,
        };
        let complete = if ended && !full { text.len() } else { complete };
        events.extend_from_slice(&text[..complete]);
        for line in String::from_utf8_lossy(&text[..complete]).lines() {
            if let Some(human) = Event::parse(line).human() {
                log.extend_from_slice(human.as_bytes());
                log.push(b'\n');
            }
        }
        self.offset += complete as u64;
        Ok(full)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(source: &mut Source, last: bool) -> (String, String) {
        let (mut log, mut events) = (Vec::new(), Vec::new());
        source.read(last, &mut log, &mut events).unwrap();
        (String::from_utf8(log).unwrap(), String::from_utf8(events).unwrap())
    }

    fn run_dir() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (step, text) in [("1-init", "one\n"), ("2-destroy", "{\"@message\":\"two\"}\nthr")] {
            fs::create_dir(folder.path().join(step)).unwrap();
            fs::write(folder.path().join(step).join("stdout.jsonl"), text).unwrap();
        }
        folder
    }

    #[test]
    fn steps_follow_each_other_and_a_line_waits_until_it_is_complete() {
        let folder = run_dir();
        let mut source = Source::new(folder.path());
        assert_eq!(read(&mut source, false).0, "one\n", "init hasn't ended");
        fs::write(folder.path().join("1-init/exit.json"), "{}").unwrap();
        fs::write(folder.path().join("1-init/stderr.log"), "warned\n").unwrap();
        assert_eq!(read(&mut source, false), ("warned\ntwo\n".into(), "{\"@message\":\"two\"}\n".into()));
        assert_eq!(read(&mut source, false), (String::new(), String::new()));
        assert_eq!(read(&mut source, true), ("thr\n".into(), "thr".into()));
    }

    #[test]
    fn a_step_that_was_set_aside_comes_before_the_init_after_it_whenever_that_is_noticed() {
        let write = |folder: &Path, text: &str| {
            fs::create_dir_all(folder).unwrap();
            fs::write(folder.join("stdout.jsonl"), text).unwrap();
            fs::write(folder.join("exit.json"), "{}").unwrap();
        };
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("2-apply"), "in vain\n");
        let mut live = Source::new(folder.path());
        let mut seen = read(&mut live, false).0;
        write(&folder.path().join("0-warm/1-init"), "init\n");
        seen += &read(&mut live, false).0;
        fs::rename(folder.path().join("2-apply"), folder.path().join("0-warm/2-apply")).unwrap();
        write(&folder.path().join("2-apply"), "applied\n");
        seen += &read(&mut live, false).0;
        seen += &read(&mut live, true).0;
        assert_eq!(seen, "in vain\ninit\napplied\n");
        assert_eq!(read(&mut Source::new(folder.path()), true).0, seen, "a later life reads the same");
    }

    #[test]
    fn what_an_earlier_life_has_sent_is_not_sent_again() {
        let mut stream = Stream { name: "log", pending: b"0123456789".to_vec(), offset: 0, sent: 4 };
        let known = usize::try_from(stream.sent - stream.offset).unwrap();
        stream.forget(known);
        assert_eq!((stream.pending.as_slice(), stream.offset), (&b"456789"[..], 4));
    }
}
