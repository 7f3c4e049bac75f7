//! A diagnostic in the frame that Terraform draws around it, the meant part of the source underlined on a terminal.

use std::fmt::Write as _;

use super::{Diagnostic, Severity};

const UNDERLINED: &str = "\u{1b}[4m";
const PLAIN: &str = "\u{1b}[0m";

impl Diagnostic {
    /// The diagnostic as `terraform apply` shows it to people; `styled` for a terminal.
    pub fn drawn(&self, styled: bool) -> String {
        let word = match self.severity {
            Severity::Error => "Error",
            Severity::Warning => "Warning",
            Severity::Unknown => "Note",
        };
        let mut lines = vec![format!("{word}: {}", self.summary), String::new()];
        lines.extend(self.place());
        lines.extend(self.source(styled));
        if !lines.last().is_some_and(String::is_empty) {
            lines.push(String::new());
        }
        lines.extend(self.detail.trim_end().lines().map(str::to_owned));
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        let framed = lines.iter().fold("╷\n".to_owned(), |mut text, line| {
            writeln!(text, "{}", format!("│ {line}").trim_end()).expect("text takes text");
            text
        });
        framed + "╵\n"
    }

    fn place(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let comma = if self.file.is_some() { "," } else { "" };
        lines.extend(self.address.iter().map(|address| format!("  with {address}{comma}")));
        if let Some(file) = &self.file {
            let line = self.line.map(|line| format!(" line {line}")).unwrap_or_default();
            let context = self.context.as_ref().map(|context| format!(", in {context}")).unwrap_or_default();
            let colon = if self.snippet.is_some() { ":" } else { "" };
            lines.push(format!("  on {file}{line}{context}{colon}"));
        }
        lines
    }

    fn source(&self, styled: bool) -> Vec<String> {
        let Some(code) = &self.snippet else { return Vec::new() };
        let marked = match self.highlight.filter(|_| styled) {
            Some((from, to)) => mark(code, from, to),
            None => code.clone(),
        };
        let first = self.snippet_line.unwrap_or(1);
        let mut lines: Vec<String> =
            (first..).zip(marked.lines()).map(|(number, line)| format!("{number:>4}: {line}")).collect();
        if !self.values.is_empty() {
            lines.push(format!("    ├{}", "─".repeat(16)));
            lines.extend(self.values.iter().map(|(what, says)| format!("    │ {what} {says}")));
        }
        lines
    }
}

/// Underlines a part, line by line, so that no frame is underlined.
fn mark(code: &str, from: usize, to: usize) -> String {
    let (Some(before), Some(meant), Some(after)) = (code.get(..from), code.get(from..to), code.get(to..)) else {
        return code.to_owned();
    };
    let meant: Vec<String> = meant.split('\n').map(|line| format!("{UNDERLINED}{line}{PLAIN}")).collect();
    format!("{before}{}{after}", meant.join("\n"))
}

#[cfg(test)]
mod tests {
    use crate::terraform::{Diagnostic, Event, EventKind};

    fn diagnostic(stream: &str) -> Diagnostic {
        let found = stream.lines().find_map(|line| match Event::parse(line).kind {
            EventKind::Diagnostic(diagnostic) => Some(diagnostic),
            _ => None,
        });
        found.unwrap()
    }

    #[test]
    fn a_failed_resource_is_drawn_with_its_place() {
        let stream = include_str!("../../tests/fixtures/terraform/1.11/failed.jsonl");
        insta::assert_snapshot!(diagnostic(stream).drawn(false), @r#"
        ╷
        │ Error: local-exec provisioner error
        │
        │   with terraform_data.broken,
        │   on main.tf line 15, in resource "terraform_data" "broken":
        │   15:   provisioner "local-exec" { command = "echo on its way; exit 3" }
        │
        │ Error running command 'echo on its way; exit 3': exit status 3. Output: on its way
        ╵
        "#);
    }

    #[test]
    fn on_a_terminal_what_is_meant_is_underlined() {
        let stream = include_str!("../../tests/fixtures/terraform/1.11/invalid.jsonl");
        let drawn = diagnostic(stream).drawn(true);
        assert!(drawn.contains("\"x\" { \u{1b}[4minputt\u{1b}[0m = nope.y }"), "{drawn}");
    }

    #[test]
    fn values_stand_below_the_source_and_odd_places_break_nothing() {
        let line = |highlight: &str| {
            format!(
                r#"{{"type":"diagnostic","diagnostic":{{"severity":"warning","summary":"Odd","snippet":{{"context":null,
                "code":"é = var.a\nb","start_line":9,{highlight},"values":[{{"traversal":"var.a","statement":"is \"x\""}}]}}}}}}"#
            )
            .replace('\n', "")
        };
        let inside = diagnostic(&line(r#""highlight_start_offset":5,"highlight_end_offset":12"#));
        insta::assert_snapshot!(inside.drawn(true).replace('\u{1b}', "^"), @r#"
        ╷
        │ Warning: Odd
        │
        │    9: é = ^[4mvar.a^[0m
        │   10: ^[4mb^[0m
        │     ├────────────────
        │     │ var.a is "x"
        ╵
        "#);
        for odd in [(1, 3), (3, 900), (4, 2)] {
            let odd = format!(r#""highlight_start_offset":{},"highlight_end_offset":{}"#, odd.0, odd.1);
            assert_eq!(diagnostic(&line(&odd)).highlight, None);
        }
    }
}
