//! How an agent leaves: what it does with the Terraform that runs when its host asks it to go.
//!
//! ```text
//! signal ──▶ claims nothing more ──▶ drain      Terraform may end by itself until grace − reserve, then one SIGINT
//!                                    interrupt  one SIGINT at once
//!                                    detach     leaves at once; Terraform goes on under its supervisor
//! ```
//!
//! Nothing here ever kills: what doesn't end in time is the host's to end, or goes on without us.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// What is done with the Terraform that runs when the agent is asked to leave.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Shutdown {
    /// It may end by itself as long as the host waits, then it is interrupted.
    #[default]
    Drain,
    /// It is interrupted at once.
    Interrupt,
    /// It goes on without the agent.
    Detach,
}

/// How an agent leaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Departure {
    /// What happens to Terraform.
    pub how: Shutdown,
    /// The time between the host's first signal and its SIGKILL; None = it waits as long as it takes.
    pub grace: Option<Duration>,
    /// How much of that is kept for a Terraform that was interrupted: it ends what it has begun and writes the state.
    pub reserve: Duration,
}

impl Departure {
    /// How long after the first signal Terraform is interrupted; None = never.
    pub fn interrupts_after(&self) -> Option<Duration> {
        match self.how {
            Shutdown::Drain => self.grace.map(|grace| grace.saturating_sub(self.reserve)),
            Shutdown::Interrupt => Some(Duration::ZERO),
            Shutdown::Detach => None,
        }
    }

    /// Whether an apply may still begin after the first signal: only where nobody counts the seconds.
    pub fn may_still_begin(&self) -> bool {
        self.how == Shutdown::Drain && self.grace.is_none()
    }

    /// How long a report that isn't heard is repeated after the first signal: it must not outlast the host's patience.
    pub(super) fn farewell(&self, longest: Duration) -> Duration {
        self.grace.map_or(longest, |grace| longest.min(grace / 2))
    }
}

impl FromStr for Shutdown {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "drain" => Ok(Self::Drain),
            "interrupt" => Ok(Self::Interrupt),
            "detach" => Ok(Self::Detach),
            _ => Err("it is `drain`, `interrupt` or `detach`".to_owned()),
        }
    }
}

impl fmt::Display for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Drain => "drain",
            Self::Interrupt => "interrupt",
            Self::Detach => "detach",
        })
    }
}

/// Waits for the request to leave and then keeps the time: at the moment that the departure names `hurry` is cancelled,
/// and every run of the agent interrupted.
pub(super) async fn keep_time(departure: Departure, stop: CancellationToken, hurry: CancellationToken) {
    stop.cancelled().await;
    let Some(after) = departure.interrupts_after() else { return };
    if !after.is_zero() {
        tracing::info!("asked to leave: Terraform has {} s to end by itself, then it is interrupted", after.as_secs());
        tokio::time::sleep(after).await;
    }
    hurry.cancel();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn departure(how: Shutdown, grace: Option<u64>, reserve: u64) -> Departure {
        Departure { how, grace: grace.map(Duration::from_secs), reserve: Duration::from_secs(reserve) }
    }

    #[test]
    fn terraform_is_interrupted_so_early_that_the_reserve_is_left() {
        let after = |how, grace, reserve| departure(how, grace, reserve).interrupts_after().map(|it| it.as_secs());
        assert_eq!(after(Shutdown::Drain, Some(120), 45), Some(75));
        assert_eq!(after(Shutdown::Drain, Some(10), 30), Some(0), "a host that is in a hurry");
        assert_eq!(after(Shutdown::Drain, None, 30), None, "nobody counts the seconds");
        assert_eq!(after(Shutdown::Interrupt, Some(30), 15), Some(0));
        assert_eq!(after(Shutdown::Detach, Some(30), 15), None);
    }

    #[test]
    fn an_apply_begins_after_the_signal_only_without_a_deadline() {
        assert!(departure(Shutdown::Drain, None, 0).may_still_begin());
        assert!(!departure(Shutdown::Drain, Some(120), 30).may_still_begin());
        assert!(!departure(Shutdown::Interrupt, None, 0).may_still_begin());
        assert!(!departure(Shutdown::Detach, None, 0).may_still_begin());
    }

    #[test]
    fn a_way_to_leave_reads_as_it_is_written() {
        for how in [Shutdown::Drain, Shutdown::Interrupt, Shutdown::Detach] {
            assert_eq!(how.to_string().parse(), Ok(how));
        }
        assert!("kill".parse::<Shutdown>().is_err());
    }
}
