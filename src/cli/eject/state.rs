//! The states: where they lie now, and how they come to where they shall lie.

use std::fs;
use std::path::Path;

use anyhow::{Context, anyhow};
use bytes::Bytes;
use hadron_model::hadron::{BlockStateInput, BlockStateOutput, GetStateVersionInput, GetStateVersionOutput, Operation};
use serde_json::Value;

use super::targets::Ejected;
use super::{EjectArgs, Root};
use crate::cli::remote::{self, Remote};
use crate::cli::{Exit, Failure};
use crate::domain::{proton_outputs, state_key};
use crate::eject::StatePlace;
use crate::objects::{ObjectUri, Objects, ObjectsConfig, ObjectsError};
use crate::settings::Resolved;

/// A target's state today.
#[derive(Debug, Clone)]
pub(super) enum Found {
    /// Nothing was ever applied.
    None,
    /// The control plane keeps it.
    Kept(Document),
    /// It lies in the site's bucket already, and stays there.
    InBucket(Document, ObjectUri),
}

/// A state as Terraform wrote it.
#[derive(Debug, Clone)]
pub(super) struct Document {
    text: String,
    json: Value,
}

impl Document {
    fn parse(text: String) -> Result<Self, Failure> {
        let json = serde_json::from_str(&text).context("a state isn't JSON")?;
        Ok(Self { text, json })
    }

    fn stamp(&self) -> (Option<&str>, i64) {
        (self.json["lineage"].as_str(), self.json["serial"].as_i64().unwrap_or_default())
    }
}

impl Found {
    fn document(&self) -> Option<&Document> {
        match self {
            Self::None => None,
            Self::Kept(document) | Self::InBucket(document, _) => Some(document),
        }
    }

    pub(super) fn serial(&self) -> Option<i64> {
        self.document().map(|document| document.stamp().1)
    }

    /// An output as Proton's text.
    pub(super) fn output(&self, name: &str) -> Option<String> {
        let value = &self.document()?.json["outputs"][name]["value"];
        proton_outputs([(name, value, true)]).outputs.pop().map(|output| output.text)
    }
}

/// Where the states shall lie.
pub(super) enum Store {
    Bucket { objects: Objects, bucket: String, prefix: String, region: String, endpoint: Option<String> },
    Beside,
}

impl Store {
    pub(super) async fn new(settings: &Resolved, args: &EjectArgs) -> Result<Self, Failure> {
        let Some(url) = &args.state else { return Ok(Self::Beside) };
        let rest = url.strip_prefix("s3://").unwrap_or_default();
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            let error = anyhow!("--state {url}: it is s3://BUCKET or s3://BUCKET/PREFIX");
            return Err(Failure::new(Exit::Usage, error));
        }
        let region = match args.state_region.clone().or_else(|| settings.text("state.region")) {
            Some(region) => region,
            None => settings.value("region")?,
        };
        let endpoint = args.state_endpoint.clone().or_else(|| settings.text("state.endpoint"));
        let objects = Objects::new(ObjectsConfig {
            endpoint: endpoint.clone(),
            region: region.clone(),
            credentials: None,
            path_style: endpoint.is_some(),
            trust: crate::cli::trust::of(settings)?,
        });
        let prefix = prefix.trim_end_matches('/');
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Ok(Self::Bucket { objects: objects.await, bucket: bucket.to_owned(), prefix, region, endpoint })
    }

    /// Where the state of a root shall lie.
    pub(super) fn place(&self, folder: &str, state: &Found) -> StatePlace {
        match (self, state) {
            (Self::Bucket { region, endpoint, .. }, Found::InBucket(_, uri)) => StatePlace::S3 {
                bucket: uri.bucket.clone(),
                key: uri.key.clone(),
                region: region.clone(),
                endpoint: endpoint.clone(),
            },
            (Self::Bucket { bucket, prefix, region, endpoint, .. }, _) => StatePlace::S3 {
                bucket: bucket.clone(),
                key: format!("{prefix}{folder}/terraform.tfstate"),
                region: region.clone(),
                endpoint: endpoint.clone(),
            },
            (Self::Beside, _) => StatePlace::Beside,
        }
    }

    /// Puts a root's state there, byte for byte, so that lineage and serial stay. What is there already must be an earlier
    /// state of the same lineage.
    pub(super) async fn keep(&self, root: &Root, dir: &Path) -> Result<(), Failure> {
        let (Found::Kept(document) | Found::InBucket(document, _)) = &root.state else { return Ok(()) };
        match (self, &root.state) {
            (Self::Bucket { .. }, Found::InBucket(..)) => Ok(()),
            (Self::Bucket { objects, .. }, _) => {
                let StatePlace::S3 { bucket, key, .. } = self.place(&root.folder, &root.state) else { return Ok(()) };
                put(objects, &ObjectUri::new(bucket, key), document).await
            }
            (Self::Beside, _) => {
                let path = dir.join(&root.folder).join("terraform.tfstate");
                if let Ok(there) = fs::read_to_string(&path) {
                    must_continue(&Document::parse(there)?, document, &path.display().to_string())?;
                }
                crate::support::files::write_atomically(&path, document.text.as_bytes())
                    .with_context(|| format!("writing {}", path.display()))?;
                Ok(())
            }
        }
    }
}

async fn put(objects: &Objects, uri: &ObjectUri, document: &Document) -> Result<(), Failure> {
    let writing = || format!("writing {uri}");
    let bytes = Bytes::from(document.text.clone());
    if objects.put_new(uri, bytes.clone(), "application/json").await.with_context(writing)? {
        return Ok(());
    }
    let there = objects.get(uri).await.with_context(|| format!("reading {uri}"))?;
    if there == bytes {
        return Ok(());
    }
    let there = Document::parse(String::from_utf8_lossy(&there).into_owned())?;
    must_continue(&there, document, &uri.to_string())?;
    objects.put(uri, bytes, "application/json").await.with_context(writing)?;
    Ok(())
}

fn must_continue(there: &Document, document: &Document, place: &str) -> Result<(), Failure> {
    let ((lineage, serial), (ours, newer)) = (there.stamp(), document.stamp());
    if there.text == document.text || (lineage == ours && serial < newer) {
        return Ok(());
    }
    Err(Failure::new(
        Exit::StateAtRisk,
        anyhow!(
            "{place} holds another state: lineage {}, serial {serial}; ours has serial {newer}",
            lineage.unwrap_or("unknown")
        ),
    )
    .hint("choose another prefix, or move that state away if nobody needs it"))
}

/// A target's state today: what the control plane keeps, else what lies in the site's bucket by the sample workflow's key.
pub(super) async fn find(remote: &Remote, store: &Store, ejected: &Ejected) -> Result<Found, Failure> {
    let input = GetStateVersionInput { target_arn: ejected.arn.clone(), serial: None, parked: None };
    let kept = remote.hadron.call::<_, GetStateVersionOutput>(Operation::GetStateVersion, &input).await;
    match kept {
        Ok(GetStateVersionOutput { body, .. }) => return Ok(Found::Kept(Document::parse(body)?)),
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(remote::refused(error)),
    }
    let Store::Bucket { objects, bucket, .. } = store else { return Ok(Found::None) };
    let uri = ObjectUri::new(bucket, state_key(&ejected.target, &ejected.environment));
    match objects.get(&uri).await {
        Ok(bytes) => Ok(Found::InBucket(Document::parse(String::from_utf8_lossy(&bytes).into_owned())?, uri)),
        Err(ObjectsError::NotFound { .. }) => Ok(Found::None),
        Err(error) => Err(anyhow::Error::new(error).context(format!("reading {uri}")).into()),
    }
}

/// Blocks the state that Hadron keeps, so that nobody changes it here once it has moved; and reads it once more, since a
/// deployment may have ended meanwhile.
pub(super) async fn close(remote: &Remote, root: &Root, store: &Store) -> Result<(), Failure> {
    let Found::Kept(document) = &root.state else { return Ok(()) };
    let place = match store.place(&root.folder, &root.state) {
        StatePlace::S3 { bucket, key, .. } => format!("s3://{bucket}/{key}"),
        StatePlace::Beside => format!("{}/terraform.tfstate", root.folder),
    };
    let input = BlockStateInput {
        target_arn: root.ejected.arn.clone(),
        reason: format!("ejected: its state has moved to {place}"),
    };
    let BlockStateOutput { state } =
        remote.hadron.call(Operation::BlockState, &input).await.map_err(remote::refused)?;
    if state.serial != document.stamp().1 {
        let target = &root.ejected.target;
        return Err(Failure::new(Exit::Unexpected, anyhow!("{target} was deployed meanwhile"))
            .hint("it is blocked now: eject once more, into a new folder"));
    }
    Ok(())
}
