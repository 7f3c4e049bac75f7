//! `hadron key`: access keys, made, listed, rotated and revoked while the server runs.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use hadron_model::Timestamp;
use hadron_model::hadron::{
    AccessKey, CreateKeyInput, CreateKeyOutput, ListKeysInput, Operation, RevokeKeyInput, RevokeKeyOutput, Role,
    RotateKeyInput, RotateKeyOutput,
};

use super::keys::LocalKeys;
use super::{Exit, Failure, Form, print, remote};
use crate::settings::Resolved;
use crate::support::{Clock, Secret};

/// Make, list, rotate and revoke access keys
#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Make a key and print the lines that set it in this shell; its secret is shown this once
    Create {
        /// Who or what signs with it; the last part of the principal's ARN
        name: String,
        /// What it may do
        #[arg(long, value_parser = role_parser())]
        role: Role,
        /// A group of its owner; repeat for more
        #[arg(long = "group", value_name = "GROUP")]
        groups: Vec<String>,
        /// An environment that it is bound to; repeat for more, leave out for all
        #[arg(long = "environment", value_name = "ENVIRONMENT")]
        environments: Vec<String>,
        /// How long it is good for: 90s, 15m, 12h, 30d
        #[arg(long, value_name = "TIME", value_parser = duration)]
        expires_in: Option<Duration>,
    },
    /// List the account's keys, never their secrets
    List,
    /// End a key for good
    Revoke {
        /// The key's id
        id: String,
    },
    /// Replace a key by a new pair of the same name, role and bindings
    Rotate {
        /// The key's id
        id: String,
        /// How long the old one goes on: 0s, 15m, 12h, 7d
        #[arg(long, value_name = "TIME", default_value = "1h", value_parser = duration)]
        grace: Duration,
    },
}

pub(super) async fn run(settings: &Resolved, command: KeyCommand, form: Form) -> Result<Exit, Failure> {
    match command {
        KeyCommand::Create { name, role, groups, environments, expires_in } => {
            let expires_at = expires_in.map(|time| Timestamp(Clock::system().now() + milliseconds(time)));
            let (groups, environments) = (some(groups), some(environments));
            create(settings, &CreateKeyInput { name, role, groups, environments, expires_at }, form).await?;
        }
        KeyCommand::List => list(settings, form).await?,
        KeyCommand::Revoke { id } => revoke(settings, id, form).await?,
        KeyCommand::Rotate { id, grace } => rotate(settings, id, grace, form).await?,
    }
    Ok(Exit::Done)
}

async fn create(settings: &Resolved, input: &CreateKeyInput, form: Form) -> Result<(), Failure> {
    let client = remote::hadron(settings)?;
    let made: CreateKeyOutput = client.call(Operation::CreateKey, input).await.map_err(remote::refused)?;
    if form == Form::Json {
        return print::json(&made);
    }
    exports(settings, &made.key, &made.secret)?;
    let AccessKey { id, name, role, expires_at, .. } = &made.key;
    let until = expires_at.map(|end| format!(" until {}", print::moment(end))).unwrap_or_default();
    Ok(writeln!(io::stderr(), "made key {id} of {name}, role {role}{until}; its secret is shown this once")?)
}

async fn list(settings: &Resolved, form: Form) -> Result<(), Failure> {
    let client = remote::hadron(settings)?;
    let keys = client.pages(Operation::ListKeys, &ListKeysInput::default()).await.map_err(remote::refused)?;
    let now = Clock::system().now();
    let names = |names: &Option<Vec<String>>| names.as_deref().unwrap_or_default().join(",");
    print::list(
        form,
        &keys,
        ["ID", "NAME", "ROLE", "STATUS", "CREATED", "EXPIRES", "GROUPS", "ENVIRONMENTS"],
        |key: &AccessKey| {
            let (status, created, expires) =
                (status(key, now), print::moment(key.created_at), print::maybe(key.expires_at));
            let role = key.role.to_string();
            [
                key.id.clone(),
                key.name.clone(),
                role,
                status,
                created,
                expires,
                names(&key.groups),
                names(&key.environments),
            ]
        },
    )
}

fn status(key: &AccessKey, now: i64) -> String {
    let word = match (key.revoked_at, key.expires_at, &key.replaced_by) {
        (Some(_), ..) => "revoked",
        (None, Some(end), _) if end.0 <= now => "expired",
        (None, _, Some(_)) => "rotated",
        (None, _, None) => "active",
    };
    word.to_owned()
}

async fn revoke(settings: &Resolved, id: String, form: Form) -> Result<(), Failure> {
    let client = remote::hadron(settings)?;
    let input = RevokeKeyInput { id };
    let RevokeKeyOutput { key } = client.call(Operation::RevokeKey, &input).await.map_err(remote::refused)?;
    if form == Form::Json {
        return print::json(&key);
    }
    Ok(writeln!(io::stderr(), "key {} of {} is revoked; every server refuses it within 2 s", key.id, key.name)?)
}

async fn rotate(settings: &Resolved, id: String, grace: Duration, form: Form) -> Result<(), Failure> {
    let client = remote::hadron(settings)?;
    let input = RotateKeyInput { id: id.clone(), grace_seconds: i64::try_from(grace.as_secs()).ok() };
    let made: RotateKeyOutput = client.call(Operation::RotateKey, &input).await.map_err(remote::refused)?;
    let data = PathBuf::from(settings.text("data").unwrap_or_default());
    let replaced = LocalKeys::replace(settings, &data, &id, (&made.key.id, Secret::new(&made.secret))).await?;
    if form == Form::Json {
        return print::json(&made);
    }
    exports(settings, &made.key, &made.secret)?;
    let mut talk = io::stderr().lock();
    writeln!(talk, "key {id} of {} goes on for {} s; its secret is shown this once", made.key.name, grace.as_secs())?;
    if replaced {
        writeln!(
            talk,
            "it was this installation's own: restart the server in {} before the old one ends",
            data.display()
        )?;
    }
    Ok(())
}

/// The lines that `hadron up` prints, with this key: for `eval` and scripts, in one write. An agent takes its own key by
/// other names, since AWS's are those of Terraform's identity.
fn exports(settings: &Resolved, key: &AccessKey, secret: &str) -> Result<(), Failure> {
    let (endpoint, _) = remote::address(settings)?;
    let (id, region) = (&key.id, remote::region(settings)?);
    print::text(&match key.role {
        Role::Agent => format!(
            "export HADRON_ENDPOINT={endpoint} HADRON_REGION={region}\n\
             export HADRON_ACCESS_KEY_ID={id} HADRON_SECRET_ACCESS_KEY={secret}\n"
        ),
        _ => format!(
            "export AWS_ENDPOINT_URL={endpoint} AWS_REGION={region} AWS_DEFAULT_REGION={region}\n\
             export AWS_ACCESS_KEY_ID={id} AWS_SECRET_ACCESS_KEY={secret}\n"
        ),
    })
}

fn role_parser() -> impl TypedValueParser<Value = Role> {
    let names = Role::ALL.iter().map(|role| role.as_str());
    PossibleValuesParser::new(names).map(|name| {
        let found = Role::ALL.iter().find(|role| role.as_str() == name);
        *found.expect("only the roles' names are possible")
    })
}

fn some(names: Vec<String>) -> Option<Vec<String>> {
    (!names.is_empty()).then_some(names)
}

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// `90s`, `15m`, `12h`, `30d`.
fn duration(text: &str) -> Result<Duration, String> {
    let refused = || format!("{text} is no time: write a number and s, m, h or d, such as 30d");
    let unit = match text.chars().next_back() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3600,
        Some('d') => 86_400,
        _ => return Err(refused()),
    };
    let number = &text[..text.len() - 1];
    let number: u32 = number.parse().map_err(|_| refused())?;
    Ok(Duration::from_secs(u64::from(number) * unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_number_and_a_unit() {
        let seconds = |text| duration(text).map(|time| time.as_secs());
        assert_eq!(
            (seconds("90s"), seconds("2m"), seconds("1h"), seconds("30d")),
            (Ok(90), Ok(120), Ok(3600), Ok(2_592_000))
        );
        for text in ["", "5", "h", "-1h", "1.5h", "1w", "ü"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
