//! A JSON Schema of `hadron.toml`, so that an editor completes and checks it: draft 7, which Taplo reads.
//!
//! <https://taplo.tamasfe.dev/configuration/using-schemas.html>

use serde_json::{Map, Value, json};

use super::{Setting, TABLE};

/// What text a setting takes, where its default doesn't tell.
const KINDS: &[(&str, Kind)] = &[
    ("account", Kind::Like("^[0-9]{12}$")),
    ("listen", Kind::Like("^.*:[0-9]{1,5}$")),
    ("metrics.listen", Kind::Like("^.*:[0-9]{1,5}$")),
    ("agent.listen", Kind::Like("^.*:[0-9]{1,5}$")),
    ("base_url", Kind::Url),
    ("endpoint", Kind::Url),
    ("objects_endpoint", Kind::Url),
    ("state.endpoint", Kind::Url),
    ("agent.shutdown", Kind::OneOf(&["drain", "interrupt", "detach"])),
    ("agent.grace", Kind::Count),
    ("agent.reserve", Kind::Count),
    ("state.backend", Kind::OneOf(&["hadron", "s3"])),
    ("forge.kind", Kind::OneOf(&["github", "gitlab"])),
    ("log.level", Kind::OneOf(&["error", "warn", "info", "debug", "trace"])),
    ("log.format", Kind::OneOf(&["text", "json"])),
];

/// The text of a setting.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    /// Text with a form, as a regular expression.
    Like(&'static str),
    /// An address over HTTP.
    Url,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// `true` or `false`.
    Switch,
    /// A whole number from 0 on.
    Count,
}

impl Kind {
    fn of(setting: &Setting) -> Self {
        if let Some((_, kind)) = KINDS.iter().find(|(name, _)| *name == setting.name) {
            return *kind;
        }
        match setting.default {
            Some("true" | "false") => Self::Switch,
            Some(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => Self::Count,
            _ => Self::Text,
        }
    }

    /// Its rules. A number or flag may stand in quotes, too: the file's reader takes either.
    fn rules(self) -> Value {
        match self {
            Self::Text => json!({ "type": "string" }),
            Self::Like(pattern) => json!({ "type": "string", "pattern": pattern }),
            Self::Url => json!({ "type": "string", "pattern": "^https?://." }),
            Self::OneOf(words) => json!({ "type": "string", "enum": words }),
            Self::Switch => json!({ "enum": [true, false, "true", "false"] }),
            Self::Count => json!({ "type": ["integer", "string"], "minimum": 0, "pattern": "^[0-9]+$" }),
        }
    }

    /// What is wrong with a text; None where nothing is, or where whoever uses the setting says it.
    fn refuses(self, text: &str) -> Option<String> {
        let host = || text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
        match self {
            Self::Url if host().is_none_or(|host| host.is_empty() || host.starts_with('/')) => {
                Some("it is no URL, like http://127.0.0.1:9440 or https://proton.example.com".to_owned())
            }
            Self::OneOf(words) if !words.contains(&text) => Some(format!("it is one of {}", words.join(", "))),
            _ => None,
        }
    }

    /// A default as a person would write it.
    fn value(self, text: &str) -> Value {
        match self {
            Self::Switch => json!(text == "true"),
            Self::Count => text.parse::<u64>().map_or_else(|_| json!(text), Value::from),
            _ => json!(text),
        }
    }
}

/// What is wrong with a setting's text.
pub(super) fn refuses(setting: &Setting, text: &str) -> Option<String> {
    Kind::of(setting).refuses(text)
}

/// The schema of the whole file.
pub fn schema() -> Value {
    let mut properties = Map::new();
    for setting in TABLE {
        insert(&mut properties, setting.name, described(setting));
    }
    let passed = json!({
        "description": "Environment variables handed to Terraform as they are.",
        "type": "object",
        "additionalProperties": { "type": "string" },
    });
    insert(&mut properties, "agent.env", passed);
    properties.insert("environments".into(), environments());
    properties.insert("events".into(), events());
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "hadron.toml",
        "description": "Hadron's settings. A flag beats an environment variable, that beats this file, that beats the default.",
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    })
}

/// Puts `a.b` into the table `a`, which is made if it isn't there.
fn insert(properties: &mut Map<String, Value>, name: &str, property: Value) {
    let Some((table, member)) = name.split_once('.') else {
        properties.insert(name.to_owned(), property);
        return;
    };
    let empty = json!({ "type": "object", "additionalProperties": false, "properties": {} });
    let table = properties.entry(table).or_insert(empty);
    if let Some(members) = table.get_mut("properties").and_then(Value::as_object_mut) {
        insert(members, member, property);
    }
}

fn described(setting: &Setting) -> Value {
    let kind = Kind::of(setting);
    let mut rules = kind.rules();
    let secret = if setting.secret { " A secret: better given by its variable." } else { "" };
    let variables = setting.variables.join(", ");
    rules["description"] = json!(format!("{}.{secret} Environment: {variables}.", capital(setting.help)));
    if let Some(default) = setting.default {
        rules["default"] = kind.value(default);
    }
    rules
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

fn environments() -> Value {
    let text = |description: &str| json!({ "description": description, "type": "string" });
    json!({
        "description": "What a site wants for its environments, by their names; `*` stands for every other.",
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "region": text("The region given to Terraform's providers."),
                "role": text("The role that `hadron run` takes, where `env_config.json` names none."),
                "state_bucket": text("The bucket of the state for `hadron run`, where `env_config.json` names none."),
                "lock_table": text("A DynamoDB table that locks that state, for a Terraform older than 1.10."),
                "overlay": text("A folder whose files are laid beside the rendered ones; relative to this file."),
                "variables": {
                    "description": "Extra Terraform variables.",
                    "type": "object",
                    "additionalProperties": { "type": "string" },
                },
                "gates": {
                    "description": "What stands between a plan and its apply; `[]` takes away what `*` says.",
                    "type": "array",
                    "items": { "enum": ["approval"] },
                },
            },
        },
    })
}

fn events() -> Value {
    let text = |description: &str| json!({ "description": description, "type": "string" });
    json!({
        "description": "Who is told of status changes.",
        "type": "object",
        "additionalProperties": false,
        "properties": { "sink": {
            "description": "The receivers.",
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "type"],
                "additionalProperties": false,
                "properties": {
                    "name": text("Its name, unique."),
                    "type": {
                        "description": "What is at the far end.",
                        "enum": ["eventbridge", "webhook", "slack", "json-lines"],
                    },
                    "url": text("The address, if it may stand in the file."),
                    "url_env": text("The variable that holds the address."),
                    "url_file": text("The file that holds the address."),
                    "secret_env": text("The variable that holds the secret of a webhook's signature."),
                    "secret_file": text("The file that holds the secret of a webhook's signature."),
                    "bus": text("EventBridge's bus: a name or an ARN."),
                    "endpoint": text("EventBridge's endpoint, if not AWS's."),
                    "region": text("The bus's region, if not `region`."),
                    "path": text("The file of JSON lines; relative to this file."),
                    "link": text("Where a Slack message leads."),
                    "form": { "description": "The form of the events.", "enum": ["aws", "article"] },
                    "source": text("The events' source."),
                    "attempts": {
                        "description": "So many deliveries are tried.",
                        "type": "integer",
                        "minimum": 1,
                    },
                    "pattern": {
                        "description": "Which events it wants: EventBridge's pattern as JSON text, or the same as a table.",
                        "type": ["string", "object"],
                    },
                },
            },
        } },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::settings::File;
    use crate::support::judge::Judge;

    /// The names in serde's answer to a member that there is not.
    fn known_to_the_reader(text: &str) -> BTreeSet<String> {
        let message = File::parse(Path::new("hadron.toml"), text).unwrap_err().to_string();
        let (_, expected) = message.split_once("expected ").expect(&message);
        expected.lines().next().unwrap_or_default().split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    fn names(schema: &Value, pointer: &str) -> BTreeSet<String> {
        schema.pointer(pointer).and_then(Value::as_object).expect(pointer).keys().cloned().collect()
    }

    #[test]
    fn an_editor_offers_every_setting_and_none_that_the_file_refuses() {
        let schema = schema();
        let mut offered = BTreeSet::new();
        for (name, property) in schema["properties"].as_object().unwrap() {
            match property.get("properties").and_then(Value::as_object) {
                Some(members) => offered.extend(members.keys().map(|member| format!("{name}.{member}"))),
                None => {
                    offered.insert(name.clone());
                }
            }
        }
        let mut settings: BTreeSet<String> = TABLE.iter().map(|setting| setting.name.to_owned()).collect();
        settings.extend(["agent.env", "environments", "events.sink"].map(str::to_owned));
        assert_eq!(offered, settings);
        assert!(KINDS.iter().all(|(name, _)| settings.contains(*name)));
    }

    #[test]
    fn an_editor_offers_what_the_reader_takes_in_its_tables() {
        let schema = schema();
        assert_eq!(
            names(&schema, "/properties/environments/additionalProperties/properties"),
            known_to_the_reader("[environments.dev]\nnonsense = 1\n")
        );
        assert_eq!(
            names(&schema, "/properties/events/properties/sink/items/properties"),
            known_to_the_reader("[[events.sink]]\nname = \"n\"\ntype = \"slack\"\nnonsense = 1\n")
        );
    }

    #[test]
    fn the_published_schema_is_what_the_table_says() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas/hadron.json");
        let text = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
        if std::env::var_os("HADRON_UPDATE").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let published = std::fs::read_to_string(&path).unwrap();
        assert!(
            published == text,
            "docs/schemas/hadron.json is stale: HADRON_UPDATE=1 cargo test --lib settings::schema"
        );
    }

    #[test]
    fn every_default_obeys_the_rules_of_its_setting() {
        let judge = Judge::new(schema());
        for setting in TABLE.iter().filter(|setting| setting.default.is_some()) {
            let kind = Kind::of(setting);
            let mut file = kind.value(setting.default.unwrap());
            for member in setting.name.rsplit('.') {
                file = json!({ member: file });
            }
            assert_eq!(judge.marks(&file), "", "{file}");
        }
    }
}
