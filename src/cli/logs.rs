//! `hadron logs`: what a deployment's Terraform said, from the run's records; `-f` goes on while it runs.

use std::io::{self, Write};
use std::time::Duration;

use anyhow::anyhow;
use bytes::Bytes;
use clap::Args;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use super::run_records::RunRecords;
use super::{Exit, Failure, Form, print};
use crate::settings::Resolved;

/// How often a running deployment's records are looked for.
const LOOK: Duration = Duration::from_millis(500);

/// People are asked before their plan is there to be read; this is more than it takes to follow.
const SHOWN_WITHIN: Duration = Duration::from_secs(3);

#[derive(Debug, Clone, Args)]
pub(super) struct LogsArgs {
    /// The deployment's id; `hadron status` lists them
    deployment: String,
    /// Go on while the deployment runs
    #[arg(short, long)]
    follow: bool,
    /// The plan that people decide on, where the environment's runs need approval
    #[arg(long, conflicts_with_all = ["follow", "events", "from"])]
    plan: bool,
    /// Terraform's own JSON events instead of readable lines, as with --output json
    #[arg(long)]
    events: bool,
    /// Which attempt; the last one by default
    #[arg(long, value_name = "N")]
    attempt: Option<u64>,
    /// Leave out so many bytes, which were read before
    #[arg(long, value_name = "OFFSET", default_value_t = 0)]
    from: u64,
}

impl LogsArgs {
    /// As JSON a log is what Terraform itself said as JSON: an event a line.
    fn in_form(&self, form: Form) -> Self {
        Self { events: self.events || (form == Form::Json && !self.plan), ..self.clone() }
    }
}

/// Prints the records, piece by piece, in their order. Who is interrupted is told how to go on.
pub(super) async fn run(settings: &Resolved, args: &LogsArgs, form: Form) -> Result<Exit, Failure> {
    let records = RunRecords::of(settings, &args.deployment).await?;
    let args = &args.in_form(form);
    if args.plan {
        return print_plan(&records, args, form).await;
    }
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let mut reader = Reader { records, attempt: None, last: None, lines: None, next: args.from };
    let printed = tokio::select! {
        printed = reader.print_all(args) => printed,
        _ = interrupt.recv() => Ok(Exit::Cancelled),
        _ = terminate.recv() => Ok(Exit::Cancelled),
    };
    match (printed, reader.go_on(args)) {
        (Ok(Exit::Cancelled), Some(words)) => {
            writeln!(io::stderr(), "\nto go on: {words}")?;
            Ok(Exit::Cancelled)
        }
        (Err(failure), Some(words)) => Err(failure.hint(format!("to go on: {words}"))),
        (printed, _) => printed,
    }
}

async fn print_plan(records: &RunRecords, args: &LogsArgs, form: Form) -> Result<Exit, Failure> {
    let until = Instant::now() + SHOWN_WITHIN;
    loop {
        let running = records.is_running().await;
        if let Some(text) = plan(records, args).await? {
            let text = String::from_utf8_lossy(&text);
            match form {
                Form::Text => print::text(&text)?,
                Form::Json => print::json(&json!({ "plan": text }))?,
            }
            return Ok(Exit::Done);
        }
        if !running || Instant::now() >= until {
            return Err(Failure::new(Exit::Unexpected, anyhow!("this run has no plan that people decide on")));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn plan(records: &RunRecords, args: &LogsArgs) -> Result<Option<Bytes>, Failure> {
    match records.attempt(args.attempt).await? {
        Some(attempt) => records.document(attempt, "plan.txt").await,
        None => Ok(None),
    }
}

struct Reader {
    records: RunRecords,
    /// The attempt that is printed.
    attempt: Option<u64>,
    /// The key of the last piece that was printed.
    last: Option<String>,
    /// The end of what was printed.
    next: u64,
    /// For events: what waits to be a whole line.
    lines: Option<Events>,
}

impl Reader {
    async fn print_all(&mut self, args: &LogsArgs) -> Result<Exit, Failure> {
        loop {
            // The status is asked before the records: what is written until the end is read after it is known.
            let running = self.records.is_running().await;
            self.print_new(args).await?;
            if !args.follow || !running || print::nobody_reads() {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        if let Some(events) = &mut self.lines {
            print::out().write_all(&events.rest())?;
        }
        if self.attempt.is_none() {
            let words = "no agent has sent records of this deployment yet";
            writeln!(io::stderr(), "{words}; it is {}", self.records.deployment.status)?;
        }
        Ok(Exit::Done)
    }

    async fn print_new(&mut self, args: &LogsArgs) -> Result<(), Failure> {
        // One that was found stays; the last one may become another.
        let attempt = match args.attempt.and(self.attempt) {
            Some(attempt) => attempt,
            None => match self.records.attempt(args.attempt).await? {
                Some(attempt) => attempt,
                None => return Ok(()),
            },
        };
        if self.attempt.is_some_and(|before| before != attempt) {
            // Another one has begun, and its stream from its beginning.
            (self.next, self.last, self.lines) = (0, None, None);
        }
        self.attempt = Some(attempt);
        let stream = if args.events { "events" } else { "log" };
        for piece in self.records.pieces(attempt, stream, self.last.as_deref()).await? {
            if piece.end > self.next {
                let bytes = self.records.piece(&piece).await?;
                let known = usize::try_from(self.next.saturating_sub(piece.begin)).unwrap_or(usize::MAX);
                self.print(args, bytes.get(known..).unwrap_or_default())?;
                self.next = piece.end;
            }
            self.last = Some(piece.key);
        }
        Ok(())
    }

    fn print(&mut self, args: &LogsArgs, bytes: &[u8]) -> io::Result<()> {
        let mut out = print::out();
        match args.events {
            true => out.write_all(&self.lines.get_or_insert_default().complete(bytes))?,
            false => out.write_all(bytes)?,
        }
        out.flush()
    }

    /// The command that prints what this one hasn't.
    fn go_on(&self, args: &LogsArgs) -> Option<String> {
        let attempt = self.attempt?;
        // A line of which a part waits is printed whole next time.
        let from = self.next - self.lines.as_ref().map_or(0, Events::waiting);
        let follow = if args.follow { " --follow" } else { "" };
        let events = if args.events { " --events" } else { "" };
        Some(format!("hadron logs {}{follow}{events} --attempt {attempt} --from {from}", args.deployment))
    }
}

/// Terraform's stdout without what isn't JSON: `init -json` prints empty lines, and older versions' `init` plain text.
#[derive(Debug, Default)]
struct Events {
    /// The line that isn't complete yet.
    unfinished: Vec<u8>,
}

impl Events {
    /// The lines of JSON that these bytes complete.
    fn complete(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.unfinished.extend_from_slice(bytes);
        let end = self.unfinished.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let whole: Vec<u8> = self.unfinished.drain(..end).collect();
        only_json(&whole)
    }

    /// What nobody will complete.
    fn rest(&mut self) -> Vec<u8> {
        only_json(&std::mem::take(&mut self.unfinished))
    }

    fn waiting(&self) -> u64 {
        self.unfinished.len() as u64
    }
}

fn only_json(text: &[u8]) -> Vec<u8> {
    text.split_inclusive(|byte| *byte == b'\n').filter(|line| line.starts_with(b"{")).flatten().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::Events;

    #[test]
    fn only_lines_of_json_pass_even_across_pieces() {
        let mut events = Events::default();
        assert_eq!(events.complete(b"{\"a\":1}\n\nplain\n{\"b\""), b"{\"a\":1}\n");
        assert_eq!(events.waiting(), 4);
        assert_eq!(events.complete(b":2}\nplain {\n{}\npla"), b"{\"b\":2}\n{}\n");
        assert_eq!(events.complete(b"{in}\n"), b"");
        assert_eq!((events.complete(b"{\"c\":3}"), events.rest()), (vec![], b"{\"c\":3}".to_vec()));
    }
}
