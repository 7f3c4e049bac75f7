//! From what the user names to files: a folder as it lies there, a branch of it, or a clone of a URL.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, anyhow};

use super::super::{Exit, Failure};
use crate::estate::Tree;
use crate::git;

/// Largest file that is read, in bytes: what a bundle may hold.
const LARGEST_FILE: u64 = 2 << 20;

/// Most bytes that are read of one repository.
const MOST_BYTES: u64 = 1 << 30;

/// Folders that tools fill by themselves.
const TOOLS: [&str; 4] = [".git", ".terraform", ".terragrunt-cache", "node_modules"];

/// What of a repository is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// The directories that Proton rendered, and `env_config.json`; the rest of a large repository isn't even opened.
    Rendered,
    /// Everything.
    All,
}

/// Where a repository lies.
#[derive(Debug, PartialEq, Eq)]
enum Source {
    /// A folder, as it lies there.
    Folder(PathBuf),
    /// A branch of the repository that a folder belongs to.
    Branch(PathBuf, String),
    /// What `git clone` understands.
    Remote(String, Option<String>),
}

/// Reads the files of a repository, given as `FOLDER`, `FOLDER@BRANCH`, `URL` or `URL@BRANCH`.
pub(super) fn tree(given: &str, want: Want) -> Result<Tree, Failure> {
    let name = shown(given);
    match source(given, |folder| Path::new(folder).is_dir())? {
        Source::Folder(folder) if is_bare(&folder) => cloned(&folder.to_string_lossy(), None, "", name, want),
        Source::Folder(folder) => files(&folder, &BTreeSet::new(), name, want),
        Source::Branch(folder, branch) => {
            let (root, below) = root_of(&folder, &name)?;
            cloned(&root, Some(&branch), &below, name, want)
        }
        Source::Remote(url, branch) => cloned(&url, branch.as_deref(), "", name, want),
    }
}

/// Tells folders from URLs, and takes the branch off.
///
/// An `@` of a user (`git@host:path`, `https://user@host/path`) stands before the path begins, one of a branch behind the
/// repository's name.
fn source(given: &str, is_folder: impl Fn(&str) -> bool) -> Result<Source, Failure> {
    if is_folder(given) {
        return Ok(Source::Folder(given.into()));
    }
    let path = path_of_url(given);
    // A branch may have slashes and an @ of its own: the longest name of a repository that fits counts.
    for (at, _) in given.rmatch_indices('@').filter(|(at, _)| *at > path.unwrap_or(0)) {
        let (repository, branch) = (&given[..at], &given[at + 1..]);
        if branch.is_empty() || branch.starts_with('-') {
            return Err(usage(format!("`{given}` has no branch behind the @"), "write REPO@BRANCH, or REPO alone"));
        }
        if path.is_none() && is_folder(repository) {
            return Ok(Source::Branch(repository.into(), branch.to_owned()));
        }
        let behind_name = path.is_some_and(|path| repository.len() > path && !repository.ends_with('/'));
        if behind_name && (!branch.contains('/') || !given[path.unwrap_or(0)..at].contains('@')) {
            return Ok(Source::Remote(repository.to_owned(), Some(branch.to_owned())));
        }
    }
    match path {
        Some(_) => Ok(Source::Remote(given.to_owned(), None)),
        None if Path::new(given).is_file() => {
            Err(usage(format!("`{given}` is a file"), "name the folder or the URL of the repository"))
        }
        None => Err(usage(format!("there is no folder `{given}`"), "name a folder, or a URL that `git clone` takes")),
    }
}

fn usage(message: String, hint: &str) -> Failure {
    Failure::new(Exit::Usage, anyhow!(message)).hint(hint)
}

/// Where the path of a URL begins; `None` for what is none: `scheme://authority/path`, or `[user@]host:path`.
fn path_of_url(given: &str) -> Option<usize> {
    if let Some(scheme) = given.find("://") {
        let authority = scheme + 3;
        return Some(given[authority..].find('/').map_or(given.len(), |slash| authority + slash));
    }
    let colon = given.find(':')?;
    (!given[..colon].contains('/') && colon > 1).then_some(colon)
}

/// The name for messages: a password in a URL stays out of them.
fn shown(given: &str) -> String {
    let Some((scheme, rest)) = given.split_once("://") else { return given.to_owned() };
    let end = rest.find('/').unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://{}", &rest[at + 1..]),
        None => given.to_owned(),
    }
}

fn is_bare(folder: &Path) -> bool {
    !folder.join(".git").exists() && folder.join("HEAD").is_file() && folder.join("objects").is_dir()
}

/// The repository's own folder, and the path from there to the one that was named.
fn root_of(folder: &Path, name: &str) -> Result<(String, String), Failure> {
    if is_bare(folder) {
        return Ok((absolute(folder)?, String::new()));
    }
    let told = |word: &str| -> Result<String, Failure> {
        let said = git::git(folder, &["rev-parse", word]);
        let said = said.map_err(|error| {
            Failure::new(Exit::Usage, anyhow::Error::new(error).context(format!("{name}: cannot tell the branch")))
                .hint("a branch needs a Git repository; without @BRANCH the folder is read as it lies there")
        })?;
        Ok(String::from_utf8_lossy(&said).trim().to_owned())
    };
    Ok((told("--show-toplevel")?, told("--show-prefix")?.trim_end_matches('/').to_owned()))
}

fn absolute(folder: &Path) -> Result<String, Failure> {
    let path = folder.canonicalize().with_context(|| format!("opening {}", folder.display()))?;
    Ok(path.to_string_lossy().into_owned())
}

fn cloned(url: &str, branch: Option<&str>, below: &str, name: String, want: Want) -> Result<Tree, Failure> {
    let folder = tempfile::tempdir().context("making a temporary folder")?;
    let checkout = git::clone(url, branch, &folder.path().join("clone")).map_err(|error| {
        let hint = match branch {
            Some(branch) => format!("`git ls-remote` shows whether it can be reached, and has a branch `{branch}`"),
            None => "`git ls-remote` with the same URL shows whether it can be reached".to_owned(),
        };
        Failure::from(anyhow::Error::new(error).context(format!("cloning {name}"))).hint(hint)
    })?;
    let listed = git::git(&checkout.folder, &["ls-files", "--stage", "-z"]).context("listing the clone's files")?;
    let listed = String::from_utf8_lossy(&listed).into_owned();
    // They were written as plain files that hold their target.
    let links = listed.split('\0').filter(|line| line.starts_with("120000 ")).filter_map(|line| line.split_once('\t'));
    let prefix = if below.is_empty() { String::new() } else { format!("{below}/") };
    let links = links.filter_map(|(_, path)| path.strip_prefix(&prefix)).map(str::to_owned).collect();
    let root = checkout.folder.join(below);
    if !root.is_dir() {
        let message = format!("{name}: there is no folder {below} on that branch");
        return Err(usage(message, "name the repository's own folder, or another branch"));
    }
    files(&root, &links, name, want)
}

/// What lies at a path.
enum Found {
    File(PathBuf),
    Skipped(&'static str),
}

/// The files below a folder.
fn files(root: &Path, links: &BTreeSet<String>, name: String, want: Want) -> Result<Tree, Failure> {
    let root = root.canonicalize().with_context(|| format!("opening {}", root.display()))?;
    let mut found = BTreeMap::new();
    walk(&root, links, &mut found)?;
    if want == Want::Rendered {
        keep_rendered(&mut found);
    }
    let mut tree = Tree { name, ..Tree::default() };
    let mut bytes = 0;
    for (path, found) in found {
        let file = match found {
            Found::File(file) => file,
            Found::Skipped(why) => {
                tree.skipped.push((path, why.to_owned()));
                continue;
            }
        };
        match content(&file) {
            Ok(content) => {
                bytes += u64::try_from(content.len()).unwrap_or(u64::MAX);
                tree.files.insert(path, content);
            }
            Err(why) => tree.skipped.push((path, why)),
        }
        if bytes > MOST_BYTES {
            let message = format!("{} holds more than {} MiB of files", tree.name, MOST_BYTES >> 20);
            return Err(usage(message, "name the folder in it that Proton provisioned into"));
        }
    }
    Ok(tree)
}

/// A file's bytes, or why they aren't read.
fn content(file: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let opened = fs::File::open(file).and_then(|file| file.take(LARGEST_FILE + 1).read_to_end(&mut bytes));
    opened.map_err(|error| error.to_string())?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(format!("larger than {} MiB", LARGEST_FILE >> 20));
    }
    // UTF-16 has them too, and its mark says what it is: the reader tells how to put that right.
    let utf_16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    if !utf_16 && bytes.iter().take(8000).any(|byte| *byte == 0) {
        return Err("binary".to_owned());
    }
    Ok(bytes)
}

fn walk(root: &Path, links: &BTreeSet<String>, found: &mut BTreeMap<String, Found>) -> Result<(), Failure> {
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("reading {}", folder.display()))?;
            let path = entry.path();
            let below = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            let kind = entry.file_type().with_context(|| format!("reading {}", path.display()))?;
            if kind.is_dir() {
                if !TOOLS.contains(&entry.file_name().to_string_lossy().as_ref()) {
                    folders.push(path);
                }
            } else if links.contains(&below) {
                found.insert(below, linked(root, &path, &fs::read_to_string(&path).unwrap_or_default()));
            } else if kind.is_symlink() {
                let target = fs::read_link(&path).unwrap_or_default();
                found.insert(below, linked(root, &path, &target.to_string_lossy()));
            } else if kind.is_file() {
                found.insert(below, Found::File(path));
            }
        }
    }
    Ok(())
}

/// What a symbolic link leads to, if that is a file of the same tree.
fn linked(root: &Path, link: &Path, target: &str) -> Found {
    let mut path = link.parent().unwrap_or(root).to_owned();
    for part in Path::new(target.trim_end_matches('\n')).components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => path = PathBuf::from("/"),
        }
    }
    // Also what lies at its end may be a link.
    match path.canonicalize() {
        _ if !path.starts_with(root) => Found::Skipped("a link out of the repository"),
        Ok(real) if !real.starts_with(root) => Found::Skipped("a link out of the repository"),
        Ok(real) if real.is_file() => Found::File(real),
        Ok(_) => Found::Skipped("a link to a folder"),
        Err(_) => Found::Skipped("a link to nothing"),
    }
}

/// Leaves what Proton rendered, and what belongs to it.
fn keep_rendered(found: &mut BTreeMap<String, Found>) {
    let note = ".proton/deployment-metadata.json";
    let folders: BTreeSet<String> = found.keys().filter_map(|path| Some(path.strip_suffix(note)?.to_owned())).collect();
    let inside = |path: &str| {
        let around = path.match_indices('/').map(|(slash, _)| &path[..=slash]).chain([""]);
        around.into_iter().any(|folder| folders.contains(folder))
    };
    found.retain(|path, _| {
        inside(path) || path.ends_with("env_config.json") || path.ends_with("proton.auto.tfvars.json")
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(given: &str) -> Source {
        let folders = ["repo", "/a/repo", "/home/me@work/repo", "a@b"];
        source(given, |folder| folders.contains(&folder)).unwrap()
    }

    #[test]
    fn a_branch_stands_behind_the_name_and_a_user_before_the_path() {
        let remote = |url: &str, branch: Option<&str>| Source::Remote(url.to_owned(), branch.map(str::to_owned));
        for (given, url, branch) in [
            ("git@host:org/repo.git", "git@host:org/repo.git", None),
            ("git@host:org/repo.git@prod", "git@host:org/repo.git", Some("prod")),
            ("git@host:repo@feature/x", "git@host:repo", Some("feature/x")),
            ("host:repo@main", "host:repo", Some("main")),
            ("https://host/org/repo", "https://host/org/repo", None),
            ("https://me:secret@host/org/repo", "https://me:secret@host/org/repo", None),
            ("https://me@host/org/repo@main", "https://me@host/org/repo", Some("main")),
            ("https://host/org/repo@feature/x", "https://host/org/repo", Some("feature/x")),
            ("ssh://git@host:22/org/repo@v1", "ssh://git@host:22/org/repo", Some("v1")),
            ("file:///srv/repo.git@main", "file:///srv/repo.git", Some("main")),
        ] {
            assert_eq!(parsed(given), remote(url, branch), "{given}");
        }
    }

    #[test]
    fn a_folder_wins_over_what_its_name_could_mean() {
        let branch = |folder: &str, branch: &str| Source::Branch(folder.into(), branch.to_owned());
        assert_eq!(parsed("repo"), Source::Folder("repo".into()));
        assert_eq!(parsed("a@b"), Source::Folder("a@b".into()));
        assert_eq!(parsed("repo@main"), branch("repo", "main"));
        assert_eq!(parsed("/a/repo@feature/x"), branch("/a/repo", "feature/x"));
        assert_eq!(parsed("/home/me@work/repo@main"), branch("/home/me@work/repo", "main"));
        assert_eq!(parsed("a@b@c"), branch("a@b", "c"));
    }

    #[test]
    fn what_is_neither_is_refused_with_a_remedy() {
        for given in ["nowhere", "nowhere@main", "repo@", "C:repo@-x"] {
            let failure = source(given, |folder| folder == "repo").err().map(|failure| failure.words());
            assert!(failure.is_none_or(|words| words.contains("hint:")), "{given}");
        }
        assert!(source("nowhere", |_| false).unwrap_err().words().contains("there is no folder `nowhere`"));
        assert!(source("repo@", |folder| folder == "repo").unwrap_err().words().contains("no branch"));
    }

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(shown("https://me:secret@host/org/repo@main"), "https://host/org/repo@main");
        assert_eq!(shown("git@host:org/repo"), "git@host:org/repo");
    }

    #[test]
    fn links_are_followed_inside_the_tree_only() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("repo");
        fs::create_dir_all(root.join("dev/.proton")).unwrap();
        fs::write(folder.path().join("secret"), "s").unwrap();
        fs::write(root.join("dev/.proton/deployment-metadata.json"), "{}").unwrap();
        fs::write(root.join("shared.tf"), "locals {}").unwrap();
        fs::write(root.join("dev/blob.tf"), b"\0").unwrap();
        fs::write(root.join("elsewhere.txt"), "not wanted").unwrap();
        for (target, link) in [
            ("../shared.tf", "inside.tf"),
            ("../../secret", "outside.tf"),
            ("/etc/passwd", "absolute.tf"),
            ("nothing", "nothing.tf"),
            (".", "folder"),
        ] {
            symlink(target, root.join("dev").join(link)).unwrap();
        }
        symlink(folder.path(), root.join("out")).unwrap();
        symlink("../out/secret", root.join("dev/twice.tf")).unwrap();
        let tree = tree(&root.to_string_lossy(), Want::Rendered).unwrap();
        assert_eq!(tree.files.keys().collect::<Vec<_>>(), ["dev/.proton/deployment-metadata.json", "dev/inside.tf"]);
        let skipped: Vec<(&str, &str)> = tree.skipped.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        assert_eq!(
            skipped,
            [
                ("dev/absolute.tf", "a link out of the repository"),
                ("dev/blob.tf", "binary"),
                ("dev/folder", "a link to a folder"),
                ("dev/nothing.tf", "a link to nothing"),
                ("dev/outside.tf", "a link out of the repository"),
                ("dev/twice.tf", "a link out of the repository"),
            ]
        );
    }
}
