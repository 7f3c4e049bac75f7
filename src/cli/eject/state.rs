//! The states: where they lie now, and how they come to where they shall lie.

use std::cell::OnceCell;
use std::fs;
use std::path::Path;

use anyhow::{Context, anyhow};
use bytes::Bytes;
use hadron_model::hadron::{BlockStateInput, BlockStateOutput, Operation, StateAt};

use super::targets::Ejected;
use super::{EjectArgs, Root};
use crate::cli::buckets::Buckets;
use crate::cli::remote::{self, Remote};
use crate::cli::states::{self, Contents};
use crate::cli::{Exit, Failure};
use crate::domain::state_key;
use crate::eject::StatePlace;
use crate::objects::{ObjectUri, Objects, ObjectsError};
use crate::settings::Resolved;

/// A target's state today.
#[derive(Debug, Clone)]
pub(super) enum Found {
    /// Nothing was ever applied.
    None,
    /// The control plane keeps it.
    Kept(Document),
    /// It lies in a bucket already, and stays there.
    InBucket(Document, StateAt),
}

/// A state as Terraform wrote it.
#[derive(Debug, Clone)]
pub(super) struct Document {
    text: Vec<u8>,
    contents: Contents,
}

impl Document {
    fn parse(text: Vec<u8>) -> Result<Self, Failure> {
        let contents = Contents::read(&text).context("a state isn't one of Terraform's")?;
        Ok(Self { text, contents })
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
        self.document().map(|document| document.contents.serial)
    }

    /// An output as Proton's text.
    pub(super) fn output(&self, name: &str) -> Option<String> {
        self.document()?.contents.output(name)
    }
}

/// Where the states shall lie.
pub(super) enum Store {
    Bucket { bucket: String, prefix: String, region: String },
    Beside,
}

/// The states as they are, and where they shall lie.
pub(super) struct States<'s> {
    settings: &'s Resolved,
    /// Made when the first state lies in one, or shall.
    buckets: OnceCell<Buckets>,
    /// The S3 that keeps them, if not Amazon's.
    endpoint: Option<String>,
    /// The bucket that agents of this site use.
    site: Option<String>,
    /// Of every bucket that nobody names another one for.
    region: String,
    store: Store,
}

impl<'s> States<'s> {
    pub(super) fn new(settings: &'s Resolved, args: &EjectArgs) -> Result<Self, Failure> {
        let region = match args.state_region.clone().or_else(|| settings.text("state.region")) {
            Some(region) => region,
            None => settings.value("region")?,
        };
        let store = match &args.state {
            Some(url) => bucket(url, &region)?,
            None => Store::Beside,
        };
        let named = match &store {
            Store::Bucket { bucket, .. } => Some(bucket.clone()),
            Store::Beside => None,
        };
        let site = settings.text("state.bucket").or(named);
        let endpoint = args.state_endpoint.clone().or_else(|| settings.text("state.endpoint"));
        Ok(Self { settings, buckets: OnceCell::new(), endpoint, site, region, store })
    }

    fn buckets(&self) -> Result<&Buckets, Failure> {
        if self.buckets.get().is_none() {
            let made = Buckets::of(self.settings)?.at(self.endpoint.clone());
            self.buckets.set(made).ok();
        }
        Ok(self.buckets.get().expect("it was made"))
    }

    /// Where the state of a root shall lie.
    pub(super) fn place(&self, folder: &str, state: &Found) -> StatePlace {
        let endpoint = self.endpoint.clone();
        match (&self.store, state) {
            (_, Found::InBucket(_, at)) => StatePlace::S3 {
                bucket: at.bucket.clone(),
                key: at.key.clone(),
                region: at.region.clone().unwrap_or_else(|| self.region.clone()),
                endpoint,
                role: at.role.clone(),
            },
            (Store::Bucket { bucket, prefix, region }, _) => StatePlace::S3 {
                bucket: bucket.clone(),
                key: format!("{prefix}{folder}/terraform.tfstate"),
                region: region.clone(),
                endpoint,
                role: None,
            },
            (Store::Beside, _) => StatePlace::Beside,
        }
    }

    /// Refuses a bucket that isn't there, while nothing is written and nobody's target is blocked.
    pub(super) async fn bucket_must_be_there(&self) -> Result<(), Failure> {
        let Store::Bucket { bucket, prefix, region } = &self.store else { return Ok(()) };
        let uri = ObjectUri::new(bucket, prefix);
        // Behind every key: what there is doesn't matter.
        match self.buckets()?.client(Some(region)).await.list(&uri, Some("\u{10ffff}")).await {
            Err(ObjectsError::NotFound { .. }) => Err(no_bucket(bucket)),
            // Whoever may write need not be allowed to list.
            _ => Ok(()),
        }
    }

    /// Puts a root's state there, byte for byte, so that lineage and serial stay. What is there already must be an earlier
    /// state of the same lineage.
    pub(super) async fn keep(&self, root: &Root, dir: &Path) -> Result<(), Failure> {
        let Found::Kept(document) = &root.state else { return Ok(()) };
        match self.place(&root.folder, &root.state) {
            StatePlace::S3 { bucket, key, region, .. } => {
                let objects = self.buckets()?.client(Some(&region)).await;
                put(&objects, &ObjectUri::new(bucket, key), document).await
            }
            StatePlace::Beside => {
                let path = dir.join(&root.folder).join("terraform.tfstate");
                if let Ok(there) = fs::read(&path) {
                    must_continue(&Document::parse(there)?, document, &path.display().to_string())?;
                }
                crate::support::files::write_atomically(&path, &document.text)
                    .with_context(|| format!("writing {}", path.display()))?;
                Ok(())
            }
        }
    }

    /// A target's state today: what the record knows of, else what lies in the site's bucket by the sample workflow's key.
    pub(super) async fn find(&self, remote: &Remote, ejected: &Ejected) -> Result<Found, Failure> {
        match states::find(remote, || self.buckets(), &ejected.arn).await? {
            Some(states::Found { text, at: None }) => return Ok(Found::Kept(Document::parse(text)?)),
            Some(states::Found { text, at: Some(at) }) => return Ok(Found::InBucket(Document::parse(text)?, at)),
            None => {}
        }
        let (Some(bucket), region) = (&self.site, &self.region) else { return Ok(Found::None) };
        let key = state_key(&ejected.target, &ejected.environment);
        let text = self.buckets()?.read((bucket, &key), Some(region)).await;
        let Some(text) = text.with_context(|| format!("reading s3://{bucket}/{key}"))? else { return Ok(Found::None) };
        let at = StateAt { bucket: bucket.clone(), key, region: Some(region.clone()), role: None };
        Ok(Found::InBucket(Document::parse(text)?, at))
    }
}

/// What `--state` names.
fn bucket(url: &str, region: &str) -> Result<Store, Failure> {
    let rest = url.strip_prefix("s3://").unwrap_or_default();
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.is_empty() {
        return Err(Failure::new(Exit::Usage, anyhow!("--state {url}: it is s3://BUCKET or s3://BUCKET/PREFIX")));
    }
    let prefix = prefix.trim_end_matches('/');
    let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
    Ok(Store::Bucket { bucket: bucket.to_owned(), prefix, region: region.to_owned() })
}

fn no_bucket(bucket: &str) -> Failure {
    Failure::new(Exit::Settings, anyhow!("the bucket {bucket} doesn't exist"))
        .hint(format!("make it: aws s3 mb s3://{bucket}"))
}

async fn put(objects: &Objects, uri: &ObjectUri, document: &Document) -> Result<(), Failure> {
    let writing = || format!("writing {uri}");
    let bytes = Bytes::from(document.text.clone());
    let new = objects.put_new(uri, bytes.clone(), "application/json").await;
    if let Err(ObjectsError::NotFound { .. }) = new {
        return Err(no_bucket(&uri.bucket));
    }
    if new.with_context(writing)? {
        return Ok(());
    }
    let there = objects.get(uri).await.with_context(|| format!("reading {uri}"))?;
    if there == bytes {
        return Ok(());
    }
    let there = Document::parse(there.to_vec())?;
    must_continue(&there, document, &uri.to_string())?;
    objects.put(uri, bytes, "application/json").await.with_context(writing)?;
    Ok(())
}

fn must_continue(there: &Document, document: &Document, place: &str) -> Result<(), Failure> {
    let (Contents { lineage, serial, .. }, ours) = (&there.contents, &document.contents);
    if there.text == document.text || (*lineage == ours.lineage && *serial < ours.serial) {
        return Ok(());
    }
    let lineage = if lineage.is_empty() { "unknown" } else { lineage };
    let newer = ours.serial;
    let error = anyhow!("{place} holds another state: lineage {lineage}, serial {serial}; ours has serial {newer}");
    Err(Failure::new(Exit::StateAtRisk, error)
        .hint("choose another prefix, or move that state away if nobody needs it"))
}

/// Blocks a target, so that nobody changes it from here once it has left; and looks at the state that Hadron keeps once
/// more, since a deployment may have ended meanwhile.
pub(super) async fn close(remote: &Remote, root: &Root, states: &States<'_>) -> Result<(), Failure> {
    let place = match states.place(&root.folder, &root.state) {
        StatePlace::S3 { bucket, key, .. } => format!("s3://{bucket}/{key}"),
        StatePlace::Beside => format!("{}/terraform.tfstate", root.folder),
    };
    let input = BlockStateInput {
        target_arn: root.ejected.arn.clone(),
        reason: format!("ejected: its state lies at {place} now"),
    };
    let BlockStateOutput { state } =
        remote.hadron.call(Operation::BlockState, &input).await.map_err(remote::refused)?;
    let Found::Kept(document) = &root.state else { return Ok(()) };
    if state.serial != document.contents.serial {
        let target = &root.ejected.target;
        return Err(Failure::new(Exit::Unexpected, anyhow!("{target} was deployed meanwhile"))
            .hint("it is blocked now: eject once more, into a new folder"));
    }
    Ok(())
}
