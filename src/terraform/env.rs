//! The environment of Terraform, built from nothing: what stands here, what the backend needs, what the site lets through.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Backend, TerraformError};

/// Where programs are found: a provisioner's shell, `git` for modules, a credential helper.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Why a variable must not come from the site, by how its name begins.
const REFUSED: &[(&str, &str)] = &[
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
    if let Some((name, reason)) = site.keys().find_map(|name| refusal(name).map(|reason| (name, reason))) {
        return Err(TerraformError::RefusedVariable { name: name.clone(), reason });
    }
    let mut env = owned(&[("PATH", PATH), ("LANG", "C.UTF-8"), ("TF_CLI_CONFIG_FILE", "/dev/null")]);
    env.insert("TMPDIR".into(), temporary_folder(home));
    env.extend(site.clone());
    env.extend(owned(&[("TF_IN_AUTOMATION", "1"), ("TF_INPUT", "0"), ("CHECKPOINT_DISABLE", "1")]));
    env.insert("HOME".into(), home.to_string_lossy().into_owned());
    env.extend(backend.env());
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
