//! Which database keeps the record.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use tokio_util::sync::CancellationToken;

use crate::cli::{Exit, Failure};
use crate::control_plane::store::dump::Source;
use crate::control_plane::store::{Postgres, PostgresDump, Schema, Sqlite, SqliteDump, Store, StoreError};
use crate::settings::Resolved;
use crate::support::address;

const OPENING: &str = "opening the record";

/// The database that the settings name.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Database {
    place: Place,
    /// Certificates to trust besides the system's.
    ca_bundle: Option<PathBuf>,
}

/// Where a record is.
#[derive(Clone)]
pub(in crate::cli) enum Place {
    /// A file.
    Sqlite(PathBuf),
    /// A URL, which may hold a password.
    Postgres(String),
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown())
    }
}

impl Place {
    fn shown(&self) -> String {
        match self {
            Self::Sqlite(path) => path.display().to_string(),
            Self::Postgres(url) => address::without_password(url),
        }
    }
}

impl Database {
    /// Reads the setting; without one it is a file in the data folder.
    ///
    /// # Errors
    /// The setting names nothing that can be opened.
    pub(in crate::cli) fn of(settings: &Resolved, data: &Path) -> Result<Self, Failure> {
        let place = match settings.text("database") {
            None => Place::Sqlite(data.join("hadron.db")),
            Some(url) if url.starts_with("postgres://") || url.starts_with("postgresql://") => Place::Postgres(url),
            Some(url) => Place::Sqlite(url.strip_prefix("sqlite:").map(PathBuf::from).ok_or_else(|| {
                let what = anyhow!("`database` is {}, which can't be opened", address::without_password(&url));
                Failure::new(Exit::Settings, what)
                    .hint("use sqlite:PATH or postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full")
            })?),
        };
        let ca_bundle = settings.text("ca_bundle").map(PathBuf::from);
        Ok(Self { place, ca_bundle })
    }

    /// What messages call it: without a password.
    pub(in crate::cli) fn shown(&self) -> String {
        self.place.shown()
    }

    /// Opens the record and brings its schema up to date. Blocks, for up to half a minute while PostgreSQL is away.
    ///
    /// # Errors
    /// It can't be opened, with the remedy.
    pub(in crate::cli) fn open(&self) -> Result<Store, Failure> {
        let opened = match &self.place {
            Place::Sqlite(path) => Sqlite::open(path).map(Store::new),
            Place::Postgres(url) => Postgres::open(url, self.ca_bundle.as_deref()).map(Store::new),
        };
        opened.map_err(|error| self.refused(OPENING, error))
    }

    /// Which schema it has and which this program knows; changes nothing.
    ///
    /// # Errors
    /// It can't be asked, with the remedy.
    pub(in crate::cli) fn schema(&self) -> Result<Schema, Failure> {
        let schema = match &self.place {
            Place::Sqlite(path) => Sqlite::schema(path),
            Place::Postgres(url) => Postgres::schema(url, self.ca_bundle.as_deref()),
        };
        schema.map_err(|error| self.refused("asking for the schema of the record", error))
    }

    /// Takes a snapshot of it, beside any server. Blocks as [`Database::open`] does, and not inside a runtime.
    ///
    /// # Errors
    /// It can't be read, with the remedy.
    pub(in crate::cli) fn dump(&self) -> Result<Box<dyn Source>, Failure> {
        let dump: Result<Box<dyn Source>, StoreError> = match &self.place {
            Place::Sqlite(path) => SqliteDump::open(path).map(|dump| Box::new(dump) as _),
            Place::Postgres(url) => PostgresDump::open(url, self.ca_bundle.as_deref()).map(|dump| Box::new(dump) as _),
        };
        dump.map_err(|error| self.refused("reading the record", error))
    }

    /// Where it is.
    pub(in crate::cli) fn place(&self) -> &Place {
        &self.place
    }

    /// Certificates to trust besides the system's.
    pub(in crate::cli) fn ca_bundle(&self) -> Option<&Path> {
        self.ca_bundle.as_deref()
    }

    /// An error of this database, with the remedy.
    pub(in crate::cli) fn refused(&self, doing: &str, error: StoreError) -> Failure {
        let away = matches!(error, StoreError::Unavailable { .. });
        // These say themselves what to do.
        let told =
            matches!(error, StoreError::InUse { .. } | StoreError::TooNew { .. } | StoreError::NewerTerms { .. });
        let failure =
            Failure::new(Exit::Settings, anyhow::Error::from(error).context(format!("{doing} {}", self.shown())));
        match (&self.place, away) {
            (Place::Postgres(_), true) if failure.words().contains("does not support TLS") => failure
                .hint("switch TLS on in PostgreSQL (`ssl = on`), or take `sslmode` out of `database` on a network that you trust"),
            (Place::Postgres(_), true) => failure
                .hint("check that PostgreSQL runs and can be reached from here, and the host and port of `database`")
                .hint("in its user and password, @ : / ? # and % are written %40 %3A %2F %3F %23 and %25"),
            (Place::Postgres(_), false) if !told => {
                failure.hint("check the user, password and database name in `database`")
            }
            (Place::Sqlite(_), false) if !told && doing == OPENING => {
                failure.hint("a backup is put in its place by `hadron restore FILE --replace`, which keeps this file too")
            }
            (Place::Postgres(_) | Place::Sqlite(_), _) => failure,
        }
    }
}

/// Opens the record that the settings name, unless a signal comes first.
///
/// # Errors
/// It can't be opened, with the remedy.
pub(super) async fn open(settings: &Resolved, data: &Path, stop: &CancellationToken) -> Result<Store, Failure> {
    let database = Database::of(settings, data)?;
    objects_are_shared_too(settings, &database)?;
    // Not a blocking task of the runtime's: the process would wait for its end.
    let (done, opened) = tokio::sync::oneshot::channel();
    std::thread::Builder::new().name("record-opener".into()).spawn(move || drop(done.send(database.open())))?;
    let stopped = || Failure::new(Exit::Cancelled, anyhow!("stopped before the record was open"));
    tokio::select! {
        opened = opened => opened.map_err(|_| stopped())?,
        () = stop.cancelled() => Err(stopped()),
    }
}

/// Why a record couldn't be brought up to this release.
pub(super) fn not_upgraded(settings: &Resolved, data: &Path, error: StoreError) -> Failure {
    match Database::of(settings, data) {
        Ok(database) => database.refused("bringing up to this release", error),
        Err(failure) => failure,
    }
}

/// A record that several servers share names objects that all of them must reach.
fn objects_are_shared_too(settings: &Resolved, database: &Database) -> Result<(), Failure> {
    let chosen = settings.text("bucket").is_some() || settings.text("objects").is_some();
    match database.place {
        Place::Postgres(_) if !chosen => Err(Failure::new(
            Exit::Settings,
            anyhow!("`database` can be shared by several servers, but the objects would lie in this one's data folder"),
        )
        .hint("name a bucket that all of them reach: --bucket s3://NAME")
        .hint("or, for a single server or a folder on shared storage, name the folder: --objects DIR")),
        _ => Ok(()),
    }
}
