//! The directories of a repository, found by Proton's note in them.

use std::collections::{BTreeMap, BTreeSet};

use super::text::some;
use super::{METADATA, VALUES};
use crate::estate::{Place, Tree, Trouble, TroubleKind};

/// Folders that tools fill by themselves; copies in there are nobody's resource.
const TOOLS: [&str; 4] = [".git", ".terraform", ".terragrunt-cache", "node_modules"];

/// A directory with the files that are its own: not those of another directory of Proton's below it.
#[derive(Debug)]
pub(super) struct Directory<'a> {
    pub(super) repository: &'a str,
    /// Within the repository; empty for its root.
    pub(super) path: &'a str,
    /// Path within the directory, and content.
    pub(super) files: BTreeMap<&'a str, &'a [u8]>,
    /// What lies here and couldn't be read, and why.
    pub(super) skipped: BTreeMap<&'a str, &'a str>,
}

impl Directory<'_> {
    pub(super) fn place(&self) -> Place {
        Place { repository: self.repository.to_owned(), path: self.path.to_owned() }
    }

    /// The place of a file in it.
    pub(super) fn place_of(&self, file: &str) -> Place {
        Place { repository: self.repository.to_owned(), path: joined(self.path, file) }
    }
}

fn joined(folder: &str, file: &str) -> String {
    if folder.is_empty() { file.to_owned() } else { format!("{folder}/{file}") }
}

/// The directories, in the order of their paths.
pub(super) fn find<'a>(tree: &'a Tree, troubles: &mut Vec<Trouble>) -> Vec<Directory<'a>> {
    let paths = tree.files.keys().map(String::as_str).chain(tree.skipped.iter().map(|(path, _)| path.as_str()));
    let known: BTreeSet<&str> = paths.filter_map(proton_directory).collect();
    let mut found: BTreeMap<&str, Directory<'a>> = known.iter().map(|&path| (path, empty(tree, path))).collect();
    for (path, bytes) in &tree.files {
        if let Some((directory, file)) = owner(path, &known)
            && let Some(directory) = found.get_mut(directory)
        {
            directory.files.insert(file, bytes);
        }
    }
    let mut others = Vec::new();
    for (path, why) in &tree.skipped {
        match owner(path, &known).and_then(|(directory, file)| Some((found.get_mut(directory)?, file))) {
            Some((directory, file)) => drop(directory.skipped.insert(file, why)),
            None => others.push(format!("{path} ({why})")),
        }
    }
    troubles.extend(strays(tree, &known));
    if !others.is_empty() {
        let message = format!("not read: {}", some(&others));
        troubles.push(Trouble::at(TroubleKind::Note, Place::root(&tree.name), message));
    }
    found.into_values().collect()
}

fn empty<'a>(tree: &'a Tree, path: &'a str) -> Directory<'a> {
    Directory { repository: &tree.name, path, files: BTreeMap::new(), skipped: BTreeMap::new() }
}

/// The directory that a note lies in.
fn proton_directory(path: &str) -> Option<&str> {
    let directory = path.strip_suffix(METADATA)?;
    let directory = if directory.is_empty() { directory } else { directory.strip_suffix('/')? };
    directory.split('/').all(|folder| !TOOLS.contains(&folder)).then_some(directory)
}

/// The nearest directory of Proton's around a file, and the file's path in it.
fn owner<'p>(path: &'p str, known: &BTreeSet<&'p str>) -> Option<(&'p str, &'p str)> {
    let cuts = path.rmatch_indices('/').map(|(slash, _)| (&path[..slash], &path[slash + 1..]));
    cuts.chain([("", path)]).find(|(folder, _)| known.contains(folder))
}

/// Values of Proton's without a note beside them: most often `.proton`, whose name begins with a dot, was not copied.
fn strays<'a>(tree: &'a Tree, known: &BTreeSet<&'a str>) -> Vec<Trouble> {
    let folders = tree.files.keys().filter_map(|path| match path.strip_suffix(VALUES)? {
        "" => Some(""),
        folder => folder.strip_suffix('/'),
    });
    let message =
        format!("has {VALUES} but no {METADATA}: not imported; restore that file if Proton wrote this directory");
    folders
        .filter(|folder| !known.contains(folder) && folder.split('/').all(|folder| !TOOLS.contains(&folder)))
        .map(|folder| Place { repository: tree.name.clone(), path: folder.to_owned() })
        .map(|place| Trouble::at(TroubleKind::Note, place, message.clone()))
        .collect()
}
