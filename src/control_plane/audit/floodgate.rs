//! So many entries a minute, the rest counted: strangers must not be able to fill the disk.

use std::sync::Mutex;

/// How many refusals of strangers are written down one by one in a minute.
pub(super) const MOST: u32 = 60;

const MINUTE: i64 = 60_000;

/// Counts what it lets through and what it doesn't.
#[derive(Debug, Default)]
pub(super) struct Floodgate(Mutex<Count>);

#[derive(Debug, Default)]
struct Count {
    /// When the present minute began.
    since: i64,
    through: u32,
    /// What was only counted since the last time somebody asked, and since when.
    held_back: u64,
    held_since: i64,
}

impl Floodgate {
    /// Whether one more may be written down; otherwise it is counted.
    pub(super) fn admits(&self, now: i64) -> bool {
        let mut count = self.0.lock().expect("no one panics while counting");
        if now >= count.since + MINUTE {
            (count.since, count.through) = (now, 0);
        }
        if count.through < MOST {
            count.through += 1;
            return true;
        }
        if count.held_back == 0 {
            count.held_since = now;
        }
        count.held_back += 1;
        false
    }

    /// How many were only counted, and since when, once a minute; at any time if it is the last one.
    pub(super) fn overflow(&self, now: i64, last: bool) -> Option<(u64, i64)> {
        let mut count = self.0.lock().expect("no one panics while counting");
        if count.held_back == 0 || (now < count.held_since + MINUTE && !last) {
            return None;
        }
        Some((std::mem::take(&mut count.held_back), count.held_since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_and_the_next_minute_begins_anew() {
        let gate = Floodgate::default();
        let admitted = (0..1000).filter(|_| gate.admits(MINUTE)).count();
        assert_eq!(admitted, MOST as usize);
        assert_eq!(gate.overflow(MINUTE + 59_999, false), None);
        // The next minute's first request must not put the count off.
        assert!(gate.admits(2 * MINUTE));
        assert_eq!(gate.overflow(2 * MINUTE, false), Some((940, MINUTE)));
        assert_eq!(gate.overflow(2 * MINUTE, true), None);
    }
}
