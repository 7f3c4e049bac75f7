//! Which directories a commit means: those whose metadata it changes.

use std::path::{Path, PathBuf};

use super::Since;
use super::directory::METADATA;
use crate::git::{GitError, git};

/// What a change holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changed {
    /// Directories whose metadata is new or different; absolute.
    pub folders: Vec<PathBuf>,
    /// Directories whose metadata is gone; paths in the repository.
    pub removed: Vec<String>,
}

/// Why a change can't be told.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum ChangesError {
    #[error("{} lies in no Git repository", .0.display())]
    NoRepository(PathBuf, #[source] GitError),
    #[error(
        "commit {commit} isn't here to compare with (let the pipeline fetch more: fetch-depth: 0 for actions/checkout, \
         GIT_DEPTH: 0 for GitLab, full clone for CodeBuild; or name another with --base)"
    )]
    NotHere {
        commit: String,
        #[source]
        source: GitError,
    },
    #[error(transparent)]
    Git(#[from] GitError),
}

/// The directories that the change up to the commit that is checked out means. `within` is any folder of the repository.
///
/// # Errors
/// [`ChangesError`].
pub fn changed(within: &Path, since: &Since) -> Result<Changed, ChangesError> {
    let root = git(within, &["rev-parse", "--show-toplevel"])
        .map_err(|source| ChangesError::NoRepository(within.to_owned(), source))?;
    let root = PathBuf::from(String::from_utf8_lossy(&root).trim_end_matches('\n'));
    let listed = match base(&root, since)? {
        Some(commit) => {
            let words = ["diff", "--name-status", "--no-renames", "-z", &commit, "HEAD", "--"];
            git(&root, &words)?
        }
        // The first commit of all: everything in it is new.
        None => git(&root, &["diff-tree", "--root", "-r", "--no-commit-id", "--name-status", "-z", "HEAD"])?,
    };
    Ok(read(&root, &String::from_utf8_lossy(&listed)))
}

/// The commit to compare with; None where what is checked out has no parent.
fn base(root: &Path, since: &Since) -> Result<Option<String>, ChangesError> {
    match since {
        Since::Parent => {
            let parents = git(root, &["rev-list", "--parents", "--max-count=1", "HEAD"])?;
            let parents = String::from_utf8_lossy(&parents);
            if let Some(parent) = parents.split_whitespace().nth(1) {
                return here(root, parent).map(Some);
            }
            // Of a shallow clone Git doesn't tell the parents that it hasn't got.
            let shallow = git(root, &["rev-parse", "--is-shallow-repository"])?;
            if shallow.starts_with(b"true") {
                git(root, &["fetch", "--quiet", "--no-tags", "--deepen", "1"])
                    .map_err(|source| ChangesError::NotHere { commit: "HEAD^".to_owned(), source })?;
                return Ok(git(root, &["rev-parse", "--verify", "HEAD^1"]).ok().map(|name| text(&name)));
            }
            Ok(None)
        }
        Since::Commit(commit) => here(root, commit).map(Some),
        Since::Branch(branch) => match git(root, &["merge-base", branch, "HEAD"]) {
            Ok(commit) => Ok(Some(text(&commit))),
            Err(source) => Err(ChangesError::NotHere { commit: branch.clone(), source }),
        },
    }
}

/// The commit, fetched if it isn't there yet.
fn here(root: &Path, commit: &str) -> Result<String, ChangesError> {
    let name = format!("{commit}^{{commit}}");
    let known = || git(root, &["rev-parse", "--verify", "--end-of-options", &name]);
    if let Ok(found) = known() {
        return Ok(text(&found));
    }
    // Servers give single commits by their full name; anything else fails here, and then the second look tells.
    drop(git(root, &["fetch", "--quiet", "--no-tags", "--depth", "1", "origin", commit]));
    match known() {
        Ok(found) => Ok(text(&found)),
        Err(source) => Err(ChangesError::NotHere { commit: commit.to_owned(), source }),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

/// Reads `--name-status -z`: a letter and a path, each ended by a null.
fn read(root: &Path, listed: &str) -> Changed {
    let mut changed = Changed::default();
    let mut parts = listed.split('\0');
    while let (Some(status), Some(path)) = (parts.next(), parts.next()) {
        let Some(folder) = path.strip_suffix(METADATA).map(|folder| folder.trim_end_matches('/')) else { continue };
        // `x.proton/…` only ends like it.
        if !folder.is_empty() && !path.ends_with(&format!("/{METADATA}")) {
            continue;
        }
        match status {
            "D" => changed.removed.push(folder.to_owned()),
            _ => changed.folders.push(root.join(folder)),
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    struct Repository(tempfile::TempDir);

    impl Repository {
        fn new() -> Self {
            let repository = Self(tempfile::tempdir().unwrap());
            repository.git(&["init", "--quiet", "--initial-branch", "main"]);
            repository
        }

        fn git(&self, words: &[&str]) -> String {
            let who = ["-c", "user.name=n", "-c", "user.email=n@example.com"];
            text(&git(self.0.path(), &[&who[..], words].concat()).unwrap())
        }

        fn write(&self, folder: &str, content: &str) {
            let path = self.0.path().join(folder).join(METADATA);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }

        fn commit(&self) -> String {
            self.git(&["add", "--all"]);
            self.git(&["commit", "--quiet", "--message", "m"]);
            self.git(&["rev-parse", "HEAD"])
        }

        fn changed(&self, since: &Since) -> Vec<String> {
            let root = self.0.path().canonicalize().unwrap();
            let found = changed(self.0.path(), since).unwrap().folders;
            let mut found: Vec<_> =
                found.iter().map(|folder| folder.strip_prefix(&root).unwrap().display().to_string()).collect();
            found.sort();
            found
        }
    }

    #[test]
    fn only_directories_whose_metadata_changed_count() {
        let repository = Repository::new();
        repository.write("dev", "1");
        repository.write("dev/ä b", "1");
        repository.write("gone", "1");
        fs::write(repository.0.path().join("dev/main.tf"), "").unwrap();
        let first = repository.commit();
        assert_eq!(repository.changed(&Since::Parent), ["dev", "dev/ä b", "gone"], "the first commit of all");

        repository.write("dev/ä b", "2");
        fs::write(repository.0.path().join("dev/main.tf"), "# changed").unwrap();
        fs::remove_dir_all(repository.0.path().join("gone")).unwrap();
        repository.commit();
        assert_eq!(repository.changed(&Since::Parent), ["dev/ä b"]);
        assert_eq!(changed(repository.0.path(), &Since::Parent).unwrap().removed, ["gone"]);
        repository.write("prod", "1");
        repository.commit();
        assert_eq!(repository.changed(&Since::Parent), ["prod"]);
        assert_eq!(repository.changed(&Since::Commit(first)), ["dev/ä b", "prod"]);
    }

    #[test]
    fn a_merge_means_all_that_it_brings_and_a_branch_only_its_own() {
        let repository = Repository::new();
        repository.write("dev", "1");
        repository.commit();
        repository.git(&["checkout", "--quiet", "-b", "change"]);
        repository.write("dev", "2");
        repository.commit();
        repository.write("dev/a-b", "1");
        repository.commit();
        repository.git(&["checkout", "--quiet", "main"]);
        repository.write("other", "1");
        repository.commit();
        repository.git(&["merge", "--quiet", "--no-ff", "--message", "m", "change"]);
        assert_eq!(repository.changed(&Since::Parent), ["dev", "dev/a-b"]);
        repository.git(&["checkout", "--quiet", "change"]);
        assert_eq!(repository.changed(&Since::Branch("main^".into())), ["dev", "dev/a-b"]);
    }

    #[test]
    fn a_shallow_clone_fetches_what_it_compares_with() {
        let repository = Repository::new();
        repository.write("dev", "1");
        let first = repository.commit();
        repository.write("prod", "1");
        repository.commit();
        // What GitHub's and GitLab's servers allow as well.
        repository.git(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
        let folder = tempfile::tempdir().unwrap();
        let origin = format!("file://{}", repository.0.path().display());
        for (copy, since) in [("a", Since::Commit(first)), ("b", Since::Parent)] {
            git(folder.path(), &["clone", "--quiet", "--depth", "1", &origin, copy]).unwrap();
            let found = changed(&folder.path().join(copy), &since).unwrap();
            assert_eq!(found.folders.len(), 1, "{found:?}");
            assert!(found.folders[0].ends_with("prod"));
        }
    }

    #[test]
    fn what_can_not_be_compared_names_the_way_out() {
        let repository = Repository::new();
        repository.write("dev", "1");
        repository.commit();
        let unknown = "1234567890123456789012345678901234567890".to_owned();
        let error = changed(repository.0.path(), &Since::Commit(unknown)).unwrap_err().to_string();
        assert!(error.contains("fetch-depth: 0") && error.contains("1234567890"), "{error}");
        let outside = tempfile::tempdir().unwrap();
        assert!(matches!(changed(outside.path(), &Since::Parent), Err(ChangesError::NoRepository(..))));
    }
}
