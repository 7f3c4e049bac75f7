//! What the demo shows while it works: a moving line for each deployment on a terminal, plain lines elsewhere.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::{Map, Value};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::agent::{Progress, Stage};

use crate::domain::Verdict;

/// Stderr, as it is; cheap to clone.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Screen(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bars: MultiProgress,
    moving: bool,
    running: Mutex<BTreeMap<String, (Instant, ProgressBar)>>,
}

impl Screen {
    pub(super) fn new() -> Self {
        let inner = Inner { bars: MultiProgress::new(), moving: io::stderr().is_terminal(), running: Mutex::default() };
        Self(Arc::new(inner))
    }

    /// One line that stays.
    pub(super) fn say(&self, line: &str) {
        // Who has closed stderr doesn't want to hear it.
        let said = match self.0.moving {
            true => self.0.bars.println(line),
            false => writeln!(io::stderr(), "{line}"),
        };
        drop(said);
    }

    /// Shows an agent's progress until the agent is gone.
    pub(in crate::cli) async fn watch(self, mut progress: Receiver<Progress>) {
        loop {
            match progress.recv().await {
                Ok(step) => self.show(step),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    }

    fn show(&self, Progress { deployment_id, target, stage }: Progress) {
        let mut running = self.0.running.lock().expect("no one panics while drawing");
        match stage {
            Stage::Claimed => {
                let bar =
                    if self.0.moving { self.0.bars.add(ProgressBar::new_spinner()) } else { ProgressBar::hidden() };
                let style = ProgressStyle::with_template("  {spinner} {prefix:<32} {wide_msg}");
                bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
                bar.set_prefix(target);
                bar.set_message("claimed");
                bar.enable_steady_tick(Duration::from_millis(100));
                running.insert(deployment_id, (Instant::now(), bar));
            }
            Stage::Rendered | Stage::Terraform(_) => {
                let Some((_, bar)) = running.get(&deployment_id) else { return };
                match stage {
                    Stage::Terraform(line) => bar.set_message(line),
                    _ => bar.set_message("rendered; terraform init"),
                }
            }
            Stage::Ended(verdict) => {
                let Some((began, bar)) = running.remove(&deployment_id) else { return };
                bar.finish_and_clear();
                let mark = if verdict == Verdict::Done { "✓" } else { "✗" };
                self.say(&format!("  {mark} {target:<32} {:.1} s", began.elapsed().as_secs_f64()));
            }
        }
    }
}

/// The outputs of one target: its name, then key and value.
pub(super) type TargetOutputs = (String, Vec<(String, String)>);

/// A table for people.
pub(super) fn table(outputs: &[TargetOutputs]) -> String {
    let width = outputs.iter().flat_map(|(_, rows)| rows).map(|(key, _)| key.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (target, rows) in outputs {
        writeln!(text, "{target}").expect("text takes text");
        for (key, value) in rows {
            // What follows a line break stays in the column of values.
            let value = value.trim_end().replace('\n', &format!("\n{:1$}", "", width + 4));
            writeln!(text, "  {key:<width$}  {value}").expect("text takes text");
        }
    }
    text
}

/// The same for programs.
pub(super) fn json(outputs: &[TargetOutputs]) -> Value {
    let of = |rows: &[(String, String)]| {
        rows.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect()
    };
    Value::Object(outputs.iter().map(|(target, rows)| (target.clone(), Value::Object(of(rows)))).collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn outputs_stand_below_their_target_in_columns() {
        let row = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let outputs = [
            ("environment dev".to_owned(), vec![row("Url", "https://x\nand more\n")]),
            ("pipeline".to_owned(), vec![row("PipelineName", "p")]),
        ];
        insta::assert_snapshot!(table(&outputs), @r"
        environment dev
          Url           https://x
                        and more
        pipeline
          PipelineName  p
        ");
    }
}
