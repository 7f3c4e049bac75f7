//! A bus of Amazon EventBridge.
//!
//! <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>

use async_trait::async_trait;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::config::retry::RetryConfig;
use aws_sdk_eventbridge::config::timeout::TimeoutConfig;
use aws_sdk_eventbridge::primitives::{DateTime, DateTimeFormat};
use aws_sdk_eventbridge::types::{PutEventsRequestEntry, PutEventsResultEntry};

use super::{Outcome, PATIENCE, Sink};
use crate::control_plane::events::envelope::Event;
use crate::control_plane::events::outbox::Letter;
use crate::support::{AwsAccess, Trust, causes};

/// Entries of one request.
const MOST: usize = 10;

/// Bytes of one request's entries.
const LARGEST: usize = 256 * 1024;

/// What stays wrong however often it is sent; everything else may pass, such as a permission that is missing yet.
///
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html>
const FOREVER: [&str; 3] = ["InvalidArgument", "MalformedDetail", "NotAuthorizedForSourceException"];

/// A bus. The default AWS chain says as whom it is asked.
pub(super) struct EventBridge {
    client: Client,
    bus: String,
}

impl EventBridge {
    pub(super) async fn new(bus: &str, endpoint: Option<String>, region: &str, trust: Option<Trust>) -> Self {
        let access = AwsAccess { endpoint, region: Some(region.to_owned()), credentials: None, trust };
        let sdk = access.sdk_config().await;
        // An event is tried again by us, in its lane's order.
        let config = aws_sdk_eventbridge::config::Builder::from(&sdk)
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::builder().operation_timeout(PATIENCE).build())
            .build();
        Self { client: Client::from_conf(config), bus: bus.to_owned() }
    }

    async fn put(&self, events: &[&Event]) -> Vec<Outcome> {
        let entries = events.iter().map(|event| entry(event, &self.bus)).collect();
        let answer = match self.client.put_events().set_entries(Some(entries)).send().await {
            Ok(answer) => answer,
            Err(error) => {
                let outcome = Outcome::later(causes(&error));
                return events.iter().map(|_| outcome.clone()).collect();
            }
        };
        let results = answer.entries();
        // An answer with fewer results than entries tells nothing of the rest.
        let missing = || Outcome::later("its answer leaves the event out");
        (0..events.len()).map(|n| results.get(n).map_or_else(missing, judge)).collect()
    }
}

#[async_trait]
impl Sink for EventBridge {
    fn batch(&self) -> usize {
        MOST
    }

    async fn deliver(&self, letters: &[&Letter]) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        let mut group: Vec<&Event> = Vec::new();
        let mut bytes = 0;
        for letter in letters {
            let size = size(&letter.event);
            if bytes + size > LARGEST && !group.is_empty() {
                outcomes.extend(self.put(&group).await);
                (group, bytes) = (Vec::new(), 0);
            }
            group.push(&letter.event);
            bytes += size;
        }
        if let ([_], true) = (&group[..], bytes > LARGEST) {
            outcomes.push(Outcome::never(format!("it has {bytes} bytes, and EventBridge takes {LARGEST}")));
        } else if !group.is_empty() {
            outcomes.extend(self.put(&group).await);
        }
        outcomes
    }
}

fn entry(event: &Event, bus: &str) -> PutEventsRequestEntry {
    let time = DateTime::from_str(&event.time, DateTimeFormat::DateTime).ok();
    PutEventsRequestEntry::builder()
        .event_bus_name(bus)
        .source(&event.source)
        .detail_type(&event.detail_type)
        .detail(event.detail.to_string())
        .set_resources(Some(event.resources.clone()))
        .set_time(time)
        .build()
}

/// An entry's size as EventBridge counts it.
///
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html>
fn size(event: &Event) -> usize {
    let resources: usize = event.resources.iter().map(String::len).sum();
    14 + event.source.len() + event.detail_type.len() + event.detail.to_string().len() + resources
}

fn judge(result: &PutEventsResultEntry) -> Outcome {
    let Some(code) = result.error_code() else { return Outcome::Delivered };
    let why = format!("{code}: {}", result.error_message().unwrap_or_default());
    if FOREVER.contains(&code) { Outcome::never(why) } else { Outcome::later(why) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_that_was_refused_is_told_apart_from_one_that_was_taken() {
        let result = |code: Option<&str>| {
            judge(&PutEventsResultEntry::builder().set_error_code(code.map(str::to_owned)).build())
        };
        assert_eq!(result(None), Outcome::Delivered);
        assert!(matches!(result(Some("NotAuthorizedForSourceException")), Outcome::Never { .. }));
        assert!(matches!(result(Some("ThrottlingException")), Outcome::Later { .. }));
    }
}
