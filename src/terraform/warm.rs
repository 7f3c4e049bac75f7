//! What `init` came to, kept for the next run that reads the same files: `init` is then skipped.
//!
//! ```text
//! KEY.any/         for a work directory without a lock file
//! KEY.DIGEST/      for one with the lock file of that digest
//!   terraform/     .terraform, with links to providers as they are
//!   lock.hcl       .terraform.lock.hcl, if there is one
//! KEY.turn         locked while somebody runs the init of that key
//! ```
//!
//! The key covers all that `init` reads: the binary, its configuration, and every file except values of variables and
//! Proton's note, which Terraform doesn't look at before it plans (OpenTofu may, so there they count). The state's
//! address isn't among it, since the http backend gets it by environment. What init also looks at is the state, which may
//! name providers that the files don't: a run whose Terraform fails before it reads anything is therefore initialised
//! after all, once, and repeated if that came to something else.
//!
//! A copy is made beside its place and renamed; a reader that meets one which is being removed does without.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, CWD, FlockOperation, Timespec, Timestamps, UTIME_NOW, flock, utimensat};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::lock_file::{self, LOCK_FILE as LOCK};
use super::modules;
use super::session::Session;
use super::step::{Step, StepDir};
use super::{Event, EventKind, ProviderStore, TerraformError};
use crate::support::files;

/// What a copy holds, and how; another way of keeping them is another key.
const FORM: &str = "hadron warm 1";

/// How many copies are kept; the ones that nobody used for the longest time go first.
const MOST: usize = 64;

/// What all copies may take together, providers not counted.
const MOST_BYTES: u64 = 512 << 20;

/// A copy that would take more isn't made.
const LARGEST: u64 = 64 << 20;

/// How often one who waits for another's init looks.
const LOOK: Duration = Duration::from_millis(10);

const CLI_CONFIG: &str = "TF_CLI_CONFIG_FILE";

const DATA: &str = ".terraform";
const MARKER: &str = "warm.json";

/// The folder of what a run did before it turned out to need an `init` of its own.
pub const SET_ASIDE: &str = "0-warm";

/// Where copies are kept.
#[derive(Debug, Clone)]
pub struct Warm {
    /// The folder; several agents may share it.
    pub folder: PathBuf,
    /// Comments at the beginning or the end of files that name the target, and mean nothing to Terraform.
    pub comments: Vec<String>,
}

/// What a run notes of the copy that it uses.
#[derive(Debug, Serialize, Deserialize)]
struct Marker {
    entry: String,
    /// See [`laid_out`].
    digest: String,
}

impl Session {
    /// Initialises, unless a copy will do. Whoever comes while another is at it waits for that copy.
    pub(super) async fn init_once(&self, stop: &CancellationToken) -> Result<(), TerraformError> {
        let begun = self.run_dir.join(Step::Init.folder()).exists() || self.run_dir.join(SET_ASIDE).exists();
        let Some(warm) = self.warm.as_ref().filter(|_| !begun) else { return self.init_itself(stop).await };
        if self.began_warm() || (!self.work_dir.join(DATA).exists() && self.take(warm)?) {
            return Ok(());
        }
        let key = warm.key(self)?;
        let Some(_turn) = warm.turn(&key, stop).await? else { return self.init_itself(stop).await };
        if !self.work_dir.join(DATA).exists() && self.take(warm)? {
            return Ok(());
        }
        self.init_itself(stop).await
    }

    /// Runs `init`, proves its result and keeps it.
    async fn init_itself(&self, stop: &CancellationToken) -> Result<(), TerraformError> {
        self.init_in(&self.run_dir, stop).await
    }

    async fn init_in(&self, run_dir: &Path, stop: &CancellationToken) -> Result<(), TerraformError> {
        let before = lock_digest(&self.work_dir);
        match &self.providers {
            Some(store) => self.init_from(store, run_dir, stop).await?,
            None => self.run_init(run_dir, &self.env, stop).await?,
        }
        self.backend.verify(&self.work_dir)?;
        if let Some(warm) = &self.warm
            && let Err(error) = warm.keep(self, &before)
        {
            tracing::debug!(%error, "what init came to could not be kept");
        }
        Ok(())
    }

    /// Runs `init` over the provider store, and brings there what it downloads.
    async fn init_from(
        &self,
        store: &ProviderStore,
        run_dir: &Path,
        stop: &CancellationToken,
    ) -> Result<(), TerraformError> {
        let locks = lock_file::read(&self.work_dir);
        let _turn = store.turn(&self.work_dir, stop).await?;
        // Where the store can't serve, the site's own configuration does.
        let plugins = self.work_dir.join("terraform.d/plugins").exists();
        let ours =
            if plugins || !store.complete(&self.work_dir)? { None } else { store.cli_config(self.site_config())? };
        let Some(ours) = ours else { return self.run_init(run_dir, &self.env, stop).await };
        let mut env = self.env.clone();
        env.insert(CLI_CONFIG.to_owned(), ours.to_string_lossy().into_owned());
        self.run_init(run_dir, &env, stop).await?;
        store.adopt(&self.work_dir, &locks)?;
        store.complete(&self.work_dir).map(drop)
    }

    fn site_config(&self) -> Option<&Path> {
        self.env.get(CLI_CONFIG).map(Path::new).filter(|path| *path != Path::new("/dev/null"))
    }

    /// Whether this run uses a copy.
    pub fn began_warm(&self) -> bool {
        self.run_dir.join(MARKER).exists()
    }

    /// Lays a copy out, if there is one.
    fn take(&self, warm: &Warm) -> Result<bool, TerraformError> {
        let entry = format!("{}.{}", warm.key(self)?, lock_digest(&self.work_dir));
        let laid = warm.lay(&entry, &self.work_dir).unwrap_or_else(|error| {
            tracing::debug!(%error, "a copy of an init can't be used");
            false
        });
        if !laid {
            return Ok(false);
        }
        if self.backend.verify(&self.work_dir).is_err() {
            self.clear_data()?;
            return Ok(false);
        }
        let note = |source: io::Error| TerraformError::io("writing", &self.run_dir.join(MARKER))(source);
        let digest = laid_out(&self.work_dir).map_err(TerraformError::io("reading", &self.work_dir))?;
        let marker = serde_json::to_vec(&Marker { entry, digest }).map_err(|error| note(error.into()))?;
        if let Some(store) = &self.providers {
            store.used(&self.work_dir);
        }
        fs::create_dir_all(&self.run_dir).map_err(note)?;
        files::write_atomically(&self.run_dir.join(MARKER), &marker).map_err(note)?;
        Ok(true)
    }

    fn clear_data(&self) -> Result<(), TerraformError> {
        let data = self.work_dir.join(DATA);
        match fs::remove_dir_all(&data) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(TerraformError::io("removing", &data)(error)),
            _ => Ok(()),
        }
    }

    /// Whether a step that failed may have missed an `init`: it began on a copy, and Terraform said nothing but that it
    /// can't begin.
    pub fn doubts_its_copy(&self, step: Step, error: &TerraformError) -> bool {
        let failed = matches!(error, TerraformError::Failed { .. });
        failed && self.began_warm() && !self.run_dir.join(SET_ASIDE).join(step.folder()).exists() && {
            let stdout = StepDir::new(self.run_dir.join(step.folder())).stdout();
            fs::read_to_string(stdout).unwrap_or_default().lines().all(|line| says_nothing(&Event::parse(line)))
        }
    }

    /// Initialises after all, once a step has failed that [doubts its copy](Session::doubts_its_copy). True if that came to
    /// something else than the copy; then the step is set aside and may be run again.
    ///
    /// # Errors
    /// What `init` says.
    pub async fn init_after_all(&self, failed: Step, stop: &CancellationToken) -> Result<bool, TerraformError> {
        let aside = self.run_dir.join(SET_ASIDE);
        let path = self.run_dir.join(MARKER);
        let marker = fs::read(&path).map_err(TerraformError::io("reading", &path))?;
        let marker: Marker =
            serde_json::from_slice(&marker).map_err(|e| TerraformError::io("reading", &path)(e.into()))?;
        fs::create_dir_all(&aside).map_err(TerraformError::io("creating", &aside))?;
        if !aside.join(Step::Init.folder()).exists() {
            self.clear_data()?;
            if marker.entry.strip_suffix(".any").is_some() {
                fs::remove_file(self.work_dir.join(LOCK)).ok();
            }
        }
        self.init_in(&aside, stop).await?;
        let now = laid_out(&self.work_dir).map_err(TerraformError::io("reading", &self.work_dir))?;
        if now == marker.digest {
            return Ok(false);
        }
        let (from, to) = (self.run_dir.join(failed.folder()), aside.join(failed.folder()));
        fs::rename(&from, &to).map_err(TerraformError::io("moving", &from))?;
        Ok(true)
    }
}

/// What Terraform says when it doesn't even begin.
fn says_nothing(event: &Event) -> bool {
    match &event.kind {
        EventKind::Version { .. } | EventKind::Diagnostic(_) | EventKind::Text => true,
        EventKind::Other { kind, .. } => kind == "log",
        _ => false,
    }
}

impl Warm {
    /// Names everything that `init` reads, except the lock file.
    fn key(&self, session: &Session) -> Result<String, TerraformError> {
        let terraform = &session.terraform;
        let about = fs::metadata(&terraform.binary).map_err(TerraformError::io("reading", &terraform.binary))?;
        let changed = about.modified().ok().and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
        let mut digest = Sha256::new();
        let mut add = |part: &[u8]| {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        };
        add(FORM.as_bytes());
        add(format!("{} {} {} {changed:?}", terraform.binary.display(), terraform.version, about.len()).as_bytes());
        for (name, value) in session.env.iter().filter(|(name, _)| configures(name)) {
            add(name.as_bytes());
            add(value.as_bytes());
            if name == "TF_CLI_CONFIG_FILE" {
                add(&fs::read(value).unwrap_or_default());
            }
        }
        let found = read_by_init(&session.work_dir, terraform.tofu);
        for (name, path) in found.map_err(TerraformError::io("reading", &session.work_dir))? {
            let bytes = fs::read(&path).map_err(TerraformError::io("reading", &path))?;
            add(name.as_bytes());
            add(self.without_comments(&bytes));
        }
        Ok(hex::encode(digest.finalize())[..32].to_owned())
    }

    fn without_comments<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        let comments = || self.comments.iter().map(String::as_bytes);
        let end = comments().find_map(|comment| bytes.strip_suffix(comment));
        end.or_else(|| comments().find_map(|comment| bytes.strip_prefix(comment))).unwrap_or(bytes)
    }

    /// Waits until nobody else runs the init of this key; None once `stop` is cancelled, or where nothing can be locked.
    async fn turn(&self, key: &str, stop: &CancellationToken) -> Result<Option<File>, TerraformError> {
        files::create_private_folder(&self.folder).map_err(TerraformError::io("creating", &self.folder))?;
        wait_for(&self.folder.join(format!("{key}.turn")), stop).await
    }

    /// Copies an entry into a work directory that has none; false if there is no such entry, or it can't serve.
    fn lay(&self, entry: &str, work: &Path) -> io::Result<bool> {
        let entry = self.folder.join(entry);
        if !entry.join("terraform").exists() {
            return Ok(false);
        }
        let new = work.join(".terraform.new");
        remove(&new)?;
        let copied = copy(&entry.join("terraform"), &new, &mut 0);
        let lock = fs::read(entry.join("lock.hcl"));
        if copied.is_err() || !links_lead_somewhere(&new)? {
            remove(&new)?;
            return Ok(false);
        }
        match lock {
            Ok(bytes) => fs::write(work.join(LOCK), bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        fs::rename(&new, work.join(DATA))?;
        touch(&entry);
        Ok(true)
    }

    /// Keeps what an init came to, for those who begin as it began and for those who begin with its lock file.
    fn keep(&self, session: &Session, before: &str) -> Result<(), TerraformError> {
        let broken = |source| TerraformError::io("keeping", &self.folder)(source);
        if !modules::are_settled(&session.work_dir) || session.work_dir.join("terraform.d").exists() {
            return Ok(());
        }
        files::create_private_folder(&self.folder).map_err(broken)?;
        let key = self.key(session)?;
        let after = lock_digest(&session.work_dir);
        for lock in BTreeSet::from([before, after.as_str()]) {
            self.add(&format!("{key}.{lock}"), &session.work_dir, &session.run_dir).map_err(broken)?;
        }
        self.bound(MOST, MOST_BYTES).map_err(broken)
    }

    fn add(&self, name: &str, work: &Path, run_dir: &Path) -> io::Result<()> {
        let new = tempfile::Builder::new().prefix(".new-").tempdir_in(&self.folder)?;
        let mut size = 0;
        copy(&work.join(DATA), &new.path().join("terraform"), &mut size)?;
        // A link into this run's directory would lead nowhere later.
        if size > LARGEST || links(new.path())?.iter().any(|(_, to)| !to.is_absolute() || to.starts_with(run_dir)) {
            return Ok(());
        }
        if work.join(LOCK).exists() {
            fs::copy(work.join(LOCK), new.path().join("lock.hcl"))?;
        }
        fs::write(new.path().join("size"), size.to_string())?;
        let place = self.folder.join(name);
        if place.exists() {
            // One that can't serve any more, or somebody else's that is as good.
            discard(&place)?;
        }
        match fs::rename(new.path(), &place) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
            renamed => renamed,
        }
    }

    /// Lets go of the copies that nobody used for the longest time.
    fn bound(&self, most: usize, most_bytes: u64) -> io::Result<()> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            if let Ok(about) = entry.metadata()
                && about.is_dir()
                && !hidden
            {
                let size = fs::read_to_string(entry.path().join("size")).ok().and_then(|text| text.parse().ok());
                entries.push((about.modified()?, size.unwrap_or(0_u64), entry.path()));
            }
        }
        entries.sort();
        self.clear_leftovers(entries.last().map(|(used, ..)| *used));
        let mut bytes: u64 = entries.iter().map(|(_, size, _)| size).sum();
        let mut count = entries.len();
        for (_, size, path) in entries {
            if count <= most && bytes <= most_bytes {
                break;
            }
            discard(&path)?;
            count -= 1;
            bytes -= size;
        }
        Ok(())
    }
}

impl Warm {
    /// Removes what crashes have left: half copies that are older than an hour.
    fn clear_leftovers(&self, newest: Option<SystemTime>) {
        let Some(before) = newest.and_then(|newest| newest.checked_sub(Duration::from_hours(1))) else { return };
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            let old = entry.metadata().and_then(|about| about.modified()).is_ok_and(|changed| changed < before);
            if hidden && old {
                fs::remove_dir_all(entry.path()).ok();
            }
        }
    }
}

/// Takes the lock of a file as soon as nobody else has it; None once `stop` is cancelled.
pub(super) async fn wait_for(path: &Path, stop: &CancellationToken) -> Result<Option<File>, TerraformError> {
    let opened = OpenOptions::new().create(true).truncate(false).write(true).open(path);
    let file = opened.map_err(TerraformError::io("opening", path))?;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Some(file)),
            Err(rustix::io::Errno::WOULDBLOCK) => {}
            Err(error) => return Err(TerraformError::io("locking", path)(error.into())),
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(None),
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// Variables that change what `init` does, but for the state's address and password.
fn configures(name: &str) -> bool {
    name.starts_with("TF_") && !name.starts_with("TF_HTTP_")
}

/// The files that `init` may read, by their names.
fn read_by_init(work: &Path, tofu: bool) -> io::Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    walk(work, &mut |path, kind| {
        let name = path.strip_prefix(work).unwrap_or(path).to_string_lossy().into_owned();
        let values = name.ends_with(".tfvars") || name.ends_with(".tfvars.json");
        let ours = name == LOCK || name.starts_with(DATA) || name.starts_with(".proton/");
        if kind.is_file() && !ours && (tofu || !values) {
            found.insert(name, path.to_owned());
        }
        Ok(())
    })?;
    Ok(found)
}

/// `any` where there is no lock file.
fn lock_digest(work: &Path) -> String {
    match fs::read(work.join(LOCK)) {
        Ok(bytes) => hex::encode(Sha256::digest(bytes))[..16].to_owned(),
        Err(_) => "any".to_owned(),
    }
}

/// A digest of what `init` has laid out; of real provider packages, which are large and which Terraform itself holds
/// against the lock file, the sizes.
fn laid_out(work: &Path) -> io::Result<String> {
    let data = work.join(DATA);
    let mut parts = BTreeMap::new();
    walk(&data, &mut |path, kind| {
        let name = path.strip_prefix(&data).unwrap_or(path).to_owned();
        let part = if kind.is_symlink() {
            fs::read_link(path)?.to_string_lossy().into_owned()
        } else if kind.is_file() && is_provider(&name) {
            fs::metadata(path)?.len().to_string()
        } else if kind.is_file() {
            hex::encode(Sha256::digest(fs::read(path)?))
        } else {
            String::new()
        };
        parts.insert(name, part);
        Ok(())
    })?;
    Ok(hex::encode(Sha256::digest(format!("{} {parts:?}", lock_digest(work)))))
}

fn is_provider(name: &Path) -> bool {
    name.components().next() == Some(Component::Normal("providers".as_ref()))
}

/// Copies a tree with its links as they are; programs of providers, which nobody changes, become second names.
fn copy(from: &Path, to: &Path, size: &mut u64) -> io::Result<()> {
    fs::create_dir(to)?;
    let mut made = Vec::new();
    walk(from, &mut |path, kind| {
        let name = path.strip_prefix(from).unwrap_or(path);
        made.push((name.to_owned(), kind));
        Ok(())
    })?;
    for (name, kind) in made {
        let (source, place) = (from.join(&name), to.join(&name));
        if kind.is_dir() {
            fs::create_dir(&place)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&source)?, &place)?;
        } else if is_provider(&name) {
            fs::hard_link(&source, &place)?;
        } else {
            *size += fs::copy(&source, &place)?;
        }
    }
    Ok(())
}

/// Visits everything below a folder, a folder before what it holds; links aren't followed.
pub(super) fn walk(folder: &Path, visit: &mut dyn FnMut(&Path, fs::FileType) -> io::Result<()>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        visit(&path, kind)?;
        if kind.is_dir() {
            walk(&path, visit)?;
        }
    }
    Ok(())
}

fn links(folder: &Path) -> io::Result<Vec<(PathBuf, PathBuf)>> {
    let mut found = Vec::new();
    walk(folder, &mut |path, kind| {
        if kind.is_symlink() {
            found.push((path.to_owned(), fs::read_link(path)?));
        }
        Ok(())
    })?;
    Ok(found)
}

fn links_lead_somewhere(folder: &Path) -> io::Result<bool> {
    Ok(links(folder)?.iter().all(|(link, _)| link.exists()))
}

/// Takes a copy's name away first, so that nobody begins to read what is going.
fn discard(path: &Path) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    let going = tempfile::Builder::new().prefix(".old-").tempdir_in(folder)?;
    match fs::rename(path, going.path().join("entry")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        renamed => renamed,
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Notes that a copy was used; one that can't be noted is only let go of sooner.
pub(super) fn touch(entry: &Path) {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    utimensat(CWD, entry, &Timestamps { last_access: now, last_modification: now }, AtFlags::empty()).ok();
}
