//! `hadron restore`: a backup becomes the record, of the same kind of database or of another.
//!
//! The backup is first put into a new database of its own, opened with the master key, and its states are compared with
//! those of the record that it replaces. Only when all of that has worked does it take the record's place.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use serde_json::json;
use tokio::runtime::Runtime;

use super::failure::this_user;
use super::serve::master_key::unseal;
use super::serve::{Database, Place, data_folder};
use super::{Exit, Failure, Form, backup, print};
use crate::control_plane::records::Keyring;
use crate::control_plane::state_server::{RestoredState, Verdict, prove};
use crate::control_plane::store::dump::{self, Counts, DumpError, Entry, Header};
use crate::control_plane::store::{
    DataLock, Document, Postgres, PostgresReplacing, Sealed, Sqlite, SqliteDump, Store, StoreError, Transaction, Typed,
};
use crate::settings::Resolved;
use crate::support::Clock;
use crate::support::files::sync_folder;

/// Which backup to restore, and where to.
#[derive(Debug, clap::Args)]
pub(super) struct RestoreArgs {
    /// The file that `hadron backup` made
    file: PathBuf,
    /// The record: sqlite:PATH or postgres://…
    #[arg(long, value_name = "URL")]
    pub(super) database: Option<String>,
    /// Replace a record that holds something; a SQLite file is kept beside under another name
    #[arg(long)]
    replace: bool,
    /// Nothing was deployed since the backup was made: take its states for the newest, and block none
    #[arg(long)]
    trust_states: bool,
}

/// The record that is to be replaced.
enum Replaced {
    Sqlite { path: PathBuf, lock: DataLock },
    Postgres(Box<PostgresReplacing>),
}

/// Restores, and tells what became of the states. Outside any runtime, since the driver has its own.
pub(super) fn run(settings: &Resolved, args: &RestoreArgs, form: Form) -> Result<Exit, Failure> {
    let data = data_folder(settings)?;
    let database = Database::of(settings, &data)?;
    let (runtime, clock) = (Runtime::new().context("starting the runtime")?, Clock::system());
    let beside = match database.place() {
        Place::Sqlite(path) => std::path::absolute(path)?.parent().unwrap_or(Path::new("/")).to_owned(),
        Place::Postgres(_) => data.clone(),
    };
    let staging = tempfile::Builder::new().prefix(".restore-").tempdir_in(&beside).context("making a folder")?;
    let staged = staging.path().join("hadron.db");
    let (header, counts) =
        stage(&args.file, &staged, Sqlite::schema(&staged).map_err(DumpError::from).map_err(backup::refused)?.known)?;
    let restored = Store::new(Sqlite::open(&staged).map_err(DumpError::from).map_err(backup::refused)?);
    let unsealed = runtime.block_on(unseal(settings, &data, &restored, clock.now()))?;
    let (place, old, empty) = replaced(&database, args)?;
    let states = if args.trust_states {
        None
    } else {
        let old = old.as_ref().filter(|_| !empty);
        let old = old.map(|old| opened(&runtime, settings, &data, old, clock.now())).transpose();
        let old = old.unwrap_or_else(|failure| {
            tracing::warn!("the record that is replaced can't be opened, so it proves nothing: {}", failure.error);
            None
        });
        let made = moment(header.made_at);
        let reason = format!("it comes from the backup of {made}");
        let restored = restored.through(Sealed(unsealed.sealer.clone()));
        let proved = runtime.block_on(prove(&restored, old.as_ref(), &reason, &clock));
        Some(proved.context("comparing the states with those of the replaced record")?)
    };
    // Both must be closed before their files are moved.
    drop((restored, old));
    let kept = put_in_place(place, &staged, empty, clock.now())?;
    told(&Told { header: &header, counts, place: database.shown(), kept, states }, form)
}

/// Puts the backup into a new database.
fn stage(file: &Path, staged: &Path, known: i64) -> Result<(Header, Counts), Failure> {
    let backup = File::open(file).map_err(|error| {
        let denied = error.kind() == io::ErrorKind::PermissionDenied;
        let what = format!("opening {}", file.display());
        let failure = Failure::new(Exit::Usage, anyhow::Error::from(error).context(what));
        match denied {
            true => failure.hint(format!("a backup is its owner's alone; {} must be able to read it", this_user())),
            false => failure,
        }
    })?;
    let mut keyring = false;
    let read = Sqlite::load(staged, |put| {
        dump::read(backup, known, &mut |entry| {
            keyring |= matches!(&entry, Entry::Record { kind, .. } if kind == Keyring::KIND);
            put(entry)
        })
    });
    // Without one the master key couldn't be proved to be the right one.
    match read {
        Ok(_) if !keyring => Err(backup::refused(DumpError::NoKeyring)),
        read => read.map_err(backup::refused),
    }
}

/// Takes the record's place in hand, so that no server starts on it, and opens what is there. Says whether it is empty.
fn replaced(database: &Database, args: &RestoreArgs) -> Result<(Replaced, Option<Store>, bool), Failure> {
    let refused = |error| database.refused("replacing the record", error);
    let (place, old, empty) = match database.place() {
        Place::Sqlite(path) => {
            let lock = DataLock::take(path).map_err(refused)?;
            let place = Replaced::Sqlite { path: path.clone(), lock: lock.clone() };
            if !path.exists() {
                return Ok((place, None, true));
            }
            match Sqlite::open_under(path, &lock) {
                Ok(old) => {
                    let empty = SqliteDump::open(path).and_then(|dump| dump.is_empty()).map_err(refused)?;
                    (place, Some(Store::new(old)), empty)
                }
                // One that is broken is replaced too; it only proves nothing.
                Err(error) => {
                    tracing::warn!("the record at {} can't be opened: {error}", path.display());
                    (place, None, false)
                }
            }
        }
        Place::Postgres(url) => {
            let ca_bundle = database.ca_bundle();
            let mut place = PostgresReplacing::begin(url, ca_bundle).map_err(refused)?;
            let empty = place.is_empty().map_err(refused)?;
            let old = match empty {
                true => None,
                false => Some(Store::new(Postgres::open_beside(url, ca_bundle).map_err(refused)?)),
            };
            (Replaced::Postgres(Box::new(place)), old, empty)
        }
    };
    if !empty && !args.replace {
        let what = anyhow!("the record at {} holds something; nothing was changed", database.shown());
        return Err(Failure::new(Exit::Settings, what).hint("--replace puts the backup in its place"));
    }
    Ok((place, old, empty))
}

/// The replaced record, opened with the master key of the settings. Its keyring is opened in a copy, so that nothing
/// writes to it.
fn opened(runtime: &Runtime, settings: &Resolved, data: &Path, old: &Store, now: i64) -> Result<Store, Failure> {
    let read = |tx: &mut dyn Transaction| tx.get::<Keyring>(&Keyring::scope(), Keyring::KEY);
    let keyring = runtime.block_on(old.read::<_, StoreError, _>(read)).context("reading its keyring")?;
    let keyring = keyring.ok_or_else(|| anyhow!("it has no keyring"))?;
    let copy = Store::new(Sqlite::temporary().context("copying its keyring")?);
    let add = move |tx: &mut dyn Transaction| tx.add(&Keyring::scope(), &keyring.value);
    runtime.block_on(copy.write::<_, StoreError, _>(add)).context("copying its keyring")?;
    let unsealed = runtime.block_on(unseal(settings, data, &copy, now))?;
    Ok(old.through(Sealed(unsealed.sealer)))
}

/// Puts the new database in the old one's place; returns where that is kept.
fn put_in_place(place: Replaced, staged: &Path, empty: bool, now: i64) -> Result<Option<PathBuf>, Failure> {
    match place {
        Replaced::Postgres(place) => {
            let mut source = SqliteDump::open(staged).map_err(DumpError::from).map_err(backup::refused)?;
            place.replace(&mut source).map_err(backup::refused)?;
            Ok(None)
        }
        Replaced::Sqlite { path, lock } => {
            Sqlite::settle(staged).map_err(DumpError::from).map_err(backup::refused)?;
            // An old one that is broken stays as it is.
            if path.exists()
                && let Err(error) = Sqlite::settle(&path)
            {
                tracing::warn!("the record that is replaced can't be settled: {error}");
            }
            // The last one to close a database removes its log; with one, moving the file alone would lose or damage.
            let log = |path: &Path| PathBuf::from(format!("{}-wal", path.display()));
            if let Some(log) = [log(staged), log(&path)].into_iter().find(|log| log.exists()) {
                let what = anyhow!("{} is there, so another program has it open; nothing was changed", log.display());
                return Err(Failure::new(Exit::Settings, what).hint("stop that program, and restore again"));
            }
            let mut kept = None;
            if !empty {
                let name = path.with_added_extension(format!("before-{}", moment(now).replace([':', '-'], "")));
                fs::hard_link(&path, &name)
                    .or_else(|_| fs::copy(&path, &name).map(drop))
                    .context("keeping the old record")?;
                kept = Some(name);
            }
            fs::rename(staged, &path).context("putting the restored record in its place")?;
            sync_folder(path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
            drop(lock);
            Ok(kept)
        }
    }
}

/// What is said in the end.
struct Told<'t> {
    header: &'t Header,
    counts: Counts,
    place: String,
    kept: Option<PathBuf>,
    /// None when they were trusted.
    states: Option<Vec<RestoredState>>,
}

fn told(told: &Told<'_>, form: Form) -> Result<Exit, Failure> {
    let states = told.states.as_deref().unwrap_or_default();
    let of = |verdict: Verdict| states.iter().filter(move |state| state.verdict == verdict);
    let serial = |state: &RestoredState| state.serial.unwrap_or(0);
    if form == Form::Json {
        let list = |verdict| {
            let states = of(verdict).map(|state| json!({ "targetArn": state.arn, "serial": state.serial }));
            states.collect::<Vec<_>>()
        };
        let blocked = list(Verdict::Blocked);
        print::json(&json!({
            "database": told.place, "header": told.header, "counts": told.counts, "kept": told.kept,
            "trusted": told.states.is_none(), "carriedOver": list(Verdict::CarriedOver), "blocked": blocked,
        }))?;
        return Ok(Exit::Done);
    }
    let Counts { records, changes, blobs, .. } = told.counts;
    let mut text = format!(
        "{} is the backup of {}: {records} documents, {changes} status changes and {blobs} blobs\n",
        told.place,
        moment(told.header.made_at)
    );
    if let Some(kept) = &told.kept {
        text += &format!("the record before is kept in {}\n", kept.display());
    }
    for state in of(Verdict::CarriedOver) {
        text += &format!("carried over: {} has serial {}, newer than the backup's\n", state.arn, serial(state));
    }
    for state in of(Verdict::Blocked) {
        text += &format!("blocked: hadron state unblock {} --serial {}\n", state.arn, serial(state));
    }
    print::text(&text)?;
    if told.states.is_none() {
        writeln!(
            io::stderr(),
            "no state was compared or blocked: you said that nothing was deployed since the backup"
        )?;
    } else if of(Verdict::Blocked).next().is_some() {
        writeln!(
            io::stderr(),
            "nothing proves that a blocked state is the newest; compare it with what is deployed before you unblock it"
        )?;
    }
    Ok(Exit::Done)
}

fn moment(at: i64) -> String {
    jiff::Timestamp::from_second(at.div_euclid(1000)).map(|moment| moment.to_string()).unwrap_or_default()
}
