//! Tells the outside of every status change: once per change, in order per resource, also after a crash.
//!
//! A change is written into the outbox in the transaction that makes it ([`outbox`]), once for each sink that wants it
//! ([`pattern`]), already in the form that this sink gets ([`envelope`]). From there one server at a time delivers it
//! ([`dispatch`]) through the sink's far end ([`sink`]). Nothing is written while no sink is configured.

mod dispatch;
mod envelope;
mod facts;
mod outbox;
mod pattern;
mod retry;
mod sink;
#[cfg(test)]
mod tests;
mod translate;

use std::path::PathBuf;
use std::sync::Arc;

pub use dispatch::run;
pub use envelope::{Event, Form, STALE_REPORT, UPGRADE_AVAILABLE};
pub use outbox::Notice;
pub(crate) use outbox::{DeadLetter, Pending, replay, unknown_sink};
pub use pattern::{Mistake, Pattern};
pub use translate::{Translation, translate};

use super::plane::Wake;
use super::store::Store;
use crate::support::{Secret, Trust};

/// What AWS called Proton's own events; the source in sinks of ours, so that a team's rules work as they are.
pub const AWS_SOURCE: &str = "aws.proton";

/// The source on EventBridge, where AWS keeps sources that begin with `aws.` to itself.
///
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html>
pub const OWN_SOURCE: &str = "hadron.proton";

/// Where events go, and which of them.
#[derive(Debug, Clone)]
pub struct SinkConfig {
    /// Its name, unique; what waits for it is kept under this name.
    pub name: String,
    /// How a change of an environment or an instance is worded.
    pub form: Form,
    /// The events' source.
    pub source: String,
    /// Which events it wants; all if there is none.
    pub pattern: Option<Pattern>,
    /// So many deliveries are tried before an event becomes a dead letter.
    pub attempts: u32,
    /// What is at the far end.
    pub kind: SinkKind,
}

/// A kind of far end, with what only that kind needs.
#[derive(Debug, Clone)]
pub enum SinkKind {
    /// A bus of Amazon EventBridge, asked as the identity that AWS's default chain finds.
    EventBridge {
        /// The bus's name or ARN.
        bus: String,
        /// Where it answers, if not AWS.
        endpoint: Option<String>,
        /// The bus's region.
        region: String,
    },
    /// An HTTP address that gets each event as a signed POST.
    Webhook {
        /// The address.
        url: Secret,
        /// What the signature is made with.
        secret: Secret,
    },
    /// An incoming webhook of Slack's.
    Slack {
        /// The address, which is its own password.
        url: Secret,
        /// Where a message leads, with `{name}` and the like to be filled in; without it, the message says which command
        /// shows more.
        link: Option<String>,
    },
    /// A file that gets one line an event.
    JsonLines {
        /// The file.
        path: PathBuf,
    },
}

/// The sinks, and the bell that tells of new events; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Events {
    sinks: Arc<Vec<SinkConfig>>,
    /// Certificates to trust besides the system's.
    trust: Option<Trust>,
    bell: Wake,
}

impl Events {
    /// These sinks; `trust` is whom to trust besides the system's certificates.
    pub fn new(sinks: Vec<SinkConfig>, trust: Option<Trust>) -> Self {
        Self { sinks: Arc::new(sinks), trust, bell: Wake::default() }
    }

    /// The record, in which every status change leaves its events in the outbox. Without sinks it is the same record.
    ///
    /// What the outbox needs is written below this layer: the audit log has nothing to say of it, so it belongs above.
    #[must_use]
    pub fn over(&self, store: Store) -> Store {
        if self.sinks.is_empty() { store } else { store.through(outbox::Outbox(self.clone())) }
    }

    /// A sink by its name.
    pub fn sink(&self, name: &str) -> Option<&SinkConfig> {
        self.sinks.iter().find(|sink| sink.name == name)
    }
}

/// What is wrong with a sink's pattern besides its grammar: that no event can ever match it.
pub fn hopeless(pattern: &Pattern, form: Form, source: &str) -> Option<String> {
    if !pattern.allows("source", source) {
        return Some(format!(
            "its `source` leaves out `{source}`, the source of this sink's events, so that nothing would ever be sent"
        ));
    }
    let reachable = |form| envelope::detail_types(form).iter().any(|known| pattern.allows("detail-type", known));
    // Notices come with types of their own.
    let notices = [UPGRADE_AVAILABLE, STALE_REPORT].iter().any(|known| pattern.allows("detail-type", known));
    if notices || reachable(form) {
        return None;
    }
    let (other, name) = match form {
        Form::Aws => (Form::Article, "article"),
        Form::Article => (Form::Aws, "aws"),
    };
    let remedy = match reachable(other) {
        true => format!("those events have the form `{name}`"),
        false => format!("there are {}", envelope::detail_types(form).map(|known| format!("`{known}`")).join(", ")),
    };
    Some(format!("its `detail-type` is none of this form's, so that nothing would ever be sent; {remedy}"))
}
