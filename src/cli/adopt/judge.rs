//! What a plan would do, in one word.
//!
//! <https://developer.hashicorp.com/terraform/internals/json-format#plan-representation>

use hadron_model::hadron::AdoptionGroup;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::planner::Planned;

/// The attributes that a change of tags changes: the resource's own, and what the provider's `default_tags` make of them.
const TAGS: [&str; 2] = ["tags", "tags_all"];

/// How many changes are told one by one.
const TOLD: usize = 20;

#[derive(Debug, Deserialize)]
struct Document {
    #[serde(default)]
    resource_changes: Vec<Resource>,
    #[serde(default)]
    output_changes: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
struct Resource {
    address: String,
    #[serde(default)]
    mode: String,
    change: Change,
}

#[derive(Debug, Deserialize)]
struct Change {
    actions: Vec<String>,
    #[serde(default)]
    before: Value,
    #[serde(default)]
    after: Value,
    #[serde(default)]
    after_unknown: Value,
}

/// What becomes of one resource, from the most harmless to the least.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Nothing,
    Tags,
    Update(Vec<String>),
    Create,
    Replace,
    Destroy,
}

impl Change {
    fn fate(&self) -> Fate {
        let actions: Vec<&str> = self.actions.iter().map(String::as_str).collect();
        match actions[..] {
            ["no-op" | "read"] | [] => Fate::Nothing,
            ["update"] => {
                let attributes = self.attributes();
                match attributes.iter().all(|name| TAGS.contains(&name.as_str())) {
                    true => Fate::Tags,
                    false => Fate::Update(attributes),
                }
            }
            ["create"] => Fate::Create,
            [_, _, ..] => Fate::Replace,
            // What only leaves the state is lost to it as well.
            _ => Fate::Destroy,
        }
    }

    /// The attributes that change, or may.
    fn attributes(&self) -> Vec<String> {
        let (empty, unknown) = (Map::new(), self.after_unknown.as_object());
        let (before, after) = (self.before.as_object().unwrap_or(&empty), self.after.as_object().unwrap_or(&empty));
        let mut names: Vec<&String> =
            before.keys().chain(after.keys()).chain(unknown.into_iter().flat_map(Map::keys)).collect();
        names.sort();
        names.dedup();
        let differs = |name: &&String| {
            let unknown = unknown.and_then(|unknown| unknown.get(*name)).is_some_and(holds_true);
            unknown || before.get(*name).unwrap_or(&Value::Null) != after.get(*name).unwrap_or(&Value::Null)
        };
        names.into_iter().filter(differs).cloned().collect()
    }
}

fn holds_true(value: &Value) -> bool {
    match value {
        Value::Bool(known) => *known,
        Value::Array(items) => items.iter().any(holds_true),
        Value::Object(members) => members.values().any(holds_true),
        _ => false,
    }
}

/// Judges a plan's document. `managed` is how many objects the state manages: where it manages none, everything that would
/// be made may well exist already.
///
/// # Errors
/// It is no plan.
pub(super) fn judge(document: &[u8], managed: usize) -> Result<Planned, serde_json::Error> {
    let Document { resource_changes, output_changes } = serde_json::from_slice(document)?;
    let fates: Vec<(String, Fate)> = resource_changes
        .into_iter()
        .filter(|it| it.mode != "data")
        .map(|it| (it.address, it.change.fate()))
        .filter(|(_, fate)| *fate != Fate::Nothing)
        .collect();
    let of = |wanted: fn(&Fate) -> bool| fates.iter().filter(|(_, fate)| wanted(fate)).count();
    let replaced = of(|it| matches!(it, Fate::Replace));
    let (made, gone) =
        (of(|it| matches!(it, Fate::Create)) + replaced, of(|it| matches!(it, Fate::Destroy)) + replaced);
    let changed = of(|it| matches!(it, Fate::Tags | Fate::Update(_)));
    let outputs: Vec<&String> =
        output_changes.iter().filter(|(_, it)| it["actions"][0] != "no-op").map(|it| it.0).collect();
    let group = match fates.iter().map(|(_, fate)| fate).max() {
        Some(Fate::Replace | Fate::Destroy) => AdoptionGroup::ReplaceOrDestroy,
        Some(Fate::Create) if managed == 0 => AdoptionGroup::Error,
        Some(Fate::Create | Fate::Update(_)) => AdoptionGroup::Update,
        _ if !outputs.is_empty() => AdoptionGroup::Update,
        Some(Fate::Tags) => AdoptionGroup::TagsOnly,
        _ => AdoptionGroup::Unchanged,
    };
    let mut lines: Vec<String> = fates.iter().take(TOLD).map(|(address, fate)| told(address, fate)).collect();
    if fates.len() > TOLD {
        lines.push(format!("and {} more", fates.len() - TOLD));
    }
    lines.extend(outputs.iter().map(|name| format!("output {name} changes")));
    if group == AdoptionGroup::Error {
        lines.insert(0, "the state manages nothing: what exists already would be made a second time".into());
    }
    Ok(Planned {
        group,
        summary: format!("{made} to add, {changed} to change, {gone} to destroy"),
        message: Some(lines.join("\n")).filter(|text| !text.is_empty()),
        state_digest: None,
    })
}

fn told(address: &str, fate: &Fate) -> String {
    match fate {
        Fate::Nothing => String::new(),
        Fate::Tags => format!("~ {address} (tags)"),
        Fate::Update(attributes) => format!("~ {address} ({})", attributes.join(", ")),
        Fate::Create => format!("+ {address}"),
        Fate::Replace => format!("-/+ {address}"),
        Fate::Destroy => format!("- {address}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "json! stands at each call")]
    fn change(actions: &[&str], before: Value, after: Value, after_unknown: Value) -> Value {
        let change = json!({ "actions": actions, "before": before, "after": after, "after_unknown": after_unknown });
        json!({ "address": "aws_vpc.this", "mode": "managed", "change": change })
    }

    fn group(changes: &[Value], managed: usize) -> AdoptionGroup {
        judge(json!({ "resource_changes": changes }).to_string().as_bytes(), managed).unwrap().group
    }

    #[test]
    fn each_group_is_known_by_its_worst_change() {
        let same = change(&["no-op"], json!({"a": 1}), json!({"a": 1}), json!({}));
        let tags = change(
            &["update"],
            json!({"a": 1, "tags": {"x": "1"}, "tags_all": {"x": "1"}}),
            json!({"a": 1, "tags": {"x": "2"}}),
            json!({"tags_all": true}),
        );
        let update = change(&["update"], json!({"a": 1, "tags": {}}), json!({"a": 2, "tags": {"x": "1"}}), json!({}));
        let unknown = change(&["update"], json!({"a": 1, "b": [1]}), json!({"a": 1}), json!({"b": [true]}));
        let create = change(&["create"], json!(null), json!({"a": 1}), json!({"id": true}));
        let replace = change(&["delete", "create"], json!({"a": 1}), json!({"a": 2}), json!({}));
        let gentle = change(&["create", "delete"], json!({"a": 1}), json!({"a": 2}), json!({}));
        let destroy = change(&["delete"], json!({"a": 1}), json!(null), json!({}));
        let forget = change(&["forget"], json!({"a": 1}), json!(null), json!({}));
        assert_eq!(group(&[], 1), AdoptionGroup::Unchanged);
        assert_eq!(group(std::slice::from_ref(&same), 1), AdoptionGroup::Unchanged);
        assert_eq!(group(&[same, tags.clone()], 1), AdoptionGroup::TagsOnly);
        assert_eq!(group(&[tags.clone(), update], 1), AdoptionGroup::Update);
        assert_eq!(group(&[tags, unknown], 1), AdoptionGroup::Update);
        assert_eq!(group(std::slice::from_ref(&create), 1), AdoptionGroup::Update);
        for worst in [replace, gentle, destroy, forget] {
            assert_eq!(group(&[create.clone(), worst], 1), AdoptionGroup::ReplaceOrDestroy);
        }
    }

    #[test]
    fn what_would_be_made_beside_an_empty_state_is_no_update() {
        let create = change(&["create"], json!(null), json!({"a": 1}), json!({}));
        assert_eq!(group(&[create], 0), AdoptionGroup::Error);
        assert_eq!(group(&[], 0), AdoptionGroup::Unchanged);
    }

    #[test]
    fn data_that_is_read_is_no_change_and_an_output_is_one() {
        let read = json!({ "address": "data.x.y", "mode": "data", "change": { "actions": ["read"] } });
        assert_eq!(group(&[read], 1), AdoptionGroup::Unchanged);
        let outputs = json!({ "output_changes": { "url": { "actions": ["create"] }, "id": { "actions": ["no-op"] } } });
        let judged = judge(outputs.to_string().as_bytes(), 1).unwrap();
        assert_eq!(judged.group, AdoptionGroup::Update);
        assert_eq!(judged.message.as_deref(), Some("output url changes"));
    }
}
