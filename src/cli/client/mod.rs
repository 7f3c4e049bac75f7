//! `hadron client install`: makes the AWS CLI and every AWS SDK on this machine talk to Hadron.
//!
//! It writes a profile `hadron` whose `services` section diverts Proton, S3 and Hadron's own API only, so that nobody's
//! other AWS calls are touched, and botocore's models of both APIs: AWS removes dead services from its clients, and never
//! had ours.

mod botocore;
pub(super) mod ini;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::json;

use super::{Failure, Form, keys, print, remote, trust};
use crate::settings::Resolved;
use crate::support::files;

/// Set up AWS clients on this machine
#[derive(Debug, Subcommand)]
pub(super) enum ClientCommand {
    /// Write the AWS CLI profile `hadron` and the API models into ~/.aws
    Install(InstallArgs),
}

#[derive(Debug, Args)]
pub(super) struct InstallArgs {
    /// The profile's name
    #[arg(long, default_value = "hadron")]
    profile: String,
    /// The folder of the AWS configuration; ~/.aws by default
    #[arg(long, value_name = "DIR")]
    aws_dir: Option<PathBuf>,
}

pub(super) fn run(command: &ClientCommand, settings: &Resolved, form: Form) -> Result<(), Failure> {
    let ClientCommand::Install(args) = command;
    let folder = aws_folder(args, settings)?;
    let (endpoint, key) = remote::address(settings)?;
    fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    write_profile(&folder, &args.profile, &endpoint, settings, &key)?;
    let models = folder.join("models");
    for api in botocore::APIS {
        let own = models.join(api.name).join(api.version);
        fs::create_dir_all(&own).with_context(|| format!("creating {}", own.display()))?;
        for (name, text) in api.files().context("turning the API model into botocore's form")? {
            write(&own.join(name), &text)?;
        }
    }
    let profile = &args.profile;
    match form {
        Form::Json => {
            print::json(&json!({ "profile": profile, "endpoint": endpoint, "folder": folder, "models": models }))
        }
        Form::Text => print::text(&format!(
            "wrote profile `{profile}` for {endpoint} to {}\n\
             wrote the API models to {}\n\
             try: aws --profile {profile} proton list-environments\n\
             and: aws --profile {profile} hadron list-runs\n",
            folder.display(),
            models.display()
        )),
    }
}

fn aws_folder(args: &InstallArgs, settings: &Resolved) -> Result<PathBuf, Failure> {
    if let Some(folder) = &args.aws_dir {
        return Ok(folder.clone());
    }
    let (process, _) = settings.surroundings();
    let home = process.get("HOME").context("HOME is not set; name the folder with --aws-dir")?;
    Ok(Path::new(home).join(".aws"))
}

fn write_profile(
    folder: &Path,
    profile: &str,
    endpoint: &str,
    settings: &Resolved,
    (id, secret): &keys::KeyPair,
) -> Result<(), Failure> {
    let region = settings.text("region").unwrap_or_default();
    let config = folder.join("config");
    let text = read(&config)?;
    let trusted = trust::bundle(settings)?.map(|file| format!("ca_bundle = {}\n", file.display())).unwrap_or_default();
    let body = format!("region = {region}\n{trusted}services = {profile}\ns3 =\n  addressing_style = path\n");
    let text = ini::with_section(&text, &format!("profile {profile}"), &body);
    let services =
        ["proton", "s3", "hadron"].map(|service| format!("{service} =\n  endpoint_url = {endpoint}\n")).concat();
    write(&config, &ini::with_section(&text, &format!("services {profile}"), &services))?;
    let credentials = folder.join("credentials");
    let pair = format!("aws_access_key_id = {id}\naws_secret_access_key = {}\n", secret.reveal());
    write(&credentials, &ini::with_section(&read(&credentials)?, profile, &pair))
}

fn read(path: &Path) -> Result<String, Failure> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        other => Ok(other.with_context(|| format!("reading {}", path.display()))?),
    }
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    Ok(files::write_atomically(path, text.as_bytes()).with_context(|| format!("writing {}", path.display()))?)
}
