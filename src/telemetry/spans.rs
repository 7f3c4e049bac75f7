//! Spans on their way into a trace: one trace a deployment, whose id is the deployment's own where that is a UUID, so that
//! each finds the other. The journey of a deployment that this agent didn't get is told to nobody.

use std::time::Instant;

use serde_json::Value;
use sha2::{Digest, Sha256};
use tracing::Subscriber;
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;
use uuid::Uuid;

use super::export::Exporter;
use super::lines::Fields;
use crate::support::Clock;

/// A span that has ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Finished {
    pub(super) trace: [u8; 16],
    pub(super) id: [u8; 8],
    pub(super) parent: Option<[u8; 8]>,
    pub(super) name: String,
    /// Nanoseconds since the epoch.
    pub(super) began: u64,
    /// Nanoseconds since the epoch.
    pub(super) ended: u64,
    pub(super) attributes: serde_json::Map<String, Value>,
}

/// A span under way.
struct Open {
    trace: [u8; 16],
    id: [u8; 8],
    parent: Option<[u8; 8]>,
    began: u64,
    fields: Fields,
}

/// The layer that gathers them.
pub(super) struct Spans {
    exporter: Exporter,
    /// The same moment by two clocks: nanoseconds since the epoch, and one that nobody sets.
    moment: (u64, Instant),
}

impl Spans {
    pub(super) fn to(exporter: Exporter) -> Self {
        let now = u64::try_from(Clock::system().now()).unwrap_or_default();
        Self { exporter, moment: (now * 1_000_000, Instant::now()) }
    }

    fn now(&self) -> u64 {
        self.moment.0 + u64::try_from(self.moment.1.elapsed().as_nanos()).unwrap_or_default()
    }
}

impl<S> Layer<S> for Spans
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let above =
            span.parent().and_then(|parent| parent.extensions().get::<Open>().map(|open| (open.trace, open.id)));
        let trace = above.map_or_else(|| trace_id(fields.0.get("deployment.id")), |(trace, _)| trace);
        let open = Open { trace, id: span_id(), parent: above.map(|(_, id)| id), began: self.now(), fields };
        span.extensions_mut().insert(open);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(open) = span.extensions_mut().get_mut::<Open>() {
            values.record(&mut open.fields);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(open) = span.extensions_mut().remove::<Open>() else { return };
        let claimed = match open.parent {
            None => open.fields.0.contains_key("attempt"),
            Some(_) => span.scope().last().is_some_and(|root| {
                root.extensions().get::<Open>().is_some_and(|root| root.fields.0.contains_key("attempt"))
            }),
        };
        if !claimed {
            return;
        }
        let Open { trace, id, parent, began, fields: Fields(mut attributes) } = open;
        let step = attributes.remove("step").and_then(|step| step.as_str().map(str::to_owned));
        let name = step.unwrap_or_else(|| span.name().to_owned());
        self.exporter.send(Finished { trace, id, parent, name, began, ended: self.now(), attributes });
    }
}

/// The deployment's own id where it is a UUID, else its digest.
fn trace_id(deployment: Option<&Value>) -> [u8; 16] {
    let Some(id) = deployment.and_then(Value::as_str) else { return *Uuid::new_v4().as_bytes() };
    let digest = || Sha256::digest(id)[..16].try_into().expect("a digest is longer");
    Uuid::parse_str(id).map_or_else(|_| digest(), |uuid| *uuid.as_bytes())
}

fn span_id() -> [u8; 8] {
    Uuid::new_v4().as_bytes()[..8].try_into().expect("a UUID is longer")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_has_its_deployments_id() {
        let id = "018f3c5e-0000-7000-8000-00000000000a";
        assert_eq!(hex::encode(trace_id(Some(&id.into()))), id.replace('-', ""));
        let other = trace_id(Some(&"not-a-uuid".into()));
        assert_eq!(other, trace_id(Some(&"not-a-uuid".into())));
        assert_ne!(other, trace_id(Some(&"another".into())));
    }
}
