//! A directory becomes a commit on a branch of its own.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::{GitError, clone, git};

/// What is to be published.
#[derive(Debug)]
pub struct Draft<'a> {
    /// The repository, as Git clones it.
    pub repository: &'a str,
    /// The branch that it starts from.
    pub base: &'a str,
    /// The branch that it goes to; whatever is there is replaced.
    pub branch: &'a str,
    /// The directory, below `environments` where the repository has such a folder at its root.
    pub directory: &'a str,
    /// Its files, by their path in it.
    pub files: &'a BTreeMap<String, Vec<u8>>,
    /// A text that only files have which were published here before: those that aren't among `files` go.
    pub mark: &'a str,
    /// The commit's message.
    pub title: &'a str,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    /// The branch holds it; the directory's path in the repository.
    Pushed(String),
    /// The base holds it already, to the last byte.
    There(String),
}

/// Commits and pushes. Doing it again comes to the same branch with the same files.
///
/// # Errors
/// [`GitError`]: the repository can't be cloned, has no such branch, or refuses the push.
pub fn publish(draft: &Draft<'_>) -> Result<Published, GitError> {
    let folder = tempfile::tempdir().map_err(io(Path::new("a temporary folder")))?;
    let there = clone(draft.repository, Some(draft.base), &folder.path().join("clone"))?.folder;
    let nested = there.join("environments").is_dir();
    let directory = if nested { format!("environments/{}", draft.directory) } else { draft.directory.to_owned() };
    let work = there.join(&directory);
    fs::create_dir_all(&work).map_err(io(&work))?;
    remove_old(&work, draft)?;
    for (name, bytes) in draft.files {
        let path = work.join(name);
        let parent = path.parent().unwrap_or(&work);
        fs::create_dir_all(parent).and_then(|()| fs::write(&path, bytes)).map_err(io(&path))?;
    }
    git(&there, &["checkout", "--quiet", "-B", draft.branch])?;
    git(&there, &["add", "--all", "--force", "--", &directory])?;
    if git(&there, &["status", "--porcelain", "--untracked-files=no"])?.is_empty() {
        return Ok(Published::There(directory));
    }
    let who = ["-c", "user.name=Hadron", "-c", "user.email=hadron@localhost", "-c", "commit.gpgSign=false"];
    git(&there, &[&who[..], &["commit", "--quiet", "--no-verify", "--message", draft.title]].concat())?;
    git(&there, &["push", "--quiet", "--force", "origin", &format!("HEAD:refs/heads/{}", draft.branch)])?;
    Ok(Published::Pushed(directory))
}

/// Takes away what an earlier version of the template had and this one hasn't. Directories below are others'.
fn remove_old(work: &Path, draft: &Draft<'_>) -> Result<(), GitError> {
    for entry in fs::read_dir(work).map_err(io(work))? {
        let path = entry.map_err(io(work))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !path.is_file() || draft.files.contains_key(&name) {
            continue;
        }
        let text = fs::read(&path).map_err(io(&path))?;
        if String::from_utf8_lossy(&text).contains(draft.mark) {
            fs::remove_file(&path).map_err(io(&path))?;
        }
    }
    Ok(())
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> GitError {
    move |source| GitError::Io { path: path.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(folder: &Path, nested: bool) -> String {
        let origin = folder.join("origin");
        fs::create_dir_all(origin.join(if nested { "environments" } else { "dev" })).unwrap();
        let name = if nested { "environments/README" } else { "dev/old.tf" };
        fs::write(origin.join(name), "# the mark\n").unwrap();
        let who = ["-c", "user.name=n", "-c", "user.email=n@example.com"];
        git(&origin, &["init", "--quiet", "--initial-branch", "main"]).unwrap();
        git(&origin, &["add", "."]).unwrap();
        git(&origin, &[&who[..], &["commit", "--quiet", "--message", "one"]].concat()).unwrap();
        origin.display().to_string()
    }

    fn files(text: &str) -> BTreeMap<String, Vec<u8>> {
        [("main.tf", text), (".proton/deployment-metadata.json", "{}")]
            .map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()))
            .into()
    }

    fn published(repository: &str, files: &BTreeMap<String, Vec<u8>>) -> Published {
        let (base, branch, directory) = ("main", "proton--proton-environment-d-1", "dev");
        publish(&Draft { repository, base, branch, directory, files, mark: "the mark", title: "Update" }).unwrap()
    }

    fn listed(repository: &str, branch: &str) -> String {
        let listed = git(Path::new(repository), &["ls-tree", "-r", "--name-only", branch]).unwrap();
        String::from_utf8(listed).unwrap()
    }

    #[test]
    fn it_is_the_same_branch_however_often_it_is_published() {
        let folder = tempfile::tempdir().unwrap();
        let repository = origin(folder.path(), false);
        for _ in 0..2 {
            assert_eq!(published(&repository, &files("a")), Published::Pushed("dev".into()));
            let branch = listed(&repository, "proton--proton-environment-d-1");
            assert_eq!(branch, "dev/.proton/deployment-metadata.json\ndev/main.tf\n", "what was published before goes");
        }
        assert_eq!(listed(&repository, "main"), "dev/old.tf\n");
        git(Path::new(&repository), &["merge", "--quiet", "proton--proton-environment-d-1"]).unwrap();
        assert_eq!(published(&repository, &files("a")), Published::There("dev".into()));
    }

    #[test]
    fn a_repository_that_has_a_folder_for_environments_keeps_them_there() {
        let folder = tempfile::tempdir().unwrap();
        let repository = origin(folder.path(), true);
        assert_eq!(published(&repository, &files("a")), Published::Pushed("environments/dev".into()));
    }
}
