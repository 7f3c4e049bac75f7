//! A repository on disk, at one commit.

use std::path::{Path, PathBuf};

use super::{GitError, git};

/// A checked out repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// Folder of the work tree.
    pub folder: PathBuf,
    /// The commit.
    pub commit: String,
}

/// Clones a repository, only its newest commit, into a new folder. Symbolic links arrive as plain files, so that none
/// leads out of the tree.
///
/// # Errors
/// [`GitError`].
pub fn clone(url: &str, branch: Option<&str>, folder: &Path) -> Result<Checkout, GitError> {
    let into = folder.to_string_lossy();
    let mut words = vec!["-c", "core.symlinks=false", "-c", "core.autocrlf=false", "clone", "--quiet", "--depth", "1"];
    if let Some(branch) = branch {
        words.extend(["--branch", branch]);
    }
    words.extend(["--", url, &into]);
    git(Path::new("."), &words)?;
    let commit = String::from_utf8_lossy(&git(folder, &["rev-parse", "HEAD"])?).trim().to_owned();
    Ok(Checkout { folder: folder.to_owned(), commit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_is_cloned_and_its_commit_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let origin = folder.path().join("origin");
        std::fs::create_dir(&origin).unwrap();
        let run = |words: &[&str]| git(&origin, words).unwrap();
        run(&["init", "--quiet", "--initial-branch", "main"]);
        std::fs::write(origin.join("file"), "one").unwrap();
        run(&["add", "."]);
        run(&["-c", "user.name=n", "-c", "user.email=n@example.com", "commit", "--quiet", "--message", "one"]);
        run(&["checkout", "--quiet", "-b", "other"]);
        std::fs::write(origin.join("file"), "two").unwrap();
        run(&["-c", "user.name=n", "-c", "user.email=n@example.com", "commit", "--quiet", "--all", "--message", "two"]);
        let there = clone(&origin.to_string_lossy(), Some("main"), &folder.path().join("copy")).unwrap();
        assert_eq!(std::fs::read_to_string(there.folder.join("file")).unwrap(), "one");
        assert_eq!(there.commit.len(), 40);
        let error = clone(&origin.to_string_lossy(), Some("none"), &folder.path().join("no")).unwrap_err();
        assert!(error.to_string().contains("none"), "{error}");
    }
}
