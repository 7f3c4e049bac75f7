//! `hadron events`: rules rewritten for our events, and events that couldn't be delivered.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use hadron_model::hadron::{
    DeadLetter, ListDeadLettersInput, ListDeadLettersOutput, Operation, ReplayDeadLettersInput, ReplayDeadLettersOutput,
};
use serde_json::Value;

use super::remote::{self, refused};
use super::serve::events::{form, wording};
use super::{Exit, Failure, Form, print};
use crate::control_plane::events::{self, OWN_SOURCE, translate};
use crate::settings::Resolved;

/// What can be done with events.
#[derive(Debug, clap::Subcommand)]
pub(super) enum EventsCommand {
    /// Rewrite an EventBridge rule that was made for `aws.proton`: its pattern, or what `aws events describe-rule` prints
    TranslateRule(TranslateArgs),
    /// List the events that couldn't be delivered
    DeadLetters(OfSink),
    /// Send events again that couldn't be delivered
    Replay(ReplayArgs),
}

/// A rule, and for which events.
#[derive(Debug, clap::Args)]
pub(super) struct TranslateArgs {
    /// The rule's file; `-` reads standard input
    file: PathBuf,
    /// For the events of this sink of hadron.toml
    #[arg(long, value_name = "NAME", conflicts_with_all = ["form", "source"])]
    sink: Option<String>,
    /// The events' form: aws or article
    #[arg(long, default_value = "aws")]
    form: String,
    /// The events' source
    #[arg(long, default_value = OWN_SOURCE)]
    source: String,
}

/// One sink, or all.
#[derive(Debug, clap::Args)]
pub(super) struct OfSink {
    /// Only those of this sink
    #[arg(long, value_name = "NAME")]
    sink: Option<String>,
}

/// Which dead letters.
#[derive(Debug, clap::Args)]
pub(super) struct ReplayArgs {
    /// Only those of this sink
    #[arg(long, value_name = "NAME")]
    sink: Option<String>,
    /// Their ids, as `dead-letters` prints them
    #[arg(required_unless_present_any = ["sink", "all"])]
    ids: Vec<String>,
    /// All there are
    #[arg(long, conflicts_with_all = ["sink", "ids"])]
    all: bool,
}

/// Runs one of them; a rule is translated without a server.
pub(super) async fn run(command: EventsCommand, settings: &Resolved, output: Form) -> Result<Exit, Failure> {
    match command {
        EventsCommand::TranslateRule(args) => translate_rule(&args, settings),
        EventsCommand::DeadLetters(args) => dead_letters(args, settings, output).await,
        EventsCommand::Replay(args) => replay(args, settings, output).await,
    }
}

fn translate_rule(args: &TranslateArgs, settings: &Resolved) -> Result<Exit, Failure> {
    let usage = |why: String| Failure::new(Exit::Usage, anyhow!(why));
    let (form, source) = match &args.sink {
        None => (form(&args.form).map_err(usage)?, args.source.clone()),
        Some(name) => {
            let sink = settings.sinks().iter().find(|sink| sink.name == *name);
            let sink = sink.ok_or_else(|| {
                usage(format!("there is no sink `{name}`")).hint("`hadron settings` shows those there are")
            })?;
            wording(sink).map_err(|why| Failure::new(Exit::Settings, anyhow!("sink `{name}`: {why}")))?
        }
    };
    let text = read(&args.file)?;
    let shown = args.file.display();
    let rule: Value = serde_json::from_str(&text).with_context(|| format!("{shown} is no JSON")).map_err(|error| {
        Failure::new(Exit::Usage, error)
            .hint("give a rule's event pattern, or the output of `aws events describe-rule`")
    })?;
    let translated = translate(&rule, form, &source).map_err(|mistakes| wrong_rule(&shown.to_string(), &mistakes))?;
    let mut err = io::stderr().lock();
    for remark in &translated.remarks {
        writeln!(err, "{remark}")?;
    }
    let pattern = serde_json::to_string_pretty(&translated.pattern).context("writing the pattern as JSON")?;
    writeln!(print::out(), "{pattern}")?;
    Ok(Exit::Done)
}

fn wrong_rule(file: &str, mistakes: &[events::Mistake]) -> Failure {
    let all: Vec<String> = mistakes.iter().map(|mistake| format!("{file}: {mistake}")).collect();
    Failure::new(Exit::Usage, anyhow!(all.join("\n")))
}

fn read(file: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let done = if file == Path::new("-") {
        io::stdin().lock().read_to_string(&mut text).map(drop)
    } else {
        fs::read_to_string(file).map(|read| text = read)
    };
    done.with_context(|| format!("reading {}", file.display())).map_err(|error| Failure::new(Exit::Usage, error))?;
    Ok(text)
}

async fn dead_letters(args: OfSink, settings: &Resolved, output: Form) -> Result<Exit, Failure> {
    let client = remote::hadron(settings)?;
    let mut all: Vec<DeadLetter> = Vec::new();
    let mut next_token = None;
    loop {
        let input = ListDeadLettersInput { sink: args.sink.clone(), max_results: Some(100), next_token };
        let page: ListDeadLettersOutput = client.call(Operation::ListDeadLetters, &input).await.map_err(refused)?;
        all.extend(page.dead_letters);
        next_token = page.next_token;
        if next_token.is_none() {
            break;
        }
    }
    let mut out = print::out();
    if output == Form::Json {
        writeln!(out, "{}", serde_json::to_string_pretty(&all).context("writing the dead letters as JSON")?)?;
        return Ok(Exit::Done);
    }
    for dead in &all {
        let about = dead.resource_arn.as_deref().unwrap_or("-");
        let at = jiff::Timestamp::from_millisecond(dead.at.0).unwrap_or_default().strftime("%Y-%m-%dT%H:%M:%SZ");
        writeln!(out, "{}  {at}  {}  {about}", dead.id, dead.detail_type)?;
        writeln!(out, "    given up after {} attempts: {}", dead.attempts, dead.last_error)?;
    }
    Ok(Exit::Done)
}

async fn replay(args: ReplayArgs, settings: &Resolved, output: Form) -> Result<Exit, Failure> {
    let client = remote::hadron(settings)?;
    let ids = (!args.ids.is_empty()).then_some(args.ids);
    let input = ReplayDeadLettersInput { sink: args.sink, ids };
    let done: ReplayDeadLettersOutput = client.call(Operation::ReplayDeadLetters, &input).await.map_err(refused)?;
    if output == Form::Json {
        print::json(&done)?;
    }
    writeln!(io::stderr().lock(), "{} events are on their way again", done.replayed)?;
    Ok(Exit::Done)
}
