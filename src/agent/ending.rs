//! What people are told while an interrupted Terraform ends: since when, what it waits for, what they can do.
//!
//! It is read off Terraform's own events, so an agent that comes back to a run tells the same as the one that left it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use crate::terraform::{Event, EventKind, Phase};

/// After this long it is said that something may hang.
const LONG: i64 = 10 * 60;

/// More resources than this aren't named.
const MOST_NAMED: usize = 8;

/// Why Terraform is interrupted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cause {
    /// Somebody has cancelled the deployment.
    Cancelled,
    /// The agent of this name has to leave.
    Leaving(String),
}

/// What a run's events have told that matters when it is interrupted; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Ending(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    /// When Terraform said that it was interrupted, in seconds since the epoch.
    interrupted_at: Option<i64>,
    /// What has begun and not ended, by address, with what is done to it.
    under_way: BTreeMap<String, String>,
}

impl Ending {
    /// Takes note of an event.
    pub(super) fn note(&self, event: &Event) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &event.kind {
            EventKind::Apply(Phase::Start, resource) => {
                seen.under_way.insert(resource.address.clone(), resource.action.clone());
            }
            EventKind::Apply(Phase::Complete | Phase::Errored, resource) => {
                seen.under_way.remove(&resource.address);
            }
            _ if event.is_interrupt() => {
                let at = event.at.as_deref().and_then(|at| at.parse::<Timestamp>().ok());
                seen.interrupted_at = seen.interrupted_at.or(at.map(Timestamp::as_second));
            }
            _ => {}
        }
    }

    /// The message for people at `now`, in milliseconds since the epoch; None unless Terraform has been interrupted. It
    /// changes once a minute.
    pub(super) fn told(&self, cause: &Cause, deployment: &str, now: i64) -> Option<String> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = seen.interrupted_at?;
        let at = Timestamp::from_second(since).ok()?;
        let waited = (now.div_euclid(1000) - since).max(0);
        let mut text = match cause {
            Cause::Cancelled => "User initiated cancellation.".to_owned(),
            Cause::Leaving(agent) => format!("Agent {agent} was asked to leave by its host."),
        };
        write!(text, " Terraform was interrupted at {at} ({}) and begins nothing more; ", ago(waited))
            .expect("a String takes all");
        text.push_str(&match seen.under_way.len() {
            0 => "it is about to write the state.".to_owned(),
            _ => format!("it ends what it has begun: {}.", named(&seen.under_way)),
        });
        text.push_str(" It isn't interrupted twice: then it would drop what it has begun and lose state.");
        if waited >= LONG {
            text.push_str(
                " A provider may be waiting for its own timeout: what it waits for can be ended at the cloud's side.",
            );
        }
        write!(text, " `hadron logs {deployment} -f` follows it.").expect("a String takes all");
        Some(text)
    }
}

fn ago(seconds: i64) -> String {
    match seconds / 60 {
        0 => "less than a minute ago".to_owned(),
        minutes => format!("{minutes} min ago"),
    }
}

fn named(under_way: &BTreeMap<String, String>) -> String {
    let names = under_way.iter().map(|(address, action)| format!("{address} ({action})"));
    let mut names: Vec<String> = names.take(MOST_NAMED).collect();
    if under_way.len() > MOST_NAMED {
        names.push(format!("and {} more", under_way.len() - MOST_NAMED));
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: i64 = 1_795_320_615;

    fn event(line: &str) -> Event {
        Event::parse(line)
    }

    fn ending() -> Ending {
        let ending = Ending::default();
        let hook = |kind: &str, address: &str| {
            event(&format!(
                r#"{{"@message":"m","type":"{kind}","hook":{{"resource":{{"addr":"{address}","resource_type":"aws_db_instance"}},"action":"create"}}}}"#
            ))
        };
        ending.note(&hook("apply_start", "aws_db_instance.slow"));
        ending.note(&hook("apply_start", "aws_db_instance.quick"));
        ending.note(&hook("apply_complete", "aws_db_instance.quick"));
        ending
    }

    #[test]
    fn before_terraform_says_that_it_was_interrupted_there_is_nothing_to_tell() {
        assert_eq!(ending().told(&Cause::Cancelled, "d-1", AT * 1000), None);
    }

    #[test]
    fn people_read_since_when_what_it_waits_for_and_what_they_can_do() {
        let ending = ending();
        ending.note(&event(
            r#"{"@message":"\nInterrupt received.\nPlease wait","@timestamp":"2026-11-22T04:10:15.241779Z","type":"log"}"#,
        ));
        insta::assert_snapshot!(ending.told(&Cause::Cancelled, "d-1", AT * 1000).unwrap(), @"User initiated cancellation. Terraform was interrupted at 2026-11-22T04:10:15Z (less than a minute ago) and begins nothing more; it ends what it has begun: aws_db_instance.slow (create). It isn't interrupted twice: then it would drop what it has begun and lose state. `hadron logs d-1 -f` follows it.");
        insta::assert_snapshot!(ending.told(&Cause::Leaving("a-1".into()), "d-1", (AT + 660) * 1000).unwrap(), @"Agent a-1 was asked to leave by its host. Terraform was interrupted at 2026-11-22T04:10:15Z (11 min ago) and begins nothing more; it ends what it has begun: aws_db_instance.slow (create). It isn't interrupted twice: then it would drop what it has begun and lose state. A provider may be waiting for its own timeout: what it waits for can be ended at the cloud's side. `hadron logs d-1 -f` follows it.");
    }
}
