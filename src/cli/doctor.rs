//! `hadron doctor`: what this machine has, what is missing, and how to get it.

use std::fmt::Write as _;
use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::Path;

use anyhow::{Context, anyhow};
use serde_json::json;

use super::serve::{data_folder, listener};
use super::{Exit, Failure, Form, agent, print, running, trust};
use crate::settings::Resolved;
use crate::support::Clock;

/// One thing that was looked at.
struct Finding {
    what: &'static str,
    result: Result<String, Failure>,
}

/// Looks at everything; exits 3 if anything is missing.
pub(super) fn run(settings: &Resolved, form: Form) -> Result<Exit, Failure> {
    let findings = [
        Finding { what: "terraform", result: terraform(settings) },
        Finding { what: "data folder", result: data(settings) },
        Finding { what: "port", result: port(settings) },
        Finding { what: "tls", result: tls(settings) },
        Finding { what: "aws cli", result: Ok(aws_cli(settings)) },
    ];
    let mut out = print::out();
    match form {
        Form::Json => {
            let rows: Vec<_> = findings.iter().map(row).collect();
            writeln!(out, "{}", serde_json::to_string_pretty(&rows).context("writing the findings as JSON")?)?;
        }
        Form::Text => {
            for finding in &findings {
                write!(out, "{}", lines(finding))?;
            }
        }
    }
    Ok(if findings.iter().all(|finding| finding.result.is_ok()) { Exit::Done } else { Exit::Settings })
}

fn row(finding: &Finding) -> serde_json::Value {
    match &finding.result {
        Ok(found) => json!({"what": finding.what, "ok": true, "found": found}),
        Err(failure) => {
            json!({"what": finding.what, "ok": false, "problem": format!("{:#}", failure.error), "hints": failure.hints})
        }
    }
}

fn lines(finding: &Finding) -> String {
    match &finding.result {
        Ok(found) => format!("ok       {:<12} {found}\n", finding.what),
        Err(failure) => {
            let mut lines = format!("problem  {:<12} {:#}\n", finding.what, failure.error);
            for hint in &failure.hints {
                writeln!(lines, "         {:<12} hint: {hint}", "").expect("text takes text");
            }
            lines
        }
    }
}

fn terraform(settings: &Resolved) -> Result<String, Failure> {
    let found = agent::find_terraform(settings)?;
    let name = if found.tofu { "OpenTofu" } else { "Terraform" };
    Ok(format!("{name} {} at {}", found.version, found.binary.display()))
}

/// Whether the data folder can be had. Who only asks finds no empty one afterwards.
fn data(settings: &Resolved) -> Result<String, Failure> {
    let was_there = Path::new(&settings.value::<String>("data")?).exists();
    let folder = data_folder(settings)?;
    if !was_there {
        fs::remove_dir(&folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    Ok(folder.display().to_string())
}

fn port(settings: &Resolved) -> Result<String, Failure> {
    let wanted: String = settings.value("listen")?;
    match TcpListener::bind(&wanted) {
        Ok(_) => Ok(format!("{wanted} is free")),
        Err(_) if own_server(settings).is_some_and(|address| address == wanted) => {
            Ok(format!("{wanted} is taken by the server of this data folder"))
        }
        Err(error) => {
            let what = format!("{wanted} can't be listened on");
            Err(Failure::new(Exit::Settings, anyhow::Error::from(error).context(what))
                .hint("another process has this port; stop it, or name another with --listen ADDRESS:PORT"))
        }
    }
}

/// Where the server of this data folder listens, if it answers there.
fn own_server(settings: &Resolved) -> Option<String> {
    let url: http::Uri = running::url(settings)?.parse().ok()?;
    let address = url.authority()?.to_string();
    TcpStream::connect(&address).ok().map(|_| address)
}

/// The certificate that a server here would show, and what clients here trust.
fn tls(settings: &Resolved) -> Result<String, Failure> {
    let trusted = if trust::of(settings)?.is_some() { "; clients trust the site's certificates" } else { "" };
    let Some(tls) = listener::certificate(settings)? else { return Ok(format!("plain HTTP{trusted}")) };
    match tls.trouble(Clock::system().now()) {
        Some(trouble) => {
            Err(Failure::new(Exit::Settings, anyhow!(trouble)).hint("renew it; the server takes it up by itself"))
        }
        None if tls.names().is_empty() => Err(Failure::new(Exit::Settings, anyhow!("the certificate covers no name"))
            .hint("no client accepts a certificate without subjectAltName")),
        None => Ok(format!("a certificate for {}{trusted}", tls.names().join(", "))),
    }
}

/// Optional: any AWS client will do.
fn aws_cli(settings: &Resolved) -> String {
    let (process, _) = settings.surroundings();
    let path = process.get("PATH").map(String::as_str).unwrap_or_default();
    let found = std::env::split_paths(path).map(|folder| folder.join("aws")).find(|file| file.is_file());
    match found {
        Some(file) => file.display().to_string(),
        None => "not on PATH; any AWS client will do: pip install awscli".into(),
    }
}
