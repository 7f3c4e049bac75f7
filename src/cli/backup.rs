//! `hadron backup`: the whole record in one file, while servers run.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use serde_json::json;

use super::serve::Database;
use super::{Exit, Failure, Form, print};
use crate::control_plane::store::dump::{self, Counts, DumpError, FORMAT, Header};
use crate::settings::Resolved;
use crate::support::Clock;
use crate::support::files::sync_folder;

/// What to back up, and where to.
#[derive(Debug, clap::Args)]
pub(super) struct BackupArgs {
    /// The file to make; it must not be there yet
    file: PathBuf,
    /// The record: sqlite:PATH or postgres://…
    #[arg(long, value_name = "URL")]
    pub(super) database: Option<String>,
}

/// Writes the backup beside its place and then gives it its name. Outside any runtime, since the driver has its own.
pub(super) fn run(settings: &Resolved, args: &BackupArgs, form: Form) -> Result<Exit, Failure> {
    let path = &args.file;
    if path.exists() {
        let what = anyhow!("{} is there already; a backup never replaces another file", path.display());
        return Err(Failure::new(Exit::Usage, what).hint("choose another name, with the date in it for instance"));
    }
    let database = Database::of(settings, Path::new(&settings.value::<String>("data")?))?;
    let schema = database.schema()?;
    if schema.found != schema.known {
        let place = database.shown();
        let what = match schema.found {
            0 => anyhow!("there is no record at {place}"),
            found => anyhow!("{place} has schema {found}, this hadron needs {}", schema.known),
        };
        return Err(Failure::new(Exit::Settings, what)
            .hint("name the record with --database or --data")
            .hint("`hadron migrate` brings an older one up to date"));
    }
    let header = Header {
        hadron_backup: FORMAT,
        schema: schema.found,
        made_at: Clock::system().now(),
        hadron: env!("CARGO_PKG_VERSION").into(),
        source: database.shown(),
    };
    let counts = write(path, &header, &database)?;
    let Counts { records, terms: _, changes, blobs } = counts;
    match form {
        Form::Json => print::json(&json!({ "file": path, "counts": counts, "header": header }))?,
        Form::Text => print::text(&format!(
            "{} has {records} documents, {changes} status changes and {blobs} blobs of {}\n",
            path.display(),
            header.source
        ))?,
    }
    writeln!(io::stderr(), "it opens only with the master key, which isn't in it; the object store isn't either")?;
    Ok(Exit::Done)
}

fn write(path: &Path, header: &Header, database: &Database) -> Result<Counts, Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let writing = || format!("writing {}", path.display());
    // A named temporary file has mode 0600, and keeps it under its new name.
    let file = tempfile::NamedTempFile::new_in(folder).with_context(writing)?;
    let mut source = database.dump()?;
    let counts = dump::write(BufWriter::new(file.as_file()), header, source.as_mut()).map_err(refused)?;
    file.as_file().sync_all().with_context(writing)?;
    let _: File = file.persist_noclobber(path).map_err(|error| error.error).with_context(writing)?;
    sync_folder(folder).with_context(writing)?;
    Ok(counts)
}

/// What a backup file or its making has against it, with the remedy.
pub(super) fn refused(error: DumpError) -> Failure {
    let hint = match &error {
        DumpError::NoKeyring => Some("start `hadron serve` once on the record, then back it up"),
        DumpError::CutOff { .. } | DumpError::Damaged { .. } => Some("copy the file again, or take another backup"),
        DumpError::NoBackup => Some("`hadron backup FILE` makes one"),
        DumpError::Io { .. } | DumpError::TooNew { .. } | DumpError::Store(_) => None,
    };
    let failure = Failure::new(Exit::Settings, error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
