//! The form of a file at rest: sealed in frames, so that a range is read without opening the rest.
//!
//! [`MAGIC`], one byte that counts the data key's id, the id, sixteen random bytes that tell this file from all others;
//! then frames of [`FRAME`] bytes, the last one shorter, each with its nonce in front and its tag behind. File and place
//! are bound into each frame. What an earlier release wrote has no magic and is read as it lies.

use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures::Stream;
use futures::stream::try_unfold;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt, BufReader, BufWriter};

use crate::control_plane::seal::{Ring, Sealer};

/// Begins a sealed file; no archive and no text begins so.
const MAGIC: &[u8; 8] = b"\0hadron\x03";

/// Bytes of a frame before it is sealed.
const FRAME: usize = 64 * 1024;

/// What sealing adds: nonce and tag.
const ADDED: usize = 12 + 16;

/// What a file is told from others by.
type Name = [u8; 16];

/// Writes a new file.
pub(super) struct Writer {
    file: BufWriter<File>,
    ring: Arc<Ring>,
    name: Name,
    index: u64,
    /// What isn't a whole frame yet.
    waiting: Vec<u8>,
}

impl Writer {
    /// Makes the file, which must not be there yet.
    pub(super) async fn create(path: &Path, sealer: &Sealer) -> io::Result<Self> {
        let mut file = BufWriter::with_capacity(4 * FRAME, File::create_new(path).await?);
        let (ring, name) = (sealer.ring(), *uuid::Uuid::new_v4().as_bytes());
        let id = ring.current().as_bytes();
        let length = u8::try_from(id.len()).map_err(io::Error::other)?;
        file.write_all(&[&MAGIC[..], &[length], id, &name].concat()).await?;
        Ok(Self { file, ring, name, index: 0, waiting: Vec::with_capacity(FRAME) })
    }

    /// Adds bytes.
    pub(super) async fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(FRAME - self.waiting.len()));
            self.waiting.extend_from_slice(now);
            bytes = later;
            if self.waiting.len() == FRAME {
                self.seal().await?;
            }
        }
        Ok(())
    }

    /// Ends the file, and returns once it is synced.
    pub(super) async fn finish(mut self) -> io::Result<()> {
        if !self.waiting.is_empty() {
            self.seal().await?;
        }
        self.file.flush().await?;
        self.file.get_ref().sync_all().await
    }

    async fn seal(&mut self) -> io::Result<()> {
        let place = place(&self.name, self.index);
        let sealed = self.ring.encrypt(&self.waiting, &place).map_err(io::Error::other)?;
        self.index += 1;
        self.waiting.clear();
        self.file.write_all(&sealed).await
    }
}

/// The bytes from `start` on, `length` of them, whatever form the file has.
pub(super) async fn read(
    path: &Path,
    sealer: &Sealer,
    start: u64,
    length: u64,
) -> io::Result<impl Stream<Item = io::Result<Bytes>> + use<>> {
    let mut file = BufReader::with_capacity(FRAME + ADDED, File::open(path).await?);
    let header = Header::read(&mut file).await?;
    let frame = FRAME as u64;
    let (index, skip) = match &header {
        Some(_) => (start / frame, usize::try_from(start % frame).map_err(io::Error::other)?),
        None => (0, 0),
    };
    let at = header.as_ref().map_or(start, |header| header.length + index * (frame + ADDED as u64));
    file.seek(io::SeekFrom::Start(at)).await?;
    let reader = Reader { file, header, ring: sealer.ring(), index, skip, left: length };
    Ok(try_unfold(reader, |mut reader| async move { Ok(reader.next().await?.map(|bytes| (bytes, reader))) }))
}

/// What stands before the frames.
struct Header {
    key: String,
    name: Name,
    /// Its own length in bytes.
    length: u64,
}

impl Header {
    /// None of a file that isn't sealed.
    async fn read(file: &mut BufReader<File>) -> io::Result<Option<Self>> {
        let mut magic = Vec::new();
        file.take(MAGIC.len() as u64).read_to_end(&mut magic).await?;
        if magic != MAGIC {
            return Ok(None);
        }
        let mut key = vec![0; usize::from(file.read_u8().await?)];
        file.read_exact(&mut key).await?;
        let mut name = Name::default();
        file.read_exact(&mut name).await?;
        let length = (MAGIC.len() + 1 + key.len() + name.len()) as u64;
        let key = String::from_utf8(key).map_err(io::Error::other)?;
        Ok(Some(Self { key, name, length }))
    }
}

struct Reader {
    file: BufReader<File>,
    header: Option<Header>,
    ring: Arc<Ring>,
    index: u64,
    /// Bytes of the first frame that aren't wanted.
    skip: usize,
    left: u64,
}

impl Reader {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        if self.left == 0 {
            return Ok(None);
        }
        let mut bytes = Vec::with_capacity(FRAME + ADDED);
        let whole = if self.header.is_some() { FRAME + ADDED } else { FRAME };
        (&mut self.file).take(whole as u64).read_to_end(&mut bytes).await?;
        if bytes.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "a file of an object is shorter than its record says",
            ));
        }
        if let Some(header) = &self.header {
            let place = place(&header.name, self.index);
            bytes = self.ring.decrypt(&header.key, bytes, &place).map_err(io::Error::other)?;
        }
        self.index += 1;
        let mut bytes = Bytes::from(bytes).slice(self.skip..);
        self.skip = 0;
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        bytes.truncate(left);
        self.left -= bytes.len() as u64;
        Ok(Some(bytes))
    }
}

/// What a frame is bound to.
fn place(name: &Name, index: u64) -> Vec<u8> {
    [&b"object/"[..], name, &index.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt;

    use super::*;

    async fn written(path: &Path, sealer: &Sealer, bytes: &[u8]) {
        let mut writer = Writer::create(path, sealer).await.unwrap();
        for chunk in bytes.chunks(10_007) {
            writer.write(chunk).await.unwrap();
        }
        writer.finish().await.unwrap();
    }

    async fn bytes_of(path: &Path, sealer: &Sealer, start: usize, length: usize) -> io::Result<Vec<u8>> {
        let stream = read(path, sealer, start as u64, length as u64).await?;
        let pieces: Vec<Bytes> = stream.try_collect().await?;
        Ok(pieces.concat())
    }

    fn content(length: usize) -> Vec<u8> {
        (0..length).map(|n| u8::try_from(n * 31 % 251).unwrap()).collect()
    }

    #[tokio::test]
    async fn any_range_of_any_length_is_what_was_written_and_the_disk_shows_none_of_it() {
        let (folder, sealer) = (tempfile::tempdir().unwrap(), Sealer::ephemeral());
        for length in [0, 1, FRAME - 1, FRAME, FRAME + 1, 3 * FRAME + 7] {
            let (path, content) = (folder.path().join(length.to_string()), content(length));
            written(&path, &sealer, &content).await;
            for start in [0, 1, FRAME - 1, FRAME, 2 * FRAME + 3].into_iter().filter(|start| *start <= length) {
                for end in [start, start + 1, FRAME, FRAME + 1, length]
                    .into_iter()
                    .filter(|end| (start..=length).contains(end))
                {
                    let found = bytes_of(&path, &sealer, start, end - start).await.unwrap();
                    assert!(found == content[start..end], "{start}..{end} of {length}");
                }
            }
            let disk = std::fs::read(&path).unwrap();
            assert!(length < 64 || !disk.windows(32).any(|part| part == &content[..32]), "{length}");
        }
    }

    #[tokio::test]
    async fn what_an_earlier_release_wrote_is_read_as_it_lies() {
        let (folder, sealer) = (tempfile::tempdir().unwrap(), Sealer::ephemeral());
        let (path, content) = (folder.path().join("old"), content(2 * FRAME));
        std::fs::write(&path, &content).unwrap();
        assert_eq!(bytes_of(&path, &sealer, 5, FRAME).await.unwrap(), content[5..FRAME + 5]);
    }

    #[tokio::test]
    async fn a_flipped_bit_a_cut_and_swapped_frames_are_errors() {
        let (folder, sealer) = (tempfile::tempdir().unwrap(), Sealer::ephemeral());
        let (path, content) = (folder.path().join("a"), content(2 * FRAME));
        written(&path, &sealer, &content).await;
        let whole = std::fs::read(&path).unwrap();
        let header = whole.len() - 2 * (FRAME + ADDED);
        let mut flipped = whole.clone();
        flipped[header + 20] ^= 1;
        let (first, second) = whole[header..].split_at(FRAME + ADDED);
        let swapped = [&whole[..header], second, first].concat();
        for (what, bytes) in [("flipped", flipped), ("cut", whole[..whole.len() - 1].to_vec()), ("swapped", swapped)] {
            std::fs::write(&path, bytes).unwrap();
            assert!(bytes_of(&path, &sealer, 0, content.len()).await.is_err(), "{what}");
        }
        std::fs::write(&path, &whole[..header + FRAME + ADDED]).unwrap();
        assert!(bytes_of(&path, &sealer, 0, content.len()).await.is_err(), "a frame is missing");
        assert!(bytes_of(&path, &Sealer::ephemeral(), 0, 1).await.is_err(), "another key");
    }
}
