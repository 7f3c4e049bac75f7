//! `[[events.sink]]`: where status changes are told.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use crate::support::Secret;

/// A kind of sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "self-explanatory")]
pub enum SinkType {
    #[serde(rename = "eventbridge")]
    EventBridge,
    Webhook,
    Slack,
    JsonLines,
}

impl fmt::Display for SinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EventBridge => "eventbridge",
            Self::Webhook => "webhook",
            Self::Slack => "slack",
            Self::JsonLines => "json-lines",
        })
    }
}

/// One table, as it was written; which members a type takes is checked where the sink is made.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sink {
    /// Its name, unique.
    pub name: String,
    /// What is at the far end.
    #[serde(rename = "type")]
    pub kind: SinkType,
    /// The address, if it may stand in the file.
    pub url: Option<Secret>,
    /// The variable that holds the address.
    pub url_env: Option<String>,
    /// The file that holds the address.
    pub url_file: Option<PathBuf>,
    /// The variable that holds the secret of a webhook's signature.
    pub secret_env: Option<String>,
    /// The file that holds it.
    pub secret_file: Option<PathBuf>,
    /// EventBridge's bus: a name or an ARN.
    pub bus: Option<String>,
    /// EventBridge's endpoint, if not AWS's.
    pub endpoint: Option<String>,
    /// The bus's region, if not `region`.
    pub region: Option<String>,
    /// The file of JSON lines.
    pub path: Option<PathBuf>,
    /// Where a Slack message leads.
    pub link: Option<String>,
    /// `aws` or `article`.
    pub form: Option<String>,
    /// The events' source.
    pub source: Option<String>,
    /// So many deliveries are tried.
    pub attempts: Option<u32>,
    /// Which events it wants: JSON text, or the same as a table.
    pub pattern: Option<Spanned<toml::Value>>,
    /// The line where the table begins, and where its pattern does.
    #[serde(skip)]
    pub lines: (usize, usize),
}

impl Sink {
    /// The address without what may be secret in it.
    pub fn shown_url(&self) -> Option<String> {
        if let Some(variable) = &self.url_env {
            return Some(format!("${variable}"));
        }
        if let Some(file) = &self.url_file {
            return Some(format!("in {}", file.display()));
        }
        let url = self.url.as_ref()?.reveal();
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        Some(format!("{scheme}://{host}/***"))
    }
}

#[derive(Deserialize)]
struct WithSinks {
    events: Events,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Events {
    #[serde(default)]
    sink: Vec<Spanned<Sink>>,
}

/// The sinks of a settings file that has an `events` table.
pub(super) fn sinks(text: &str) -> Result<Vec<Sink>, String> {
    let read: WithSinks = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
    let line = |at: usize| text[..at.min(text.len())].bytes().filter(|byte| *byte == b'\n').count() + 1;
    let placed = |sink: Spanned<Sink>| {
        let begins = line(sink.span().start);
        let mut sink = sink.into_inner();
        let pattern = sink.pattern.as_ref().map_or(begins, |pattern| line(pattern.span().start));
        sink.lines = (begins, pattern);
        sink
    };
    Ok(read.events.sink.into_iter().map(placed).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "listen = \"x\"\n\n[[events.sink]]\nname = \"one\"\ntype = \"json-lines\"\npath = \"e\"\n\n[[events.sink]]\nname = \"other\"\ntype = \"slack\"\nurl = \"https://u:p@hooks.example.com/services/T0/secret\"\n\n[events.sink.pattern]\nsource = [\"aws.proton\"]\n";

    #[test]
    fn sinks_know_their_lines() {
        let sinks = sinks(TWO).unwrap();
        assert_eq!(sinks.iter().map(|sink| sink.lines.0).collect::<Vec<_>>(), [3, 8]);
        assert_eq!(sinks[1].lines.1, 13);
        assert_eq!(sinks[1].pattern.as_ref().unwrap().get_ref()["source"][0].as_str(), Some("aws.proton"));
    }

    #[test]
    fn an_address_is_never_shown_whole() {
        let slack = sinks(TWO).unwrap().remove(1);
        assert_eq!(slack.shown_url().unwrap(), "https://hooks.example.com/***");
        assert!(!format!("{slack:?}").contains("services"), "{slack:?}");
    }

    #[test]
    fn a_member_that_there_is_not_names_its_line() {
        let wrong = sinks(&TWO.replace("path =", "pat =")).unwrap_err();
        assert!(wrong.contains("line 6") && wrong.contains("pat"), "{wrong}");
        assert!(sinks(&TWO.replace("slack", "slak")).unwrap_err().contains("line 10"));
        assert!(sinks("[events]\nsinks = 1\n").unwrap_err().contains("sinks"));
    }
}
