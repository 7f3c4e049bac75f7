//! `settings.md`: the table of settings, and the tables of `hadron.toml` that are no settings.

use serde_json::Value;

use super::markdown::{MADE, capital, code, codes, prose, table};
use crate::settings::{Setting, TABLE, schema};

#[test]
fn the_published_settings_are_those_of_the_table() {
    super::published("settings.md", &page());
}

fn page() -> String {
    let mut text = format!("{MADE}# Settings\n\n");
    text += "A flag beats an environment variable, that beats `hadron.toml`, that beats the default. `hadron settings` shows \
             each with its value and where it comes from. Of several variables the first that is set counts; an empty one \
             counts as unset. A name like `tls.cert` is the member `cert` of the table `[tls]`. \
             [A schema](../schemas/hadron.json) lets an editor complete and check it.\n";
    let mut rest: Vec<&Setting> = TABLE.iter().collect();
    for (heading, tables) in GROUPS {
        let of = |setting: &Setting| tables.contains(&table_of(setting)) || tables.is_empty();
        let group: Vec<&Setting> = rest.extract_if(.., |setting| of(setting)).collect();
        assert!(!group.is_empty(), "{heading}");
        let rows = group.into_iter().map(row);
        text += &format!("\n## {heading}\n\n{}", table(["setting", "variables", "default", "means"], rows));
    }
    text + &tables()
}

/// The tables of settings, under what they are about; the empty name is the file's top. The last takes the others.
const GROUPS: &[(&str, &[&str])] = &[
    ("Everything, and the server", &["", "tls", "limits"]),
    ("The agent", &["agent"]),
    ("Terraform's state", &["state"]),
    ("Terraform", &["terraform"]),
    ("Requests", &["forge"]),
    ("Pipelines", &["run"]),
    ("What can be seen from outside", &[]),
];

fn table_of(setting: &Setting) -> &'static str {
    setting.name.split_once('.').map_or("", |(table, _)| table)
}

fn row(setting: &'static Setting) -> [String; 4] {
    let secret = if setting.secret { " (a secret: better by its variable)" } else { "" };
    [
        code(setting.name),
        codes(setting.variables.iter().copied()),
        setting.default.map(code).unwrap_or_default(),
        prose(setting.help) + secret,
    ]
}

/// What else stands in the file, as its schema says.
fn tables() -> String {
    let schema = schema();
    let member = |pointer: &str| schema.pointer(pointer).cloned().expect(pointer);
    let mut text = String::from("\n## Only in `hadron.toml`\n\n### `[agent.env]`\n\n");
    text += &format!("{}\n", said(&member("/properties/agent/properties/env")));
    for (heading, about, members) in [
        ("[environments.NAME]", "/properties/environments", "/properties/environments/additionalProperties/properties"),
        ("[[events.sink]]", "/properties/events", "/properties/events/properties/sink/items/properties"),
    ] {
        text += &format!("\n### `{heading}`\n\n{}\n\n", said(&member(about)));
        let members = member(members);
        let rows = members.as_object().expect("an object").iter().map(|(name, rules)| [code(name), meaning(rules)]);
        text += &table(["member", "means"], rows);
    }
    text
}

fn said(rules: &Value) -> String {
    prose(rules["description"].as_str().unwrap_or_default())
}

fn meaning(rules: &Value) -> String {
    let words = rules.get("enum").or_else(|| rules.pointer("/items/enum")).and_then(Value::as_array);
    let words: Vec<&str> = words.into_iter().flatten().filter_map(Value::as_str).collect();
    let one_of = if words.is_empty() { String::new() } else { format!(" {}.", codes(words)) };
    capital(&said(rules)) + &one_of
}
