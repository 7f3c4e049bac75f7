//! How long to wait before an event is sent again.

use std::time::Duration;

/// The longest wait.
const LONGEST: u64 = 300;

/// The wait behind the nth failed attempt: 1, 2, 4, … 256, 300, 300, … seconds, and up to a quarter more. `seed` decides
/// how much more, so that what failed together doesn't come again together.
pub(super) fn delay(attempt: u32, seed: &str) -> Duration {
    let seconds = 2_u64.saturating_pow(attempt.saturating_sub(1)).min(LONGEST);
    let spread = seed.bytes().fold(u64::from(attempt), |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    Duration::from_millis(seconds * 1000 + seconds * (spread % 251))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_five_minutes_and_are_spread() {
        let seconds: Vec<u64> = (1..=11).map(|attempt| delay(attempt, "").as_secs()).collect();
        assert!(seconds[0] == 1 && seconds[8] >= 256 && seconds[10] >= 300 && seconds[10] <= 375, "{seconds:?}");
        assert!((1..64).all(|attempt| delay(attempt, "x") <= Duration::from_secs(375)));
        assert_ne!(delay(5, "one"), delay(5, "other"));
    }
}
