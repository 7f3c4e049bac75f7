//! Where the state is kept: an override file beside the author's own, what Terraform learns from its environment, and the
//! proof after `init` that nothing else won.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use semver::Version;
use serde_json::{Map, Value, json};

use super::{Terraform, TerraformError};
use crate::domain::BACKEND_FILE;
use crate::support::Secret;

/// The place of one target's state.
#[derive(Debug, Clone)]
pub enum Backend {
    /// The control plane's state server, by Terraform's http backend
    /// (<https://developer.hashicorp.com/terraform/language/backend/http>).
    Http {
        /// The URL of this target's state.
        address: String,
        /// `<deployment>.<epoch>`.
        username: String,
        /// The answer to that user name. It goes by environment only, so that it lands on no disk.
        password: Secret,
    },
    /// A bucket (<https://developer.hashicorp.com/terraform/language/backend/s3>). Credentials are the site's.
    S3 {
        /// The bucket.
        bucket: String,
        /// The key within it.
        key: String,
        /// The bucket's region.
        region: String,
        /// Another S3 than Amazon's. Checks that only Amazon can answer are then skipped.
        endpoint: Option<String>,
        /// Whether the bucket is named in the path and not in the host.
        use_path_style: bool,
        /// A DynamoDB table that locks in place of a lock file beside the state, for a Terraform older than 1.10.
        dynamodb_table: Option<String>,
        /// A role that is assumed for the state alone.
        role: Option<String>,
    },
    /// A file, for a look at a state that must not be written where it lies
    /// (<https://developer.hashicorp.com/terraform/language/backend/local>).
    Local {
        /// The file.
        path: PathBuf,
    },
}

impl Backend {
    /// The override file: its name and its content. It holds no secret. The http backend's is the same for every target,
    /// since its address goes by environment; what `init` makes of it is then the same too.
    pub fn override_file(&self) -> (&'static str, Vec<u8>) {
        let mut kind = Map::new();
        kind.insert(self.kind().to_owned(), Value::Object(self.config()));
        let document = json!({ "terraform": { "backend": kind } });
        let mut bytes = serde_json::to_vec_pretty(&document).expect("a JSON value can be written");
        bytes.push(b'\n');
        (BACKEND_FILE, bytes)
    }

    /// What Terraform learns of the backend from its environment: address, credentials, and enough patience to bridge a restart
    /// of the state server. With its defaults Terraform gives up within seconds and leaves the state in a file.
    pub fn env(&self) -> BTreeMap<String, String> {
        let Self::Http { address, username, password } = self else { return BTreeMap::new() };
        let pairs = [
            ("TF_HTTP_ADDRESS", address.as_str()),
            ("TF_HTTP_LOCK_ADDRESS", address.as_str()),
            ("TF_HTTP_UNLOCK_ADDRESS", address.as_str()),
            ("TF_HTTP_USERNAME", username.as_str()),
            ("TF_HTTP_PASSWORD", password.reveal()),
            ("TF_HTTP_RETRY_MAX", "60"),
            ("TF_HTTP_RETRY_WAIT_MIN", "1"),
            ("TF_HTTP_RETRY_WAIT_MAX", "10"),
        ];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// Refuses a Terraform that would keep this state without a lock, or not at all.
    ///
    /// # Errors
    /// [`TerraformError::BackendUnsupported`] with the way out.
    pub fn supported_by(&self, terraform: &Terraform) -> Result<(), TerraformError> {
        let Self::S3 { dynamodb_table, endpoint, .. } = self else { return Ok(()) };
        let refuse = |needed, what, remedy| {
            if terraform.version >= needed {
                return Ok(());
            }
            Err(TerraformError::BackendUnsupported { what, needed, found: terraform.version.clone(), remedy })
        };
        if dynamodb_table.is_none() {
            let remedy = "install a newer Terraform, or name a DynamoDB table for the locks, or use state = \"hadron\"";
            refuse(Version::new(1, 10, 0), "locking with a lock file", remedy)?;
        }
        if endpoint.is_some() {
            refuse(
                Version::new(1, 6, 0),
                "an endpoint of its own",
                "install a newer Terraform, or use state = \"hadron\"",
            )?;
        }
        Ok(())
    }

    /// Reads, after `init`, which backend Terraform settled on. A bundle's `zzzzz_override.tf` wins over our file, and
    /// then the state would be kept elsewhere, without our lock; so would it in another workspace.
    ///
    /// # Errors
    /// [`TerraformError::BackendNotOurs`] unless the type and every setting that we gave are there.
    pub fn verify(&self, workdir: &Path) -> Result<(), TerraformError> {
        let found = settled(workdir)?;
        let ours = match self {
            Self::Http { address, .. } => left_to_the_environment(&found.config, address),
            Self::S3 { .. } | Self::Local { .. } => covers(&Value::Object(self.config()), &found.config),
        };
        if ours && found.kind == self.kind() && found.workspace == "default" {
            return Ok(());
        }
        Err(TerraformError::BackendNotOurs { expected: self.place(), found: found.to_string() })
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Http { .. } => "http",
            Self::S3 { .. } => "s3",
            Self::Local { .. } => "local",
        }
    }

    /// The state's place in a few words, for people.
    fn place(&self) -> String {
        match self {
            Self::Http { address, .. } => format!("http {address}"),
            Self::S3 { bucket, key, .. } => format!("s3 {bucket}/{key}"),
            Self::Local { path } => format!("local {}", path.display()),
        }
    }

    /// The backend block.
    fn config(&self) -> Map<String, Value> {
        match self {
            Self::Http { .. } => Map::new(),
            Self::Local { path } => object(json!({ "path": path })),
            Self::S3 { bucket, key, region, endpoint, use_path_style, dynamodb_table, role } => {
                let mut config = object(json!({ "bucket": bucket, "key": key, "region": region }));
                match dynamodb_table {
                    Some(table) => config.insert("dynamodb_table".into(), json!(table)),
                    None => config.insert("use_lockfile".into(), json!(true)),
                };
                if let Some(role) = role {
                    config.insert("assume_role".into(), json!({ "role_arn": role }));
                }
                if *use_path_style {
                    config.insert("use_path_style".into(), json!(true));
                }
                if let Some(endpoint) = endpoint {
                    config.insert("endpoints".into(), json!({ "s3": endpoint }));
                    for check in ["skip_credentials_validation", "skip_requesting_account_id", "skip_region_validation"]
                    {
                        config.insert(check.into(), json!(true));
                    }
                    config.insert("skip_metadata_api_check".into(), json!(true));
                }
                config
            }
        }
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Whether an http backend's block gives nothing that would win over the environment, where its address, password and
/// method stand; how often it tries is its author's to say.
fn left_to_the_environment(config: &Value, address: &str) -> bool {
    let Value::Object(config) = config else { return false };
    config.iter().all(|(name, value)| {
        let address = name.ends_with("address") && value == address;
        value.is_null() || address || name.starts_with("retry_")
    })
}

/// Whether everything in `ours` stands in `theirs` with the same value. More may stand there: Terraform adds defaults.
fn covers(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            ours.iter().all(|(key, value)| theirs.get(key).is_some_and(|found| covers(value, found)))
        }
        (ours, theirs) => ours == theirs,
    }
}

/// The backend that `init` wrote down.
struct Settled {
    kind: String,
    config: Value,
    workspace: String,
}

fn settled(workdir: &Path) -> Result<Settled, TerraformError> {
    let folder = workdir.join(".terraform");
    let memory = read_or_empty(&folder.join("terraform.tfstate"))?;
    let memory: Value = serde_json::from_str(&memory).unwrap_or_default();
    let workspace = read_or_empty(&folder.join("environment"))?;
    Ok(Settled {
        // Without a memory Terraform keeps the state in a file beside the code.
        kind: memory["backend"]["type"].as_str().unwrap_or("local").to_owned(),
        config: memory["backend"]["config"].clone(),
        workspace: Some(workspace.trim()).filter(|name| !name.is_empty()).unwrap_or("default").to_owned(),
    })
}

impl std::fmt::Display for Settled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.kind)?;
        let place: Vec<_> = ["address", "bucket", "key", "path", "hostname", "organization"]
            .into_iter()
            .filter_map(|name| self.config[name].as_str())
            .collect();
        if !place.is_empty() {
            write!(f, " {}", place.join("/"))?;
        }
        if self.workspace != "default" {
            write!(f, " in workspace {}", self.workspace)?;
        }
        Ok(())
    }
}

fn read_or_empty(path: &Path) -> Result<String, TerraformError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(TerraformError::io("reading", path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn http() -> Backend {
        let (address, username) = ("http://127.0.0.1:1/state/arn".to_owned(), "deployment.1".to_owned());
        Backend::Http { address, username, password: Secret::new("hush") }
    }

    fn s3(endpoint: Option<&str>, dynamodb_table: Option<&str>) -> Backend {
        Backend::S3 {
            bucket: "tfstate".into(),
            key: "dev/terraform.tfstate".into(),
            region: "us-east-1".into(),
            endpoint: endpoint.map(ToOwned::to_owned),
            use_path_style: endpoint.is_some(),
            dynamodb_table: dynamodb_table.map(ToOwned::to_owned),
            role: None,
        }
    }

    fn terraform(version: &str) -> Terraform {
        Terraform { binary: "/opt/terraform".into(), version: version.parse().unwrap(), tofu: false }
    }

    fn remembered(memory: &Value) -> tempfile::TempDir {
        let workdir = tempfile::tempdir().unwrap();
        fs::create_dir(workdir.path().join(".terraform")).unwrap();
        fs::write(workdir.path().join(".terraform/terraform.tfstate"), memory.to_string()).unwrap();
        workdir
    }

    #[test]
    fn the_override_of_the_http_backend_holds_no_secret() {
        let (name, bytes) = http().override_file();
        assert_eq!(name, "zzzz_hadron_backend_override.tf.json");
        insta::assert_snapshot!(String::from_utf8(bytes).unwrap(), @r#"
        {
          "terraform": {
            "backend": {
              "http": {}
            }
          }
        }
        "#);
        assert_eq!(http().env()["TF_HTTP_PASSWORD"], "hush");
        for name in ["TF_HTTP_ADDRESS", "TF_HTTP_LOCK_ADDRESS", "TF_HTTP_UNLOCK_ADDRESS"] {
            assert_eq!(http().env()[name], "http://127.0.0.1:1/state/arn");
        }
        assert!(!format!("{:?}", http()).contains("hush"));
    }

    #[test]
    fn a_bucket_locks_with_a_file_unless_a_table_is_named() {
        assert_eq!(
            Value::Object(s3(None, None).config()),
            json!({
                "bucket": "tfstate", "key": "dev/terraform.tfstate", "region": "us-east-1", "use_lockfile": true
            })
        );
        let config = s3(None, Some("locks")).config();
        assert_eq!((config.get("use_lockfile"), &config["dynamodb_table"]), (None, &json!("locks")));
        assert!(s3(None, None).env().is_empty());
    }

    #[test]
    fn another_s3_is_named_by_its_endpoint() {
        let config = s3(Some("http://127.0.0.1:5000"), None).config();
        assert_eq!(config["endpoints"], json!({ "s3": "http://127.0.0.1:5000" }));
        assert_eq!(config["use_path_style"], json!(true));
    }

    #[test]
    fn a_terraform_without_lock_files_is_refused_for_s3_with_the_way_out() {
        assert!(s3(None, None).supported_by(&terraform("1.10.0")).is_ok());
        let error = s3(None, None).supported_by(&terraform("1.9.8")).unwrap_err().to_string();
        assert!(error.contains("Terraform 1.10.0 or newer") && error.contains("DynamoDB table"), "{error}");
        assert!(s3(None, Some("locks")).supported_by(&terraform("1.5.0")).is_ok());
        assert!(s3(Some("http://x"), Some("locks")).supported_by(&terraform("1.5.0")).is_err());
        assert!(http().supported_by(&terraform("1.5.0")).is_ok());
    }

    #[test]
    fn our_own_backend_is_recognised_beside_the_defaults_that_terraform_adds() {
        let config = json!({ "address": null, "lock_address": null, "username": null, "retry_max": 2 });
        let workdir = remembered(&json!({ "backend": { "type": "http", "config": config } }));
        http().verify(workdir.path()).unwrap();
        let url = "http://127.0.0.1:1/state/arn";
        let earlier = json!({ "address": url, "lock_address": url, "unlock_address": url, "username": null });
        let workdir = remembered(&json!({ "backend": { "type": "http", "config": earlier } }));
        http().verify(workdir.path()).unwrap();
    }

    #[test]
    fn an_http_backend_that_says_anything_itself_is_not_ours() {
        for (name, value) in [
            ("address", json!("http://elsewhere/state")),
            ("lock_address", json!("http://elsewhere/state")),
            ("username", json!("somebody")),
            ("update_method", json!("PUT")),
            ("skip_cert_verification", json!(true)),
        ] {
            let workdir =
                remembered(&json!({ "backend": { "type": "http", "config": { "address": null, name: value } } }));
            assert!(http().verify(workdir.path()).is_err(), "{name}");
        }
    }

    #[test]
    fn what_terraform_remembers_of_a_bucket_is_recognised() {
        let recorded = include_str!("../../tests/fixtures/terraform/1.11/s3_backend.json");
        let workdir = remembered(&serde_json::from_str(recorded).unwrap());
        s3(Some("http://127.0.0.1:5123"), None).verify(workdir.path()).unwrap();
        let error = s3(Some("http://127.0.0.1:9999"), None).verify(workdir.path()).unwrap_err();
        assert!(matches!(error, TerraformError::BackendNotOurs { .. }));
    }

    #[test]
    fn another_address_another_type_and_no_backend_at_all_are_not_ours() {
        let url = "http://elsewhere/state";
        let config = json!({ "address": url, "lock_address": url, "unlock_address": url });
        let moved = remembered(&json!({ "backend": { "type": "http", "config": config } }));
        let error = http().verify(moved.path()).unwrap_err().to_string();
        assert!(error.contains("found http http://elsewhere/state"), "{error}");

        let local = remembered(&json!({ "backend": { "type": "local", "config": { "path": "here.tfstate" } } }));
        let error = http().verify(local.path()).unwrap_err().to_string();
        assert!(error.contains("found local here.tfstate"), "{error}");

        let none = tempfile::tempdir().unwrap();
        assert!(http().verify(none.path()).unwrap_err().to_string().contains("found local"));
    }

    #[test]
    fn another_key_and_another_workspace_are_not_ours() {
        let mut config = Value::Object(s3(None, None).config());
        let workdir = remembered(&json!({ "backend": { "type": "s3", "config": config } }));
        s3(None, None).verify(workdir.path()).unwrap();
        fs::write(workdir.path().join(".terraform/environment"), "other").unwrap();
        let error = s3(None, None).verify(workdir.path()).unwrap_err().to_string();
        assert!(error.contains("in workspace other"), "{error}");

        config["key"] = json!("prod/terraform.tfstate");
        let workdir = remembered(&json!({ "backend": { "type": "s3", "config": config } }));
        assert!(s3(None, None).verify(workdir.path()).is_err());
    }
}
