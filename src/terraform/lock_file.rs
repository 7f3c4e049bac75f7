//! `.terraform.lock.hcl`: which version of each provider, and the digests of its packages.
//!
//! <https://developer.hashicorp.com/terraform/language/files/dependency-lock>

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

pub use crate::domain::LOCK_FILE;

/// One provider's lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Locked {
    pub(super) version: String,
    constraints: Option<String>,
    /// `h1:` of an unpacked package on one platform, `zh:` of an archive on any.
    pub(super) hashes: BTreeSet<String>,
}

/// All locks of a file, by the provider's address, such as `registry.terraform.io/hashicorp/aws`.
pub(super) type Locks = BTreeMap<String, Locked>;

/// Reads a work directory's locks; none where there is no file, or none that we could read, which is Terraform's to tell.
pub(super) fn read(work: &Path) -> Locks {
    parse(&fs::read_to_string(work.join(LOCK_FILE)).unwrap_or_default())
}

/// The version of each provider that a lock file names, by the provider's address.
pub fn locked_versions(lock_file: &[u8]) -> BTreeMap<String, String> {
    let locks = parse(&String::from_utf8_lossy(lock_file));
    locks.into_iter().map(|(address, locked)| (address, locked.version)).collect()
}

fn parse(text: &str) -> Locks {
    let body = hcl::parse(text).unwrap_or_default();
    let providers = body.blocks().filter(|block| block.identifier() == "provider");
    providers.filter_map(|block| Some((block.labels().first()?.as_str().to_owned(), locked(block)?))).collect()
}

fn locked(block: &hcl::Block) -> Option<Locked> {
    let find =
        |name: &str| block.body().attributes().find(|attribute| attribute.key() == name).map(hcl::Attribute::expr);
    let text = |expression: &hcl::Expression| match expression {
        hcl::Expression::String(text) => Some(text.clone()),
        _ => None,
    };
    let hashes = match find("hashes") {
        Some(hcl::Expression::Array(items)) => items.iter().filter_map(text).collect(),
        _ => BTreeSet::new(),
    };
    Some(Locked { version: text(find("version")?)?, constraints: find("constraints").and_then(text), hashes })
}

/// Writes the locks as Terraform does.
pub(super) fn write(work: &Path, locks: &Locks) -> io::Result<()> {
    fs::write(work.join(LOCK_FILE), print(locks))
}

fn print(locks: &Locks) -> String {
    let mut text = "# This file is maintained automatically by \"terraform init\".\n\
                    # Manual edits may be lost in future updates.\n"
        .to_owned();
    for (address, Locked { version, constraints, hashes }) in locks {
        let mut add = |line: &str| writeln!(text, "{line}").expect("a String takes all");
        add(&format!("\nprovider \"{address}\" {{"));
        match constraints {
            Some(constraints) => {
                add(&format!("  version     = \"{version}\""));
                add(&format!("  constraints = \"{constraints}\""));
            }
            None => add(&format!("  version = \"{version}\"")),
        }
        add("  hashes = [");
        for hash in hashes {
            add(&format!("    \"{hash}\","));
        }
        add("  ]\n}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"# This file is maintained automatically by "terraform init".
# Manual edits may be lost in future updates.

provider "registry.terraform.io/hashicorp/aws" {
  version     = "3.39.0"
  constraints = "~> 3.0"
  hashes = [
    "h1:a=",
    "zh:b",
  ]
}

provider "registry.terraform.io/hashicorp/null" {
  version = "3.2.1"
  hashes = [
    "h1:c=",
  ]
}
"#;

    #[test]
    fn a_lock_file_survives_being_read_and_written() {
        let work = tempfile::tempdir().unwrap();
        assert!(read(work.path()).is_empty());
        fs::write(work.path().join(LOCK_FILE), TEXT).unwrap();
        let locks = read(work.path());
        assert_eq!(locks["registry.terraform.io/hashicorp/aws"].version, "3.39.0");
        write(work.path(), &locks).unwrap();
        assert_eq!(fs::read_to_string(work.path().join(LOCK_FILE)).unwrap(), TEXT);
    }
}
