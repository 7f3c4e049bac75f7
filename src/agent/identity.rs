//! Who an agent is: a name and some randomness, kept in its data directory, so that after a restart it is still the one
//! that holds its leases.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use uuid::Uuid;

use super::AgentError;
use crate::support::files;

const LONGEST_NAME: usize = 60;

/// An agent's id, its alone for as long as this lives.
#[derive(Debug)]
pub(super) struct Identity {
    id: String,
    /// Locked; the system lets go of it when the process ends, however it ends.
    _lock: File,
}

impl Identity {
    /// Takes the data directory for this process, and reads the id there or makes one up.
    pub(super) fn take(data: &Path, name: &str) -> Result<Self, AgentError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(plain) {
            return Err(AgentError::BadName(name.to_owned()));
        }
        files::create_data_folder(data).map_err(io_error("creating", data))?;
        let lock = lock(data)?;
        let path = data.join("agent.id");
        let kept = match fs::read_to_string(&path) {
            Ok(kept) => Some(kept.trim().to_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(io_error("reading", &path)(error)),
        };
        if let Some(id) = kept.filter(|id| is_of(id, name)) {
            return Ok(Self { id, _lock: lock });
        }
        let random = Uuid::new_v4().simple().to_string();
        let id = format!("{name}-{}", &random[..12]);
        files::write_atomically(&path, id.as_bytes()).map_err(io_error("writing", &path))?;
        Ok(Self { id, _lock: lock })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }
}

/// Whether an id was made for that name; a renamed agent is another one.
fn is_of(id: &str, name: &str) -> bool {
    let random = id.strip_prefix(name).and_then(|rest| rest.strip_prefix('-'));
    random.is_some_and(|random| random.len() == 12 && random.chars().all(|c| c.is_ascii_hexdigit()))
}

fn lock(data: &Path) -> Result<File, AgentError> {
    let path = data.join("agent.lock");
    let opened = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = opened.map_err(io_error("opening", &path))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(AgentError::DataInUse(data.to_owned())),
        Err(error) => Err(io_error("locking", &path)(error.into())),
    }
}

fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> AgentError {
    move |source| AgentError::Io { doing, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_the_same_after_a_restart_and_another_after_a_rename() {
        let data = tempfile::tempdir().unwrap();
        let first = Identity::take(data.path(), "blue").unwrap().id().to_owned();
        assert!(first.starts_with("blue-"), "{first}");
        assert_eq!(Identity::take(data.path(), "blue").unwrap().id(), first);
        let renamed = Identity::take(data.path(), "green").unwrap().id().to_owned();
        assert!(renamed.starts_with("green-"), "{renamed}");
    }

    #[test]
    fn two_agents_cannot_share_a_data_directory() {
        let data = tempfile::tempdir().unwrap();
        let first = Identity::take(data.path(), "blue").unwrap();
        assert!(matches!(Identity::take(data.path(), "blue"), Err(AgentError::DataInUse(_))));
        drop(first);
        assert!(Identity::take(data.path(), "blue").is_ok());
    }

    #[test]
    fn a_name_that_no_header_can_carry_is_refused() {
        let data = tempfile::tempdir().unwrap();
        for name in ["", "a b", "ä", "a\nb", &"x".repeat(61)] {
            assert!(matches!(Identity::take(data.path(), name), Err(AgentError::BadName(_))), "{name}");
        }
    }
}
