//! Example folders as the archives that people upload.

use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use zip::write::SimpleFileOptions;

/// The folders that make a bundle; specs and README beside them are for people.
const PARTS: &[&str] = &["schema", "infrastructure", "instance_infrastructure", "pipeline_infrastructure"];

/// What `zip -r bundle.zip schema/ …` makes of a template's folder.
pub(crate) fn zipped(folder: &Path) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, contents) in files(folder) {
        archive.start_file(name, SimpleFileOptions::default()).expect("a name that zip takes");
        archive.write_all(&contents).expect("memory takes bytes");
    }
    archive.finish().expect("memory takes bytes").into_inner()
}

/// What `tar czf bundle.tar.gz schema …` makes of a template's folder.
pub(crate) fn tarred(folder: &Path) -> Vec<u8> {
    tar_gz(&files(folder))
}

/// A gzipped tar of these files, in this order.
pub(crate) fn tar_gz(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, contents) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(contents.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, contents.as_slice()).expect("a name that tar takes");
    }
    archive.into_inner().and_then(GzEncoder::finish).expect("memory takes bytes")
}

/// The bundle's files by their paths in it, sorted.
///
/// # Panics
/// When there are none: a misspelt folder would otherwise pass for an empty template.
pub(crate) fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for part in PARTS {
        collect(&folder.join(part), &mut found);
    }
    assert!(!found.is_empty(), "{} holds no bundle", folder.display());
    let name = |path: PathBuf| path.strip_prefix(folder).expect("it lies below").display().to_string();
    let mut files: Vec<_> = found
        .into_iter()
        .map(|path| {
            let contents = fs::read(&path).expect("a readable file");
            (name(path), contents)
        })
        .collect();
    files.sort();
    files
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().map(|entry| entry.expect("a readable folder").path()) {
        if entry.is_dir() { collect(&entry, found) } else { found.push(entry) }
    }
}
