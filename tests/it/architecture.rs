//! Holds the code against the table of ARCHITECTURE.md: which room may use which.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A room, the rooms it may use, itself always included. `cli` and `main` may use everything.
const MAY_USE: &[(&str, &[&str])] = &[
    ("support", &[]),
    ("domain", &["support"]),
    ("renderer", &["domain"]),
    ("terraform", &["domain", "support"]),
    ("proton", &["domain", "support"]),
    ("hadron", &["domain", "support"]),
    ("objects", &["domain", "support"]),
    ("git", &["domain", "support"]),
    ("forge", &["domain", "support"]),
    ("estate", &["domain", "renderer", "support"]),
    ("workbench", &["domain", "renderer", "support"]),
    ("runner", &["terraform", "proton", "objects", "git", "domain", "support"]),
    ("agent", &["terraform", "proton", "objects", "renderer", "git", "forge", "domain", "support"]),
    ("eject", &["domain", "renderer", "support"]),
    ("control_plane/wire", &["domain", "support", "control_plane"]),
    ("control_plane", &["domain", "objects", "support"]),
    ("settings", &["support", "domain"]),
    ("lifecycle.rs", &[]),
    ("telemetry", &["settings", "support"]),
];

/// Of its own room, the protocol may use the record's keys and nothing of what operations do.
const WIRE_NEVER: &[&str] = &["operations", "registrar", "state_server", "object_server"];

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    if folder.is_file() {
        return found.push(folder.to_owned());
    }
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// The paths behind `crate::` in a file's code; comments don't count.
fn uses(text: &str) -> BTreeSet<Vec<String>> {
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let path = |rest: &str| {
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(rest.len());
        rest[..end].split("::").map(str::to_owned).collect()
    };
    code.match_indices("crate::").map(|(at, found)| path(&code[at + found.len()..])).collect()
}

#[test]
fn every_room_uses_only_what_the_table_allows() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for (room, allowed) in MAY_USE {
        let mut files = Vec::new();
        rust_files(&source.join(room), &mut files);
        assert!(!files.is_empty(), "the room {room} is gone; change the table");
        let own = room.split('/').next().unwrap().trim_end_matches(".rs");
        for file in files {
            let shown = file.strip_prefix(&source).unwrap().display().to_string();
            if *room == "control_plane" && shown.starts_with("control_plane/wire") {
                continue;
            }
            for path in uses(&fs::read_to_string(&file).unwrap()) {
                if path[0] != own && !allowed.contains(&path[0].as_str()) {
                    wrong.push(format!("{shown} uses crate::{}", path.join("::")));
                }
                if *room == "control_plane/wire" && path.get(1).is_some_and(|p| WIRE_NEVER.contains(&p.as_str())) {
                    wrong.push(format!("{shown} uses crate::{}", path.join("::")));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that the table of ARCHITECTURE.md doesn't have:\n{}", wrong.join("\n"));
}

#[test]
fn only_terraform_and_git_start_processes() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&source, &mut files);
    for file in &files {
        let shown = file.strip_prefix(&source).unwrap().display().to_string();
        let starts = fs::read_to_string(file).unwrap().contains("duct::cmd");
        assert!(
            !starts || ["terraform/", "git/"].iter().any(|room| shown.starts_with(room)),
            "{shown} starts a process"
        );
    }
}

#[test]
fn only_the_room_that_owns_a_foreign_thing_imports_it() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&source, &mut files);
    for (import, owner) in [
        ("aws_sdk_proton", "proton/"),
        ("aws_sdk_s3", "objects/"),
        ("aws_sdk_sts", "runner/"),
        ("aws_sdk_eventbridge", "control_plane/events/"),
        ("rusqlite", "control_plane/store/"),
        ("aws_sdk_kms", "control_plane/seal/"),
        ("minijinja", "renderer/"),
        ("prometheus", "support/"),
        ("clap", "cli/"),
    ] {
        for file in &files {
            let shown = file.strip_prefix(&source).unwrap().display().to_string();
            let text = fs::read_to_string(file).unwrap();
            let imports = text.lines().any(|line| line.trim_start().starts_with(&format!("use {import}")));
            assert!(!imports || shown.starts_with(owner), "{shown} imports {import}, which belongs to {owner}");
        }
    }
}
