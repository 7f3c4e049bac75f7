//! The author's files, compared without banners.

use super::Difference;
use crate::domain::Files;
use crate::estate::age::Age;
use crate::estate::model::Resource;
use crate::estate::read::{METADATA, VALUES, is_generated};
use crate::renderer;

/// What of the author's files would be written otherwise.
pub(super) fn differences(resource: &Resource, rendered: &Files) -> Vec<Difference> {
    let comments = renderer::comments(&resource.arn);
    let mut found = Vec::new();
    for (path, bytes) in rendered {
        if path == VALUES || path == METADATA || is_generated(path) {
            continue;
        }
        let made = comments.iter().find_map(|comment| bytes.strip_suffix(comment.as_bytes())).unwrap_or(bytes);
        let read = resource.code.iter().find(|file| &file.path == path);
        let difference = match read {
            Some(file) if without_end(&file.body) == without_end(made) => continue,
            Some(file) if normal(&file.body) == normal(made) => {
                Difference::of(path, Some(Age::LineEnds), Age::LineEnds.explanation())
            }
            Some(file) => Difference::of(path, None, first_line(&file.body, made)),
            None if is_terraforms(path) => Difference::of(path, None, "is not there, and would be written"),
            None => Difference::of(path, Some(Age::OnlyTerraformFiles), Age::OnlyTerraformFiles.explanation()),
        };
        found.push(difference);
    }
    for file in resource.code.iter().filter(|file| !rendered.contains_key(&file.path)) {
        let (age, text) = match file.banner {
            None => (Some(Age::ByHand), Age::ByHand.explanation()),
            Some(_) => (None, "would not be written"),
        };
        found.push(Difference::of(&file.path, age, text));
    }
    found
}

fn is_terraforms(path: &str) -> bool {
    !path.contains('/') && path.strip_suffix(".tf").is_some()
}

/// The renderer ends every file with a newline.
fn without_end(bytes: &[u8]) -> &[u8] {
    bytes.strip_suffix(b"\n").unwrap_or(bytes)
}

/// What neither Git nor an editor changes: lines without CR, no byte order mark, no blank lines around.
fn normal(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
    text.trim_start_matches('\u{feff}').trim_matches('\n').to_owned()
}

fn first_line(read: &[u8], made: &[u8]) -> String {
    let (read, made) = (normal(read), normal(made));
    let line = read.lines().zip(made.lines()).position(|(a, b)| a != b);
    let line = line.unwrap_or_else(|| read.lines().count().min(made.lines().count()));
    format!("differs from the version's file from line {} on", line + 1)
}
