//! Foreign tools below `target/tools`: a Python environment with the AWS CLI, boto3 and moto, and a mirror that holds
//! the AWS provider.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use sha2::{Digest, Sha256};

/// Every package with the digests of its files.
const REQUIREMENTS: &str = include_str!("requirements.txt");

/// Unpacks the providers' archives; the standard library's own unpacker forgets who may execute what.
const UNPACK: &str = "
import glob, os, sys, zipfile
site, mirror = sys.argv[1:]
for archive in glob.glob(os.path.join(site, 'cloudrail/terraform_plugins/terraform-provider-*.zip')):
    kind, version, system, machine = os.path.basename(archive)[len('terraform-provider-'):-len('.zip')].split('_')
    folder = os.path.join(mirror, 'registry.terraform.io/hashicorp', kind, version, system + '_' + machine)
    zipfile.ZipFile(archive).extractall(folder)
";

/// Where the installed tools lie.
#[derive(Debug, Clone)]
pub(crate) struct Tools {
    root: PathBuf,
}

impl Tools {
    /// The tools, installed by whoever comes first; other threads and other test binaries wait.
    ///
    /// # Panics
    /// When something can't be had, with the remedy.
    pub(crate) fn get() -> &'static Self {
        static TOOLS: OnceLock<Tools> = OnceLock::new();
        TOOLS.get_or_init(|| {
            let root = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("tools");
            let tools = Self { root };
            tools.install().unwrap_or_else(|problem| panic!("{problem}"));
            tools
        })
    }

    /// The environment's interpreter, which knows boto3, moto and Jinja2.
    pub(crate) fn python(&self) -> PathBuf {
        self.bin().join("python")
    }

    /// The folder of the environment's programs, `aws` among them.
    pub(crate) fn bin(&self) -> PathBuf {
        self.root.join("venv/bin")
    }

    /// Terraform's configuration file that names the mirror and nothing else, so that no test asks a registry.
    pub(crate) fn terraform_rc(&self) -> PathBuf {
        self.root.join("terraform.rc")
    }

    fn install(&self) -> Result<(), String> {
        let python = output(Path::new("python3"), &["-c", "import sys; print(sys.version, sys.prefix)"])
            .map_err(|error| format!("the tests need Python 3.11 or newer as `python3` on PATH ({error})"))?;
        fs::create_dir_all(&self.root).map_err(|error| self.problem("the folder can't be made", &error.to_string()))?;
        let lock = File::create(self.root.join("lock")).map_err(|error| self.problem("no lock", &error.to_string()))?;
        lock.lock().map_err(|error| self.problem("no lock", &error.to_string()))?;
        let key = digest(&[REQUIREMENTS, UNPACK, &python, &self.root.display().to_string()]);
        let marker = self.root.join("done");
        if fs::read_to_string(&marker).is_ok_and(|installed| installed == key) {
            return Ok(());
        }
        for leftover in ["done", "venv", "providers"] {
            remove(&self.root.join(leftover)).map_err(|error| self.problem("a leftover stays", &error.to_string()))?;
        }
        self.install_packages()?;
        self.install_providers()?;
        // Last of all: an installation that was interrupted begins again.
        fs::write(&marker, key).map_err(|error| self.problem("the marker can't be written", &error.to_string()))
    }

    fn install_packages(&self) -> Result<(), String> {
        let venv = self.root.join("venv");
        output(Path::new("python3"), &["-m", "venv", &text(&venv)])
            .map_err(|error| self.problem("no virtual environment; is python3-venv installed?", &error))?;
        let requirements = self.root.join("requirements.txt");
        fs::write(&requirements, REQUIREMENTS)
            .map_err(|error| self.problem("the requirements can't be written", &error.to_string()))?;
        let pip = ["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--no-compile"];
        let what = ["--require-hashes", "--only-binary=:all:", "--requirement", &text(&requirements)];
        output(&self.python(), &[&pip[..], &what[..]].concat()).map(drop).map_err(|error| {
            self.problem(
                "pip got no packages; it needs a package index (its own configuration or PIP_INDEX_URL)",
                &error,
            )
        })
    }

    fn install_providers(&self) -> Result<(), String> {
        let mirror = self.root.join("providers");
        let unpacked = output(&self.python(), &["-c", "import sysconfig; print(sysconfig.get_path('purelib'))"])
            .and_then(|site| output(&self.python(), &["-c", UNPACK, site.trim(), &text(&mirror)]));
        unpacked.map_err(|error| self.problem("the AWS provider can't be unpacked", &error))?;
        for version in ["2.70.0", "3.39.0"] {
            let folder = mirror.join("registry.terraform.io/hashicorp/aws").join(version).join("linux_amd64");
            make_executable(&folder).map_err(|error| {
                self.problem(
                    "no AWS provider for this machine; the packages hold the build for linux_amd64",
                    &error.to_string(),
                )
            })?;
        }
        let rc =
            format!("provider_installation {{\n  filesystem_mirror {{\n    path = {:?}\n  }}\n}}\n", text(&mirror));
        fs::write(self.terraform_rc(), rc).map_err(|error| self.problem("no terraform.rc", &error.to_string()))
    }

    fn problem(&self, what: &str, cause: &str) -> String {
        format!("cannot install the test tools in {}: {what}\n{cause}", self.root.display())
    }
}

/// Runs a program with this process's own environment, since pip's configuration may stand there.
fn output(program: &Path, arguments: &[&str]) -> Result<String, String> {
    #[expect(clippy::disallowed_methods, reason = "tests install their tools themselves")]
    let done = Command::new(program).args(arguments).output().map_err(|error| error.to_string())?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    Err(String::from_utf8_lossy(&done.stderr).into_owned())
}

fn make_executable(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        fs::set_permissions(entry?.path(), fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

fn remove(path: &Path) -> std::io::Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    removed.or_else(|error| if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

fn digest(parts: &[&str]) -> String {
    Sha256::digest(parts.join("\0")).iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a String takes everything");
        hex
    })
}

fn text(path: &Path) -> String {
    path.to_str().expect("the target folder's path is UTF-8").to_owned()
}

/// The environment of a program that talks to the emulated AWS at `endpoint`, in the form that every AWS client reads.
pub(crate) fn aws_environment(endpoint: &str) -> BTreeMap<String, String> {
    let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    [
        set("AWS_ENDPOINT_URL", endpoint),
        set("AWS_ACCESS_KEY_ID", "test"),
        set("AWS_SECRET_ACCESS_KEY", "test"),
        set("AWS_REGION", "us-east-1"),
        set("AWS_DEFAULT_REGION", "us-east-1"),
        set("AWS_EC2_METADATA_DISABLED", "true"),
        set("AWS_CONFIG_FILE", "/dev/null"),
        set("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
    ]
    .into()
}
