//! How long ago something was, whatever happens to the wall clock.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// A moment on `CLOCK_BOOTTIME`: no step of the wall clock moves it, and unlike `std`'s `Instant` it goes on while the
/// machine sleeps, as a lease does on the server.
///
/// <https://man7.org/linux/man-pages/man2/clock_gettime.2.html>
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Duration);

impl Moment {
    /// This moment.
    pub fn now() -> Self {
        let now = clock_gettime(ClockId::Boottime);
        let (seconds, nanoseconds) = (u64::try_from(now.tv_sec), u32::try_from(now.tv_nsec));
        Self(Duration::new(seconds.unwrap_or_default(), nanoseconds.unwrap_or_default()))
    }

    /// The time since then.
    pub fn elapsed(self) -> Duration {
        Self::now().0.saturating_sub(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_passes() {
        let then = Moment::now();
        std::thread::sleep(Duration::from_millis(5));
        assert!(then.elapsed() >= Duration::from_millis(5));
        assert!(Moment::now() > then);
    }
}
