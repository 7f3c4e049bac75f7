//! Finds Terraform or OpenTofu and asks its version.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use semver::Version;
use serde::Deserialize;

use super::TerraformError;

/// The oldest that will do: `import` blocks appeared in 1.5.
pub const FLOOR: Version = Version::new(1, 5, 0);

/// The series that our own tests run with; others in range are expected to work.
pub const TESTED: &str = "1.11";

/// The names that are looked for, in this order.
const NAMES: [&str; 2] = ["terraform", "tofu"];

/// A binary that was asked and will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terraform {
    /// Its absolute path. Links are not followed, since a version switcher looks at the name it is called by.
    pub binary: PathBuf,
    /// Its version.
    pub version: Version,
    /// Whether it is OpenTofu, by the file's name.
    pub tofu: bool,
}

impl Terraform {
    /// Whether `init` knows `-json`.
    pub(super) fn init_speaks_json(&self) -> bool {
        !self.tofu && self.version >= Version::new(1, 9, 0)
    }
}

/// Finds Terraform: the `configured` path if there is one, else the first `terraform` in the folders of `search_path`,
/// else the first `tofu`. Runs `version -json` once, which takes some ten milliseconds; keep the answer.
///
/// # Errors
/// Absent, too old, or something else by that name; each says what to do.
pub fn find(configured: Option<&Path>, search_path: &OsStr) -> Result<Terraform, TerraformError> {
    let binary = match configured {
        Some(path) if is_program(path) => path.to_owned(),
        Some(path) => return Err(TerraformError::NotFound { looked_for: path.display().to_string() }),
        None => search(search_path).ok_or_else(|| TerraformError::NotFound {
            looked_for: format!("`terraform` and `tofu` in {}", search_path.to_string_lossy()),
        })?,
    };
    let binary = std::path::absolute(&binary).map_err(TerraformError::io("resolving", &binary))?;
    let version = ask_version(&binary, search_path)?;
    if version < FLOOR {
        return Err(TerraformError::TooOld { binary, found: version, floor: FLOOR });
    }
    let tofu = binary.file_stem().is_some_and(|name| name.to_string_lossy().contains("tofu"));
    Ok(Terraform { binary, version, tofu })
}

fn search(search_path: &OsStr) -> Option<PathBuf> {
    NAMES.into_iter().find_map(|name| {
        std::env::split_paths(search_path).map(|folder| folder.join(name)).find(|path| is_program(path))
    })
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[derive(Deserialize)]
struct Answer {
    terraform_version: String,
}

fn ask_version(binary: &Path, search_path: &OsStr) -> Result<Version, TerraformError> {
    let env = [
        ("PATH", search_path),
        ("HOME", OsStr::new("/")),
        ("CHECKPOINT_DISABLE", OsStr::new("1")),
        ("TF_CLI_CONFIG_FILE", OsStr::new("/dev/null")),
    ];
    let asked = duct::cmd(binary, ["version", "-json"]).full_env(env).dir("/");
    let output = asked
        .stdin_null()
        .stdout_capture()
        .stderr_capture()
        .unchecked()
        .run()
        .map_err(TerraformError::io("starting", binary))?;
    let answer = serde_json::from_slice::<Answer>(&output.stdout).ok();
    answer.and_then(|answer| Version::parse(&answer.terraform_version).ok()).ok_or_else(|| {
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).trim().chars().take(200).collect();
        TerraformError::NotTerraform { binary: binary.to_owned(), said }
    })
}
