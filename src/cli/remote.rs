//! The control plane as a command sees it: over the wire, with the settings' key or this machine's own.

use std::path::PathBuf;

use super::agent::Access;
use super::keys::{self, KeyPair};
use super::{Exit, Failure};
use crate::hadron::{Client, HadronError};
use crate::objects::{Objects, ObjectsConfig};
use crate::proton::{Proton, ProtonError};
use crate::settings::Resolved;
use crate::support::{AwsAccess, Secret};

/// Proton, our own API and the bucket.
pub(super) struct Remote {
    pub(super) proton: Proton,
    pub(super) hadron: Client,
    pub(super) objects: Objects,
}

impl Remote {
    /// A client of [`address`].
    pub(super) async fn of(settings: &Resolved) -> Result<Self, Failure> {
        let (endpoint, key) = address(settings)?;
        let region: String = settings.value("region")?;
        let outside = settings.text("objects_endpoint").is_some() || settings.text("bucket").is_some();
        let objects = ObjectsConfig {
            endpoint: if outside { settings.text("objects_endpoint") } else { Some(endpoint.clone()) },
            region: region.clone(),
            credentials: if outside { None } else { Some(key.clone()) },
            path_style: !outside || settings.text("objects_endpoint").is_some(),
        };
        let hadron = client(settings, &endpoint, &region, key.clone())?;
        let proton = AwsAccess { endpoint: Some(endpoint), region: Some(region), credentials: Some(key) };
        Ok(Self { proton: Proton::new(&proton).await, hadron, objects: Objects::new(objects).await })
    }
}

/// Hadron's own API at [`address`], for commands that need nothing else.
///
/// # Errors
/// There is no key, or the certificates to trust can't be read.
pub(super) fn hadron(settings: &Resolved) -> Result<Client, Failure> {
    let (endpoint, key) = address(settings)?;
    client(settings, &endpoint, &settings.value::<String>("region")?, key)
}

fn client(settings: &Resolved, endpoint: &str, region: &str, key: KeyPair) -> Result<Client, Failure> {
    let ca_bundle = ca_bundle(settings);
    Client::new(endpoint, region, key, ca_bundle.as_deref()).map_err(|error| Failure::new(Exit::Settings, error))
}

/// The certificates to trust besides the system's.
fn ca_bundle(settings: &Resolved) -> Option<PathBuf> {
    let (process, _) = settings.surroundings();
    let variable = |name: &str| process.get(name).filter(|path| !path.is_empty());
    variable("HADRON_CA_BUNDLE").or_else(|| variable("AWS_CA_BUNDLE")).map(PathBuf::from)
}

/// Where clients on this machine find the control plane, and the key they sign with: what the settings say, else what
/// the lines that `hadron up` printed have set in this shell, else where `hadron up` is by default and its own key.
///
/// # Errors
/// There is no key.
pub(super) fn address(settings: &Resolved) -> Result<(String, KeyPair), Failure> {
    let Access { endpoint: chosen, credentials, .. } = Access::of(settings)?;
    // The exported key belongs to the exported address and is of no use elsewhere.
    let exported = exported(settings).filter(|(address, _)| chosen.as_ref().is_none_or(|chosen| chosen == address));
    let (address, exported_key) = exported.unzip();
    let endpoint = match chosen.or(address).or_else(|| settings.text("base_url")) {
        Some(endpoint) => endpoint,
        None => format!("http://{}", settings.value::<String>("listen")?),
    };
    let key = match credentials.or(exported_key) {
        Some(key) => key,
        None => keys::of_this_machine(settings)?,
    };
    Ok((endpoint, key))
}

fn exported(settings: &Resolved) -> Option<(String, KeyPair)> {
    let (process, _) = settings.surroundings();
    let variable = |name: &str| process.get(name).filter(|value| !value.is_empty()).cloned();
    let key = (variable("AWS_ACCESS_KEY_ID")?, Secret::new(variable("AWS_SECRET_ACCESS_KEY")?));
    Some((variable("AWS_ENDPOINT_URL")?, key))
}

/// A refusal of the control plane, in words.
pub(super) fn failure(error: ProtonError) -> Failure {
    let unreachable = matches!(error, ProtonError::Unreachable { .. });
    let failure = Failure::new(Exit::Unexpected, error);
    match unreachable {
        true => failure.hint("is `hadron up` running, and does HADRON_ENDPOINT name it?"),
        false => failure,
    }
}

/// A refusal of Hadron's own API, in words and with its hint.
pub(super) fn refused(error: HadronError) -> Failure {
    let hint = match &error {
        HadronError::Unanswered(_) => Some("is `hadron up` running, and does HADRON_ENDPOINT name it?"),
        _ if error.code() == Some("UnknownOperationException") => Some("the server is older than this hadron"),
        _ => None,
    };
    let failure = Failure::new(Exit::Unexpected, error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::address;
    use crate::settings::{File, Resolved, Surroundings};

    fn asked(variables: &[(&str, &str)]) -> (String, String) {
        let surroundings = Surroundings(variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect());
        let (endpoint, (id, _)) = address(&Resolved::new([].into(), surroundings, File::default())).unwrap();
        (endpoint, id)
    }

    #[test]
    fn the_lines_that_up_prints_are_enough_and_the_settings_beat_them() {
        let printed =
            [("AWS_ENDPOINT_URL", "http://up"), ("AWS_ACCESS_KEY_ID", "up"), ("AWS_SECRET_ACCESS_KEY", "secret")];
        assert_eq!(asked(&printed), ("http://up".to_owned(), "up".to_owned()));
        let chosen = [
            ("HADRON_ENDPOINT", "http://team"),
            ("HADRON_ACCESS_KEY_ID", "team"),
            ("HADRON_SECRET_ACCESS_KEY", "secret"),
        ];
        assert_eq!(asked(&[&printed[..], &chosen[..]].concat()), ("http://team".to_owned(), "team".to_owned()));
        let same = [("HADRON_ENDPOINT", "http://up")];
        assert_eq!(asked(&[&printed[..], &same[..]].concat()), ("http://up".to_owned(), "up".to_owned()));
    }
}
