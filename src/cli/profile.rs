//! The profile that `hadron client install` wrote, for our own commands: whoever has pointed the AWS CLI at a server has
//! pointed `hadron` at it too.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::client::ini;
use super::{keys, remote};
use crate::settings::{Resolved, Source};

/// The settings, and what the profile of `AWS_PROFILE` says where nobody else has chosen: neither a setting, nor the lines
/// that `hadron up` printed, nor an installation in the data folder. A profile without an address of Hadron's own API is
/// somebody else's and says nothing.
pub(super) fn over(settings: &Resolved) -> Resolved {
    let chosen = ["endpoint", "access_key_id", "secret_access_key"].iter().any(|name| settings.text(name).is_some());
    if chosen || remote::exported(settings).is_some() || keys::at_hand(settings) {
        return settings.clone();
    }
    let told = told(settings.surroundings().0).unwrap_or_default();
    let free = |name: &str| matches!(settings.lookup(name).1, Source::Default | Source::Unset);
    let told = told.into_iter().filter(|(name, _)| free(name));
    told.fold(settings.clone(), |settings, (name, value)| settings.with_flag(name, value))
}

/// Settings by their names; None if the profile isn't one of ours or isn't whole.
fn told(process: &BTreeMap<String, String>) -> Option<Vec<(&'static str, String)>> {
    let variable = |name: &str| process.get(name).filter(|value| !value.is_empty());
    let file = |name: &str, usual: &str| {
        let named = variable(name).map(PathBuf::from);
        let path = named.or_else(|| Some(Path::new(variable("HOME")?).join(".aws").join(usual)))?;
        fs::read_to_string(path).ok()
    };
    let profile = variable("AWS_PROFILE")?;
    let (config, credentials) =
        (file("AWS_CONFIG_FILE", "config")?, file("AWS_SHARED_CREDENTIALS_FILE", "credentials")?);
    let said = |name: &str| ini::value(&config, &format!("profile {profile}"), name);
    let endpoint = ini::value(&config, &format!("services {}", said("services")?), "hadron.endpoint_url")?;
    let mut told = vec![
        ("endpoint", endpoint),
        ("access_key_id", ini::value(&credentials, profile, "aws_access_key_id")?),
        ("secret_access_key", ini::value(&credentials, profile, "aws_secret_access_key")?),
    ];
    told.extend(["region", "ca_bundle"].into_iter().filter_map(|name| Some((name, said(name)?))));
    Some(told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{File, Surroundings};

    const CONFIG: &str = "[profile team]\nregion = eu-west-1\nservices = team\n\n[services team]\nproton =\n  \
        endpoint_url = http://other\nhadron =\n  endpoint_url = https://team:9440\n\n[profile aws]\nregion = us-west-2\n";
    const CREDENTIALS: &str = "[team]\naws_access_key_id = ID\naws_secret_access_key = S=+/\n[aws]\n\
        aws_access_key_id = OTHER\naws_secret_access_key = s\n";

    /// Endpoint, key and region as a command would take them.
    fn taken(variables: &[(&str, &str)]) -> [Option<String>; 4] {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join(".aws")).unwrap();
        fs::write(home.path().join(".aws/config"), CONFIG).unwrap();
        fs::write(home.path().join(".aws/credentials"), CREDENTIALS).unwrap();
        let own = [("HOME", home.path().to_str().unwrap()), ("HADRON_DATA", home.path().to_str().unwrap())];
        let all = own.iter().chain(variables).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let settings = over(&Resolved::new([].into(), Surroundings(all), File::default()));
        ["endpoint", "access_key_id", "secret_access_key", "region"].map(|name| settings.text(name))
    }

    #[test]
    fn the_profile_of_a_server_leads_our_own_commands_there_too() {
        let all = ["https://team:9440", "ID", "S=+/", "eu-west-1"].map(|text| Some(text.to_owned()));
        assert_eq!(taken(&[("AWS_PROFILE", "team")]), all);
        assert_eq!(taken(&[("AWS_PROFILE", "team"), ("AWS_REGION", "us-east-2")])[3].as_deref(), Some("us-east-2"));
    }

    #[test]
    fn a_profile_of_awss_own_and_one_that_nobody_chose_say_nothing() {
        for variables in [&[("AWS_PROFILE", "aws")][..], &[("AWS_PROFILE", "gone")], &[]] {
            assert_eq!(taken(variables)[..3], [None, None, None], "{variables:?}");
        }
        let chosen = [("AWS_PROFILE", "team"), ("HADRON_ENDPOINT", "http://here")];
        assert_eq!(taken(&chosen)[..2], [Some("http://here".to_owned()), None]);
    }
}
