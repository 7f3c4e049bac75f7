//! The pages of `docs/reference`, made from the code: `HADRON_UPDATE=1 cargo test --lib cli::reference` writes them anew.
//! They are made here since the tree of commands is nobody else's.

mod commands;
mod environment;
mod errors;
mod exit_codes;
mod invocations;
mod markdown;
mod messages;
mod operations;
mod settings;

use std::fs;
use std::path::Path;

/// Holds a page against its file, or writes it when asked to.
fn published(name: &str, text: &str) {
    let path = root().join("docs/reference").join(name);
    if std::env::var_os("HADRON_UPDATE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
    }
    let published = fs::read_to_string(&path).unwrap_or_default();
    assert!(published == text, "docs/reference/{name} is stale: HADRON_UPDATE=1 cargo test --lib cli::reference");
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below `folder` with this ending, as paths and texts, in order.
fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    let (mut found, mut folders) = (Vec::new(), vec![root().join(folder)]);
    while let Some(inner) = folders.pop() {
        for entry in fs::read_dir(inner).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                let name = path.strip_prefix(root()).unwrap().display().to_string();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}
