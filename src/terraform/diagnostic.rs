//! What Terraform says about a problem, with the place it means.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::Finding;

/// How bad a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Terraform stopped because of it.
    Error,
    /// Terraform went on.
    Warning,
    /// A severity of a later Terraform.
    #[serde(other)]
    Unknown,
}

/// One problem in Terraform's own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The problem in one line.
    pub summary: String,
    /// The explanation; often several lines, often empty.
    #[serde(default)]
    pub detail: String,
    /// The resource it arose in, such as `aws_vpc.main`.
    pub address: Option<String>,
    /// The file, relative to the work directory.
    pub file: Option<String>,
    /// The line in that file, from 1.
    pub line: Option<u64>,
    /// The column in that line, from 1.
    #[serde(default)]
    pub column: Option<u64>,
    /// The source text there.
    pub snippet: Option<String>,
    /// What surrounds that text, such as `resource "aws_vpc" "main"`.
    #[serde(default)]
    pub context: Option<String>,
    /// The line that the text begins at, from 1.
    #[serde(default)]
    pub snippet_line: Option<u64>,
    /// Where in the text, in bytes, the problem begins and ends.
    #[serde(default)]
    pub highlight: Option<(usize, usize)>,
    /// What the expressions in that text stood for, such as `var.name` and `is "dev"`.
    #[serde(default)]
    pub values: Vec<(String, String)>,
}

/// What Terraform says when a provider ended, or was cut off, in the middle of a call
/// (<https://github.com/hashicorp/terraform/blob/v1.11.4/internal/plugin6/grpc_error.go>).
const UNANSWERED: [&str; 2] = ["Plugin did not respond", "Request cancelled"];

/// What Terraform says when it could not give the lock of the state back; the detail begins with the reason
/// (<https://github.com/hashicorp/terraform/blob/v1.11.4/internal/command/clistate/state.go>).
const LOCK_LEFT: &str = "Error releasing the state lock";

impl Diagnostic {
    /// Whether the state is still locked by the Terraform that says this.
    pub fn is_lock_left(&self) -> bool {
        self.severity == Severity::Error && self.summary == LOCK_LEFT
    }

    /// Whether the provider never answered, so that what it was asked to do may be done or not.
    pub fn is_unanswered(&self) -> bool {
        self.severity == Severity::Error && UNANSWERED.contains(&self.summary.as_str())
    }

    /// An error that Terraform gave as plain text: its first line is the summary.
    pub(super) fn plain(text: &str) -> Self {
        let text = text.trim();
        let (summary, detail) = text.split_once('\n').unwrap_or((text, ""));
        let summary = summary.trim().trim_start_matches("Error:").trim().to_owned();
        Self::error(summary, detail.trim())
    }

    /// An error without a place.
    pub(super) fn error(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            summary: summary.into(),
            detail: detail.into(),
            address: None,
            file: None,
            line: None,
            column: None,
            snippet: None,
            context: None,
            snippet_line: None,
            highlight: None,
            values: Vec::new(),
        }
    }
}

impl From<&Diagnostic> for Finding {
    fn from(diagnostic: &Diagnostic) -> Self {
        Self {
            warning: diagnostic.severity == Severity::Warning,
            file: diagnostic.file.clone(),
            line: diagnostic.line,
            summary: diagnostic.summary.clone(),
            detail: diagnostic.detail.clone(),
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, "{file}:{line}: ")?,
            (Some(file), None) => write!(f, "{file}: ")?,
            _ => {}
        }
        if self.severity == Severity::Warning {
            f.write_str("warning: ")?;
        }
        f.write_str(&self.summary)?;
        if let Some(address) = &self.address {
            write!(f, " ({address})")?;
        }
        if let Some(snippet) = &self.snippet {
            for line in snippet.lines() {
                write!(f, "\n  | {line}")?;
            }
        }
        for line in self.detail.lines().filter(|line| !line.trim().is_empty()) {
            write!(f, "\n  {}", line.trim_end())?;
        }
        Ok(())
    }
}

/// A diagnostic as Terraform writes it
/// (<https://developer.hashicorp.com/terraform/cli/commands/validate#json-output-format>).
#[derive(Deserialize)]
pub(super) struct WireDiagnostic {
    severity: Severity,
    summary: String,
    #[serde(default)]
    detail: String,
    address: Option<String>,
    range: Option<Range>,
    snippet: Option<Snippet>,
}

#[derive(Deserialize)]
struct Range {
    filename: Option<String>,
    start: Option<Position>,
}

#[derive(Deserialize)]
struct Position {
    line: Option<u64>,
    column: Option<u64>,
}

#[derive(Default, Deserialize)]
struct Snippet {
    context: Option<String>,
    code: Option<String>,
    start_line: Option<u64>,
    highlight_start_offset: Option<usize>,
    highlight_end_offset: Option<usize>,
    values: Option<Vec<Traversal>>,
}

#[derive(Deserialize)]
struct Traversal {
    #[serde(default)]
    traversal: String,
    #[serde(default)]
    statement: String,
}

impl From<WireDiagnostic> for Diagnostic {
    fn from(wire: WireDiagnostic) -> Self {
        let (file, start) = wire.range.map_or((None, None), |range| (range.filename, range.start));
        let (line, column) = start.map_or((None, None), |start| (start.line, start.column));
        let snippet = wire.snippet.unwrap_or_default();
        let code = snippet.code.filter(|code| !code.trim().is_empty());
        let within = |(from, to): &(usize, usize)| {
            from < to && code.as_deref().is_some_and(|code| code.get(*from..*to).is_some())
        };
        let values = snippet.values.unwrap_or_default().into_iter();
        Self {
            severity: wire.severity,
            summary: wire.summary,
            detail: wire.detail,
            address: wire.address.filter(|address| !address.is_empty()),
            file: file.filter(|file| !file.is_empty()),
            line,
            column,
            context: snippet.context.filter(|context| !context.is_empty()),
            snippet_line: snippet.start_line.or(line),
            highlight: snippet.highlight_start_offset.zip(snippet.highlight_end_offset).filter(within),
            values: values.map(|value| (value.traversal, value.statement)).collect(),
            snippet: code,
        }
    }
}
