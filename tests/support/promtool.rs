//! Prometheus' own checker, out of Debian's package: it is extracted below `target/tools`, and nothing is installed.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use sha2::{Digest, Sha256};

/// Debian 12's package for amd64. When Debian replaces it by a newer one, both lines change.
const VERSION: &str = "2.42.0+ds-5+deb12u1";
const DIGEST: &str = "81d59a24fce84f7fbe97a45a4f2914b6a5881b5cd1db2a6a0e129e515e1a5f55";

/// The program, extracted by whoever comes first; other test binaries wait.
///
/// # Panics
/// When it can't be had, with the remedy.
pub(crate) fn promtool() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("tools").join("promtool");
        extract(&folder).unwrap_or_else(|problem| {
            panic!(
                "no promtool below {}: {problem}\nit comes from Debian's package prometheus {VERSION}",
                folder.display()
            )
        })
    })
}

fn extract(folder: &Path) -> Result<PathBuf, String> {
    let told = |error: std::io::Error| error.to_string();
    let program = folder.join(format!("promtool-{VERSION}"));
    fs::create_dir_all(folder).map_err(told)?;
    let lock = File::create(folder.join("lock")).map_err(told)?;
    lock.lock().map_err(told)?;
    if program.exists() {
        return Ok(program);
    }
    let package = download(folder)?;
    let bytes = fs::read(&package).map_err(told)?;
    let found = hex::encode(Sha256::digest(&bytes));
    if found != DIGEST {
        return Err(format!("{} has the digest {found}, not {DIGEST}", package.display()));
    }
    let archive = run("dpkg-deb", &["--fsys-tarfile", &package.display().to_string()], folder)?;
    let mut archive = tar::Archive::new(&*archive);
    for entry in archive.entries().map_err(told)? {
        let mut entry = entry.map_err(told)?;
        if entry.path().map_err(told)?.ends_with("usr/bin/promtool") {
            let (mut bytes, new) = (Vec::new(), folder.join("new"));
            entry.read_to_end(&mut bytes).map_err(told)?;
            fs::write(&new, bytes).map_err(told)?;
            let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            fs::set_permissions(&new, executable).map_err(told)?;
            fs::rename(&new, &program).map_err(told)?;
            fs::remove_file(&package).ok();
            return Ok(program);
        }
    }
    Err("the package holds no promtool".to_owned())
}

/// The package, by apt: with the system's lists of packages, or, where there are none, with lists of our own.
fn download(folder: &Path) -> Result<PathBuf, String> {
    let wanted = format!("prometheus={VERSION}");
    if run("apt-get", &["download", &wanted], folder).is_err() {
        let state = folder.join("apt");
        fs::create_dir_all(state.join("lists/partial")).map_err(|error| error.to_string())?;
        let own = [
            format!("Dir::State={}", state.display()),
            format!("Dir::State::lists={}", state.join("lists").display()),
            format!("Dir::Cache={}", state.display()),
        ];
        let own: Vec<&str> = own.iter().flat_map(|option| ["-o", option]).collect();
        run("apt-get", &[&own[..], &["update"]].concat(), folder)?;
        run("apt-get", &[&own[..], &["download", &wanted]].concat(), folder)?;
    }
    let found = fs::read_dir(folder).map_err(|error| error.to_string())?.filter_map(Result::ok).map(|it| it.path());
    found
        .into_iter()
        .find(|it| it.extension().is_some_and(|it| it == "deb"))
        .ok_or_else(|| "apt-get left no package".into())
}

/// Runs a program with this process's own environment, since apt's proxies may stand there.
fn run(program: &str, arguments: &[&str], folder: &Path) -> Result<Vec<u8>, String> {
    #[expect(clippy::disallowed_methods, reason = "tests install their tools themselves")]
    let done = Command::new(program).args(arguments).current_dir(folder).output();
    let done = done.map_err(|error| format!("{program}: {error}"))?;
    if done.status.success() {
        return Ok(done.stdout);
    }
    Err(format!("{program} {}: {}", arguments.join(" "), String::from_utf8_lossy(&done.stderr)))
}
