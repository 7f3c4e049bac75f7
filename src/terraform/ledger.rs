//! What a run has done to the world, as far as its events tell, and what the state doesn't know of it.
//!
//! Terraform writes its state only about every twenty seconds while it applies
//! (<https://developer.hashicorp.com/terraform/internals/machine-readable-ui> comes at once), so that a killed one has
//! done more than its state says. Several runs of a target are read one after the other into one ledger: what a later
//! one did to an object of an earlier one counts.

use std::collections::{BTreeMap, BTreeSet};

use super::statefile::State;
use super::{Event, EventKind, Phase, ResourceAction};

/// Providers whose resources exist in the state only. One that was lost is made anew, and nothing is left behind.
const STATE_ONLY: [&str; 5] = ["terraform", "null", "random", "time", "tls"];

/// The events of one or several runs, boiled down.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// What the last plan says of each address that it changes: type and action.
    planned: BTreeMap<String, (String, String)>,
    /// Objects that were made and stand, as far as is known, with their ids.
    made: BTreeMap<String, Made>,
    /// Creations that began and have no good end.
    begun: BTreeMap<String, Begun>,
    /// Addresses whose provider ended before it answered.
    unanswered: BTreeSet<String>,
    /// Objects that were destroyed, by address and id.
    destroyed: BTreeSet<(String, String)>,
    /// Objects that are being destroyed, by address.
    destroying: BTreeMap<String, String>,
    /// The ids that an address had before what stands there now.
    before: BTreeMap<String, BTreeSet<String>>,
    /// Whether Terraform has said that it is through.
    finished: bool,
    /// Whether a change has begun.
    changing: bool,
    /// How many plans were told to their end.
    plans: usize,
}

#[derive(Debug, Clone)]
struct Made {
    kind: String,
    id: Option<String>,
}

#[derive(Debug, Clone)]
struct Begun {
    kind: String,
    errored: bool,
}

/// An object that was made and is missing in the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Where it belongs.
    pub address: String,
    /// Its type.
    pub kind: String,
    /// The provider's identifier of it.
    pub id: String,
    /// What stands at that address in the state, although this object replaces it.
    pub replaces: Option<Replaced>,
}

/// An object that the state has at an address which belongs to another by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaced {
    /// It was destroyed, so the state can forget it.
    Destroyed,
    /// It may be there still, so it must stay in the state, at an address where Terraform will destroy it.
    Standing,
}

/// An object that may exist without being in the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspect {
    /// Where it would belong.
    pub address: String,
    /// Its type.
    pub kind: String,
    /// The provider's identifier of it, if that is known.
    pub id: Option<String>,
    /// Why it may exist.
    pub why: String,
}

/// How much a ledger can be trusted to be all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The streams are there as far as the runs came; else their end is lost, and what was planned may have been done.
    pub whole: bool,
    /// Terraform ended by itself, and saved its state.
    pub saved: bool,
}

/// What the state doesn't know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gap {
    /// What can be brought into it.
    pub missing: Vec<Missing>,
    /// What somebody must look at.
    pub suspects: Vec<Suspect>,
}

impl Ledger {
    /// Takes note of one line of a run's stream.
    pub fn line(&mut self, line: &str) {
        self.note(&Event::parse(line));
    }

    /// Takes note of one event.
    pub fn note(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Version { .. } => self.finished = false,
            EventKind::PlannedChange(change) => {
                self.planned.insert(change.address.clone(), (change.kind.clone(), change.action.clone()));
            }
            EventKind::Refresh(_, resource) => self.was(&resource.address, resource.id.as_ref()),
            EventKind::Apply(phase, resource) if resource.action != "read" => self.change(*phase, resource),
            EventKind::Diagnostic(diagnostic) if diagnostic.is_unanswered() => {
                self.unanswered.extend(diagnostic.address.clone());
            }
            EventKind::ChangeSummary { operation, .. } if operation == "plan" => self.plans += 1,
            EventKind::ChangeSummary { .. } => self.finished = true,
            _ => {}
        }
    }

    /// Whether a change has begun, of anything but a data source.
    pub fn has_changed(&self) -> bool {
        self.changing
    }

    /// How many plans were told to their end.
    pub fn plans(&self) -> usize {
        self.plans
    }

    /// Whether the last run has said that it was through.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// Whether the object of this id was destroyed at this address.
    pub fn has_destroyed(&self, address: &str, id: &str) -> bool {
        self.destroyed.contains(&(address.to_owned(), id.to_owned()))
    }

    fn was(&mut self, address: &str, id: Option<&String>) {
        if let Some(id) = id {
            self.before.entry(address.to_owned()).or_default().insert(id.clone());
        }
    }

    fn change(&mut self, phase: Phase, resource: &ResourceAction) {
        let ResourceAction { address, kind, action, id, .. } = resource;
        self.changing = true;
        match (phase, action.as_str()) {
            (Phase::Start, "delete") => {
                self.was(address, id.as_ref());
                if let Some(id) = id {
                    self.destroying.insert(address.clone(), id.clone());
                }
            }
            (Phase::Complete, "delete") => {
                if let Some(id) = self.destroying.remove(address) {
                    if self.made.get(address).is_some_and(|made| made.id.as_ref() == Some(&id)) {
                        self.made.remove(address);
                    }
                    self.destroyed.insert((address.clone(), id));
                }
            }
            (Phase::Start, "create") => {
                self.begun.insert(address.clone(), Begun { kind: kind.clone(), errored: false });
            }
            (Phase::Errored, "create") => {
                self.begun.insert(address.clone(), Begun { kind: kind.clone(), errored: true });
            }
            (Phase::Complete, "create") => {
                self.begun.remove(address);
                if let Some(Made { id: Some(id), .. }) = self.made.get(address).cloned() {
                    self.was(address, Some(&id));
                }
                self.made.insert(address.clone(), Made { kind: kind.clone(), id: id.clone() });
            }
            (Phase::Start, _) => self.was(address, id.as_ref()),
            _ => {}
        }
    }

    /// Holds the ledger against a state.
    pub fn gap(&self, state: Option<&State>, known: Known) -> Gap {
        let nothing = State::default();
        let state = state.unwrap_or(&nothing);
        let mut gap = Gap::default();
        for (address, made) in self.made.iter().filter(|(_, made)| lives_outside(&made.kind)) {
            self.hold_made(address, made, state, &mut gap);
        }
        // Of a creation that failed Terraform has saved what was left of it, if it could, and if it was told.
        let saved = |address: &String| known.saved && !self.unanswered.contains(address);
        let open = self.begun.iter().filter(|(address, begun)| !(begun.errored && saved(address)));
        let open = open.filter(|(_, begun)| lives_outside(&begun.kind));
        for (address, begun) in open.filter(|(address, _)| !self.is_new(address, state)) {
            let why = if begun.errored { "its creation failed half-way" } else { "its creation had begun" };
            gap.suspects.push(Suspect::new(address, &begun.kind, None, why));
        }
        if !known.whole {
            self.suspect_planned(state, &mut gap);
        }
        gap
    }

    fn hold_made(&self, address: &str, made: &Made, state: &State, gap: &mut Gap) {
        let Some(id) = &made.id else {
            if state.current(address).is_none() {
                gap.suspects.push(Suspect::new(address, &made.kind, None, "it was created, and its id isn't known"));
            }
            return;
        };
        if state.knows(&made.kind, id) {
            return;
        }
        let replaces = match state.current(address) {
            None => None,
            Some(object) => match &object.id {
                Some(old) if self.has_destroyed(address, old) => Some(Replaced::Destroyed),
                Some(old) if self.had(address, old) => Some(Replaced::Standing),
                // The state is newer than what the ledger knows of this address.
                _ => {
                    let why = "it was created, and the state has another object at its address since";
                    gap.suspects.push(Suspect::new(address, &made.kind, Some(id), why));
                    return;
                }
            },
        };
        let (address, kind, id) = (address.to_owned(), made.kind.clone(), id.clone());
        gap.missing.push(Missing { address, kind, id, replaces });
    }

    fn suspect_planned(&self, state: &State, gap: &mut Gap) {
        for (address, (kind, action)) in &self.planned {
            let creates = matches!(action.as_str(), "create" | "replace");
            let settled = self.made.contains_key(address) || self.begun.contains_key(address);
            if creates && !settled && lives_outside(kind) && !self.is_new(address, state) {
                let why = "its creation was planned, and the end of the run's journal is lost";
                gap.suspects.push(Suspect::new(address, kind, None, why));
            }
        }
    }

    /// Whether the state has an object at an address that wasn't there before the ledger's runs.
    fn is_new(&self, address: &str, state: &State) -> bool {
        let object = state.current(address);
        object.is_some_and(|object| object.id.as_ref().is_none_or(|id| !self.had(address, id)))
    }

    fn had(&self, address: &str, id: &str) -> bool {
        self.before.get(address).is_some_and(|before| before.contains(id))
    }
}

impl Suspect {
    /// A suspect, with the reason in words.
    pub fn new(address: &str, kind: &str, id: Option<&String>, why: &str) -> Self {
        Self { address: address.to_owned(), kind: kind.to_owned(), id: id.cloned(), why: why.to_owned() }
    }
}

/// Whether objects of a type exist anywhere but in the state. A type's name begins with its provider's, unless its author
/// says otherwise (<https://developer.hashicorp.com/terraform/language/resources/syntax#resource-types>).
pub fn lives_outside(kind: &str) -> bool {
    let provider = kind.split('_').next().unwrap_or_default();
    !STATE_ONLY.contains(&provider)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KILLED: &str = include_str!("../../tests/fixtures/terraform/1.11/killed.jsonl");
    const REPLACING: &str = include_str!("../../tests/fixtures/terraform/1.11/killed_replacing.jsonl");
    const REPLACED: &[u8] = include_bytes!("../../tests/fixtures/terraform/1.11/replaced.tfstate");

    const WHOLE: Known = Known { whole: true, saved: false };
    const CUT: Known = Known { whole: false, saved: false };

    fn ledger(streams: &[&str]) -> Ledger {
        let mut ledger = Ledger::default();
        streams.iter().flat_map(|stream| stream.lines()).for_each(|line| ledger.line(line));
        ledger
    }

    fn until(stream: &'static str, words: &str) -> String {
        let lines = stream.lines().take_while(|line| !line.contains(words));
        lines.collect::<Vec<_>>().join("\n")
    }

    fn state(objects: &[(&str, &str, bool)]) -> State {
        let object = |(address, id, deposed): &(&str, &str, bool)| StateObject {
            address: (*address).to_owned(),
            kind: "aws_sqs_queue".to_owned(),
            id: Some((*id).to_owned()),
            deposed: *deposed,
        };
        State { objects: objects.iter().map(object).collect(), ..State::default() }
    }

    fn missing(gap: &Gap) -> Vec<(&str, &str, Option<Replaced>)> {
        let ids = |it: &Missing| it.id.rsplit('/').next().unwrap().split('-').next().unwrap().to_owned();
        let mut found: Vec<_> = gap.missing.iter().map(|it| (it.address.as_str(), ids(it), it.replaces)).collect();
        found.sort_by(|one, other| one.0.cmp(other.0));
        found.into_iter().map(|(address, id, replaces)| (address, &*id.leak(), replaces)).collect()
    }

    use crate::terraform::statefile::StateObject;

    const A: &str = "http://127.0.0.1:5000/123456789012/a-20261123041308490100000002";

    #[test]
    fn what_was_completed_and_never_saved_is_missing_and_what_lives_in_the_state_only_is_not() {
        let gap = ledger(&[KILLED]).gap(None, WHOLE);
        assert_eq!(
            missing(&gap),
            [
                ("aws_sqs_queue.a", "a", None),
                ("aws_sqs_queue.n[0]", "n0", None),
                ("aws_sqs_queue.n[1]", "n1", None),
                ("module.m[\"x\"].aws_iam_role.r", "r", None),
                ("module.m[\"y z\"].aws_iam_role.r", "r", None),
            ]
        );
        assert_eq!(gap.suspects, [], "terraform_data.hang had begun, and is made anew");
    }

    #[test]
    fn what_the_state_has_is_not_missing() {
        let gap = ledger(&[KILLED]).gap(Some(&state(&[("aws_sqs_queue.a", A, false)])), WHOLE);
        assert_eq!(gap.missing.len(), 4);
        let moved = ledger(&[KILLED]).gap(Some(&state(&[("aws_sqs_queue.moved", A, false)])), WHOLE);
        assert_eq!(moved.missing.len(), 4, "an object is known by its id, wherever it was moved to");
    }

    #[test]
    fn a_creation_without_an_end_is_suspected_unless_the_state_has_it() {
        let cut = until(KILLED, "aws_sqs_queue.a: Creation complete");
        let gap = ledger(&[&cut]).gap(None, WHOLE);
        assert_eq!(gap.missing, []);
        assert_eq!(gap.suspects, [Suspect::new("aws_sqs_queue.a", "aws_sqs_queue", None, "its creation had begun")]);
        let gap = ledger(&[&cut]).gap(Some(&state(&[("aws_sqs_queue.a", A, false)])), WHOLE);
        assert_eq!(gap, Gap::default());
    }

    #[test]
    fn a_creation_that_failed_is_suspected_only_if_its_provider_ended_with_it() {
        let resource = r#"{"addr":"aws_x.a","resource_type":"aws_x"}"#;
        let event = |kind: &str| format!(r#"{{"type":"{kind}","hook":{{"resource":{resource},"action":"create"}}}}"#);
        let said = |summary: &str| {
            let told = format!(r#"{{"severity":"error","summary":"{summary}","detail":"","address":"aws_x.a"}}"#);
            let said = format!(r#"{{"type":"diagnostic","diagnostic":{told}}}"#);
            ledger(&[&[event("apply_start"), event("apply_errored"), said].join("\n")])
        };
        let saved = Known { whole: true, saved: true };
        assert_eq!(said("AccessDenied").gap(None, saved), Gap::default());
        let suspects = said("Plugin did not respond").gap(None, saved).suspects;
        assert_eq!(suspects, [Suspect::new("aws_x.a", "aws_x", None, "its creation failed half-way")]);
    }

    #[test]
    fn what_was_planned_is_suspected_only_where_the_end_of_the_journal_is_lost() {
        let cut = until(KILLED, "aws_sqs_queue.a: Creating");
        assert_eq!(ledger(&[&cut]).gap(None, WHOLE), Gap::default());
        let suspects = ledger(&[&cut]).gap(None, CUT).suspects;
        assert_eq!(suspects.len(), 5, "{suspects:?}");
        let known = state(&[("aws_sqs_queue.a", A, false)]);
        assert_eq!(ledger(&[&cut]).gap(Some(&known), CUT).suspects.len(), 4);
    }

    #[test]
    fn a_replacement_keeps_what_may_be_there_still() {
        let old = state(&[("aws_sqs_queue.a", A, false)]);
        let gap = ledger(&[KILLED, REPLACING]).gap(Some(&old), WHOLE);
        let a = &gap.missing.iter().find(|it| it.address == "aws_sqs_queue.a").unwrap();
        assert!(a.id.contains("/b-") && a.replaces == Some(Replaced::Standing), "{a:?}");
        let parsed = State::parse(REPLACED).unwrap();
        assert_eq!(ledger(&[KILLED, REPLACING]).gap(parsed.as_ref(), WHOLE), Gap::default());
    }

    #[test]
    fn a_replacement_whose_predecessor_was_destroyed_lets_the_state_forget_that() {
        let event = |kind: &str, action: &str, id: Option<&str>| {
            let id = id.map(|id| format!(r#","id_key":"id","id_value":"{id}""#)).unwrap_or_default();
            format!(
                r#"{{"type":"{kind}","hook":{{"resource":{{"addr":"aws_x.a","resource_type":"aws_sqs_queue"}},"action":"{action}"{id}}}}}"#
            )
        };
        let stream = [
            event("apply_start", "delete", Some("old")),
            event("apply_complete", "delete", None),
            event("apply_start", "create", None),
            event("apply_complete", "create", Some("new")),
        ];
        let gap = ledger(&[&stream.join("\n")]).gap(Some(&state(&[("aws_x.a", "old", false)])), WHOLE);
        assert_eq!(missing(&gap), [("aws_x.a", "new", Some(Replaced::Destroyed))]);
        // A state that is newer than the ledger isn't turned back.
        let gap = ledger(&[&stream.join("\n")]).gap(Some(&state(&[("aws_x.a", "newer", false)])), WHOLE);
        assert_eq!((gap.missing.len(), gap.suspects[0].id.as_deref()), (0, Some("new")));
        // What was made and destroyed again is nobody's concern.
        let again = [event("apply_start", "delete", Some("new")), event("apply_complete", "delete", None)];
        let gap = ledger(&[&stream.join("\n"), &again.join("\n")]).gap(None, WHOLE);
        assert_eq!(gap, Gap::default());
    }

    #[test]
    fn resources_of_terraforms_own_providers_live_in_the_state_only() {
        assert!(["aws_vpc", "google_x", "kubernetes_pod"].into_iter().all(lives_outside));
        assert!(!["terraform_data", "null_resource", "random_id", "tls_private_key"].into_iter().any(lives_outside));
    }
}
