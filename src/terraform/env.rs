//! The environment of Terraform, built from nothing: what stands here, what the backend needs, what the site lets through.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Backend, TerraformError};

/// Where programs are found: a provisioner's shell, `git` for modules, a credential helper.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Why a variable must not come from the site, by how its name begins.
pub const REFUSED: &[(&str, &str)] = &[
    ("TF_VAR_", "inputs of a template come from its spec only"),
    ("TF_CLI_ARGS", "it would change the arguments of every command"),
    ("TF_LOG", "it would write secrets into the log"),
    ("TF_DATA_DIR", "it would move the folder in which the backend is verified"),
    ("TF_WORKSPACE", "it would move the state"),
    ("TF_HTTP_", "it would redirect the state"),
    ("TF_REATTACH_PROVIDERS", "it would replace providers by other processes"),
    (
        "AWS_ENDPOINT_URL",
        "it would divert every AWS call of Terraform to Hadron; use an overlay with provider endpoints",
    ),
    ("HADRON_", "Hadron's own settings and keys stay with Hadron"),
];

/// Why the site may not set the variable `name` for Terraform; `None` if it may.
///
/// Whoever copies variables of the agent's own environment leaves these out; one that the operator names is an error.
pub fn refusal(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_uppercase();
    REFUSED.iter().find(|(start, _)| name.starts_with(start)).map(|(_, reason)| *reason)
}

/// Builds Terraform's whole environment. Of the machine's own nothing is inherited.
///
/// `site` may replace `PATH`, `TMPDIR`, `LANG` and `TF_CLI_CONFIG_FILE` (for provider mirrors), and adds whatever else
/// it holds: credentials, proxies, `TF_PLUGIN_CACHE_DIR`. `home` is a folder of the run, so that `~/.aws` isn't found:
/// a site that wants its profiles passes `AWS_CONFIG_FILE` and `AWS_SHARED_CREDENTIALS_FILE`.
///
/// # Errors
/// [`TerraformError::RefusedVariable`] if `site` holds a name that [`refusal`] explains.
pub fn child_env(
    site: &BTreeMap<String, String>,
    backend: &Backend,
    home: &Path,
) -> Result<BTreeMap<String, String>, TerraformError> {
    let mut env = bare_env(site, home)?;
    env.extend(backend.env());
    Ok(env)
}

/// The same for what touches no state.
///
/// # Errors
/// As [`child_env`].
pub(super) fn bare_env(
    site: &BTreeMap<String, String>,
    home: &Path,
) -> Result<BTreeMap<String, String>, TerraformError> {
    if let Some((name, reason)) = site.keys().find_map(|name| refusal(name).map(|reason| (name, reason))) {
        return Err(TerraformError::RefusedVariable { name: name.clone(), reason });
    }
    let mut env = owned(&[("PATH", PATH), ("LANG", "C.UTF-8"), ("TF_CLI_CONFIG_FILE", "/dev/null")]);
    env.insert("TMPDIR".into(), temporary_folder(home));
    env.extend(site.clone());
    env.extend(owned(&[("TF_IN_AUTOMATION", "1"), ("TF_INPUT", "0"), ("CHECKPOINT_DISABLE", "1")]));
    env.insert("HOME".into(), home.to_string_lossy().into_owned());
    Ok(env)
}

/// A folder of the run, unless its name is too long: providers listen on a socket there, and a socket's path may have
/// no more than 107 bytes.
fn temporary_folder(home: &Path) -> String {
    const LONGEST: usize = 80;
    let own = home.join("tmp").to_string_lossy().into_owned();
    if own.len() <= LONGEST { own } else { "/tmp".to_owned() }
}

fn owned(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::Secret;

    fn backend() -> Backend {
        let (address, username) = ("http://127.0.0.1:1/state".to_owned(), "deployment.1".to_owned());
        Backend::Http { address, username, password: Secret::new("hush") }
    }

    #[test]
    fn an_environment_is_built_from_nothing() {
        let env = child_env(&BTreeMap::new(), &backend(), Path::new("/run/1/home")).unwrap();
        let lines: Vec<String> = env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            lines,
            [
                "CHECKPOINT_DISABLE=1",
                "HOME=/run/1/home",
                "LANG=C.UTF-8",
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "TF_CLI_CONFIG_FILE=/dev/null",
                "TF_HTTP_ADDRESS=http://127.0.0.1:1/state",
                "TF_HTTP_LOCK_ADDRESS=http://127.0.0.1:1/state",
                "TF_HTTP_PASSWORD=hush",
                "TF_HTTP_RETRY_MAX=60",
                "TF_HTTP_RETRY_WAIT_MAX=10",
                "TF_HTTP_RETRY_WAIT_MIN=1",
                "TF_HTTP_UNLOCK_ADDRESS=http://127.0.0.1:1/state",
                "TF_HTTP_USERNAME=deployment.1",
                "TF_INPUT=0",
                "TF_IN_AUTOMATION=1",
                "TMPDIR=/run/1/home/tmp",
            ]
        );
    }

    #[test]
    fn a_site_adds_credentials_and_mirrors_but_no_home() {
        let site = owned(&[
            ("AWS_ACCESS_KEY_ID", "AK"),
            ("TF_CLI_CONFIG_FILE", "/etc/mirror.tfrc"),
            ("TF_PLUGIN_CACHE_DIR", "/var/cache/tf"),
            ("HOME", "/root"),
            ("TF_INPUT", "1"),
        ]);
        let env = child_env(&site, &backend(), Path::new("/run/1/home")).unwrap();
        assert_eq!(env["AWS_ACCESS_KEY_ID"], "AK");
        assert_eq!(env["TF_CLI_CONFIG_FILE"], "/etc/mirror.tfrc");
        assert_eq!(env["TF_PLUGIN_CACHE_DIR"], "/var/cache/tf");
        assert_eq!((env["HOME"].as_str(), env["TF_INPUT"].as_str()), ("/run/1/home", "0"));
    }

    #[test]
    fn what_would_reach_past_the_settings_is_refused_by_name() {
        for name in [
            "TF_VAR_size",
            "TF_CLI_ARGS",
            "TF_CLI_ARGS_apply",
            "TF_LOG",
            "TF_LOG_PATH",
            "TF_DATA_DIR",
            "TF_WORKSPACE",
            "TF_HTTP_ADDRESS",
            "AWS_ENDPOINT_URL",
            "AWS_ENDPOINT_URL_S3",
            "HADRON_SECRET_ACCESS_KEY",
            "tf_var_size",
        ] {
            let error = child_env(&owned(&[(name, "x")]), &backend(), Path::new("/h")).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
        assert_eq!(refusal("AWS_PROFILE"), None);
        assert_eq!(refusal("TF_TOKEN_app_example_com"), None);
    }

    #[test]
    fn sockets_of_providers_fit_below_the_temporary_folder() {
        let deep = format!("/{}/home", "x".repeat(90));
        assert_eq!(temporary_folder(Path::new(&deep)), "/tmp");
    }
}
