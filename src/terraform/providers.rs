//! The provider store: every provider is downloaded once per machine, and linked from there.
//!
//! ```text
//! mirror/HOST/NAMESPACE/TYPE/VERSION/OS_ARCH/   packages, as Terraform unpacked and verified them
//! known/HOST/NAMESPACE/TYPE/VERSION.json        their digests; changed whenever one is used
//! cli/DIGEST.tfrc                               the site's configuration with the mirror in front
//! turn                                          locked while somebody may be downloading
//! ```
//!
//! Terraform does the downloading, from where the site's configuration says, and the verifying: a package is moved into
//! the store only after an `init` that ended well, by one rename, and a link left in its place. Later inits find it as a
//! filesystem mirror, and Terraform holds it against the lock file, at that init and at every apply.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::TerraformError;
use super::lock_file::{self, Locks};
use super::tree::{touch, wait_for, walk};
use crate::support::files;

pub(super) const CLI_CONFIG: &str = "TF_CLI_CONFIG_FILE";

/// A provider store.
#[derive(Debug, Clone)]
pub struct ProviderStore {
    /// Its folder; several agents may share it, on one machine or on several.
    pub folder: PathBuf,
}

/// A provider's package in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its address, such as `registry.terraform.io/hashicorp/aws`.
    pub provider: String,
    /// Its version.
    pub version: String,
    /// What it is built for, such as `linux_amd64`.
    pub platform: String,
    /// In bytes.
    pub size: u64,
    /// When a run last linked it.
    pub used: SystemTime,
}

/// What is known of a version's packages.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Known {
    /// By platform: the digest of the unpacked package, computed here.
    h1: BTreeMap<String, String>,
    /// The archives of all platforms, as their origin lists them.
    zh: BTreeSet<String>,
}

impl ProviderStore {
    /// The site's configuration with the store in front; None where it can't be put in front: for a site with overrides
    /// for development, or with packages in the folders that Terraform looks into by itself, which a
    /// `provider_installation` would hide.
    ///
    /// <https://developer.hashicorp.com/terraform/cli/config/config-file#provider-installation>
    ///
    /// # Errors
    /// The store can't be written.
    pub fn cli_config(&self, site: Option<&Path>) -> Result<Option<PathBuf>, TerraformError> {
        let text = site.map(fs::read_to_string).transpose().unwrap_or_default().unwrap_or_default();
        let Some(text) = with_mirror(&text, &self.mirror()) else { return Ok(None) };
        let folder = self.folder.join("cli");
        let broken = |source| TerraformError::io("writing", &folder)(source);
        for folder in [&folder, &self.mirror()] {
            fs::create_dir_all(folder).map_err(broken)?;
        }
        let path = folder.join(format!("{}.tfrc", &hex::encode(Sha256::digest(&text))[..32]));
        if !path.exists() {
            files::write_atomically(&path, text.as_bytes()).map_err(broken)?;
        }
        Ok(Some(path))
    }

    /// Terraform's environment with the store in front of the site's configuration; None where the store can't serve, and
    /// the site's own does.
    pub(super) fn in_front(
        &self,
        work: &Path,
        env: &BTreeMap<String, String>,
    ) -> Result<Option<BTreeMap<String, String>>, TerraformError> {
        if work.join("terraform.d/plugins").exists() || !self.complete(work)? {
            return Ok(None);
        }
        let Some(ours) = self.cli_config(site_config(env))? else { return Ok(None) };
        let mut env = env.clone();
        env.insert(CLI_CONFIG.to_owned(), ours.to_string_lossy().into_owned());
        Ok(Some(env))
    }

    fn mirror(&self) -> PathBuf {
        self.folder.join("mirror")
    }

    /// Waits until nobody else may be downloading, unless no download is to be expected: the lock file says what is
    /// needed, and it is here.
    pub(super) async fn turn(&self, work: &Path, stop: &CancellationToken) -> Result<Option<File>, TerraformError> {
        if self.has_all(work) || !asks_for_providers(work) {
            return Ok(None);
        }
        fs::create_dir_all(&self.folder).map_err(TerraformError::io("creating", &self.folder))?;
        let turn = wait_for(&self.folder.join("turn"), stop).await?;
        // What one waited for may be what one needs.
        Ok(turn.filter(|_| !self.has_all(work)))
    }

    /// The same for an init that looks for newer packages than those that are locked.
    pub(super) async fn turn_anew(
        &self,
        work: &Path,
        stop: &CancellationToken,
    ) -> Result<Option<File>, TerraformError> {
        if !asks_for_providers(work) {
            return Ok(None);
        }
        fs::create_dir_all(&self.folder).map_err(TerraformError::io("creating", &self.folder))?;
        wait_for(&self.folder.join("turn"), stop).await
    }

    pub(super) fn has_all(&self, work: &Path) -> bool {
        let locks = lock_file::read(work);
        let here = |(provider, locked): (&String, &lock_file::Locked)| {
            self.mirror().join(provider).join(&locked.version).join(platform()).exists()
        };
        !locks.is_empty() && locks.iter().all(here)
    }

    /// Adds to the lock file what is known of the packages here: the digest on this platform, where the file has an
    /// archive's digest of the same release, and those of other platforms, so that a lock file made from here serves
    /// everywhere. False if a package here isn't the one that the file means, so that the store can't serve.
    pub(super) fn complete(&self, work: &Path) -> Result<bool, TerraformError> {
        let mut locks = lock_file::read(work);
        let before = locks.clone();
        let mut serves = true;
        for (provider, locked) in &mut locks {
            let known = self.known(provider, &locked.version);
            let Some(h1) = known.h1.get(&platform()) else { continue };
            if locked.hashes.contains(h1) || !known.zh.is_disjoint(&locked.hashes) {
                locked.hashes.extend(known.zh.iter().chain([h1]).cloned());
            } else {
                serves = false;
            }
        }
        if locks != before {
            lock_file::write(work, &locks).map_err(TerraformError::io("completing the lock file in", work))?;
        }
        Ok(serves)
    }

    /// Moves the packages that an init has downloaded into the store, and links them.
    pub(super) fn adopt(&self, work: &Path, before: &Locks) -> Result<(), TerraformError> {
        let broken = |source| TerraformError::io("keeping providers in", &self.folder)(source);
        let after = lock_file::read(work);
        for (provider, version, platform, path) in packages(&work.join(".terraform/providers")).map_err(broken)? {
            let place = self.mirror().join(&provider).join(&version).join(&platform);
            if path.is_symlink() {
                if fs::read_link(&path).is_ok_and(|to| to == place) {
                    touch(&self.known_file(&provider, &version));
                }
                continue;
            }
            let mut known = self.known(&provider, &version);
            // What stood in the lock file before is somebody's word; what Terraform adds it has from the origin.
            if before.get(&provider).is_none_or(|locked| locked.version != version)
                && let Some(locked) = after.get(&provider)
            {
                known.zh.extend(locked.hashes.iter().filter(|hash| hash.starts_with("zh:")).cloned());
            }
            known.h1.insert(platform, package_hash(&path).map_err(broken)?);
            let note = serde_json::to_vec_pretty(&known).map_err(|error| broken(error.into()))?;
            let file = self.known_file(&provider, &version);
            fs::create_dir_all(file.parent().unwrap_or(&file)).map_err(broken)?;
            files::write_atomically(&file, &note).map_err(broken)?;
            self.move_in(&path, &place).map_err(broken)?;
        }
        Ok(())
    }

    /// One rename. A store on another file system is copied to first, beside the place.
    fn move_in(&self, path: &Path, place: &Path) -> io::Result<()> {
        fs::create_dir_all(place.parent().unwrap_or(place))?;
        if !place.exists() {
            match fs::rename(path, place) {
                Err(error) if error.kind() == io::ErrorKind::CrossesDevices => self.copy_in(path, place)?,
                Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {}
                moved => moved?,
            }
        }
        if path.exists() {
            fs::remove_dir_all(path)?;
        }
        std::os::unix::fs::symlink(place, path)
    }

    fn copy_in(&self, path: &Path, place: &Path) -> io::Result<()> {
        let new = tempfile::Builder::new().prefix(".new-").tempdir_in(&self.folder)?;
        walk(path, &mut |from, kind| {
            let to = new.path().join(from.strip_prefix(path).unwrap_or(from));
            if kind.is_dir() { fs::create_dir(&to) } else { fs::copy(from, &to).map(drop) }
        })?;
        match fs::rename(new.path(), place) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
            moved => moved,
        }
    }

    /// Notes that a run uses what it links.
    pub(super) fn used(&self, work: &Path) {
        for (provider, version, ..) in packages(&work.join(".terraform/providers")).unwrap_or_default() {
            touch(&self.known_file(&provider, &version));
        }
    }

    fn known_file(&self, provider: &str, version: &str) -> PathBuf {
        self.folder.join("known").join(provider).join(format!("{version}.json"))
    }

    fn known(&self, provider: &str, version: &str) -> Known {
        let text = fs::read(self.known_file(provider, version)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// What lies here.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn list(&self) -> io::Result<Vec<Package>> {
        let mut found = Vec::new();
        for (provider, version, platform, path) in packages(&self.mirror())? {
            let mut size = 0;
            walk(&path, &mut |file, kind| {
                size += if kind.is_file() { fs::metadata(file)?.len() } else { 0 };
                Ok(())
            })?;
            let used =
                fs::metadata(self.known_file(&provider, &version)).or_else(|_| fs::metadata(&path))?.modified()?;
            found.push(Package { provider, version, platform, size, used });
        }
        Ok(found)
    }

    /// Removes a package; who needs it again downloads it again.
    ///
    /// # Errors
    /// The store can't be written.
    pub fn remove(&self, package: &Package) -> io::Result<()> {
        let version = self.mirror().join(&package.provider).join(&package.version);
        let going = tempfile::Builder::new().prefix(".old-").tempdir_in(&self.folder)?;
        fs::rename(version.join(&package.platform), going.path().join("package"))?;
        // Of another platform's package there may be one left.
        fs::remove_dir(version).ok();
        Ok(())
    }
}

/// The site's own configuration of Terraform.
fn site_config(env: &BTreeMap<String, String>) -> Option<&Path> {
    env.get(CLI_CONFIG).map(Path::new).filter(|path| *path != Path::new("/dev/null"))
}

/// The first mirror of the site's configuration, as an argument of `providers lock`; None for each provider's origin.
pub(super) fn origin(env: &BTreeMap<String, String>) -> Option<String> {
    let text = fs::read_to_string(site_config(env)?).ok()?;
    let body = hcl::parse(&text).ok()?;
    let installation = body.blocks().find(|block| block.identifier() == "provider_installation")?;
    installation.body().blocks().find_map(|method| {
        let (flag, key) = match method.identifier() {
            "filesystem_mirror" => ("-fs-mirror", "path"),
            "network_mirror" => ("-net-mirror", "url"),
            _ => return None,
        };
        let place = method.body().attributes().find(|attribute| attribute.key() == key)?;
        match place.expr() {
            hcl::Expression::String(place) => Some(format!("{flag}={place}")),
            _ => None,
        }
    })
}

/// As Terraform calls this machine.
pub(super) fn platform() -> String {
    let machine = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("{}_{machine}", std::env::consts::OS)
}

/// Provider, version, platform and folder of everything below a folder with a mirror's layout, links among them.
fn packages(folder: &Path) -> io::Result<Vec<(String, String, String, PathBuf)>> {
    let mut paths = vec![folder.to_owned()];
    for _ in 0..5 {
        let mut below = Vec::new();
        for path in paths {
            match fs::read_dir(&path) {
                Ok(entries) => below.extend(entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir())),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        paths = below;
    }
    paths.sort();
    let named = |path: PathBuf| {
        let name = path.strip_prefix(folder).ok()?.to_str()?.to_owned();
        let (rest, platform) = name.rsplit_once('/')?;
        let (provider, version) = rest.rsplit_once('/')?;
        Some((provider.to_owned(), version.to_owned(), platform.to_owned(), path.clone()))
    };
    Ok(paths.into_iter().filter_map(named).collect())
}

/// The digest of an unpacked package, as the lock file has it.
///
/// <https://pkg.go.dev/golang.org/x/mod/sumdb/dirhash#Hash1>
fn package_hash(package: &Path) -> io::Result<String> {
    let mut lines = BTreeMap::new();
    walk(package, &mut |path, kind| {
        if !kind.is_dir() {
            let name = path.strip_prefix(package).unwrap_or(path).to_string_lossy().into_owned();
            lines.insert(name.clone(), format!("{}  {name}\n", file_hash(path)?));
        }
        Ok(())
    })?;
    let all: String = lines.into_values().collect();
    Ok(format!("h1:{}", STANDARD.encode(Sha256::digest(all))))
}

/// Piece by piece: a provider has hundreds of megabytes.
fn file_hash(path: &Path) -> io::Result<String> {
    let (mut file, mut digest) = (BufReader::with_capacity(1 << 16, File::open(path)?), Sha256::new());
    loop {
        let piece = file.fill_buf()?;
        if piece.is_empty() {
            return Ok(hex::encode(digest.finalize()));
        }
        digest.update(piece);
        let read = piece.len();
        file.consume(read);
    }
}

/// Whether any file may need a provider that Terraform doesn't hold itself. What can't be read may.
fn asks_for_providers(work: &Path) -> bool {
    let mut asks = false;
    let read = walk(work, &mut |path, kind| {
        let name = path.to_string_lossy();
        if kind.is_file() && name.ends_with(".tf") && !name.contains("/.terraform/") {
            let body = fs::read_to_string(path).ok().and_then(|text| hcl::parse(&text).ok());
            asks |= body.is_none_or(|body| body.blocks().any(needs_provider));
        }
        // JSON is ours only in the backend's override; an author's isn't looked into.
        asks |= kind.is_file() && name.ends_with(".tf.json") && !name.ends_with("zzzz_hadron_backend_override.tf.json");
        Ok(())
    });
    asks || read.is_err()
}

fn needs_provider(block: &hcl::Block) -> bool {
    let label = block.labels().first().map_or("", |label| label.as_str());
    match block.identifier() {
        "resource" | "data" | "ephemeral" => !label.starts_with("terraform_"),
        "provider" | "module" => !(block.identifier() == "module" && is_local(block)),
        "terraform" => block.body().blocks().any(|block| block.identifier() == "required_providers"),
        "import" | "removed" => true,
        _ => false,
    }
}

fn is_local(module: &hcl::Block) -> bool {
    let source = module.body().attributes().find(|attribute| attribute.key() == "source").map(hcl::Attribute::expr);
    matches!(source, Some(hcl::Expression::String(text)) if text.starts_with("./"))
}

/// Folders that Terraform looks into by itself as long as no configuration says otherwise.
const IMPLIED: &[&str] = &["/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins"];

fn with_mirror(site: &str, mirror: &Path) -> Option<String> {
    let body = hcl::parse(site).ok()?;
    let ours = hcl::Block::builder("filesystem_mirror").add_attribute(("path", mirror.to_str()?)).build();
    let (installation, rest): (Vec<_>, Vec<_>) = body.into_iter().partition(is_installation);
    let methods: Vec<hcl::Structure> = match installation.into_iter().next() {
        Some(hcl::Structure::Block(block)) => block.body.into_iter().collect(),
        _ if IMPLIED.iter().any(|folder| Path::new(folder).exists()) => return None,
        _ => vec![hcl::Structure::Block(hcl::Block::new("direct"))],
    };
    let develops = |method: &hcl::Structure| match method {
        hcl::Structure::Block(block) => block.identifier() == "dev_overrides",
        hcl::Structure::Attribute(attribute) => attribute.key() == "dev_overrides",
    };
    if methods.iter().any(develops) {
        return None;
    }
    let methods = std::iter::once(hcl::Structure::Block(ours)).chain(methods);
    let installation = hcl::Block::builder("provider_installation").add_structures(methods).build();
    let body: hcl::Body = rest.into_iter().chain([hcl::Structure::Block(installation)]).collect();
    hcl::to_string(&body).ok()
}

fn is_installation(structure: &hcl::Structure) -> bool {
    matches!(structure, hcl::Structure::Block(block) if block.identifier() == "provider_installation")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_comes_before_what_the_site_says_and_the_rest_stays() {
        let site = "plugin_cache_dir = \"/c\"\nprovider_installation {\n  network_mirror {\n    url = \"https://m/\"\n  }\n}\n";
        let text = with_mirror(site, Path::new("/s/mirror")).unwrap();
        let (ours, theirs) = (text.find("/s/mirror").unwrap(), text.find("https://m/").unwrap());
        assert!(ours < theirs && text.contains("plugin_cache_dir") && !text.contains("direct"), "{text}");
        assert!(
            with_mirror("provider_installation {\n  dev_overrides {\n    \"a/b\" = \"/x\"\n  }\n}\n", Path::new("/s"))
                .is_none()
        );
        assert!(with_mirror("}{", Path::new("/s")).is_none());
    }

    #[test]
    fn only_what_terraform_holds_itself_needs_no_provider() {
        let asks = |text: &str| {
            let work = tempfile::tempdir().unwrap();
            fs::write(work.path().join("main.tf"), text).unwrap();
            asks_for_providers(work.path())
        };
        assert!(!asks("resource \"terraform_data\" \"x\" {}\nmodule \"m\" {\n  source = \"./m\"\n}\n"));
        assert!(asks("resource \"aws_vpc\" \"x\" {}\n"));
        assert!(asks("module \"m\" {\n  source = \"a/b/c\"\n}\n"));
        assert!(asks("terraform {\n  required_providers {\n    x = { source = \"a/x\" }\n  }\n}\n"));
        assert!(asks("}{"));
    }

    #[test]
    fn a_packages_digest_is_the_one_that_terraform_writes() {
        // dirhash.Hash1 of one file "a" with the content "x".
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), "x").unwrap();
        let line = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881  a\n";
        let expected = format!("h1:{}", STANDARD.encode(Sha256::digest(line)));
        assert_eq!(package_hash(folder.path()).unwrap(), expected);
    }
}
