//! `hadron health`: whether what runs on this machine works, for health checks that have no curl at hand.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow};
use bytes::Bytes;
use serde_json::json;

use super::serve::listener;
use super::{Exit, Failure, Form, print};
use crate::settings::Resolved;
use crate::support::Trust;
use crate::support::https::{HttpError, Https};

/// Shorter than the time-out that container engines have by default, so that it is us who says what happened.
const PATIENCE: Duration = Duration::from_secs(4);

#[derive(Debug, clap::Args)]
pub(super) struct HealthArgs {
    /// What must work; by default whatever runs with this data folder and port, and at least one of the two
    #[arg(value_enum)]
    part: Option<Part>,
    /// Where the server listens, if it was started with a --listen of its own
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) listen: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    Server,
    Agent,
}

/// What one look found.
enum Found {
    Works(String),
    Broken(String),
    Absent(String),
}

/// Looks; exits 1 unless what is asked for works.
pub(super) async fn run(settings: &Resolved, args: &HealthArgs, form: Form) -> Result<Exit, Failure> {
    let mut looks = Vec::new();
    if args.part != Some(Part::Agent) {
        looks.push(("server", server(settings).await?));
    }
    if args.part != Some(Part::Server) {
        looks.push(("agent", agent(settings).await?));
    }
    let broken = looks.iter().any(|(_, found)| matches!(found, Found::Broken(_)));
    let works = !broken && looks.iter().any(|(_, found)| matches!(found, Found::Works(_)));
    let rows: Vec<_> = looks.iter().map(|(part, found)| row(part, found)).collect();
    match form {
        Form::Json => print::json(&json!({ "healthy": works, "parts": rows }))?,
        Form::Text => print::text(&looks.iter().map(|(part, found)| line(part, found)).collect::<String>())?,
    }
    // Engines know 0 and 1 only.
    Ok(if works { Exit::Done } else { Exit::Unexpected })
}

/// The server's own word: its `/readyz`, at the port that it listens on. `base_url` may lead to another server.
async fn server(settings: &Resolved) -> Result<Found, Failure> {
    let place = reachable(settings.value("listen")?);
    let tls = listener::certificate(settings)?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    // Whatever names the certificate covers, it must be the one in the file.
    let trust = tls.map(|tls| Trust::our_own(&tls.certificates()));
    let found = ask(trust.as_ref(), &format!("{scheme}://{place}"), "readyz").await?;
    Ok(found.unwrap_or_else(|| Found::Absent(format!("nothing at {place}"))))
}

/// What is said at an address; None where nobody listens.
async fn ask(trust: Option<&Trust>, address: &str, path: &str) -> Result<Option<Found>, Failure> {
    let https = Https::trusting(trust, PATIENCE).context("setting up an HTTP client")?;
    let request = http::Request::get(format!("{address}/{path}")).body(Bytes::new()).context("asking")?;
    Ok(Some(match https.send(request).await {
        Ok(answer) if answer.status().is_success() => {
            Found::Works(format!("{} at {address}", if path == "readyz" { "ready" } else { "well" }))
        }
        Ok(answer) => Found::Broken(format!("{}: {}", answer.status(), said(answer.body()))),
        Err(HttpError::Unreachable { source, .. }) if refused(&*source) => return Ok(None),
        Err(error) => Found::Broken(format!("{:#}", anyhow!(error))),
    }))
}

/// Where something that listens there is reached from here.
fn reachable(listen: String) -> String {
    match listen.parse::<SocketAddr>() {
        Ok(address) => listener::reachable(address).to_string(),
        Err(_) => listen,
    }
}

fn said(body: &Bytes) -> String {
    String::from_utf8_lossy(body).trim().to_owned()
}

/// Whether nobody listens there, in contrast to somebody who doesn't answer.
fn refused(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<io::Error>().is_some_and(|it| it.kind() == io::ErrorKind::ConnectionRefused) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// An agent that has a port says by it whether its loops go round; of another one only its life is known.
async fn agent(settings: &Resolved) -> Result<Found, Failure> {
    let alive = at_work(Path::new(&settings.value::<String>("data")?))?;
    let (Found::Works(_), Some(listen)) = (&alive, settings.text("agent.listen")) else { return Ok(alive) };
    let place = reachable(listen);
    let found = ask(None, &format!("http://{place}"), "healthz").await?;
    Ok(found.unwrap_or_else(|| Found::Broken(format!("it lives, and nothing answers at {place}"))))
}

/// As long as an agent lives it holds the lock of its data folder, which the kernel lists: to try the
/// lock could keep an agent out that starts at the same moment.
fn at_work(data: &Path) -> Result<Found, Failure> {
    let lock = data.join("agent.lock");
    let inode = match fs::metadata(&lock) {
        Ok(metadata) => metadata.ino(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Found::Absent(format!("none has worked in {}", data.display())));
        }
        Err(error) => return Err(anyhow::Error::from(error).context(format!("looking at {}", lock.display())).into()),
    };
    let locks = fs::read_to_string("/proc/locks").context("reading the kernel's list of locks")?;
    Ok(match locks.lines().any(|line| locks_whole_file(line, inode)) {
        true => Found::Works(format!("at work in {}", data.display())),
        false => Found::Absent(format!("none is at work in {}", data.display())),
    })
}

/// A line is `1: FLOCK  ADVISORY  WRITE 812 fe:00:1310 0 EOF`. The device isn't compared: on some file systems it is
/// another one than `stat` tells.
fn locks_whole_file(line: &str, inode: u64) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let of = words.get(5).and_then(|file| file.rsplit(':').next()?.parse::<u64>().ok());
    words.get(1) == Some(&"FLOCK") && words.get(3) == Some(&"WRITE") && of == Some(inode)
}

fn row(part: &str, found: &Found) -> serde_json::Value {
    let (status, says) = parts(found);
    json!({ "part": part, "status": status, "says": says })
}

fn line(part: &str, found: &Found) -> String {
    let (status, says) = parts(found);
    format!("{part:<7} {status:<7} {says}\n")
}

fn parts(found: &Found) -> (&'static str, &str) {
    match found {
        Found::Works(says) => ("works", says),
        Found::Broken(says) => ("broken", says),
        Found::Absent(says) => ("absent", says),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_held_write_lock_of_that_very_file_counts() {
        let held = "1: FLOCK  ADVISORY  WRITE 812 fe:00:1310 0 EOF";
        assert!(locks_whole_file(held, 1310));
        assert!(!locks_whole_file(held, 310), "another file");
        assert!(!locks_whole_file("1: -> FLOCK  ADVISORY  WRITE 813 fe:00:1310 0 EOF", 1310), "it only waits");
        assert!(!locks_whole_file("2: POSIX  ADVISORY  WRITE 812 fe:00:1310 0 EOF", 1310), "SQLite's");
        assert!(!locks_whole_file("", 1310));
    }
}
