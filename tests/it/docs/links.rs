//! Links within the repository. Others are only looked at: no test asks the network.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use super::pages::{self, Page};

#[test]
fn every_link_leads_to_a_file_and_every_anchor_to_a_heading() {
    let pages = pages::all();
    assert!(pages.len() > 30, "only {} pages were found", pages.len());
    let wrong: Vec<String> = pages
        .values()
        .flat_map(|page| page.links.iter().map(move |link| (page, link)))
        .filter_map(|(page, link)| Some(format!("{}: {link}: {}", page.path.display(), wrong(&pages, page, link)?)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_that_a_page_names_is_there() {
    let pages = pages::all();
    let named = pages.values().filter(|page| !page.path.ends_with("CHANGELOG.md"));
    let named: Vec<_> = named.flat_map(|page| page.files.iter().map(move |file| (&page.path, file))).collect();
    let gone = named.iter().filter(|(_, file)| !pages::root().join(file).exists());
    let gone: Vec<String> = gone.map(|(page, file)| format!("{}: {file}", page.display())).collect();
    assert!(named.len() > 10 && gone.is_empty(), "{} are named; gone are:\n{}", named.len(), gone.join("\n"));
}

/// What is wrong with a link, if anything is.
fn wrong(pages: &BTreeMap<PathBuf, Page>, page: &Page, link: &str) -> Option<&'static str> {
    if let Some((scheme, rest)) = link.split_once("://") {
        let host = rest.split(['/', '#', '?']).next().unwrap_or_default();
        let sound = scheme == "https" && host.contains('.') && !link.contains(char::is_whitespace);
        return (!sound).then_some("an outside link is https, with a host");
    }
    let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
    let folder = page.path.parent().unwrap();
    let Some(path) = (if file.is_empty() { Some(page.path.clone()) } else { resolved(folder, file) }) else {
        return Some("it leads out of the repository");
    };
    if !pages::root().join(&path).exists() {
        return Some("there is no such file");
    }
    if page.path.starts_with("docs") && !path.starts_with("docs") {
        return Some("the book holds docs/ only: name the path in backticks instead");
    }
    let found = anchor.is_none_or(|anchor| pages.get(&path).is_some_and(|page| page.anchors.contains(anchor)));
    (!found).then_some("there is no such heading")
}

/// A path from the root of the repository.
fn resolved(folder: &Path, link: &str) -> Option<PathBuf> {
    let mut path = folder.to_owned();
    for part in Path::new(link).components() {
        match part {
            Component::Normal(name) => path.push(name),
            Component::ParentDir if path.pop() => {}
            Component::CurDir => {}
            _ => return None,
        }
    }
    Some(path)
}

#[test]
fn every_page_of_docs_is_in_the_book_once() {
    let pages = pages::all();
    let summary = &pages[Path::new("docs/SUMMARY.md")];
    let listed: Vec<PathBuf> = summary.links.iter().map(|link| Path::new("docs").join(link)).collect();
    let set: BTreeSet<&PathBuf> = listed.iter().collect();
    assert_eq!(set.len(), listed.len(), "a page stands in docs/SUMMARY.md twice");
    let written = pages.keys().filter(|path| path.starts_with("docs") && !path.ends_with("SUMMARY.md"));
    assert_eq!(set, written.collect(), "left: docs/SUMMARY.md, right: the files");
}
