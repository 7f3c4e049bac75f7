//! The environment of Terraform, built from nothing: what stands here, what the backend needs, what the site lets through.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::{Backend, TerraformError};
use crate::support::USER_AGENT;

/// Where programs are found: a provisioner's shell, `git` for modules, a credential helper.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What Terraform, its backends and most providers add to their user agent; CloudTrail shows it with every call.
pub(super) const APPEND_USER_AGENT: &str = "TF_APPEND_USER_AGENT";

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
/// a site that wants its profiles passes `AWS_CONFIG_FILE` and `AWS_SHARED_CREDENTIALS_FILE`. Every request says that it
/// comes of Hadron, and of which `deployment`.
///
/// # Errors
/// [`TerraformError::RefusedVariable`] if `site` holds a name that [`refusal`] explains.
pub fn child_env(
    site: &BTreeMap<String, String>,
    backend: &Backend,
    home: &Path,
    deployment: Option<&str>,
) -> Result<BTreeMap<String, String>, TerraformError> {
    let mut env = bare_env(site, home)?;
    if let (Some(id), Some(said)) = (deployment, env.get_mut(APPEND_USER_AGENT)) {
        said.push_str(" deployment/");
        said.push_str(id);
    }
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
    env.insert(APPEND_USER_AGENT.into(), user_agent(site));
    Ok(env)
}

/// Makes the folders that the environment names, and lets AWS's clients find there what `aws sso login` has left: they look
/// for it below HOME alone, wherever the profile is. It lies beside the configuration file.
pub(super) fn lay_home(env: &BTreeMap<String, String>) -> Result<(), TerraformError> {
    let make = |folder: &Path| fs::create_dir_all(folder).map_err(TerraformError::io("creating", folder));
    for folder in ["HOME", "TMPDIR"].into_iter().filter_map(|name| env.get(name)) {
        make(folder.as_ref())?;
    }
    let (Some(home), Some(config)) = (env.get("HOME"), env.get("AWS_CONFIG_FILE")) else { return Ok(()) };
    let (kept, own) = (Path::new(config).with_file_name("sso"), Path::new(home).join(".aws"));
    let link = own.join("sso");
    if !kept.is_dir() || link.symlink_metadata().is_ok() {
        return Ok(());
    }
    make(&own)?;
    // A client renews the token, and whoever comes next shall find the new one: hence no copy.
    symlink(kept, &link).map_err(TerraformError::io("linking", &link))
}

/// What the site says of itself stays in front of what we say.
fn user_agent(site: &BTreeMap<String, String>) -> String {
    let own = site.get(APPEND_USER_AGENT).map(|own| own.trim()).filter(|own| !own.is_empty());
    own.map_or_else(|| USER_AGENT.to_owned(), |own| format!("{own} {USER_AGENT}"))
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
        let env = child_env(&BTreeMap::new(), &backend(), Path::new("/run/1/home"), Some("d-1")).unwrap();
        let lines: Vec<String> = env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            lines,
            [
                "CHECKPOINT_DISABLE=1",
                "HOME=/run/1/home",
                "LANG=C.UTF-8",
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                concat!("TF_APPEND_USER_AGENT=hadron/", env!("CARGO_PKG_VERSION"), " deployment/d-1"),
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
            ("TF_APPEND_USER_AGENT", "shop-platform/3 "),
        ]);
        let env = child_env(&site, &backend(), Path::new("/run/1/home"), None).unwrap();
        let said = concat!("shop-platform/3 hadron/", env!("CARGO_PKG_VERSION"));
        assert_eq!(env["TF_APPEND_USER_AGENT"], said);
        assert_eq!(env["AWS_ACCESS_KEY_ID"], "AK");
        assert_eq!(env["TF_CLI_CONFIG_FILE"], "/etc/mirror.tfrc");
        assert_eq!(env["TF_PLUGIN_CACHE_DIR"], "/var/cache/tf");
        assert_eq!((env["HOME"].as_str(), env["TF_INPUT"].as_str()), ("/run/1/home", "0"));
    }

    #[test]
    fn a_token_that_is_renewed_in_a_runs_home_is_renewed_for_everybody() {
        let folder = tempfile::tempdir().unwrap();
        let (user, home) = (folder.path().join("user/.aws"), folder.path().join("run/home"));
        fs::create_dir_all(user.join("sso/cache")).unwrap();
        let site = owned(&[("AWS_CONFIG_FILE", user.join("config").to_str().unwrap())]);
        let env = bare_env(&site, &home).unwrap();
        lay_home(&env).unwrap();
        fs::write(home.join(".aws/sso/cache/corp.json"), "renewed").unwrap();
        assert_eq!(fs::read_to_string(user.join("sso/cache/corp.json")).unwrap(), "renewed");
        // An agent that comes back finds it laid.
        lay_home(&env).unwrap();
        fs::remove_dir_all(&home).unwrap();
        assert!(user.join("sso/cache/corp.json").exists());
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
            let error = child_env(&owned(&[(name, "x")]), &backend(), Path::new("/h"), None).unwrap_err();
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
