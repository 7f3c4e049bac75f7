//! `hadron logs`: what a deployment's Terraform said, from the run's records; `-f` goes on while it runs.

use std::io::{self, Write};
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;
use hadron_model::DeploymentStatus;

use super::remote::{self, Remote};
use super::{Exit, Failure};
use crate::objects::{ObjectUri, ObjectsError};
use crate::proton::ProtonError;
use crate::settings::Resolved;

/// How often a running deployment's records are looked for.
const LOOK: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
pub(super) struct LogsArgs {
    /// The deployment's id; `hadron status` lists them
    deployment: String,
    /// Go on while the deployment runs
    #[arg(short, long)]
    follow: bool,
    /// The plan that people decide on, where the environment's runs need approval
    #[arg(long, conflicts_with_all = ["follow", "events"])]
    plan: bool,
    /// Terraform's own JSON events instead of readable lines
    #[arg(long)]
    events: bool,
    /// Which attempt; the last one by default
    #[arg(long, value_name = "N")]
    attempt: Option<u64>,
}

/// Prints the records, piece by piece, in their order.
pub(super) async fn run(settings: &Resolved, args: &LogsArgs) -> Result<Exit, Failure> {
    let remote = Remote::of(settings).await?;
    let deployment = remote.proton.deployment(&args.deployment).await.map_err(|error| match error {
        ProtonError::NotFound { .. } => remote::failure(error).hint("`hadron status` lists the deployments"),
        error => remote::failure(error),
    })?;
    let work = remote.proton.work(&deployment.arn).await.map_err(remote::failure)?;
    let bundle = work.bundle.ok_or_else(|| {
        Failure::new(Exit::Unexpected, anyhow!("this Proton endpoint doesn't say where the run's records lie"))
    })?;
    let bundle: ObjectUri = bundle.parse().context("reading the tag hadron:bundle")?;
    let mut reader = Reader {
        remote,
        run: ObjectUri::new(bundle.bucket, format!("runs/{}/", args.deployment)),
        last: None,
        events: Events::default(),
    };
    if args.plan {
        return reader.print_plan(args).await;
    }
    loop {
        // The status is asked before the records: what is written until the end is read after it is known.
        let status = reader.remote.proton.deployment(&args.deployment).await.map(|it| it.status);
        let running = matches!(
            status,
            Ok(DeploymentStatus::InProgress | DeploymentStatus::Cancelling | DeploymentStatus::DeleteInProgress)
        );
        reader.print_new(args).await?;
        if !args.follow || !running {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }
    if reader.last.is_none() {
        let words = "no agent has sent records of this deployment yet";
        writeln!(io::stderr(), "{words}; it is {}", deployment.status)?;
    }
    Ok(Exit::Done)
}

struct Reader {
    remote: Remote,
    /// `runs/<deployment>/`.
    run: ObjectUri,
    /// The key of the last piece that was printed.
    last: Option<String>,
    events: Events,
}

/// Terraform's stdout without what isn't JSON: `init -json` prints empty lines, and older versions' `init` plain text.
#[derive(Debug, Default)]
struct Events {
    /// Whether a line goes on in the next piece, and whether it is wanted.
    unfinished: Option<bool>,
}

impl Events {
    fn only_json(&mut self, piece: &[u8]) -> Vec<u8> {
        let mut kept = Vec::with_capacity(piece.len());
        for line in piece.split_inclusive(|byte| *byte == b'\n') {
            let wanted = self.unfinished.take().unwrap_or(line.starts_with(b"{"));
            if wanted {
                kept.extend_from_slice(line);
            }
            self.unfinished = (!line.ends_with(b"\n")).then_some(wanted);
        }
        kept
    }
}

impl Reader {
    async fn print_new(&mut self, args: &LogsArgs) -> Result<(), Failure> {
        let Some(attempt) = self.attempt(args).await? else { return Ok(()) };
        let stream = if args.events { "events" } else { "log" };
        let prefix = ObjectUri::new(&self.run.bucket, format!("{}{attempt}/{stream}/", self.run.key));
        let after = self.last.clone().filter(|last| last.starts_with(&prefix.key));
        for piece in self.remote.objects.list(&prefix, after.as_deref()).await.map_err(unreadable)? {
            let bytes =
                self.remote.objects.get(&ObjectUri::new(&prefix.bucket, &piece.key)).await.map_err(unreadable)?;
            match args.events {
                true => io::stdout().lock().write_all(&self.events.only_json(&bytes))?,
                false => io::stdout().lock().write_all(&bytes)?,
            }
            self.last = Some(piece.key);
        }
        Ok(())
    }

    async fn print_plan(&self, args: &LogsArgs) -> Result<Exit, Failure> {
        let none = || Failure::new(Exit::Unexpected, anyhow!("this run has no plan that people decide on"));
        let attempt = self.attempt(args).await?.ok_or_else(none)?;
        let uri = ObjectUri::new(&self.run.bucket, format!("{}{attempt}/plan.txt", self.run.key));
        let text = self.remote.objects.get(&uri).await.map_err(|error| match error {
            ObjectsError::NotFound { .. } => none(),
            error => unreadable(error),
        })?;
        io::stdout().lock().write_all(&text)?;
        Ok(Exit::Done)
    }

    /// The attempt to show: attempts are numbered from 1, and their names sort as numbers only here.
    async fn attempt(&self, args: &LogsArgs) -> Result<Option<u64>, Failure> {
        if args.attempt.is_some() {
            return Ok(args.attempt);
        }
        let found = self.remote.objects.list(&self.run, None).await.map_err(unreadable)?;
        let number = |key: &str| key.strip_prefix(&self.run.key)?.split('/').next()?.parse::<u64>().ok();
        Ok(found.iter().filter_map(|piece| number(&piece.key)).max())
    }
}

fn unreadable(error: ObjectsError) -> Failure {
    Failure::new(Exit::Unexpected, error).hint("set HADRON_OBJECTS_ENDPOINT if the bucket isn't Hadron's own")
}

#[cfg(test)]
mod tests {
    use super::Events;

    #[test]
    fn only_lines_of_json_pass_even_across_pieces() {
        let mut events = Events::default();
        assert_eq!(events.only_json(b"{\"a\":1}\n\nplain\n{\"b\""), b"{\"a\":1}\n{\"b\"");
        assert_eq!(events.only_json(b":2}\nplain {\n{}\npla"), b":2}\n{}\n");
        assert_eq!(events.only_json(b"{in}\n"), b"");
    }
}
