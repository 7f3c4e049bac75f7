use serde_json::json;

use super::*;

const UPDATE: &str = include_str!("../../../tests/fixtures/terraform/1.11/update.jsonl");
const FAILED: &str = include_str!("../../../tests/fixtures/terraform/1.11/failed.jsonl");

fn timeline(stream: &str) -> Timeline {
    let mut timeline = Timeline::default();
    stream.lines().for_each(|line| timeline.note(&Event::parse(line)));
    timeline
}

fn closed(stream: &str) -> Timeline {
    let mut timeline = timeline(stream);
    timeline.close();
    timeline
}

fn of<'a>(timeline: &'a Timeline, address: &str) -> &'a ResourceTimeline {
    timeline.timeline.iter().find(|it| it.address == address).unwrap()
}

/// The events until, and without, the first that says this.
fn before<'a>(stream: &'a str, words: &str) -> &'a str {
    &stream[..stream.find(words).unwrap()]
}

fn hook(kind: &str, address: &str, action: &str, at: &str, id: Option<&str>) -> String {
    let resource =
        json!({"addr": address, "module": "module.net", "implied_provider": "aws", "resource_type": "aws_vpc"});
    let hook = json!({"resource": resource, "action": action, "id_value": id, "elapsed_seconds": 7});
    let place = if kind == "planned_change" || kind == "resource_drift" { "change" } else { "hook" };
    format!("{}\n", json!({"@timestamp": at, "@message": "", "type": kind, place: hook}))
}

#[test]
fn an_update_is_told_resource_by_resource() {
    let all = closed(UPDATE);
    let told: Vec<_> = all
        .timeline
        .iter()
        .map(|it| (it.address.as_str(), it.action.as_str(), it.reason.as_deref(), it.outcome, it.operations.len()))
        .collect();
    assert_eq!(
        told,
        [
            ("terraform_data.gone", "delete", Some("delete_because_no_resource_config"), Outcome::Done, 1),
            ("terraform_data.added[1]", "create", None, Outcome::Done, 1),
            ("terraform_data.added[0]", "create", None, Outcome::Done, 1),
            ("terraform_data.updated", "update", None, Outcome::Done, 1),
            ("terraform_data.replaced", "replace", Some("cannot_update"), Outcome::Done, 2),
        ]
    );
    let replaced = of(&all, "terraform_data.replaced");
    assert_eq!(replaced.id.as_deref(), Some("3cd30e25-7f32-334a-9054-28de304216bf"), "the new one");
    assert_eq!(replaced.operations[0].id.as_deref(), Some("9d8f2f8a-3e4e-8668-9f8e-230e299444f4"), "the old one");
    let added = of(&all, "terraform_data.added[1]");
    assert_eq!((added.ended_at.unwrap() - added.started_at.unwrap(), added.duration_ms), (3, Some(3)));
    assert_eq!((all.refreshed, all.intended), (4, Some(Changes { add: 3, change: 1, remove: 2 })));
    assert!(all.unknown.is_empty() && all.drift.is_empty());
}

#[test]
fn outputs_are_told_with_their_values_unless_they_are_sensitive() {
    let told = serde_json::to_value(&timeline(UPDATE).values).unwrap();
    assert_eq!(
        told,
        json!({
            "list": {"sensitive": false, "value": ["a", 1]},
            "plain": {"sensitive": false, "value": "new"},
            "secret": {"sensitive": true}
        })
    );
}

#[test]
fn what_failed_and_what_was_never_begun_are_told_apart() {
    let all = closed(FAILED);
    assert_eq!(of(&all, "terraform_data.broken").outcome, Outcome::Failed);
    let diagnostic = &all.diagnostics[0];
    let (from, to) = diagnostic.highlight.unwrap();
    assert_eq!(&diagnostic.snippet.as_deref().unwrap()[from..to], "c");
    assert_eq!((diagnostic.file.as_deref(), diagnostic.line, diagnostic.column), (Some("main.tf"), Some(15), Some(30)));
    let early = closed(before(FAILED, "{\"@level\":\"info\",\"@message\":\"terraform_data.broken: Creating"));
    assert_eq!(of(&early, "terraform_data.broken").outcome, Outcome::Skipped);
}

#[test]
fn what_was_begun_runs_while_the_run_does_and_has_an_unknown_end_after_it() {
    let cut = before(UPDATE, "{\"@level\":\"info\",\"@message\":\"terraform_data.updated: Modifications complete");
    assert_eq!(of(&timeline(cut), "terraform_data.updated").outcome, Outcome::Running);
    assert_eq!(of(&timeline(cut), "terraform_data.added[0]").outcome, Outcome::Planned);
    let over = closed(cut);
    assert_eq!(of(&over, "terraform_data.updated").outcome, Outcome::Unknown);
    assert_eq!(of(&over, "terraform_data.updated").ended_at, None);
    assert_eq!(of(&over, "terraform_data.gone").outcome, Outcome::Done);
}

#[test]
fn a_replacement_that_was_only_destroyed_is_partial() {
    let cut = before(UPDATE, "{\"@level\":\"info\",\"@message\":\"terraform_data.added[1]: Creating");
    assert_eq!(of(&timeline(cut), "terraform_data.replaced").outcome, Outcome::Running);
    assert_eq!(of(&closed(cut), "terraform_data.replaced").outcome, Outcome::Partial);
}

#[test]
fn drift_is_no_planned_change_and_a_newer_plan_replaces_an_older_one() {
    let version = "{\"type\":\"version\",\"terraform\":\"1.11.4\",\"ui\":\"1.2\"}\n";
    let summary =
        "{\"type\":\"change_summary\",\"changes\":{\"add\":1,\"change\":0,\"remove\":0,\"operation\":\"plan\"}}\n";
    let at = "2026-11-22T22:08:23.000000+01:00";
    let first = hook("resource_drift", "aws_vpc.a", "update", at, None)
        + &hook("planned_change", "aws_vpc.a", "update", at, None);
    let second = hook("planned_change", "aws_vpc.b", "create", at, None);
    let plans = [version, &first, summary, version, &second, summary].concat();
    let all = timeline(&plans);
    assert!(all.drift.is_empty(), "the second plan saw none");
    assert_eq!(all.timeline.iter().map(|it| it.address.as_str()).collect::<Vec<_>>(), ["aws_vpc.b"]);
    // The apply of a saved plan names the changes again, and no drift.
    let applied =
        [version, &first, summary, version, &hook("planned_change", "aws_vpc.a", "update", at, None)].concat();
    let all = timeline(&applied);
    assert_eq!((all.drift[0].address.as_str(), all.drift[0].action.as_str()), ("aws_vpc.a", "update"));
    let resource = of(&all, "aws_vpc.a");
    assert_eq!(
        (resource.module.as_str(), resource.provider.as_str(), resource.r#type.as_str()),
        ("module.net", "aws", "aws_vpc")
    );
}

#[test]
fn durations_survive_zones_clocks_that_are_set_back_and_missing_moments() {
    let took = |from: &str, to: &str| {
        let begins = hook("apply_start", "a", "create", from, None);
        timeline(&(begins + &hook("apply_complete", "a", "create", to, Some("id-1")))).timeline[0].duration_ms
    };
    assert_eq!(took("2026-11-22T22:08:23.5+01:00", "2026-11-22T21:08:25.0Z"), Some(1500));
    assert_eq!(took("2026-11-22T22:08:23Z", "2026-11-22T20:00:00Z"), Some(0));
    assert_eq!(took("later", "later still"), Some(7000), "Terraform's own count of seconds");
}

#[test]
fn unknown_kinds_are_kept_whole_and_talk_is_not() {
    let lines =
        "{\"type\":\"policy_done\",\"verdict\":[1]}\n{\"type\":\"log\",\"@message\":\"x\"}\nplain\n{\"type\":7}\n[]\n";
    let all = timeline(lines);
    assert_eq!(all.unknown, [json!({"type": "policy_done", "verdict": [1]}), json!({"type": 7})]);
}

#[test]
fn what_was_written_is_read_back() {
    let all = closed(UPDATE);
    let text = serde_json::to_string(&all).unwrap();
    let read: Timeline = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), text);
    let later: Outcome = serde_json::from_str("\"forgotten_by_this_version\"").unwrap();
    assert_eq!(later, Outcome::Unknown);
}
