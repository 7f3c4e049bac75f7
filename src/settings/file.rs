//! `hadron.toml`: a flat table of settings, and what differs between environments.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::events::{self, Sink};
use super::{SettingsError, TABLE};

/// What a site wants for one environment; `*` stands for every other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// The region given to Terraform's providers.
    pub region: Option<String>,
    /// The role that `hadron run` takes, where `env_config.json` names none.
    pub role: Option<String>,
    /// The bucket of the state for `hadron run`, where `env_config.json` names none.
    pub state_bucket: Option<String>,
    /// A DynamoDB table that locks that state, for a Terraform older than 1.10.
    pub lock_table: Option<String>,
    /// A folder whose files are laid beside the rendered ones; relative to the settings file.
    pub overlay: Option<PathBuf>,
    /// Extra Terraform variables.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// What stands between a plan and its apply. Unlike the rest, an environment that doesn't say has what `*` says, so
    /// that an overlay takes no gate away; `gates = []` does.
    pub gates: Option<Vec<Gate>>,
}

#[derive(Deserialize)]
struct WithEnvironments {
    environments: BTreeMap<String, Environment>,
}

/// Something that a plan must pass before it is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gate {
    /// A person approves it.
    Approval,
}

/// A settings file, read and checked.
#[derive(Debug, Clone, Default)]
pub struct File {
    /// Where it lies, for messages.
    pub path: PathBuf,
    /// Settings by their name in [`TABLE`].
    pub values: BTreeMap<String, String>,
    /// Sites' wishes by environment.
    pub environments: BTreeMap<String, Environment>,
    /// Where status changes are told.
    pub sinks: Vec<Sink>,
    /// Environment variables handed to Terraform as they are.
    pub child_environment: BTreeMap<String, String>,
}

impl File {
    /// Reads a settings file's text; `path` is only for messages and for relative folders.
    ///
    /// # Errors
    /// Text that is no TOML, an unknown setting (with the nearest name), a value that is no scalar.
    pub fn parse(path: &Path, text: &str) -> Result<Self, SettingsError> {
        let wrong = |message: String| SettingsError::File { path: path.to_owned(), message };
        let mut table: toml::Table =
            text.parse().map_err(|error: toml::de::Error| wrong(error.to_string().trim_end().to_owned()))?;
        let mut file = Self { path: path.to_owned(), ..Self::default() };
        if table.remove("environments").is_some() {
            // Out of the text once more: only so does a mistake know its line.
            let read: WithEnvironments =
                toml::from_str(text).map_err(|error| wrong(error.to_string().trim_end().to_owned()))?;
            file.environments = read.environments;
        }
        if let Some(variables) = table.get_mut("agent").and_then(|agent| agent.as_table_mut()?.remove("env")) {
            file.child_environment = variables
                .try_into()
                .map_err(|error: toml::de::Error| wrong(error.to_string().trim_end().to_owned()))?;
        }
        if table.remove("events").is_some() {
            file.sinks = events::sinks(text).map_err(&wrong)?;
        }
        flatten("", &table, &mut file.values).map_err(&wrong)?;
        let mut unknown: Vec<String> = file.values.keys().filter_map(|name| unknown(name, text)).collect();
        unknown.sort();
        if !unknown.is_empty() {
            return Err(wrong(unknown.join("; ")));
        }
        let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
        for environment in file.environments.values_mut() {
            environment.overlay = environment.overlay.take().map(|overlay| folder.join(overlay));
        }
        Ok(file)
    }
}

fn flatten(prefix: &str, table: &toml::Table, values: &mut BTreeMap<String, String>) -> Result<(), String> {
    for (key, value) in table {
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        let text = match value {
            toml::Value::String(text) => text.clone(),
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Boolean(flag) => flag.to_string(),
            toml::Value::Table(inner) => {
                flatten(&name, inner, values)?;
                continue;
            }
            other => return Err(format!("`{name}` must be text or a number, not {}", other.type_str())),
        };
        values.insert(name, text);
    }
    Ok(())
}

/// What is wrong with a name that no setting has, and where it stands.
fn unknown(name: &str, text: &str) -> Option<String> {
    if TABLE.iter().any(|setting| setting.name == name) {
        return None;
    }
    let nearest = TABLE
        .iter()
        .map(|setting| setting.name)
        .max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
    let line = line_of(name, text).map(|line| format!("line {line}: ")).unwrap_or_default();
    Some(format!("{line}there is no setting `{name}`; did you mean `{}`?", nearest.unwrap_or_default()))
}

/// The line of a dotted name, in a text that is TOML.
fn line_of(name: &str, text: &str) -> Option<usize> {
    let mut table = toml::de::DeTable::parse(text).ok()?.into_inner();
    let mut parts = name.split('.').peekable();
    loop {
        let part = parts.next()?;
        let (key, value) = table.into_iter().find(|(key, _)| key.get_ref() == part)?;
        match (parts.peek(), value.into_inner()) {
            (Some(_), toml::de::DeValue::Table(inner)) => table = inner,
            _ => return Some(text[..key.span().start].matches('\n').count() + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<File, SettingsError> {
        File::parse(Path::new("/etc/hadron/hadron.toml"), text)
    }

    #[test]
    fn settings_environments_and_variables_are_read() {
        let file = parse(
            "listen = \"127.0.0.1:1\"\n[agent]\nconcurrency = 8\n[agent.env]\nAWS_PROFILE = \"site\"\n[environments.\"*\"]\noverlay = \"all\"\n",
        )
        .unwrap();
        assert_eq!(file.values["agent.concurrency"], "8");
        assert_eq!(file.child_environment["AWS_PROFILE"], "site");
        assert_eq!(file.environments["*"].overlay.as_deref(), Some(Path::new("/etc/hadron/all")));
    }

    #[test]
    fn an_unknown_setting_names_the_nearest() {
        let message = parse("lissten = \"x\"").unwrap_err().to_string();
        assert!(message.contains("did you mean `listen`"), "{message}");
    }

    #[test]
    fn every_unknown_setting_names_its_line() {
        let message = parse("lissten = \"x\"\n\n[agent]\nname = \"a\"\nconcurency = 3").unwrap_err().to_string();
        for words in ["line 1: there is no setting `lissten`", "line 5: there is no setting `agent.concurency`"] {
            assert!(message.contains(words), "{message}");
        }
        let message = parse("[environments.dev]\ngates = [\"aproval\"]").unwrap_err().to_string();
        assert!(message.contains("line 2") && message.contains("aproval"), "{message}");
    }

    #[test]
    fn gates_are_known_by_name() {
        let file = parse("[environments.prod]\ngates = [\"approval\"]").unwrap();
        assert_eq!(file.environments["prod"].gates.as_deref(), Some(&[Gate::Approval][..]));
        let message = parse("[environments.prod]\ngates = [\"aproval\"]").unwrap_err().to_string();
        assert!(message.contains("expected `approval`"), "{message}");
    }

    #[test]
    fn a_broken_file_names_its_line() {
        let message = parse("a = 1\nb = = 2").unwrap_err().to_string();
        assert!(message.contains("hadron.toml") && message.contains("line 2"), "{message}");
    }
}
