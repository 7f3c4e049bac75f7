//! The event sinks that the settings name.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::control_plane::events::{AWS_SOURCE, Events, Form, OWN_SOURCE, Pattern, SinkConfig, SinkKind, hopeless};
use crate::settings::{Resolved, SettingsError, Sink, SinkType};
use crate::support::{Secret, Trust};

/// So many deliveries are tried, over about an hour, when the settings don't say.
const ATTEMPTS: u32 = 20;

/// The longest name of a sink.
const LONGEST_NAME: usize = 64;

/// Reads all sinks; `trust` is whom to trust besides the system's certificates.
///
/// # Errors
/// Every mistake in them, each with its line and what would be right.
pub(in crate::cli) fn configured(settings: &Resolved, trust: Option<Trust>) -> Result<Events, SettingsError> {
    let mut reader = Reader { settings, problems: Vec::new() };
    let mut sinks: Vec<SinkConfig> = Vec::new();
    for (n, written) in settings.sinks().iter().enumerate() {
        if settings.sinks()[..n].iter().any(|known| known.name == written.name) {
            reader.wrong(written, "another sink has this name; what waits for a sink is kept under its name");
        }
        sinks.extend(reader.sink(written));
    }
    if reader.problems.is_empty() {
        return Ok(Events::new(sinks, trust));
    }
    Err(SettingsError::File { path: settings.path().to_owned(), message: reader.problems.join("\n") })
}

/// A sink's form and source, with what holds where they aren't given.
///
/// # Errors
/// What is wrong with them.
pub(in crate::cli) fn wording(sink: &Sink) -> Result<(Form, String), String> {
    let bus = sink.kind == SinkType::EventBridge;
    let form = form(sink.form.as_deref().unwrap_or("aws"))?;
    let source = sink.source.clone().unwrap_or_else(|| if bus { OWN_SOURCE } else { AWS_SOURCE }.to_owned());
    if bus && source.starts_with("aws.") {
        return Err(format!(
            "`source` is `{source}`: AWS refuses events whose source begins with `aws.`; leave it out for `{OWN_SOURCE}`, \
             and rewrite your rules with `hadron events translate-rule`"
        ));
    }
    match source.is_empty() {
        true => Err(format!("`source` is empty; leave it out for `{}`", if bus { OWN_SOURCE } else { AWS_SOURCE })),
        false => Ok((form, source)),
    }
}

/// Reads the name of a form.
///
/// # Errors
/// There is no such form.
pub(in crate::cli) fn form(name: &str) -> Result<Form, String> {
    match name {
        "aws" => Ok(Form::Aws),
        "article" => Ok(Form::Article),
        other => Err(format!("`form` is `{other}`; there are `aws` and `article`")),
    }
}

struct Reader<'r> {
    settings: &'r Resolved,
    problems: Vec<String>,
}

impl Reader<'_> {
    fn wrong(&mut self, sink: &Sink, what: impl AsRef<str>) {
        self.problems.push(format!("line {}: sink `{}`: {}", sink.lines.0, sink.name, what.as_ref()));
    }

    fn sink(&mut self, sink: &Sink) -> Option<SinkConfig> {
        let fits = |letter: u8| letter.is_ascii_alphanumeric() || matches!(letter, b'-' | b'_');
        if sink.name.is_empty() || sink.name.len() > LONGEST_NAME || !sink.name.bytes().all(fits) {
            self.wrong(sink, format!("a name has 1 to {LONGEST_NAME} letters, digits, `-` and `_`"));
        }
        self.refuse_others(sink);
        let attempts = sink.attempts.unwrap_or(ATTEMPTS);
        if attempts == 0 {
            self.wrong(sink, "`attempts` is 0, so that nothing would be sent; leave it out or give at least 1");
        }
        let kind = self.kind(sink);
        let (form, source) = match wording(sink) {
            Ok(wording) => wording,
            Err(why) => {
                self.wrong(sink, why);
                return None;
            }
        };
        let pattern = self.pattern(sink, form, &source);
        Some(SinkConfig { name: sink.name.clone(), form, source, pattern, attempts, kind: kind? })
    }

    /// Members that this type doesn't know.
    fn refuse_others(&mut self, sink: &Sink) {
        use SinkType as T;
        let members = [
            ("url", sink.url.is_some(), &[T::Webhook, T::Slack][..]),
            ("url_env", sink.url_env.is_some(), &[T::Webhook, T::Slack]),
            ("url_file", sink.url_file.is_some(), &[T::Webhook, T::Slack]),
            ("secret_env", sink.secret_env.is_some(), &[T::Webhook]),
            ("secret_file", sink.secret_file.is_some(), &[T::Webhook]),
            ("bus", sink.bus.is_some(), &[T::EventBridge]),
            ("endpoint", sink.endpoint.is_some(), &[T::EventBridge]),
            ("region", sink.region.is_some(), &[T::EventBridge]),
            ("path", sink.path.is_some(), &[T::JsonLines]),
            ("link", sink.link.is_some(), &[T::Slack]),
        ];
        for (name, given, types) in members {
            if given && !types.contains(&sink.kind) {
                self.wrong(sink, format!("a sink of type `{}` has no `{name}`; remove it", sink.kind));
            }
        }
    }

    fn kind(&mut self, sink: &Sink) -> Option<SinkKind> {
        Some(match sink.kind {
            SinkType::EventBridge => SinkKind::EventBridge {
                bus: sink.bus.clone().unwrap_or_else(|| "default".into()),
                endpoint: sink.endpoint.clone(),
                region: sink.region.clone().or_else(|| self.settings.text("region")).unwrap_or_default(),
            },
            SinkType::Webhook => {
                let (url, secret) = (
                    self.url(sink),
                    self.secret(sink, "secret", (None, sink.secret_env.as_ref(), sink.secret_file.as_ref())),
                );
                SinkKind::Webhook { url: url?, secret: secret? }
            }
            SinkType::Slack => SinkKind::Slack { url: self.url(sink)?, link: sink.link.clone() },
            SinkType::JsonLines => {
                let Some(path) = &sink.path else {
                    self.wrong(sink, "has no `path`; give the file that gets the lines");
                    return None;
                };
                SinkKind::JsonLines { path: self.beside(path) }
            }
        })
    }

    /// A path of the settings file's is relative to its folder.
    fn beside(&self, path: &Path) -> PathBuf {
        let path = self.settings.path().parent().unwrap_or(Path::new("")).join(path);
        std::path::absolute(&path).unwrap_or(path)
    }

    fn url(&mut self, sink: &Sink) -> Option<Secret> {
        let url = self.secret(sink, "url", (sink.url.clone(), sink.url_env.as_ref(), sink.url_file.as_ref()))?;
        let parsed: Option<http::Uri> = url.reveal().parse().ok();
        let sound = parsed.is_some_and(|it| matches!(it.scheme_str(), Some("http" | "https")) && it.host().is_some());
        if !sound {
            self.wrong(sink, "its URL is none; write https://HOST/PATH");
            return None;
        }
        Some(url)
    }

    /// Takes a secret from where the sink says: exactly one place.
    fn secret(
        &mut self,
        sink: &Sink,
        name: &str,
        (given, variable, file): (Option<Secret>, Option<&String>, Option<&PathBuf>),
    ) -> Option<Secret> {
        let found = match (given, variable, file) {
            (Some(secret), None, None) => Ok(secret),
            (None, Some(variable), None) => {
                let (process, _) = self.settings.surroundings();
                let value = process.get(variable).filter(|value| !value.is_empty());
                value
                    .map(Secret::new)
                    .ok_or_else(|| format!("the variable {variable} of `{name}_env` isn't set; set it"))
            }
            (None, None, Some(file)) => {
                let file = self.beside(file);
                let text = fs::read_to_string(&file).map(|text| text.trim_end().to_owned());
                match text {
                    Ok(text) if !text.is_empty() => Ok(Secret::new(text)),
                    Ok(_) => Err(format!("{} of `{name}_file` is empty", file.display())),
                    Err(error) => Err(format!("{} of `{name}_file` can't be read: {error}", file.display())),
                }
            }
            (None, None, None) => Err(format!("it needs a {name}; give `{name}_env` or `{name}_file`")),
            _ => Err(format!("it has more than one {name}; keep one of `{name}`, `{name}_env` and `{name}_file`")),
        };
        found.map_err(|why| self.wrong(sink, why)).ok()
    }

    fn pattern(&mut self, sink: &Sink, form: Form, source: &str) -> Option<Pattern> {
        let written = sink.pattern.as_ref()?;
        let mut wrong = |what: String| {
            self.problems.push(format!("line {}: sink `{}`: pattern: {what}", sink.lines.1, sink.name));
        };
        let value = match written.get_ref() {
            toml::Value::String(text) => serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}")),
            table => serde_json::to_value(table).map_err(|error| error.to_string()),
        };
        let value: Value = value.map_err(&mut wrong).ok()?;
        let pattern = Pattern::read(&value)
            .map_err(|mistakes| mistakes.iter().for_each(|mistake| wrong(mistake.to_string())))
            .ok()?;
        if let Some(why) = hopeless(&pattern, form, source) {
            let remedy = match source {
                OWN_SOURCE => "; `hadron events translate-rule --sink NAME` rewrites a rule",
                _ => "",
            };
            wrong(format!("{why}{remedy}"));
        }
        Some(pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{File, Surroundings};

    fn read(text: &str) -> Result<Events, String> {
        let surroundings = Surroundings([("HOOK_SECRET".to_owned(), "hush".to_owned())].into());
        let file = File::parse(Path::new("/etc/hadron.toml"), text).unwrap();
        configured(&Resolved::new([].into(), surroundings, file), None).map_err(|error| error.to_string())
    }

    const RULE: &str = r#"'''{"source": ["aws.proton"], "detail-type": ["Proton Service Instance State Change"],
        "detail": {"previousDeploymentStatus": ["IN_PROGRESS"], "deploymentStatus": ["SUCCEEDED", "FAILED"]}}'''"#;

    #[test]
    fn the_articles_rule_is_a_pattern_as_it_is_written() {
        let events = read(&format!(
            "[[events.sink]]\nname = \"hook\"\ntype = \"webhook\"\nurl = \"https://h.example.com/x\"\n\
             secret_env = \"HOOK_SECRET\"\nform = \"article\"\npattern = {RULE}\n"
        ));
        let events = events.unwrap();
        let hook = events.sink("hook").unwrap();
        assert_eq!((hook.form, hook.source.as_str(), hook.attempts), (Form::Article, "aws.proton", 20));
        assert!(hook.pattern.is_some() && !format!("{events:?}").contains("hush"));
    }

    #[test]
    fn every_mistake_names_its_line_and_its_remedy() {
        let wrong = read(&format!(
            "[[events.sink]]\nname = \"bus\"\ntype = \"eventbridge\"\nsource = \"aws.proton\"\nurl = \"x\"\n\n\
             [[events.sink]]\nname = \"bus\"\ntype = \"eventbridge\"\npattern = {RULE}\n\n\
             [[events.sink]]\nname = \"a b\"\ntype = \"webhook\"\nurl = \"nowhere\"\nsecret_env = \"UNSET\"\nattempts = 0\n\n\
             [[events.sink]]\nname = \"lines\"\ntype = \"json-lines\"\nform = \"both\"\n\n\
             [[events.sink]]\nname = \"slack\"\ntype = \"slack\"\nurl_file = \"/nowhere/url\"\n\
             pattern = {{detail = {{status = \"FAILED\"}}}}\n\n\
             [[events.sink]]\nname = \"aws\"\ntype = \"json-lines\"\npath = \"e\"\npattern = {RULE}\n"
        ));
        insta::assert_snapshot!(wrong.unwrap_err(), @r#"
        /etc/hadron.toml: line 1: sink `bus`: a sink of type `eventbridge` has no `url`; remove it
        line 1: sink `bus`: `source` is `aws.proton`: AWS refuses events whose source begins with `aws.`; leave it out for `hadron.proton`, and rewrite your rules with `hadron events translate-rule`
        line 7: sink `bus`: another sink has this name; what waits for a sink is kept under its name
        line 10: sink `bus`: pattern: its `source` leaves out `hadron.proton`, the source of this sink's events, so that nothing would ever be sent; `hadron events translate-rule --sink NAME` rewrites a rule
        line 13: sink `a b`: a name has 1 to 64 letters, digits, `-` and `_`
        line 13: sink `a b`: `attempts` is 0, so that nothing would be sent; leave it out or give at least 1
        line 13: sink `a b`: its URL is none; write https://HOST/PATH
        line 13: sink `a b`: the variable UNSET of `secret_env` isn't set; set it
        line 20: sink `lines`: has no `path`; give the file that gets the lines
        line 20: sink `lines`: `form` is `both`; there are `aws` and `article`
        line 25: sink `slack`: /nowhere/url of `url_file` can't be read: No such file or directory (os error 2)
        line 29: sink `slack`: pattern: detail.status: must be an array of the values that match: ["FAILED"]
        line 35: sink `aws`: pattern: its `detail-type` is none of this form's, so that nothing would ever be sent; those events have the form `article`
        "#);
    }

    #[test]
    fn a_file_lies_beside_the_settings() {
        let events = read("[[events.sink]]\nname = \"lines\"\ntype = \"json-lines\"\npath = \"e.jsonl\"\n").unwrap();
        let SinkKind::JsonLines { path } = &events.sink("lines").unwrap().kind else { panic!("{events:?}") };
        assert_eq!(path, Path::new("/etc/e.jsonl"));
    }
}
