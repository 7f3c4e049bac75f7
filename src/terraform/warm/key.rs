//! What a copy is known by: everything that `init` reads.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use super::{DATA, LOCK, Warm};
use crate::terraform::env::APPEND_USER_AGENT;
use crate::terraform::tree::walk;
use crate::terraform::{Session, TerraformError};

/// What a copy holds, and how; another way of keeping them is another key.
const FORM: &str = "hadron warm 1";

impl Warm {
    /// Names everything that `init` reads, except the lock file.
    pub(super) fn key(&self, session: &Session) -> Result<String, TerraformError> {
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
}

/// Variables that change what `init` does, but for the state's address and password, and for what requests say of their
/// deployment.
fn configures(name: &str) -> bool {
    name.starts_with("TF_") && !name.starts_with("TF_HTTP_") && name != APPEND_USER_AGENT
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
pub(super) fn lock_digest(work: &Path) -> String {
    match fs::read(work.join(LOCK)) {
        Ok(bytes) => hex::encode(Sha256::digest(bytes))[..16].to_owned(),
        Err(_) => "any".to_owned(),
    }
}

/// A digest of what `init` has laid out; of real provider packages, which are large and which Terraform itself holds
/// against the lock file, the sizes.
pub(super) fn laid_out(work: &Path) -> io::Result<String> {
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

pub(super) fn is_provider(name: &Path) -> bool {
    name.components().next() == Some(Component::Normal("providers".as_ref()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_differs_with_every_deployment_makes_no_other_init() {
        let names = ["TF_CLI_ARGS_init", "TF_HTTP_ADDRESS", "TF_APPEND_USER_AGENT", "HOME"];
        assert_eq!(names.map(super::configures), [true, false, false, false]);
    }
}
