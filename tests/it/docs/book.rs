//! The book as its readers get it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

use super::pages;
use crate::mdbook;
use crate::process::command;
use crate::tools::Tools;

#[test]
fn the_book_builds_without_a_warning_and_every_link_in_it_works_offline() {
    let book = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("book");
    let program = mdbook::program(&Tools::get().python());
    let mut build = command(program, &BTreeMap::new());
    let done = build.arg("build").arg(pages::root()).arg("--dest-dir").arg(&book).output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    let complains = ["WARN", "ERROR"].iter().any(|word| said.contains(word));
    assert!(done.status.success() && !complains, "{said}");

    let html = Html::read(&book);
    assert!(html.pages.len() > 30, "only {} pages were built", html.pages.len());
    let dead = html.dead();
    assert!(dead.is_empty(), "{}", dead.join("\n"));
}

/// The pages of a book, with the names that can be linked to in each.
struct Html {
    folder: PathBuf,
    pages: BTreeMap<PathBuf, (String, BTreeSet<String>)>,
}

impl Html {
    fn read(folder: &Path) -> Self {
        let name = Regex::new(r#"\sid="([^"]+)""#).unwrap();
        let mut pages = BTreeMap::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(inner) = folders.pop() {
            for entry in fs::read_dir(inner).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "html") {
                    let text = fs::read_to_string(&path).unwrap();
                    let names = name.captures_iter(&text).map(|found| found[1].to_owned()).collect();
                    pages.insert(path, (text, names));
                }
            }
        }
        Self { folder: folder.to_owned(), pages }
    }

    /// Links and pictures that lead nowhere, and whatever a page would load from elsewhere.
    fn dead(&self) -> Vec<String> {
        let link = Regex::new(r#"<(\w+)[^>]*?\s(?:href|src)="([^"]*)""#).unwrap();
        let mut dead = Vec::new();
        for (path, (text, _)) in self.pages.iter().filter(|(path, _)| !is_frame(path)) {
            for found in link.captures_iter(text) {
                let (element, target) = (&found[1], &found[2]);
                let outside = target.contains("://");
                if (outside && element != "a") || (!outside && !self.leads_somewhere(path, target)) {
                    dead.push(format!("{}: {target}", path.strip_prefix(&self.folder).unwrap().display()));
                }
            }
        }
        dead
    }

    fn leads_somewhere(&self, from: &Path, target: &str) -> bool {
        let (file, name) = target.split_once('#').map_or((target, ""), |(file, name)| (file, name));
        let path = if file.is_empty() { from.to_owned() } else { from.parent().unwrap().join(file) };
        let Ok(path) = path.canonicalize() else { return false };
        name.is_empty() || self.pages.get(&path).is_none_or(|(_, names)| names.contains(name))
    }
}

/// Pages that mdBook writes for itself: what is shown for a missing one knows its own address only, the table of
/// contents is shown within others, and all pages in one are for printing.
fn is_frame(path: &Path) -> bool {
    ["404.html", "toc.html", "print.html"].iter().any(|name| path.ends_with(name))
}
