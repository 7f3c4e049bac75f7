//! The far ends.

mod eventbridge;
mod json_lines;
mod slack;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Response, StatusCode, header};

use super::outbox::Letter;
use super::{Events, SinkConfig, SinkKind};
use crate::support::causes;
use crate::support::https::{HttpError, Https};

/// How long a far end may take for one delivery.
const PATIENCE: Duration = Duration::from_secs(10);

/// How one delivery ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    Delivered,
    /// It may work later; not before a time that the far end named.
    Later {
        why: String,
        after: Option<Duration>,
    },
    /// The same would be refused again.
    Never {
        why: String,
    },
}

impl Outcome {
    fn later(why: impl Into<String>) -> Self {
        Self::Later { why: why.into(), after: None }
    }

    fn never(why: impl Into<String>) -> Self {
        Self::Never { why: why.into() }
    }
}

/// A far end.
#[async_trait]
pub(super) trait Sink: Send + Sync {
    /// How many letters go together at most; each of another lane.
    fn batch(&self) -> usize {
        1
    }

    /// How many deliveries may be under way at a time.
    fn at_once(&self) -> usize {
        8
    }

    /// Delivers letters; one outcome each, in their order. Takes no longer than about [`PATIENCE`].
    async fn deliver(&self, letters: &[&Letter]) -> Vec<Outcome>;
}

/// Makes the far end that a sink's settings describe; nothing is sent yet.
///
/// # Errors
/// The certificates to trust can't be read.
pub(super) async fn open(events: &Events, config: &SinkConfig) -> Result<Arc<dyn Sink>, HttpError> {
    let https = || Https::trusting(events.trust.as_ref(), PATIENCE);
    Ok(match &config.kind {
        SinkKind::EventBridge { bus, endpoint, region } => {
            Arc::new(eventbridge::EventBridge::new(bus, endpoint.clone(), region, events.trust.clone()).await)
        }
        SinkKind::Webhook { url, secret } => Arc::new(webhook::Webhook::new(https()?, url.clone(), secret.clone())),
        SinkKind::Slack { url, link } => Arc::new(slack::Slack::new(https()?, url.clone(), link.clone())),
        SinkKind::JsonLines { path } => Arc::new(json_lines::JsonLines::new(path.clone())),
    })
}

/// What an HTTP answer means. A far end's own troubles and its wish for less pass; any other refusal stays one.
fn judge(answer: Result<Response<Bytes>, HttpError>) -> Outcome {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Outcome::later(reason(&error)),
    };
    let status = answer.status();
    let passing = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
    let why = || format!("it answered {status}");
    match status {
        _ if status.is_success() => Outcome::Delivered,
        _ if status.is_server_error() || passing.contains(&status) => {
            let after = answer.headers().get(header::RETRY_AFTER).and_then(|it| it.to_str().ok()?.parse().ok());
            // A date, or a time that nobody means, is as good as none.
            let after = after.filter(|seconds| *seconds <= 3600).map(Duration::from_secs);
            Outcome::Later { why: why(), after }
        }
        _ => Outcome::never(why()),
    }
}

/// What happened, with its cause.
fn reason(error: &HttpError) -> String {
    match error {
        HttpError::Unreachable { .. } | HttpError::Answer { .. } => format!("{error}: {}", causes(error)),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, after: &str) -> Outcome {
        judge(Ok(Response::builder().status(status).header("retry-after", after).body(Bytes::new()).unwrap()))
    }

    #[test]
    fn only_2xx_is_delivered_and_only_what_may_pass_is_tried_again() {
        assert_eq!(answer(204, "1"), Outcome::Delivered);
        for (status, text) in [(302, "302 Found"), (400, "400 Bad Request"), (410, "410 Gone")] {
            assert_eq!(answer(status, "1"), Outcome::never(format!("it answered {text}")));
        }
        for status in [408, 425, 429, 500, 503] {
            let Outcome::Later { after, .. } = answer(status, "7") else { panic!("{status}") };
            assert_eq!(after, Some(Duration::from_secs(7)));
        }
        assert_eq!(answer(503, "999999"), Outcome::later("it answered 503 Service Unavailable"));
    }
}
