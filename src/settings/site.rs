//! What of the process's environment Terraform may see.

use std::collections::BTreeMap;

use super::Resolved;

/// Names, or beginnings of names ending in `*`, that reach Terraform: AWS's own credential chain, proxies, certificates,
/// and what a site says of itself in its user agent. Everything else stays out; a site adds what it needs in
/// `[agent.env]`.
pub const LET_THROUGH: &[&str] = &[
    "AWS_*",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "SSH_AUTH_SOCK",
    "TF_APPEND_USER_AGENT",
];

/// The variables that Terraform gets from outside.
///
/// Hadron's own endpoint and keys never pass: not by their names, and not when someone exported them under AWS's
/// (as the two lines that `hadron up` prints do).
pub fn child_environment(settings: &Resolved, hadron_keys: &[String]) -> BTreeMap<String, String> {
    let (process, site) = settings.surroundings();
    let mut passed: BTreeMap<_, _> = process
        .iter()
        .filter(|(name, _)| is_let_through(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if passed.get("AWS_ACCESS_KEY_ID").is_some_and(|id| hadron_keys.contains(id)) {
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
            passed.remove(name);
        }
    }
    // Terraform's HOME is its run's own, so the user's AWS files are named outright.
    if let Some(home) = process.get("HOME") {
        for (name, file) in [("AWS_CONFIG_FILE", "config"), ("AWS_SHARED_CREDENTIALS_FILE", "credentials")] {
            passed.entry(name.into()).or_insert_with(|| format!("{home}/.aws/{file}"));
        }
    }
    passed.extend(site.iter().map(|(name, value)| (name.clone(), value.clone())));
    passed
}

fn is_let_through(name: &str) -> bool {
    if name.starts_with("AWS_ENDPOINT_URL") || name == "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS" {
        return false;
    }
    LET_THROUGH.iter().any(|rule| rule.strip_suffix('*').map_or(*rule == name, |beginning| name.starts_with(beginning)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{File, Surroundings};

    fn passed(variables: &[(&str, &str)]) -> BTreeMap<String, String> {
        let surroundings = Surroundings(variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect());
        child_environment(&Resolved::new(BTreeMap::new(), surroundings, File::default()), &["HADRONKEY".into()])
    }

    #[test]
    fn credentials_and_proxies_pass_and_everything_else_stays_out() {
        let passed = passed(&[
            ("AWS_PROFILE", "p"),
            ("HTTPS_PROXY", "x"),
            ("TF_VAR_a", "b"),
            ("TF_APPEND_USER_AGENT", "shop/1"),
            ("HADRON_SECRET_ACCESS_KEY", "s"),
            ("AWS_ENDPOINT_URL", "http://x"),
            ("AWS_ENDPOINT_URL_S3", "http://x"),
        ]);
        assert_eq!(passed.into_keys().collect::<Vec<_>>(), ["AWS_PROFILE", "HTTPS_PROXY", "TF_APPEND_USER_AGENT"]);
    }

    #[test]
    fn hadrons_key_under_aws_name_does_not_pass() {
        assert!(passed(&[("AWS_ACCESS_KEY_ID", "HADRONKEY"), ("AWS_SECRET_ACCESS_KEY", "s")]).is_empty());
        assert_eq!(passed(&[("AWS_ACCESS_KEY_ID", "OTHER"), ("AWS_SECRET_ACCESS_KEY", "s")]).len(), 2);
    }
}
