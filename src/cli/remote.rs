//! The control plane as a command sees it: over the wire, with the settings' key or this machine's own.

use std::net::TcpStream;
use std::time::Duration;

use super::agent::Access;
use super::keys::{self, KeyPair};
use super::serve::listener;
use super::{Exit, Failure, profile, running, trust};
use crate::hadron::{Client, HadronError};
use crate::objects::{Objects, ObjectsConfig};
use crate::proton::{Proton, ProtonError};
use crate::settings::Resolved;
use crate::support::{AwsAccess, Secret, Trust, causes, remedy};

/// How long a port of this machine is waited for.
const NEXT_DOOR: Duration = Duration::from_millis(500);

const UNANSWERED: &str = "is `hadron up` running, and does HADRON_ENDPOINT name it?";

/// Proton, our own API and the bucket.
pub(super) struct Remote {
    pub(super) proton: Proton,
    pub(super) hadron: Client,
    pub(super) objects: Objects,
}

impl Remote {
    /// A client of [`address`].
    pub(super) async fn of(settings: &Resolved) -> Result<Self, Failure> {
        Self::in_region(settings, region(settings)?).await
    }

    /// The same, for ARNs of another region than the settings'.
    pub(super) async fn in_region(settings: &Resolved, region: String) -> Result<Self, Failure> {
        let settings = &profile::over(settings);
        let Way { endpoint, key, trust } = Way::of(settings)?;
        let outside = settings.text("objects_endpoint").is_some() || settings.text("bucket").is_some();
        let objects = ObjectsConfig {
            endpoint: if outside { settings.text("objects_endpoint") } else { Some(endpoint.clone()) },
            region: region.clone(),
            credentials: if outside { None } else { Some(key.clone()) },
            path_style: !outside || settings.text("objects_endpoint").is_some(),
            trust: if outside { trust::of(settings)? } else { trust.clone() },
        };
        let hadron = client(&endpoint, &region, key.clone(), trust.as_ref())?;
        let proton = AwsAccess { endpoint: Some(endpoint), region: Some(region), credentials: Some(key), trust };
        Ok(Self { proton: Proton::new(&proton).await, hadron, objects: Objects::new(objects).await })
    }
}

/// How the control plane is asked from here.
struct Way {
    endpoint: String,
    key: KeyPair,
    trust: Option<Trust>,
}

impl Way {
    /// That of [`address`]; but beside a server, with the key of its own folder, its port. The URL by which others reach it
    /// may be a name that isn't known here, or not yet.
    fn of(settings: &Resolved) -> Result<Self, Failure> {
        let Address { named, key, own_key } = Address::of(settings)?;
        if named.is_none()
            && own_key
            && let Some((endpoint, trust)) = next_door(settings)?
        {
            return Ok(Self { endpoint, key, trust });
        }
        let endpoint = named.map_or_else(|| by_url(settings), Ok)?;
        Ok(Self { endpoint, key, trust: trust::of(settings)? })
    }
}

/// The port that a server with these settings has, if it has another name for others and somebody listens there, and the
/// certificate that it must show.
fn next_door(settings: &Resolved) -> Result<Option<(String, Option<Trust>)>, Failure> {
    let named = settings.text("base_url").map(|url| url.trim_end_matches('/').to_owned());
    // A server that runs here under another URL isn't one of these settings.
    if named.is_none() || running::url(settings).is_some_and(|url| Some(url) != named) {
        return Ok(None);
    }
    let Ok(address) = settings.value::<String>("listen")?.parse().map(listener::reachable) else { return Ok(None) };
    // A certificate that this user can't read is another one's server.
    let Ok(tls) = listener::certificate(settings) else { return Ok(None) };
    if TcpStream::connect_timeout(&address, NEXT_DOOR).is_err() {
        return Ok(None);
    }
    let scheme = if tls.is_some() { "https" } else { "http" };
    Ok(Some((format!("{scheme}://{address}"), tls.map(|tls| Trust::our_own(&tls.certificates())))))
}

/// Hadron's own API, for commands that need nothing else.
///
/// # Errors
/// There is no key, or the certificates to trust can't be read.
pub(super) fn hadron(settings: &Resolved) -> Result<Client, Failure> {
    hadron_in(settings, &region(settings)?)
}

/// The same, for ARNs of another region than the settings'.
///
/// # Errors
/// As [`hadron`].
pub(super) fn hadron_in(settings: &Resolved, region: &str) -> Result<Client, Failure> {
    let settings = &profile::over(settings);
    let Way { endpoint, key, trust } = Way::of(settings)?;
    client(&endpoint, region, key, trust.as_ref())
}

fn client(endpoint: &str, region: &str, key: KeyPair, trust: Option<&Trust>) -> Result<Client, Failure> {
    Client::new(endpoint, region, key, trust).map_err(|error| Failure::new(Exit::Settings, error))
}

/// The region of the control plane that [`address`] names.
///
/// # Errors
/// The setting is none.
pub(super) fn region(settings: &Resolved) -> Result<String, Failure> {
    Ok(profile::over(settings).value("region")?)
}

/// Where clients on this machine find the control plane, and the key they sign with: what the settings say, else what
/// the lines that `hadron up` printed have set in this shell, else the server of the data folder and its own key, else
/// the profile of the AWS CLI.
///
/// # Errors
/// There is no key.
pub(super) fn address(settings: &Resolved) -> Result<(String, KeyPair), Failure> {
    let settings = &profile::over(settings);
    let Address { named, key, .. } = Address::of(settings)?;
    Ok((named.map_or_else(|| by_url(settings), Ok)?, key))
}

/// What is said of an address and a key.
struct Address {
    /// The address that the settings or the shell name.
    named: Option<String>,
    key: KeyPair,
    /// Whether the key is that of the data folder here.
    own_key: bool,
}

impl Address {
    fn of(settings: &Resolved) -> Result<Self, Failure> {
        let Access { endpoint: chosen, credentials, .. } = Access::of(settings)?;
        // The exported key belongs to the exported address and is of no use elsewhere.
        let exported = exported(settings).filter(|(address, _)| chosen.as_ref().is_none_or(|chosen| chosen == address));
        let (address, exported_key) = exported.unzip();
        let named = chosen.or(address);
        Ok(match credentials.or(exported_key) {
            Some(key) => Self { named, key, own_key: false },
            None => Self { named, key: keys::of_this_machine(settings)?, own_key: true },
        })
    }
}

/// How others reach a server with these settings.
fn by_url(settings: &Resolved) -> Result<String, Failure> {
    let here = settings.text("base_url").or_else(|| running::url(settings));
    here.map_or_else(|| listener::url(settings), Ok)
}

/// What the lines that `hadron up` printed have set in this shell.
pub(super) fn exported(settings: &Resolved) -> Option<(String, KeyPair)> {
    let (process, _) = settings.surroundings();
    let variable = |name: &str| process.get(name).filter(|value| !value.is_empty()).cloned();
    let key = (variable("AWS_ACCESS_KEY_ID")?, Secret::new(variable("AWS_SECRET_ACCESS_KEY")?));
    Some((variable("AWS_ENDPOINT_URL")?, key))
}

const SPEAKS_TLS: &str = "if the server speaks TLS, its address begins with https://: set HADRON_ENDPOINT so";

/// A refusal of the control plane, in words.
pub(super) fn failure(error: ProtonError) -> Failure {
    let hint = match &error {
        // What answers a request in plain HTTP that came where TLS is spoken is no HTTP.
        ProtonError::Unsendable { cause } | ProtonError::Unreachable { cause }
            if cause.contains("invalid HTTP version") =>
        {
            SPEAKS_TLS
        }
        ProtonError::Unreachable { .. } => error.remedy().unwrap_or(UNANSWERED),
        _ => return Failure::new(Exit::Unexpected, error),
    };
    Failure::new(Exit::Unexpected, error).hint(hint)
}

/// A refusal of Hadron's own API, in words and with its hint.
pub(super) fn refused(error: HadronError) -> Failure {
    let hint = match &error {
        HadronError::Unanswered(http) if causes(http).contains("invalid HTTP version") => Some(SPEAKS_TLS),
        HadronError::Unanswered(http) => Some(remedy(&causes(http)).unwrap_or(UNANSWERED)),
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
