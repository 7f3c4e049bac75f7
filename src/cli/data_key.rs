//! `hadron data-key`: the keys that the record is sealed under.

use std::io::Write;

use clap::Subcommand;
use hadron_model::hadron::{Operation, RotateDataKeyInput, RotateDataKeyOutput};

use super::{Exit, Failure, Form, print, remote};
use crate::settings::Resolved;

/// The keys that the record is sealed under
#[derive(Debug, Subcommand)]
pub(super) enum DataKeyCommand {
    /// Make a new key the one that seals; what older ones sealed still opens, and is sealed anew in the background
    Rotate,
}

pub(super) async fn run(settings: &Resolved, command: DataKeyCommand, form: Form) -> Result<Exit, Failure> {
    let DataKeyCommand::Rotate = command;
    let client = remote::hadron(settings)?;
    let asked = client.call(Operation::RotateDataKey, &RotateDataKeyInput {}).await;
    let RotateDataKeyOutput { data_key_id } = asked.map_err(remote::refused)?;
    let mut out = print::out();
    match form {
        Form::Text => writeln!(out, "{data_key_id}")?,
        Form::Json => writeln!(out, "{}", serde_json::json!({ "dataKeyId": data_key_id }))?,
    }
    Ok(Exit::Done)
}
