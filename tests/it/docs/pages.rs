//! The Markdown files of the repository, and what in them can be linked to.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd};
use regex::Regex;

/// A Markdown file.
pub(super) struct Page {
    /// Its path from the root of the repository.
    pub(super) path: PathBuf,
    /// What its links and pictures name, as it is written.
    pub(super) links: Vec<String>,
    /// Files of this repository that it names in backticks.
    pub(super) files: Vec<String>,
    /// The names of its headings.
    pub(super) anchors: BTreeSet<String>,
}

pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All pages that people read, by their paths.
pub(super) fn all() -> BTreeMap<PathBuf, Page> {
    let mut found = Vec::new();
    for folder in ["docs", "examples", "modules"] {
        walk(&root().join(folder), &mut found);
    }
    found.extend(["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(|name| root().join(name)));
    found.iter().filter(|path| path.is_file()).map(|path| read(path)).map(|page| (page.path.clone(), page)).collect()
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

fn read(path: &Path) -> Page {
    let text = fs::read_to_string(path).unwrap();
    let named = Regex::new(r"^(src|tests|examples|docs|benches|modules|model)/[\w./-]+$").unwrap();
    let (mut links, mut files, mut anchors, mut heading) = (Vec::new(), Vec::new(), BTreeSet::new(), None::<String>);
    for event in Parser::new_ext(&text, Options::ENABLE_TABLES) {
        if let Event::Code(code) = &event
            && named.is_match(code)
        {
            files.push(code.to_string());
        }
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                links.push(CowStr::into_string(dest_url));
            }
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&text);
                }
            }
            Event::End(TagEnd::Heading(_)) => {
                let wanted = slug(&heading.take().unwrap_or_default());
                let again = (1..).map(|count| format!("{wanted}-{count}"));
                let name = std::iter::once(wanted.clone()).chain(again).find(|name| !anchors.contains(name)).unwrap();
                anchors.insert(name);
            }
            _ => {}
        }
    }
    Page { path: path.strip_prefix(root()).unwrap().to_owned(), links, files, anchors }
}

/// A heading's name, as code hosts and mdBook make it.
fn slug(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|it| it.is_alphanumeric() || matches!(it, ' ' | '-' | '_'));
    kept.map(|it| if it == ' ' { '-' } else { it }).flat_map(char::to_lowercase).collect()
}
