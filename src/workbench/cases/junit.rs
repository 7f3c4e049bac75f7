//! A report that a CI reads: JUnit's XML, in the members that all of them know.
//!
//! <https://github.com/testmoapp/junitxml>

use std::fmt::Write as _;
use std::time::Duration;

/// How a case ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// As expected.
    Passed,
    /// With these misses.
    Failed(Vec<String>),
    /// As expected as far as it went, and something was left out for this reason.
    PassedPartly(String),
}

/// All cases of a bundle.
#[derive(Debug, Default)]
pub struct Suite {
    /// The bundle's name.
    pub name: String,
    /// The cases: name, file, how each ended and how long it took.
    pub cases: Vec<(String, String, Outcome, Duration)>,
}

impl Suite {
    /// How many cases failed.
    pub fn failures(&self) -> usize {
        self.cases.iter().filter(|(_, _, outcome, _)| matches!(outcome, Outcome::Failed(_))).count()
    }
}

/// The report as XML.
pub fn junit(suite: &Suite) -> String {
    let (tests, failures) = (suite.cases.len(), suite.failures());
    let time: Duration = suite.cases.iter().map(|(_, _, _, time)| *time).sum();
    let counts =
        format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"0\" time=\"{}\"", seconds(time));
    let mut xml = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {counts}>\n");
    write(&mut xml, &format!("  <testsuite name=\"{}\" {counts}>\n", escaped(&suite.name)));
    for (name, file, outcome, time) in &suite.cases {
        let open = format!(
            "    <testcase classname=\"{}\" name=\"{}\" file=\"{}\" time=\"{}\"",
            escaped(&suite.name),
            escaped(name),
            escaped(file),
            seconds(*time)
        );
        let rest = match outcome {
            Outcome::Passed => "/>\n".to_owned(),
            Outcome::PassedPartly(why) => {
                format!(">\n      <system-out>{}</system-out>\n    </testcase>\n", escaped(why))
            }
            Outcome::Failed(misses) => {
                let first = misses.first().and_then(|miss| miss.lines().next()).unwrap_or_default();
                let all = misses.join("\n");
                format!(
                    ">\n      <failure message=\"{}\">{}</failure>\n    </testcase>\n",
                    escaped(first),
                    escaped(&all)
                )
            }
        };
        write(&mut xml, &(open + &rest));
    }
    xml + "  </testsuite>\n</testsuites>\n"
}

fn write(xml: &mut String, text: &str) {
    xml.write_str(text).expect("text takes text");
}

fn seconds(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64())
}

/// Text as XML 1.0 takes it; characters that it has no form for become `?`.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),

            '\n' | '\t' => out.push(character),
            character if character.is_control() || matches!(character, '\u{fffe}' | '\u{ffff}') => out.push('?'),
            character => out.push(character),
        }
    }
    out
}
