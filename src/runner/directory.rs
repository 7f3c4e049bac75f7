//! What a rendered directory says of itself.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::domain::{Scope, Target, UnknownTarget};

/// Where Proton notes what it rendered a directory for.
pub(super) const METADATA: &str = ".proton/deployment-metadata.json";

/// What Proton wrote instead of an id once the resource was deleted.
const DELETED: &str = "<proton-resource-deleted>";

/// A directory that Proton rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    /// Where it lies; absolute.
    pub folder: PathBuf,
    /// The repository's root; absolute.
    pub root: PathBuf,
    /// Path below the root, with slashes; empty for the root itself.
    pub path: String,
    /// The ARN of what it provisions.
    pub arn: String,
    /// Account and region of the ARN.
    pub scope: Scope,
    /// What the ARN names.
    pub target: Target,
    /// The environment, or the one that it lies in; None for pipelines.
    pub environment: Option<String>,
    /// The service instance that a component is attached to.
    pub attached_to: Option<Target>,
    /// The deployment that it was rendered for; None where the metadata of a deleted resource has none.
    pub deployment_id: Option<String>,
    /// Whether the resource was deleted, so that it is to be destroyed.
    pub deleted: bool,
}

/// Why a directory can't be run.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum DirectoryError {
    #[error(
        "{} holds no {METADATA}: give the directory that Proton rendered, or `--changed` for all that a commit changes", .0.display()
    )]
    NoMetadata(PathBuf),
    #[error("{} can't be read", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{} is no JSON", path.display())]
    NotJson { path: PathBuf, source: serde_json::Error },
    #[error("{} names no resource: neither resourceMetadata.arn nor componentMetadata.arn is there", .0.display())]
    NoArn(PathBuf),
    #[error("{}", path.display())]
    UnknownTarget { path: PathBuf, source: UnknownTarget },
    #[error("{} doesn't say which environment the {target} lies in: environmentArn is missing", path.display())]
    NoEnvironment { path: PathBuf, target: Target },
    #[error("{} names no deployment", .0.display())]
    NoDeployment(PathBuf),
}

impl Directory {
    /// Reads a directory's metadata.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn read(folder: &Path) -> Result<Self, DirectoryError> {
        let unreadable = |path: &Path, source| DirectoryError::Unreadable { path: path.to_owned(), source };
        let folder = match folder.canonicalize() {
            Ok(folder) => folder,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(DirectoryError::NoMetadata(folder.to_owned()));
            }
            Err(error) => return Err(unreadable(folder, error)),
        };
        let path = folder.join(METADATA);
        let metadata = match fs::read(&path) {
            Ok(bytes) => json(&path, &bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(DirectoryError::NoMetadata(folder)),
            Err(error) => return Err(unreadable(&path, error)),
        };
        let root = root_of(&folder);
        let below = folder.strip_prefix(&root).unwrap_or(&folder);
        let parts: Vec<_> = below.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
        Self::of(&metadata, path, folder.clone(), root, parts.join("/"))
    }

    fn of(
        metadata: &Value,
        noted: PathBuf,
        folder: PathBuf,
        root: PathBuf,
        path: String,
    ) -> Result<Self, DirectoryError> {
        let facts = ["resourceMetadata", "componentMetadata"].into_iter().find_map(|key| metadata[key].as_object());
        let fact = |name: &str| facts.and_then(|facts| facts.get(name)?.as_str()).filter(|text| !text.is_empty());
        let Some(arn) = fact("arn") else { return Err(DirectoryError::NoArn(noted)) };
        let (scope, target) = match Target::parse(arn) {
            Ok(parsed) => parsed,
            Err(source) => return Err(DirectoryError::UnknownTarget { path: noted, source }),
        };
        let named = |name: &str| fact(name).and_then(|arn| Target::parse(arn).ok()).map(|(_, target)| target);
        let environment = match (&target, named("environmentArn")) {
            (Target::Environment { name }, _) => Some(name.clone()),
            (Target::ServicePipeline { .. }, _) => None,
            (_, Some(Target::Environment { name })) => Some(name),
            _ => match environment_of_values(&folder) {
                Some(name) => Some(name),
                None => return Err(DirectoryError::NoEnvironment { path: noted, target }),
            },
        };
        let id = metadata["deploymentId"].as_str().filter(|id| *id != DELETED).map(str::to_owned);
        let deleted = metadata["isResourceDeleted"].as_bool().unwrap_or(false)
            || metadata["deploymentId"].as_str() == Some(DELETED);
        if id.is_none() && !deleted {
            return Err(DirectoryError::NoDeployment(noted));
        }
        let attached_to = named("serviceInstanceArn");
        let arn = arn.to_owned();
        Ok(Self { folder, root, path, arn, scope, target, environment, attached_to, deployment_id: id, deleted })
    }

    /// The state's key in the bucket, as the sample workflow made it of the directory: nothing stands between directory
    /// and name, and only a pipeline's directory had no slash at its end.
    pub fn state_key(&self) -> String {
        let slash =
            if matches!(self.target, Target::ServicePipeline { .. }) || self.path.is_empty() { "" } else { "/" };
        format!("{}{slash}terraform.tfstate", self.path)
    }

    /// The name by which the site's choices are looked up.
    pub fn site_key(&self) -> &str {
        self.environment.as_deref().unwrap_or("pipeline")
    }

    /// The directory as messages name it.
    pub fn shown(&self) -> &str {
        if self.path.is_empty() { "." } else { &self.path }
    }
}

/// The environment that the values name, for metadata of the preview.
fn environment_of_values(folder: &Path) -> Option<String> {
    let path = folder.join("proton.auto.tfvars.json");
    let values = json(&path, &fs::read(&path).ok()?).ok()?;
    values["environment"]["name"].as_str().map(str::to_owned)
}

/// Reads JSON that an editor may have put a mark in front of.
pub(super) fn json(path: &Path, bytes: &[u8]) -> Result<Value, DirectoryError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    serde_json::from_slice(bytes).map_err(|source| DirectoryError::NotJson { path: path.to_owned(), source })
}

/// The repository's root: where `.git` is, or else the outermost folder with an `env_config.json`; else the folder itself.
fn root_of(folder: &Path) -> PathBuf {
    if let Some(root) = folder.ancestors().find(|folder| folder.join(".git").exists()) {
        return root.to_owned();
    }
    let configured = folder.ancestors().filter(|folder| folder.join(super::site::FILE).is_file());
    configured.last().unwrap_or(folder).to_owned()
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    const SCOPE: &str = "arn:aws:proton:eu-west-1:123456789012:";

    pub(in crate::runner) fn of(path: &str, metadata: &Value) -> Result<Directory, DirectoryError> {
        Directory::of(metadata, METADATA.into(), Path::new("/r").join(path), "/r".into(), path.into())
    }

    pub(in crate::runner) fn resource(path: &str, arn: &str, environment: Option<&str>, deleted: bool) -> Directory {
        let mut facts = json!({ "arn": format!("{SCOPE}{arn}") });
        if let Some(environment) = environment {
            facts["environmentArn"] = json!(format!("{SCOPE}environment/{environment}"));
        }
        let id = if deleted { DELETED } else { "a149878a-4688-4369-84ba-e7569404acab" };
        of(path, &json!({ "deploymentId": id, "isResourceDeleted": deleted, "resourceMetadata": facts })).unwrap()
    }

    #[test]
    fn keys_of_the_state_are_those_of_the_sample_workflow() {
        let key = |path: &str, arn: &str| resource(path, arn, Some("e"), false).state_key();
        assert_eq!(key("e", "environment/e"), "e/terraform.tfstate");
        assert_eq!(key("e/s-i", "service/s/service-instance/i"), "e/s-i/terraform.tfstate");
        assert_eq!(key("s/pipeline", "service/s/pipeline"), "s/pipelineterraform.tfstate");
        assert_eq!(key("environments/e", "environment/e"), "environments/e/terraform.tfstate");
    }

    #[test]
    fn a_component_says_where_it_lies_and_what_it_is_attached_to() {
        let component = json!({
            "deploymentId": "d-1", "isResourceDeleted": false,
            "componentMetadata": {
                "arn": format!("{SCOPE}component/bucket"),
                "environmentArn": format!("{SCOPE}environment/dev"),
                "serviceArn": format!("{SCOPE}service/s"),
                "serviceInstanceArn": format!("{SCOPE}service/s/service-instance/i"),
                "componentType": "default"
            }
        });
        let read = of("dev/components/bucket", &component).unwrap();
        assert_eq!(read.environment.as_deref(), Some("dev"));
        assert_eq!(read.attached_to, Some(Target::ServiceInstance { service: "s".into(), name: "i".into() }));
        assert_eq!(read.scope.region, "eu-west-1");
    }

    #[test]
    fn the_sentinel_alone_says_that_a_resource_is_deleted() {
        let old = json!({ "deploymentId": DELETED, "resourceMetadata": { "arn": format!("{SCOPE}environment/e") } });
        let read = of("e", &old).unwrap();
        assert!(read.deleted && read.deployment_id.is_none());
        let earlier = json!({
            "deploymentId": "d-1", "isResourceDeleted": true,
            "resourceMetadata": { "arn": format!("{SCOPE}environment/e") }
        });
        assert_eq!(of("e", &earlier).unwrap().deployment_id.as_deref(), Some("d-1"));
    }

    #[test]
    fn metadata_that_names_nothing_is_refused_with_the_file() {
        let text = |value: &Value| of("e", value).unwrap_err().to_string();
        assert!(text(&json!({ "deploymentId": "d" })).contains("names no resource"));
        let instance = json!({ "resourceMetadata": { "arn": format!("{SCOPE}service/s/service-instance/i") } });
        assert!(text(&instance).contains("environmentArn is missing"));
        assert!(
            text(&json!({ "resourceMetadata": { "arn": format!("{SCOPE}environment/e") } })).contains("no deployment")
        );
    }

    #[test]
    fn the_root_is_found_from_a_directory_below() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("dev/api-prod/.proton")).unwrap();
        fs::create_dir(root.join(".git")).unwrap();
        let metadata = json!({
            "deploymentId": "d-1", "isResourceDeleted": false,
            "resourceMetadata": { "arn": format!("{SCOPE}service/api/service-instance/prod") }
        });
        // As an editor of another system leaves it, and without the environment, as in the preview.
        let text = format!("\u{feff}{}", metadata.to_string().replace(',', ",\r\n"));
        fs::write(root.join("dev/api-prod").join(METADATA), text).unwrap();
        fs::write(root.join("dev/api-prod/proton.auto.tfvars.json"), r#"{"environment":{"name":"dev"}}"#).unwrap();
        let read = Directory::read(&root.join("dev/api-prod")).unwrap();
        assert_eq!((read.root, read.path.as_str()), (root.clone(), "dev/api-prod"));
        assert_eq!(read.environment.as_deref(), Some("dev"));
        assert!(matches!(Directory::read(&root.join("none")), Err(DirectoryError::NoMetadata(_))));
    }
}
