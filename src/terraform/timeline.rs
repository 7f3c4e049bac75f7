//! A run as data: what each resource was to become, when it was worked on, and how that ended.
//!
//! Built from the events in their order and nothing else, so that whoever has them, a watcher in the middle of a run
//! too, comes to the same. Several steps of one run are noted one after the other.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Changes, Diagnostic, Event, EventKind, OutputValue, Phase, ResourceAction};

/// More events of unknown kinds than this aren't kept: they are in the events' stream.
const MOST_UNKNOWN: usize = 100;

/// What is only said for people to read, and lies in the log.
const TALK: [&str; 2] = ["init_output", "log"];

/// Everything that a run's events tell. Its members are members of `summary.json`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Timeline {
    /// The resources that the plan names or that were worked on, in the order in which they were first named.
    pub timeline: Vec<ResourceTimeline>,
    /// What had changed outside Terraform, by the last plan.
    pub drift: Vec<Drift>,
    /// Terraform's errors and warnings.
    pub diagnostics: Vec<Diagnostic>,
    /// The root module's outputs as they were told last.
    pub values: BTreeMap<String, OutputTold>,
    /// How many resources the last plan would change.
    pub intended: Option<Changes>,
    /// How many resources' states were read.
    pub refreshed: u64,
    /// Events of kinds that this version doesn't know, whole.
    pub unknown: Vec<Value>,
    #[serde(skip)]
    places: HashMap<String, usize>,
    /// Counts the Terraforms whose events were noted.
    #[serde(skip)]
    stream: u32,
}

/// One resource in a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResourceTimeline {
    /// Its address, such as `module.net.aws_subnet.public[0]`.
    pub address: String,
    /// Its type, such as `aws_subnet`.
    pub r#type: String,
    /// Its module, such as `module.net`; empty for the root module.
    pub module: String,
    /// The provider that the type's name implies.
    pub provider: String,
    /// What the plan does to it: `create`, `read`, `update`, `replace`, `delete` and so on.
    pub action: String,
    /// Why, where Terraform says so, such as `cannot_update`.
    pub reason: Option<String>,
    /// When work on it began, in milliseconds since the epoch.
    pub started_at: Option<i64>,
    /// When work on it ended, in milliseconds since the epoch.
    pub ended_at: Option<i64>,
    /// How long it was worked on, in milliseconds.
    pub duration_ms: Option<u64>,
    /// The provider's identifier of it: the new one of what was replaced, the last one of what was deleted.
    pub id: Option<String>,
    /// How it stands.
    pub outcome: Outcome,
    /// What was done, in its order; a replacement is a `delete` and a `create`.
    pub operations: Vec<Operation>,
    #[serde(skip)]
    stream: u32,
}

/// One thing that was done to a resource.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Operation {
    /// `create`, `read`, `update` or `delete`.
    pub action: String,
    /// When it began, in milliseconds since the epoch.
    pub started_at: Option<i64>,
    /// When it ended, in milliseconds since the epoch.
    pub ended_at: Option<i64>,
    /// How long it took, in milliseconds; to the second where Terraform gave no moments.
    pub duration_ms: Option<u64>,
    /// The provider's identifier, once it was told.
    pub id: Option<String>,
    /// How it stands.
    pub outcome: Outcome,
}

/// How something stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is planned, and not begun.
    #[default]
    Planned,
    /// It is being done.
    Running,
    /// It was done.
    Done,
    /// It went wrong.
    Failed,
    /// It was planned and never begun.
    Skipped,
    /// A replacement of which only one half was done.
    Partial,
    /// It was begun, and nobody said how it ended.
    #[serde(other)]
    Unknown,
}

/// A change that somebody else made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Drift {
    /// The resource's address.
    pub address: String,
    /// Its type.
    pub r#type: String,
    /// Its module; empty for the root module.
    pub module: String,
    /// `update` or `delete`.
    pub action: String,
    #[serde(skip)]
    stream: u32,
}

/// An output as a run told it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OutputTold {
    /// Whether its author marked it sensitive.
    pub sensitive: bool,
    /// Its value, unless it is sensitive or not known yet.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub value: Value,
}

impl Timeline {
    /// Takes note of the next event.
    pub fn note(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Version { .. } => self.stream += 1,
            EventKind::PlannedChange(resource) => self.planned(resource),
            EventKind::ResourceDrift(resource) => self.drift.push(Drift::of(resource, self.stream)),
            EventKind::ChangeSummary { operation, changes } if operation == "plan" => self.planned_all(*changes),
            EventKind::Apply(phase, resource) => self.applying(*phase, resource, event.moment()),
            EventKind::Refresh(Phase::Complete, _) => self.refreshed += 1,
            EventKind::Diagnostic(diagnostic) => self.diagnostics.push(diagnostic.clone()),
            EventKind::Outputs(outputs) => {
                self.values = outputs.iter().map(|(name, value)| (name.clone(), OutputTold::of(value))).collect();
            }
            EventKind::Other { kind, raw } if !TALK.contains(&kind.as_str()) && self.unknown.len() < MOST_UNKNOWN => {
                self.unknown.push(raw.clone());
            }
            _ => {}
        }
    }

    /// Says that nothing will follow: what was begun and not ended has an unknown end, what was not begun never will be.
    pub fn close(&mut self) {
        for resource in &mut self.timeline {
            let operations = resource.operations.iter_mut();
            operations.filter(|it| it.outcome == Outcome::Running).for_each(|it| it.outcome = Outcome::Unknown);
            resource.outcome = match resource.outcome() {
                Outcome::Planned => Outcome::Skipped,
                Outcome::Running => Outcome::Partial,
                outcome => outcome,
            };
        }
    }

    /// The resources by when work on them began; those that were never begun come last.
    pub fn by_start(&self) -> Vec<&ResourceTimeline> {
        let mut resources: Vec<_> = self.timeline.iter().collect();
        resources.sort_by_key(|it| (it.operations.is_empty(), it.started_at));
        resources
    }

    fn planned(&mut self, planned: &ResourceAction) {
        let stream = self.stream;
        let resource = self.resource(planned);
        resource.action.clone_from(&planned.action);
        resource.reason.clone_from(&planned.reason);
        resource.stream = stream;
    }

    /// The plan is complete: what an earlier one would have done, and was never begun, nobody will do.
    fn planned_all(&mut self, changes: Changes) {
        let stream = self.stream;
        self.intended = Some(changes);
        self.drift.retain(|drift| drift.stream == stream);
        self.timeline.retain(|it| it.stream == stream || !it.operations.is_empty());
        self.places = self.timeline.iter().enumerate().map(|(place, it)| (it.address.clone(), place)).collect();
    }

    fn applying(&mut self, phase: Phase, told: &ResourceAction, at: Option<i64>) {
        let resource = self.resource(told);
        if resource.action.is_empty() {
            resource.action.clone_from(&told.action);
        }
        let running = |it: &Operation| it.outcome == Outcome::Running && it.action == told.action;
        let place = resource.operations.iter().position(running).unwrap_or_else(|| {
            resource.operations.push(Operation::begun(&told.action, at.filter(|_| phase == Phase::Start)));
            resource.operations.len() - 1
        });
        resource.operations[place].goes_on(phase, told, at);
        resource.add_up();
    }

    fn resource(&mut self, named: &ResourceAction) -> &mut ResourceTimeline {
        let place = *self.places.entry(named.address.clone()).or_insert_with(|| {
            self.timeline.push(ResourceTimeline {
                address: named.address.clone(),
                r#type: named.kind.clone(),
                module: named.module.clone(),
                provider: named.provider.clone(),
                ..ResourceTimeline::default()
            });
            self.timeline.len() - 1
        });
        &mut self.timeline[place]
    }
}

impl ResourceTimeline {
    fn add_up(&mut self) {
        let all = &self.operations;
        self.started_at = all.iter().filter_map(|it| it.started_at).min();
        let ended = all.iter().all(|it| it.outcome != Outcome::Running);
        self.ended_at = all.iter().filter_map(|it| it.ended_at).max().filter(|_| ended);
        self.duration_ms = all.iter().map(|it| it.duration_ms).sum::<Option<u64>>().filter(|_| ended);
        let made = all.iter().rfind(|it| it.action != "delete").or(all.last());
        self.id = made.and_then(|it| it.id.clone());
        self.outcome = self.outcome();
    }

    fn outcome(&self) -> Outcome {
        let any = |outcome| self.operations.iter().any(|it| it.outcome == outcome);
        let half = self.action == "replace" && self.operations.len() == 1;
        match () {
            () if any(Outcome::Failed) => Outcome::Failed,
            () if any(Outcome::Unknown) => Outcome::Unknown,
            () if any(Outcome::Running) || half => Outcome::Running,
            () if self.operations.is_empty() => Outcome::Planned,
            () => Outcome::Done,
        }
    }
}

impl Operation {
    fn begun(action: &str, started_at: Option<i64>) -> Self {
        Self { action: action.to_owned(), started_at, outcome: Outcome::Running, ..Self::default() }
    }

    fn goes_on(&mut self, phase: Phase, told: &ResourceAction, at: Option<i64>) {
        if told.id.is_some() {
            self.id.clone_from(&told.id);
        }
        self.outcome = match phase {
            Phase::Start | Phase::Progress => return,
            Phase::Complete => Outcome::Done,
            Phase::Errored => Outcome::Failed,
        };
        self.ended_at = at;
        // A clock that was set back meanwhile must not make it negative.
        let between = self.started_at.zip(at).map(|(from, to)| u64::try_from(to - from).unwrap_or(0));
        self.duration_ms = between.or(told.elapsed_seconds.map(|seconds| seconds * 1000));
    }
}

impl Drift {
    fn of(resource: &ResourceAction, stream: u32) -> Self {
        let ResourceAction { address, kind, module, action, .. } = resource.clone();
        Self { address, r#type: kind, module, action, stream }
    }
}

impl OutputTold {
    fn of(told: &OutputValue) -> Self {
        let value = if told.sensitive { Value::Null } else { told.value.clone() };
        Self { sensitive: told.sensitive, value }
    }
}

#[cfg(test)]
mod tests;
