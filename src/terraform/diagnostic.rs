//! What Terraform says about a problem, with the place it means.

use std::fmt;

use serde::Deserialize;

/// How bad a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The problem in one line.
    pub summary: String,
    /// The explanation; often several lines, often empty.
    pub detail: String,
    /// The resource it arose in, such as `aws_vpc.main`.
    pub address: Option<String>,
    /// The file, relative to the work directory.
    pub file: Option<String>,
    /// The line in that file, from 1.
    pub line: Option<u64>,
    /// The source text there.
    pub snippet: Option<String>,
}

/// What Terraform says when a provider ended, or was cut off, in the middle of a call
/// (<https://github.com/hashicorp/terraform/blob/v1.11.4/internal/plugin6/grpc_error.go>).
const UNANSWERED: [&str; 2] = ["Plugin did not respond", "Request cancelled"];

impl Diagnostic {
    /// Whether the provider never answered, so that what it was asked to do may be done or not.
    pub fn is_unanswered(&self) -> bool {
        self.severity == Severity::Error && UNANSWERED.contains(&self.summary.as_str())
    }

    /// An error that Terraform gave as plain text: its first line is the summary.
    pub(super) fn plain(text: &str) -> Self {
        let text = text.trim();
        let (summary, detail) = text.split_once('\n').unwrap_or((text, ""));
        let summary = summary.trim().trim_start_matches("Error:").trim().to_owned();
        let detail = detail.trim().to_owned();
        Self { severity: Severity::Error, summary, detail, address: None, file: None, line: None, snippet: None }
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
}

#[derive(Deserialize)]
struct Snippet {
    code: Option<String>,
}

impl From<WireDiagnostic> for Diagnostic {
    fn from(wire: WireDiagnostic) -> Self {
        let (file, start) = wire.range.map_or((None, None), |range| (range.filename, range.start));
        Self {
            severity: wire.severity,
            summary: wire.summary,
            detail: wire.detail,
            address: wire.address.filter(|address| !address.is_empty()),
            file: file.filter(|file| !file.is_empty()),
            line: start.and_then(|start| start.line),
            snippet: wire.snippet.and_then(|snippet| snippet.code).filter(|code| !code.trim().is_empty()),
        }
    }
}
