//! The JavaScript clients below `target/npm`: AWS's SDK and the Backstage plugin, from `npm/package-lock.json`, which
//! names every package with its digest.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The files of `tests/support/npm`.
const FILES: &[(&str, &str)] = &[
    ("package.json", include_str!("npm/package.json")),
    ("package-lock.json", include_str!("npm/package-lock.json")),
    ("stubs/backend-common/package.json", include_str!("npm/stubs/backend-common/package.json")),
    ("stubs/backend-common/index.js", include_str!("npm/stubs/backend-common/index.js")),
    ("stubs/scaffolder-backend/package.json", include_str!("npm/stubs/scaffolder-backend/package.json")),
    ("stubs/scaffolder-backend/index.js", include_str!("npm/stubs/scaffolder-backend/index.js")),
];

/// The folder that holds `node_modules`, installed by whoever comes first; others wait. A script that runs there, or
/// with `NODE_PATH` set to its `node_modules`, finds the packages.
///
/// # Panics
/// When something can't be had, with the remedy.
pub(crate) fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("npm");
        install(&folder).unwrap_or_else(|problem| panic!("cannot install the JavaScript clients: {problem}"));
        folder
    })
}

fn install(folder: &Path) -> Result<(), String> {
    let told = |what: &'static str| move |error: std::io::Error| format!("{what} ({error})");
    fs::create_dir_all(folder).map_err(told("their folder can't be made"))?;
    let lock = File::create(folder.join("lock")).map_err(told("no lock"))?;
    lock.lock().map_err(told("no lock"))?;
    let (key, marker) = (FILES.iter().map(|(_, text)| *text).collect::<String>(), folder.join("done"));
    if fs::read_to_string(&marker).is_ok_and(|installed| installed == key) {
        return Ok(());
    }
    for (name, text) in FILES {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a file lies in a folder")).map_err(told("no folder"))?;
        fs::write(path, text).map_err(told("a file can't be written"))?;
    }
    npm_ci(folder)?;
    // Last of all: an installation that was interrupted begins again.
    fs::write(marker, key).map_err(told("the marker can't be written"))
}

/// Nothing that a package would like to run at its installation is run.
fn npm_ci(folder: &Path) -> Result<(), String> {
    let arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    #[expect(clippy::disallowed_methods, reason = "tests install their tools themselves")]
    let done = Command::new("npm").args(arguments).current_dir(folder).output();
    let done = done.map_err(|error| format!("the tests need Node.js 20 or newer with `npm` on PATH ({error})"))?;
    match done.status.success() {
        true => Ok(()),
        false => Err(format!(
            "npm got no packages; it needs a registry (its own configuration)\n{}",
            String::from_utf8_lossy(&done.stderr)
        )),
    }
}
