//! The format of the run directories of a data directory, stamped beside them in `runs.format`: an older agent must not take a newer
//! one's half-done run for its own, nor for nothing.

use std::fs;
use std::io;
use std::path::Path;

use super::AgentError;
use crate::support::files;

/// Grows when an older agent could misread what a newer one has left; members that older ones may ignore don't count.
const FORMAT: u32 = 1;

/// Refuses directories of a later format; notes ours otherwise. No stamp is the first format.
pub(super) fn check(data: &Path) -> Result<(), AgentError> {
    let path = data.join("runs.format");
    let io = |doing, path: &Path| {
        let path = path.to_owned();
        move |source| AgentError::Io { doing, path, source }
    };
    let found = match fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(io("reading", &path)(error)),
    };
    match found.as_deref().map(|text| text.trim().parse::<u32>()) {
        Some(Ok(FORMAT)) => return Ok(()),
        Some(Ok(older)) if older < FORMAT => {}
        None => {}
        Some(_) => {
            let found = found.unwrap_or_default().trim().chars().take(20).collect();
            return Err(AgentError::NewerRuns { path: data.join("runs"), found, known: FORMAT });
        }
    }
    files::write_atomically(&path, format!("{FORMAT}\n").as_bytes()).map_err(io("writing", &path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_stamped_once_and_a_later_one_is_refused_with_the_remedy() {
        let data = tempfile::tempdir().unwrap();
        check(data.path()).unwrap();
        let stamp = data.path().join("runs.format");
        assert_eq!(fs::read_to_string(&stamp).unwrap(), "1\n");
        check(data.path()).unwrap();
        for later in ["2\n", "one"] {
            fs::write(&stamp, later).unwrap();
            let error = check(data.path()).unwrap_err().to_string();
            assert!(error.contains("newer hadron") && error.contains("another data folder"), "{error}");
            assert_eq!(fs::read_to_string(&stamp).unwrap(), later);
        }
    }
}
