//! How the cases' ends are told.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::super::super::{Failure, Form, print};
use super::attempt::Ended;
use crate::workbench::cases::{Outcome, Suite};

/// Tells one case's end as soon as it is known; the misses stand below its name.
pub(super) fn case(form: Form, name: &str, ended: &Ended) -> Result<(), Failure> {
    if form == Form::Json {
        return Ok(());
    }
    let updated = if ended.updated { ", updated" } else { "" };
    match &ended.outcome {
        Outcome::Passed => print::text(&format!("ok    {name}{updated}\n")),
        Outcome::PassedPartly(why) => print::text(&format!("ok    {name}{updated} ({why})\n")),
        Outcome::Failed(misses) => {
            let mut text = format!("FAIL  {name}{updated}\n");
            for line in misses.iter().flat_map(|miss| miss.lines()) {
                writeln!(text, "      {line}").expect("text takes text");
            }
            print::text(&text)
        }
    }
}

/// Tells how many cases passed; as JSON, all that is known of each.
pub(super) fn summary(form: Form, suite: &Suite) -> Result<(), Failure> {
    let failed = suite.failures();
    if form == Form::Text {
        let (all, passed) = (suite.cases.len(), suite.cases.len() - failed);
        let plural = if all == 1 { "" } else { "s" };
        return print::text(&format!("\n{all} case{plural}: {passed} passed, {failed} failed\n"));
    }
    let cases = suite.cases.iter().map(|(name, file, outcome, time)| {
        let (passed, misses, note): (bool, &[String], &str) = match outcome {
            Outcome::Passed => (true, &[], ""),
            Outcome::PassedPartly(why) => (true, &[], why),
            Outcome::Failed(misses) => (false, misses.as_slice(), ""),
        };
        json!({ "name": name, "file": file, "passed": passed, "misses": misses, "note": note, "seconds": time.as_secs_f64() })
    });
    let cases: Vec<Value> = cases.collect();
    print::json(&json!({ "bundle": suite.name, "failed": failed, "cases": cases }))
}
