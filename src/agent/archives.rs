//! Bundles that this process has fetched before. One is named by its digest, so what is known needn't be asked for again.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

/// How many bytes are kept; a bundle has a few thousand.
const KEPT: usize = 4 << 20;

/// The bundles that were used last, by digest.
#[derive(Debug, Default)]
pub(super) struct Archives(Mutex<VecDeque<(String, Bytes)>>);

impl Archives {
    /// The bundle of this digest, if it is kept.
    pub(super) fn get(&self, digest: &str) -> Option<Bytes> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().position(|(name, _)| name == digest)?;
        let entry = kept.remove(found)?;
        let archive = entry.1.clone();
        kept.push_back(entry);
        Some(archive)
    }

    /// Keeps a bundle whose digest was proved, and forgets those that weren't asked for in the longest time.
    pub(super) fn keep(&self, digest: &str, archive: &Bytes) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(name, _)| name != digest);
        kept.push_back((digest.to_owned(), archive.clone()));
        while kept.iter().map(|(_, archive)| archive.len()).sum::<usize>() > KEPT {
            kept.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_last_stays_and_what_is_too_large_is_not_kept() {
        let archives = Archives::default();
        let third = Bytes::from(vec![0; KEPT / 3]);
        for digest in ["a", "b", "c"] {
            archives.keep(digest, &third);
        }
        assert!(archives.get("a").is_some());
        archives.keep("d", &third);
        let kept = ["a", "b", "c", "d"].map(|digest| archives.get(digest).is_some());
        assert_eq!(kept, [true, false, true, true]);
        archives.keep("large", &Bytes::from(vec![0; KEPT + 1]));
        assert_eq!(archives.get("large"), None);
    }
}
