//! The files that hold the bytes: written once, synced, read while anyone reads them, then removed. Where the bytes are
//! few there is no file: they lie in the record, and come and go with the object's document.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt};
use s3s::dto::StreamingBlob;
use s3s::{S3Result, TrailingHeaders, s3_error};

use super::access::broken;
use super::catalog::Piece;
use super::digest::{Announced, Digests, Hasher};
use super::frames;
use super::intake::Intake;
use crate::control_plane::seal::Sealer;
use crate::support::files::{create_private_folder, sync_folder};

/// The folder of files; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Contents(Arc<Folder>);

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    sealer: Sealer,
    uses: Mutex<Uses>,
}

/// Who reads what, so that a file that is replaced stays until its last reader is done.
#[derive(Debug, Default)]
struct Uses {
    readers: HashMap<String, usize>,
    doomed: HashSet<String>,
}

/// A new file that goes away again unless it is kept.
#[derive(Debug)]
pub(super) struct Draft {
    contents: Contents,
    pub(super) piece: Piece,
    /// What is to be kept in the record, in the place of a file.
    pub(super) bytes: Option<Bytes>,
    kept: AtomicBool,
}

impl Draft {
    /// From now on a document names the file.
    pub(super) fn keep(&self) {
        self.kept.store(true, Ordering::SeqCst);
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.kept.load(Ordering::SeqCst) {
            self.contents.discard(std::slice::from_ref(&self.piece));
        }
    }
}

/// Keeps an object's files until it is dropped.
#[derive(Debug)]
pub(super) struct Reading {
    contents: Contents,
    pieces: Vec<Piece>,
    /// Those of an object that has no file.
    bytes: Option<Bytes>,
}

impl Drop for Reading {
    fn drop(&mut self) {
        let mut uses = self.contents.uses();
        for Piece { file, .. } in &self.pieces {
            let Some(count) = uses.readers.get_mut(file) else { continue };
            *count -= 1;
            if *count == 0 {
                uses.readers.remove(file);
                if uses.doomed.remove(file) {
                    self.contents.remove(file);
                }
            }
        }
    }
}

impl Contents {
    /// Uses a folder, and makes it if need be. What is written into it is sealed.
    pub(super) fn open(path: &Path, sealer: Sealer) -> io::Result<Self> {
        create_private_folder(path)?;
        Ok(Self(Arc::new(Folder { path: path.to_owned(), sealer, uses: Mutex::default() })))
    }

    /// Removes every file that isn't wanted and hasn't been written for so long, and says how many; only before the
    /// first request.
    pub(super) fn sweep(&self, wanted: &HashSet<String>, idle: Duration) -> io::Result<usize> {
        let mut removed = 0;
        for entry in fs::read_dir(&self.0.path)? {
            let entry = entry?;
            if entry.file_name().to_str().is_some_and(|name| wanted.contains(name)) {
                continue;
            }
            match remove_idle(&entry, idle) {
                // Another server may have tidied up after itself meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                done => removed += usize::from(done?),
            }
        }
        Ok(removed)
    }

    /// Takes in a body, and returns once it is what was announced. More than `few` bytes are in a file of their own then,
    /// which is synced, as is the folder.
    pub(super) async fn receive(
        &self,
        body: Option<StreamingBlob>,
        mut announced: Announced,
        trailers: Option<TrailingHeaders>,
        few: usize,
    ) -> S3Result<(Draft, Digests)> {
        let mut draft = self.draft();
        let path = self.path(&draft.piece.file);
        let mut intake = Intake::new(&path, &self.0.sealer, few);
        let mut hasher = Hasher::new(&announced);
        let mut body = body.unwrap_or_else(|| StreamingBlob::from(s3s::Body::empty()));
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| s3_error!(IncompleteBody, "the body broke off: {error}"))?;
            hasher.update(&chunk);
            draft.piece.size += chunk.len() as u64;
            intake.take(&chunk).await.map_err(broken)?;
        }
        announced.complete(trailers.as_ref());
        let digests = hasher.finish();
        digests.check(&announced)?;
        draft.bytes = intake.finish().await.map_err(broken)?;
        draft.piece.in_record = draft.bytes.is_some();
        if !draft.piece.in_record {
            self.sync().await?;
        }
        Ok((draft, digests))
    }

    /// Gives the files of another object second names, without copying their bytes.
    pub(super) async fn link(&self, reading: &Reading) -> S3Result<Vec<Draft>> {
        let mut drafts = Vec::with_capacity(reading.pieces.len());
        for piece in &reading.pieces {
            let mut draft = self.draft();
            draft.piece.size = piece.size;
            if reading.bytes.is_some() {
                (draft.piece.in_record, draft.bytes) = (true, reading.bytes.clone());
                return Ok(vec![draft]);
            }
            let (from, to) = (self.path(&piece.file), self.path(&draft.piece.file));
            tokio::fs::hard_link(from, to).await.map_err(broken)?;
            drafts.push(draft);
        }
        self.sync().await?;
        Ok(drafts)
    }

    /// Removes files that no document names any more, now or when their last reader is done.
    pub(super) fn discard(&self, pieces: &[Piece]) {
        let mut uses = self.uses();
        for Piece { file, .. } in pieces.iter().filter(|piece| !piece.in_record) {
            if uses.readers.contains_key(file) {
                uses.doomed.insert(file.clone());
            } else {
                self.remove(file);
            }
        }
    }

    /// Reads an object's files, or the bytes that the record has of it; none if the files have been discarded since its
    /// document was read.
    pub(super) fn hold(&self, pieces: &[Piece], bytes: Option<Bytes>) -> Option<Reading> {
        if bytes.is_some() {
            return Some(Reading { contents: self.clone(), pieces: pieces.to_vec(), bytes });
        }
        let mut uses = self.uses();
        for piece in pieces {
            *uses.readers.entry(piece.file.clone()).or_default() += 1;
        }
        drop(uses);
        let reading = Reading { contents: self.clone(), pieces: pieces.to_vec(), bytes };
        // An object's files are discarded together.
        pieces.first().is_none_or(|piece| self.path(&piece.file).exists()).then_some(reading)
    }

    /// Reads `length` bytes from `start` on.
    pub(super) fn read(&self, reading: Reading, start: u64, length: u64) -> StreamingBlob {
        if let Some(bytes) = &reading.bytes {
            return StreamingBlob::from(s3s::Body::from(part(bytes, start, length)));
        }
        let contents = self.clone();
        let spans = futures::stream::iter(spans(&reading.pieces, start, length).into_iter().map(Ok::<_, io::Error>));
        let bytes = spans.map_ok(move |span| contents.span(span)).try_flatten();
        // The reading moves into the stream, to live as long.
        let held = bytes.inspect(move |_| {
            let _held = &reading;
        });
        StreamingBlob::from(s3s::Body::http_body_unsync(axum::body::Body::from_stream(held)))
    }

    fn span(&self, Span { file, start, length }: Span) -> impl Stream<Item = io::Result<Bytes>> + use<> {
        let (path, sealer) = (self.path(&file), self.0.sealer.clone());
        let open = async move { frames::read(&path, &sealer, start, length).await };
        futures::stream::once(open).try_flatten()
    }

    fn draft(&self) -> Draft {
        let piece = Piece { file: uuid::Uuid::new_v4().simple().to_string(), size: 0, in_record: false };
        Draft { contents: self.clone(), piece, bytes: None, kept: AtomicBool::new(false) }
    }

    async fn sync(&self) -> S3Result<()> {
        let path = self.0.path.clone();
        let synced = tokio::task::spawn_blocking(move || sync_folder(&path)).await;
        synced.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(broken)
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path.join(file)
    }

    fn uses(&self) -> MutexGuard<'_, Uses> {
        self.0.uses.lock().expect("nobody panics while holding the list of readers")
    }

    /// A file that can't be removed costs space until the next start, nothing else.
    fn remove(&self, file: &str) {
        match fs::remove_file(self.path(file)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, "a file of a replaced object can't be removed");
            }
            Ok(()) | Err(_) => {}
        }
    }
}

/// Removes a file unless it was written a short while ago; a time in the future counts as that.
fn remove_idle(entry: &fs::DirEntry, idle: Duration) -> io::Result<bool> {
    let age = entry.metadata()?.modified()?.elapsed();
    let due = idle.is_zero() || age.is_ok_and(|age| age >= idle);
    if due {
        fs::remove_file(entry.path())?;
    }
    Ok(due)
}

/// A range of bytes that lie in memory; whoever asks has held it against their length.
fn part(bytes: &Bytes, start: u64, length: u64) -> Bytes {
    let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
    bytes.slice(place(start)..place(start + length))
}

/// A stretch of one file.
#[derive(Debug, PartialEq, Eq)]
struct Span {
    file: String,
    start: u64,
    length: u64,
}

/// Which stretches of which files make up a range of an object.
fn spans(pieces: &[Piece], mut start: u64, mut length: u64) -> Vec<Span> {
    let mut spans = Vec::new();
    for Piece { file, size, .. } in pieces {
        if length == 0 {
            break;
        }
        if start >= *size {
            start -= size;
            continue;
        }
        let here = length.min(size - start);
        spans.push(Span { file: file.clone(), start, length: here });
        length -= here;
        start = 0;
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(file: &str, size: u64) -> Piece {
        Piece { file: file.into(), size, in_record: false }
    }

    #[test]
    fn a_range_takes_what_it_needs_of_each_file() {
        let pieces = [piece("a", 10), piece("b", 0), piece("c", 5), piece("d", 7)];
        let taken = |start, length| {
            let spans = spans(&pieces, start, length);
            spans.iter().map(|s| format!("{}{}+{}", s.file, s.start, s.length)).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(taken(0, 22), "a0+10 c0+5 d0+7");
        assert_eq!(taken(3, 4), "a3+4");
        assert_eq!(taken(9, 2), "a9+1 c0+1");
        assert_eq!(taken(10, 5), "c0+5");
        assert_eq!(taken(14, 8), "c4+1 d0+7");
        assert_eq!(taken(0, 0), "");
    }

    #[test]
    fn a_discarded_file_stays_for_its_readers() {
        let folder = tempfile::tempdir().unwrap();
        let contents = Contents::open(folder.path(), Sealer::ephemeral()).unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "x").unwrap();
        let pieces = [piece("a", 1)];
        let (one, two) = (contents.hold(&pieces, None).unwrap(), contents.hold(&pieces, None).unwrap());
        contents.discard(&pieces);
        drop(one);
        assert!(path.exists());
        drop(two);
        assert!(!path.exists());
        assert!(contents.hold(&pieces, None).is_none());
        assert!(contents.uses().readers.is_empty() && contents.uses().doomed.is_empty());
    }

    #[test]
    fn a_sweep_leaves_what_is_wanted_and_what_another_server_may_be_writing() {
        let folder = tempfile::tempdir().unwrap();
        let contents = Contents::open(folder.path(), Sealer::ephemeral()).unwrap();
        for name in ["wanted", "new", "old"] {
            fs::write(contents.path(name), "x").unwrap();
        }
        fs::File::open(contents.path("old")).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
        let wanted = HashSet::from(["wanted".to_owned()]);
        assert_eq!(contents.sweep(&wanted, Duration::from_hours(1)).unwrap(), 1);
        assert!(contents.path("new").exists() && !contents.path("old").exists());
        assert_eq!(contents.sweep(&wanted, Duration::ZERO).unwrap(), 1);
        assert!(contents.path("wanted").exists());
    }

    #[test]
    fn a_draft_that_nobody_keeps_goes_away() {
        let folder = tempfile::tempdir().unwrap();
        let contents = Contents::open(folder.path(), Sealer::ephemeral()).unwrap();
        for keep in [false, true] {
            let draft = contents.draft();
            let path = contents.path(&draft.piece.file);
            fs::write(&path, "x").unwrap();
            if keep {
                draft.keep();
            }
            drop(draft);
            assert_eq!(path.exists(), keep);
        }
    }
}
