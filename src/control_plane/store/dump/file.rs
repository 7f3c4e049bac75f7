//! The backup file: gzip of a line of JSON for each row, between a header and a trailer that has the digest of all before.

use std::io::{self, BufRead, BufReader, Read, Write};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Entry, Source, Table};
use crate::control_plane::records::Keyring;
use crate::control_plane::store::{Document, StoreError};

/// The format that this program writes, and the latest that it reads.
pub const FORMAT: i64 = 1;

/// Why a backup can't be made or read.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the members are named by the messages")]
pub enum DumpError {
    /// The file system refuses, or the file isn't gzip any more.
    #[error("the backup can't be {doing}")]
    Io {
        doing: &'static str,
        #[source]
        source: io::Error,
    },
    /// Something else than a backup.
    #[error("this is no backup of a record")]
    NoBackup,
    /// A later version wrote it.
    #[error("the backup has {what} {found}, this hadron knows up to {known}; use the newer hadron")]
    TooNew { what: &'static str, found: i64, known: i64 },
    /// It ends too early.
    #[error("the backup is cut off after {lines} lines; nothing was changed")]
    CutOff { lines: u64 },
    /// Not what was written.
    #[error("the backup is damaged at line {line}; nothing was changed")]
    Damaged { line: u64 },
    /// Its rows could never be opened.
    #[error("the record has no keyring: no server has run on it since the first release, or none at all")]
    NoKeyring,
    /// The database refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// See [`FORMAT`].
    pub hadron_backup: i64,
    /// The record's schema.
    pub schema: i64,
    /// Milliseconds since the epoch: the moment that the rows belong to, or shortly before.
    pub made_at: i64,
    /// The version that wrote it.
    pub hadron: String,
    /// The database it comes from, without a password.
    pub source: String,
}

/// How many rows there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the schema's own names")]
pub struct Counts {
    pub records: u64,
    pub terms: u64,
    pub changes: u64,
    pub blobs: u64,
}

impl Counts {
    fn add(&mut self, entry: &Entry) {
        *match entry {
            Entry::Record { .. } => &mut self.records,
            Entry::Term { .. } => &mut self.terms,
            Entry::Change { .. } => &mut self.changes,
            Entry::Blob { .. } => &mut self.blobs,
        } += 1;
    }
}

/// The last line.
#[derive(Debug, Serialize, Deserialize)]
struct Trailer {
    counts: Counts,
    /// Of all lines before, in hexadecimal.
    sha256: String,
}

/// What a line behind the header is.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    End(Trailer),
    #[serde(untagged)]
    Entry(Entry),
}

/// Writes a record as a backup.
///
/// # Errors
/// [`DumpError::NoKeyring`], or what the database or the file system has against it.
pub fn write(out: impl Write, header: &Header, source: &mut dyn Source) -> Result<Counts, DumpError> {
    let mut lines = Lines { out: GzEncoder::new(out, Compression::default()), sha256: Sha256::new() };
    lines.put(header)?;
    let (mut counts, mut keyring) = (Counts::default(), false);
    for table in Table::ALL {
        source.each(table, &mut |entry| {
            keyring |= matches!(&entry, Entry::Record { kind, .. } if kind == Keyring::KIND);
            counts.add(&entry);
            lines.put(&entry)
        })?;
    }
    if !keyring {
        return Err(DumpError::NoKeyring);
    }
    let sha256 = hex::encode(lines.sha256.clone().finalize());
    lines.put(&serde_json::json!({ "end": Trailer { counts, sha256 } }))?;
    lines.out.finish().and_then(|mut out| out.flush()).map_err(io_error("written"))?;
    Ok(counts)
}

struct Lines<W: Write> {
    out: GzEncoder<W>,
    sha256: Sha256,
}

impl<W: Write> Lines<W> {
    fn put(&mut self, line: &impl Serialize) -> Result<(), DumpError> {
        let mut text = serde_json::to_vec(line).map_err(io::Error::from).map_err(io_error("written"))?;
        text.push(b'\n');
        self.sha256.update(&text);
        self.out.write_all(&text).map_err(io_error("written"))
    }
}

/// Reads a backup. `take` gets rows before the end is known to be whole: what it makes of them counts only if this
/// returns without an error.
///
/// # Errors
/// The file isn't a whole backup that this program can read, or what `take` says.
pub fn read(
    file: impl Read,
    known: i64,
    take: &mut dyn FnMut(Entry) -> Result<(), DumpError>,
) -> Result<(Header, Counts), DumpError> {
    let mut lines = BufReader::with_capacity(1 << 16, MultiGzDecoder::new(BufReader::new(file)));
    let (mut text, mut sha256) = (Vec::new(), Sha256::new());
    let header = header(&mut lines, &mut text, known)?;
    let (mut counts, mut line) = (Counts::default(), 1);
    loop {
        sha256.update(&text);
        text.clear();
        lines.read_until(b'\n', &mut text).map_err(broken(line))?;
        if text.is_empty() {
            return Err(DumpError::CutOff { lines: line });
        }
        line += 1;
        match serde_json::from_slice(&text).map_err(|_| DumpError::Damaged { line })? {
            Line::Entry(entry) => {
                counts.add(&entry);
                take(entry)?;
            }
            Line::End(end) => {
                let whole = end.counts == counts && end.sha256 == hex::encode(sha256.finalize());
                text.clear();
                // The end of gzip's own: its checksum is looked at here.
                let rest = lines.read_until(b'\n', &mut text).map_err(broken(line))?;
                return if whole && rest == 0 { Ok((header, counts)) } else { Err(DumpError::Damaged { line }) };
            }
        }
    }
}

fn header(lines: &mut impl BufRead, text: &mut Vec<u8>, known: i64) -> Result<Header, DumpError> {
    /// What every format's header has.
    #[derive(Deserialize)]
    struct Begin {
        hadron_backup: i64,
    }
    // Something else than a backup may have a line of any length.
    lines.take(1 << 16).read_until(b'\n', text).map_err(|_| DumpError::NoBackup)?;
    let begin: Begin = serde_json::from_slice(text).map_err(|_| DumpError::NoBackup)?;
    if begin.hadron_backup > FORMAT {
        return Err(DumpError::TooNew { what: "format", found: begin.hadron_backup, known: FORMAT });
    }
    let header: Header = serde_json::from_slice(text).map_err(|_| DumpError::Damaged { line: 1 })?;
    if header.schema > known {
        return Err(DumpError::TooNew { what: "schema", found: header.schema, known });
    }
    Ok(header)
}

fn io_error(doing: &'static str) -> impl Fn(io::Error) -> DumpError {
    move |source| DumpError::Io { doing, source }
}

/// What the decoder means by its error.
fn broken(line: u64) -> impl Fn(io::Error) -> DumpError {
    move |source| match source.kind() {
        io::ErrorKind::UnexpectedEof => DumpError::CutOff { lines: line },
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => DumpError::Damaged { line },
        _ => DumpError::Io { doing: "read", source },
    }
}
