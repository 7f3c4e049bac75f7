//! Terraform's machine-readable stream, one JSON object per line, typed.
//!
//! <https://developer.hashicorp.com/terraform/internals/machine-readable-ui>. Kinds of a later Terraform are kept as they
//! are, and so are lines that aren't JSON: `init -json` leaks some, and so does a panic. Nothing here is ever fatal.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::diagnostic::WireDiagnostic;
use super::{Changes, Diagnostic, OutputValue};

/// One line of Terraform's stdout.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When Terraform wrote it, RFC 3339; `None` for plain text.
    pub at: Option<String>,
    /// The line as a person reads it.
    pub message: String,
    /// What it says.
    pub kind: EventKind,
}

/// What an event says.
#[derive(Debug, Clone, PartialEq)]
pub enum EventKind {
    /// The first line of each stream.
    Version {
        /// Terraform's version, or OpenTofu's.
        terraform: String,
        /// The version of this stream's format.
        ui: String,
    },
    /// What the plan does to a resource.
    PlannedChange(ResourceAction),
    /// What changed outside Terraform.
    ResourceDrift(ResourceAction),
    /// How many resources change, or have changed.
    ChangeSummary {
        /// `plan`, `apply` or `destroy`.
        operation: String,
        /// The counts.
        changes: Changes,
    },
    /// The root module's outputs: after planning without values, after applying with them.
    Outputs(BTreeMap<String, OutputValue>),
    /// A resource's state is being read.
    Refresh(Phase, ResourceAction),
    /// A resource is being changed.
    Apply(Phase, ResourceAction),
    /// A provisioner runs.
    Provision(Phase, ResourceAction),
    /// A problem.
    Diagnostic(Diagnostic),
    /// A kind that we don't know, kept whole.
    Other {
        /// Terraform's name of the kind; empty if it gave none.
        kind: String,
        /// The line.
        raw: Value,
    },
    /// A line that isn't JSON.
    Text,
}

/// How far something has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It begins.
    Start,
    /// It is still going on.
    Progress,
    /// It is done.
    Complete,
    /// It went wrong.
    Errored,
}

/// A resource and what happens to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceAction {
    /// Its address, such as `module.net.aws_subnet.public[0]`.
    pub address: String,
    /// Its type, such as `aws_subnet`.
    pub kind: String,
    /// The module it lies in, such as `module.net`; empty for the root module.
    pub module: String,
    /// The provider that its type's name implies, such as `aws`.
    pub provider: String,
    /// `create`, `read`, `update`, `replace`, `delete`, `noop` and so on; empty while it is only refreshed.
    pub action: String,
    /// The provider's identifier of it, once there is one.
    pub id: Option<String>,
    /// Seconds since it began.
    pub elapsed_seconds: Option<u64>,
    /// Why it is planned, where that isn't plain, such as `cannot_update` or `tainted`.
    pub reason: Option<String>,
}

impl EventKind {
    /// Whether Terraform says such a thing only while it holds the lock of the state.
    pub(super) fn is_under_lock(&self) -> bool {
        matches!(
            self,
            Self::PlannedChange(_)
                | Self::ResourceDrift(_)
                | Self::ChangeSummary { .. }
                | Self::Refresh(..)
                | Self::Apply(..)
                | Self::Provision(..)
        )
    }
}

impl Event {
    /// Reads one line, without its line end.
    pub fn parse(line: &str) -> Self {
        let Ok(raw) = serde_json::from_str::<Value>(line) else { return Self::text(line) };
        if !raw.is_object() {
            return Self::text(line);
        }
        let (at, message) = (text_at(&raw, "@timestamp"), text_at(&raw, "@message").unwrap_or_default());
        let kind = match Line::deserialize(&raw) {
            Ok(line) => line.kind(),
            Err(_) => None,
        };
        let kind = kind.unwrap_or_else(|| EventKind::Other { kind: text_at(&raw, "type").unwrap_or_default(), raw });
        Self { at, message, kind }
    }

    fn text(line: &str) -> Self {
        Self { at: None, message: line.trim_end_matches('\r').to_owned(), kind: EventKind::Text }
    }

    /// Whether Terraform says that somebody has interrupted it. No other event tells, so this one sentence is looked for;
    /// it has been the same since 0.12, and OpenTofu's is too.
    pub fn is_interrupt(&self) -> bool {
        let log = matches!(&self.kind, EventKind::Other { kind, .. } if kind == "log");
        log && self.message.trim_start().starts_with("Interrupt received")
    }

    /// When Terraform wrote it, in milliseconds since the epoch.
    pub fn moment(&self) -> Option<i64> {
        self.timestamp().map(Timestamp::as_millisecond)
    }

    /// When Terraform wrote it.
    pub(super) fn timestamp(&self) -> Option<Timestamp> {
        self.at.as_deref()?.parse().ok()
    }

    /// The event as lines of a log for people; `None` when it has nothing to tell them.
    pub fn human(&self) -> Option<String> {
        let text = match &self.kind {
            EventKind::Diagnostic(diagnostic) => diagnostic.to_string(),
            _ => self.message.trim_end().to_owned(),
        };
        (!text.trim().is_empty()).then_some(text)
    }
}

fn text_at(raw: &Value, key: &str) -> Option<String> {
    raw.get(key).and_then(Value::as_str).map(ToOwned::to_owned)
}

/// Everything that a line may hold; which fields do is decided by `kind`.
#[derive(Deserialize)]
struct Line {
    #[serde(rename = "type")]
    kind: String,
    /// OpenTofu names its version `tofu`.
    #[serde(alias = "tofu")]
    terraform: Option<String>,
    ui: Option<String>,
    change: Option<Hook>,
    changes: Option<WireChanges>,
    outputs: Option<BTreeMap<String, OutputValue>>,
    hook: Option<Hook>,
    diagnostic: Option<WireDiagnostic>,
}

#[derive(Deserialize)]
struct Hook {
    resource: Resource,
    #[serde(default)]
    action: String,
    id_value: Option<String>,
    elapsed_seconds: Option<u64>,
    reason: Option<String>,
}

#[derive(Deserialize)]
struct Resource {
    addr: String,
    #[serde(default)]
    module: String,
    #[serde(default)]
    implied_provider: String,
    #[serde(rename = "resource_type", default)]
    kind: String,
}

#[derive(Deserialize)]
struct WireChanges {
    #[serde(default)]
    operation: String,
    #[serde(flatten)]
    changes: Changes,
}

impl Line {
    fn kind(self) -> Option<EventKind> {
        let kind = match self.kind.as_str() {
            "version" => EventKind::Version { terraform: self.terraform?, ui: self.ui.unwrap_or_default() },
            "planned_change" => EventKind::PlannedChange(self.change?.into()),
            "resource_drift" => EventKind::ResourceDrift(self.change?.into()),
            "change_summary" => {
                let WireChanges { operation, changes } = self.changes?;
                EventKind::ChangeSummary { operation, changes }
            }
            "outputs" => EventKind::Outputs(self.outputs?),
            "diagnostic" => EventKind::Diagnostic(self.diagnostic?.into()),
            hook => {
                let (what, phase) = hook.rsplit_once('_')?;
                let phase = phase_of(phase)?;
                match what {
                    "refresh" => EventKind::Refresh(phase, self.hook?.into()),
                    "apply" => EventKind::Apply(phase, self.hook?.into()),
                    "provision" => EventKind::Provision(phase, self.hook?.into()),
                    _ => return None,
                }
            }
        };
        Some(kind)
    }
}

fn phase_of(word: &str) -> Option<Phase> {
    match word {
        "start" => Some(Phase::Start),
        "progress" => Some(Phase::Progress),
        "complete" => Some(Phase::Complete),
        "errored" => Some(Phase::Errored),
        _ => None,
    }
}

impl From<Hook> for ResourceAction {
    fn from(hook: Hook) -> Self {
        Self {
            address: hook.resource.addr,
            kind: hook.resource.kind,
            module: hook.resource.module,
            provider: hook.resource.implied_provider,
            action: hook.action,
            id: hook.id_value.filter(|id| !id.is_empty()),
            elapsed_seconds: hook.elapsed_seconds,
            reason: hook.reason.filter(|reason| !reason.is_empty()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(stream: &str) -> Vec<EventKind> {
        stream.lines().map(|line| Event::parse(line).kind).collect()
    }

    #[test]
    fn every_line_of_a_recorded_run_is_understood() {
        let streams = [
            include_str!("../../tests/fixtures/terraform/1.11/create.jsonl"),
            include_str!("../../tests/fixtures/terraform/1.11/update.jsonl"),
            include_str!("../../tests/fixtures/terraform/1.11/failed.jsonl"),
            include_str!("../../tests/fixtures/terraform/1.11/invalid.jsonl"),
            include_str!("../../tests/fixtures/terraform/1.11/destroy.jsonl"),
        ];
        for kind in streams.into_iter().flat_map(kinds) {
            assert!(!matches!(kind, EventKind::Other { .. } | EventKind::Text), "{kind:?}");
        }
    }

    #[test]
    fn the_first_line_names_the_version() {
        let first = &kinds(include_str!("../../tests/fixtures/terraform/1.11/create.jsonl"))[0];
        assert_eq!(*first, EventKind::Version { terraform: "1.11.4".into(), ui: "1.2".into() });
        let tofu = Event::parse(r#"{"@message":"OpenTofu 1.10.0","type":"version","tofu":"1.10.0","ui":"1.0"}"#);
        assert_eq!(tofu.kind, EventKind::Version { terraform: "1.10.0".into(), ui: "1.0".into() });
    }

    #[test]
    fn a_resource_is_followed_from_plan_to_completion() {
        let words: Vec<String> = kinds(include_str!("../../tests/fixtures/terraform/1.11/update.jsonl"))
            .into_iter()
            .filter_map(|kind| match kind {
                EventKind::PlannedChange(resource) => Some(("planned".to_owned(), resource)),
                EventKind::Refresh(phase, resource) => Some((format!("refresh {phase:?}"), resource)),
                EventKind::Apply(phase, resource) => Some((format!("apply {phase:?}"), resource)),
                EventKind::Provision(phase, resource) => Some((format!("provision {phase:?}"), resource)),
                _ => None,
            })
            .filter(|(_, resource)| resource.address == "terraform_data.updated")
            .map(|(word, resource)| format!("{word} {}", resource.action))
            .collect();
        assert_eq!(
            words,
            ["refresh Start ", "refresh Complete ", "planned update", "apply Start update", "apply Complete update"]
        );
    }

    #[test]
    fn a_diagnostic_keeps_its_place_and_its_source() {
        let events = kinds(include_str!("../../tests/fixtures/terraform/1.11/invalid.jsonl"));
        let Some(EventKind::Diagnostic(diagnostic)) = events.last() else { panic!("{events:?}") };
        assert_eq!(diagnostic.summary, "Unsupported argument");
        assert_eq!((diagnostic.file.as_deref(), diagnostic.line), (Some("bad.tf"), Some(1)));
        assert_eq!(diagnostic.snippet.as_deref(), Some(r#"resource "terraform_data" "x" { inputt = nope.y }"#));
    }

    #[test]
    fn an_unknown_kind_is_kept_whole() {
        let line = r#"{"@message":"later","type":"policy_done","verdict":[1,2]}"#;
        let event = Event::parse(line);
        assert_eq!(event.human().as_deref(), Some("later"));
        let EventKind::Other { kind, raw } = event.kind else { panic!() };
        assert_eq!((kind.as_str(), raw["verdict"][1].as_i64()), ("policy_done", Some(2)));
    }

    #[test]
    fn a_known_kind_of_another_shape_is_kept_and_not_fatal() {
        let event = Event::parse(r#"{"@message":"odd","type":"outputs","outputs":[1]}"#);
        assert!(matches!(event.kind, EventKind::Other { .. }));
    }

    #[test]
    fn what_is_not_json_is_a_line_of_text() {
        for line in ["Initializing modules...", "42", "{\"half\":", "panic: runtime error"] {
            let event = Event::parse(line);
            assert_eq!((event.kind, event.message.as_str()), (EventKind::Text, line));
        }
    }

    #[test]
    fn a_log_for_people_shows_problems_with_their_place_and_no_empty_lines() {
        let stream = include_str!("../../tests/fixtures/terraform/1.11/failed.jsonl");
        let log: Vec<String> = stream.lines().filter_map(|line| Event::parse(line).human()).collect();
        assert!(log.iter().any(|line| line.starts_with("main.tf:15: local-exec provisioner error")), "{log:#?}");
        assert_eq!(Event::parse("  ").human(), None);
    }
}
