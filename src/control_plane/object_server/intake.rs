//! Where the bytes of a body go: they are kept in memory while they are few, and go into a file once they are more.

use std::io;
use std::path::Path;

use bytes::Bytes;

use super::frames;
use crate::control_plane::seal::Sealer;

/// A body on its way in.
pub(super) struct Intake<'a> {
    path: &'a Path,
    sealer: &'a Sealer,
    /// The most bytes that stay in memory.
    few: usize,
    waiting: Vec<u8>,
    file: Option<frames::Writer>,
}

impl<'a> Intake<'a> {
    /// Makes the file at `path` once there are more bytes than a few; where those are 0, in any case.
    pub(super) fn new(path: &'a Path, sealer: &'a Sealer, few: usize) -> Self {
        Self { path, sealer, few, waiting: Vec::new(), file: None }
    }

    /// Takes in more bytes.
    pub(super) async fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.file.is_none() && self.waiting.len() + bytes.len() <= self.few {
            self.waiting.extend_from_slice(bytes);
            return Ok(());
        }
        self.file().await?.write(bytes).await
    }

    /// The bytes if they are few; else they are in the file, which is synced.
    pub(super) async fn finish(mut self) -> io::Result<Option<Bytes>> {
        if self.few == 0 {
            self.file().await?;
        }
        match self.file {
            Some(file) => file.finish().await.map(|()| None),
            None => Ok(Some(self.waiting.into())),
        }
    }

    /// The file, with all that has come before.
    async fn file(&mut self) -> io::Result<&mut frames::Writer> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => frames::Writer::create(self.path, self.sealer).await?,
        };
        file.write(&std::mem::take(&mut self.waiting)).await?;
        Ok(self.file.insert(file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_made_for_more_than_a_few_bytes_however_they_come() {
        let (folder, sealer) = (tempfile::tempdir().unwrap(), Sealer::ephemeral());
        for (few, chunks, within) in [
            (4, &["ab", "cd"][..], true),
            (4, &["ab", "cde"], false),
            (4, &[], true),
            (0, &[], false),
            (4, &["abcde"], false),
        ] {
            let path = folder.path().join(format!("{few}-{}", chunks.join("-")));
            let mut intake = Intake::new(&path, &sealer, few);
            for chunk in chunks {
                intake.take(chunk.as_bytes()).await.unwrap();
            }
            let bytes = intake.finish().await.unwrap();
            assert_eq!((bytes.is_some(), path.exists()), (within, !within), "{few} {chunks:?}");
            assert!(bytes.is_none_or(|bytes| bytes == chunks.concat()), "{few} {chunks:?}");
        }
    }
}
