//! Where a directory's state lies and as whom it is deployed: `env_config.json` of the repository, or the settings.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::Directory;

/// The sample workflow's own file, at the root of the repository.
pub(super) const FILE: &str = "env_config.json";

/// What the settings file says of one environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choices {
    /// The region of the resources.
    pub region: Option<String>,
    /// The role to take.
    pub role: Option<String>,
    /// The bucket of the state.
    pub state_bucket: Option<String>,
    /// The state bucket's region, where it is another.
    pub state_region: Option<String>,
    /// A DynamoDB table that locks the state.
    pub lock_table: Option<String>,
    /// A folder whose files are laid beside the rendered ones.
    pub overlay: Option<PathBuf>,
    /// Terraform variables, for those that the directory declares.
    pub variables: BTreeMap<String, String>,
}

/// What holds for one directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// The region of the resources; `aws_region`, where it is declared.
    pub region: String,
    /// The role to take; None = whoever the pipeline is.
    pub role: Option<String>,
    /// The bucket of the state.
    pub bucket: String,
    /// Its region.
    pub bucket_region: String,
    /// Everything else that the settings say.
    pub choices: Choices,
}

/// Why nobody knows.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum SiteError {
    #[error("{} can't be read", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error(
        "{} isn't what the workflow reads: {{\"ENVIRONMENT\": {{\"role\": …, \"region\": …, \"state_bucket\": …}}}}", path.display()
    )]
    NotConfig { path: PathBuf, source: serde_json::Error },
    #[error(
        "no state bucket is known for `{key}`: {FILE} has neither `{key}` nor `*` with a state_bucket (add one, or set \
         state_bucket under [environments.{key}] in hadron.toml, or HADRON_STATE_BUCKET)"
    )]
    NoBucket { key: String },
}

/// An entry of `env_config.json`; whatever else stands there is somebody else's.
#[derive(Debug, Clone, Default, Deserialize)]
struct Entry {
    role: Option<String>,
    region: Option<String>,
    state_bucket: Option<String>,
}

impl Site {
    /// What holds for a directory. An entry of `env_config.json` counts before the settings, each member by itself; of
    /// several entries the one with the exact name counts, and `*` for all that have none.
    ///
    /// # Errors
    /// [`SiteError`].
    pub fn of(directory: &Directory, choices: &BTreeMap<String, Choices>) -> Result<Self, SiteError> {
        let key = directory.site_key();
        let choices = choices.get(key).or_else(|| choices.get("*")).cloned().unwrap_or_default();
        let entry = entry(&directory.root, key)?;
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let region = given(entry.region).or_else(|| choices.region.clone());
        let region = region.unwrap_or_else(|| directory.scope.region.clone());
        let bucket = given(entry.state_bucket).or_else(|| choices.state_bucket.clone());
        Ok(Self {
            role: given(entry.role).or_else(|| choices.role.clone()),
            bucket: bucket.ok_or_else(|| SiteError::NoBucket { key: key.to_owned() })?,
            bucket_region: choices.state_region.clone().unwrap_or_else(|| region.clone()),
            region,
            choices,
        })
    }
}

fn entry(root: &Path, key: &str) -> Result<Entry, SiteError> {
    let path = root.join(FILE);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Entry::default()),
        Err(source) => return Err(SiteError::Unreadable { path, source }),
    };
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let entries: BTreeMap<String, Entry> =
        serde_json::from_slice(bytes).map_err(|source| SiteError::NotConfig { path, source })?;
    Ok(entries.get(key).or_else(|| entries.get("*")).cloned().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::super::directory::tests::resource;
    use super::*;

    fn site(config: Option<&str>, arn: &str, choices: &[(&str, Choices)]) -> Result<Site, SiteError> {
        let folder = tempfile::tempdir().unwrap();
        if let Some(config) = config {
            fs::write(folder.path().join(FILE), config).unwrap();
        }
        let directory = Directory { root: folder.path().to_owned(), ..resource("x", arn, Some("dev"), false) };
        Site::of(&directory, &choices.iter().map(|(name, choice)| ((*name).to_owned(), choice.clone())).collect())
    }

    fn bucket(name: &str) -> Choices {
        Choices { state_bucket: Some(name.into()), region: Some("eu-north-1".into()), ..Choices::default() }
    }

    #[test]
    fn the_exact_name_counts_before_the_star_and_pipelines_have_a_name_of_their_own() {
        const CONFIG: &str = r#"{
            "dev": {"role": "r-dev", "region": "us-west-2", "state_bucket": "b-dev", "note": "ours"},
            "pipeline": {"role": "r-pipeline", "region": "us-west-1", "state_bucket": "b-pipeline"},
            "*": {"role": "r-star", "region": "us-east-2", "state_bucket": "b-star"}
        }"#;
        let of = |arn: &str| {
            let site = site(Some(CONFIG), arn, &[]).unwrap();
            (site.role.unwrap(), site.region, site.bucket)
        };
        let expected = |name: &str, region: &str| (format!("r-{name}"), region.to_owned(), format!("b-{name}"));
        assert_eq!(of("environment/dev"), expected("dev", "us-west-2"));
        assert_eq!(of("service/s/service-instance/i"), expected("dev", "us-west-2"));
        assert_eq!(of("service/s/pipeline"), expected("pipeline", "us-west-1"));
        assert_eq!(of("environment/prod"), expected("star", "us-east-2"));
    }

    #[test]
    fn the_settings_fill_what_the_repository_does_not_say() {
        let none = site(None, "environment/dev", &[("*", bucket("set"))]).unwrap();
        assert_eq!((none.bucket.as_str(), none.region.as_str(), none.role), ("set", "eu-north-1", None));
        let some = site(Some(r#"{"dev":{"role":"r"}}"#), "environment/dev", &[("dev", bucket("set"))]).unwrap();
        assert_eq!((some.bucket.as_str(), some.role.as_deref()), ("set", Some("r")));
        let region_of_arn = site(Some(r#"{"*":{"state_bucket":"b"}}"#), "environment/dev", &[]).unwrap();
        assert_eq!(region_of_arn.region, "eu-west-1");
    }

    #[test]
    fn a_bucket_that_nobody_names_is_asked_for_by_name() {
        let message = site(Some("{}"), "service/s/pipeline", &[]).unwrap_err().to_string();
        assert!(message.contains("`pipeline`") && message.contains("HADRON_STATE_BUCKET"), "{message}");
        assert!(matches!(site(Some("[1]"), "environment/dev", &[]), Err(SiteError::NotConfig { .. })));
    }
}
