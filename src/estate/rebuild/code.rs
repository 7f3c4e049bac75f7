//! The author's files of resources that were made from one bundle, which ought to be the same everywhere.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::estate::{CodeFile, Resource};

/// An author's files by path, so that equal ones compare equal whatever their line ends.
pub(in crate::estate) type Code<'a> = BTreeMap<&'a str, Cow<'a, [u8]>>;

/// Files that lie in a rendered directory without being of the bundle: what Proton once copied beside them, what
/// Terraform leaves, what a person set.
fn is_foreign(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let generated = name.starts_with("proton.") && (name.ends_with(".variables.tf") || name.ends_with(".tfvars.json"));
    generated
        || path.split('/').any(|part| part.starts_with('.'))
        || name == "manifest.yaml"
        || ["-inputs", "-inputs.json", ".tfvars", ".tfvars.json", ".tfplan"].iter().any(|end| name.ends_with(end))
        || name.contains(".tfstate")
}

/// Everything of the author's in a directory.
pub(super) fn authored(resource: &Resource) -> impl Iterator<Item = &CodeFile> {
    resource.code.iter().filter(|file| !is_foreign(&file.path))
}

/// The same, comparable.
pub(super) fn code(resource: &Resource) -> Code<'_> {
    authored(resource).map(|file| (file.path.as_str(), normal(&file.body))).collect()
}

/// What of a directory Proton wrote for certain, comparable: the Terraform files with a banner, or, where no file has
/// one, all of them.
pub(in crate::estate) fn rendered(resource: &Resource) -> Code<'_> {
    let signed = authored(resource).any(|file| file.banner.is_some());
    let own = authored(resource).filter(|file| is_terraforms(file)).filter(|file| !signed || file.banner.is_some());
    own.map(|file| (file.path.as_str(), normal(&file.body))).collect()
}

fn is_terraforms(file: &CodeFile) -> bool {
    !file.path.contains('/') && file.path.strip_suffix(".tf").is_some()
}

/// Terraform files without a banner beside such that have one, which only some of the directories have: a person laid them
/// there, and they are no part of what all were made from.
pub(super) fn strays<'a>(resources: &[&'a Resource]) -> BTreeSet<&'a str> {
    let by_hand = |&resource: &&'a Resource| {
        let signed = authored(resource).any(|file| file.banner.is_some());
        authored(resource).filter(move |file| signed && file.banner.is_none() && is_terraforms(file))
    };
    let paths = resources.iter().flat_map(by_hand).map(|file| file.path.as_str());
    let everywhere = |path: &str| resources.iter().all(|it| it.code.iter().any(|file| file.path == path));
    paths.filter(|path| !everywhere(path)).collect()
}

/// Text without what Git and editors change: byte order mark, CRLF, blank lines around.
pub(in crate::estate) fn normal(bytes: &[u8]) -> Cow<'_, [u8]> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
    let start = bytes.iter().position(|byte| !is_end(byte)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|byte| !is_end(byte)).map_or(start, |last| last + 1);
    let bytes = &bytes[start..end];
    if !bytes.contains(&b'\r') {
        return Cow::Borrowed(bytes);
    }
    let mut text = Vec::with_capacity(bytes.len());
    for (index, &byte) in bytes.iter().enumerate() {
        if byte != b'\r' || bytes.get(index + 1) != Some(&b'\n') {
            text.push(byte);
        }
    }
    Cow::Owned(text)
}

/// A directory that can stand for the others.
pub(super) struct Choice<'a> {
    /// Whose files to take.
    pub(super) resource: &'a Resource,
    /// How many directories have exactly these files.
    pub(super) same: usize,
    /// The files in which some directory differs, and in how many.
    pub(super) differing: Vec<(&'a str, usize)>,
}

/// The distinct sets of files, the one that agrees most with all others first.
///
/// Which deployment was the last isn't known. A set that some directory has was really deployed; one voted file by file
/// need not have been. Among equals, live directories come before deleted ones and line ends of Unix before others.
pub(super) fn choices<'a>(resources: &[&'a Resource]) -> Vec<Choice<'a>> {
    let strays = strays(resources);
    let own = |&resource: &&'a Resource| {
        let mut own = code(resource);
        own.retain(|path, _| !strays.contains(path));
        own
    };
    let sets: Vec<Code<'a>> = resources.iter().map(own).collect();
    let mut contents: BTreeMap<&'a str, HashMap<&[u8], usize>> = BTreeMap::new();
    for set in &sets {
        for (path, bytes) in set {
            *contents.entry(*path).or_default().entry(&bytes[..]).or_default() += 1;
        }
    }
    let absent = |path: &str| resources.len() - contents[path].values().sum::<usize>();
    let without_any: usize = contents.keys().map(|path| resources.len() - absent(path)).sum();
    // Adding a file costs those who have another or none, and saves what leaving it out would have cost.
    let distance = |set: &Code<'a>| {
        set.iter().fold(without_any, |sum, (path, bytes)| {
            sum + (resources.len() - contents[path][&bytes[..]]) - (resources.len() - absent(path))
        })
    };
    let mut distinct: HashMap<&Code<'a>, Vec<usize>> = HashMap::new();
    for (index, set) in sets.iter().enumerate() {
        distinct.entry(set).or_default().push(index);
    }
    let mut ranked: Vec<((usize, bool, bool, usize), Choice<'a>)> = Vec::new();
    for (set, members) in distinct {
        let rank = |&index: &usize| {
            let resource = resources[index];
            (resource.deleted, authored(resource).any(|file| file.body.contains(&b'\r')), index)
        };
        let Some(&first) = members.iter().min_by_key(|index| rank(index)) else { continue };
        let (deleted, windows, index) = rank(&first);
        let differing = contents.keys().filter_map(|path| {
            let agreeing = set.get(path).map_or_else(|| absent(path), |bytes| contents[path][&bytes[..]]);
            (agreeing < resources.len()).then_some((*path, resources.len() - agreeing))
        });
        let choice = Choice { resource: resources[index], same: members.len(), differing: differing.collect() };
        ranked.push(((distance(set), deleted, windows, index), choice));
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, choice)| choice).collect()
}
