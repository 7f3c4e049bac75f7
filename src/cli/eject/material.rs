//! A target's files as its last deployment rendered them, secrets filled in.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, anyhow};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::state::Found;
use super::targets::Ejected;
use crate::cli::remote::{self, Remote};
use crate::cli::{Exit, Failure};
use crate::domain::{Files, LOCK_FILE, Role, Target, lock_key, open_bundle_of};
use crate::eject::{Masked, divided, masked, plain};
use crate::objects::{ObjectUri, ObjectsError};
use crate::renderer::{self, Metadata, Request};
use crate::settings::Resolved;

/// The site's own variables.
const SITE_VARIABLES: &str = "hadron_site.auto.tfvars.json";

/// The variables whose values hold secrets; Terraform reads it by itself.
pub(super) const SECRETS: &str = "secrets.auto.tfvars.json";

/// Renders what a target's deployment rendered: a root's files, but for its backend.
pub(super) async fn of(
    settings: &Resolved,
    remote: &Remote,
    ejected: &Ejected,
    states: &BTreeMap<Target, Found>,
) -> Result<Files, Failure> {
    let deployment = remote.proton.deployment(&ejected.deployment).await.map_err(remote::failure)?;
    let work = remote.proton.work(&deployment.arn).await.map_err(remote::failure)?;
    let (Some(bundle), Some(inputs)) = (work.bundle, work.inputs) else {
        return Err(Failure::new(
            Exit::Unexpected,
            anyhow!("deployment {} doesn't say where its bundle and inputs lie", deployment.id),
        ));
    };
    let (bundle, inputs): (ObjectUri, ObjectUri) = (uri(&bundle)?, uri(&inputs)?);
    let archive = remote.objects.get(&bundle).await.with_context(|| format!("reading {bundle}"))?;
    let inputs = remote.objects.get(&inputs).await.with_context(|| format!("reading {inputs}"))?;
    let mut inputs: Value = serde_json::from_slice(&inputs).context("the inputs of a deployment aren't JSON")?;
    let sealed = masked(&inputs);
    unseal(&mut inputs, &sealed, states)?;
    let mut files = rendered(ejected, &archive, &inputs)?;
    if let (open, Some(secret)) = divided(inputs, &sealed) {
        files.extend([renderer::values_file(&open), (SECRETS.to_owned(), renderer::values_file(&secret).1)]);
    }
    let digest = hex::encode(Sha256::digest(&archive));
    if let Some(lock) = lock(remote, &bundle.bucket, &digest, &ejected.target).await? {
        files.entry(LOCK_FILE.to_owned()).or_insert(lock);
    }
    add_site(settings, &ejected.environment, &mut files)?;
    Ok(files)
}

fn uri(text: &str) -> Result<ObjectUri, Failure> {
    text.parse().map_err(|error| Failure::new(Exit::Unexpected, anyhow!("{text}: {error}")))
}

/// Fills in sealed outputs from the states that they come from.
fn unseal(inputs: &mut Value, sealed: &[Masked], states: &BTreeMap<Target, Found>) -> Result<(), Failure> {
    for it in sealed {
        let value = states.get(&it.producer).and_then(|state| state.output(&it.output));
        let Some((place, value)) = inputs.pointer_mut(&it.pointer).zip(value) else {
            return Err(Failure::new(
                Exit::Unexpected,
                anyhow!("the sensitive output {} of {} isn't in its state", it.output, it.producer),
            )
            .hint("deploy it once more, then eject"));
        };
        *place = value.into();
    }
    Ok(())
}

fn rendered(ejected: &Ejected, archive: &[u8], inputs: &Value) -> Result<Files, Failure> {
    let invalid = |problems| Failure::new(Exit::InvalidBundle, anyhow!("{}: {problems}", ejected.target));
    let bundle = open_bundle_of(&ejected.target, archive).map_err(invalid)?;
    let part = bundle.part_for(&ejected.target).ok_or_else(|| {
        Failure::new(Exit::InvalidBundle, anyhow!("the bundle of {} has no part for it", ejected.target))
    })?;
    let request = Request {
        target: &ejected.target,
        arn: &ejected.arn,
        part,
        inputs,
        metadata: Metadata::default(),
        stack_template_url: None,
    };
    let rendered = renderer::render(&request).map_err(invalid)?;
    if rendered.large_template.is_some() {
        return Err(Failure::new(
            Exit::InvalidBundle,
            anyhow!("{}: its CloudFormation template has over 51,200 bytes, which a root can't hold", ejected.target),
        )
        .hint("split the template, or move that stack by hand and delete the target from Hadron's record"));
    }
    Ok(plain(rendered.files, &ejected.arn))
}

/// The provider lock that the template version keeps.
async fn lock(remote: &Remote, bucket: &str, digest: &str, target: &Target) -> Result<Option<Vec<u8>>, Failure> {
    let uri = ObjectUri::new(bucket, lock_key(digest, Role::of(target)));
    match remote.objects.get(&uri).await {
        Ok(lock) => Ok(Some(lock.to_vec())),
        Err(ObjectsError::NotFound { .. }) => Ok(None),
        Err(error) => Err(anyhow::Error::new(error).context(format!("reading {uri}")).into()),
    }
}

/// What this site lays beside every root of an environment: its variables, and its overlay.
fn add_site(settings: &Resolved, environment: &str, files: &mut Files) -> Result<(), Failure> {
    let name = if environment.is_empty() { "pipeline" } else { environment };
    let environments = settings.environments();
    let Some(site) = environments.get(name).or_else(|| environments.get("*")) else { return Ok(()) };
    if !site.variables.is_empty() {
        let text = serde_json::to_vec_pretty(&site.variables).context("writing the site's variables")?;
        files.insert(SITE_VARIABLES.to_owned(), text);
    }
    if let Some(overlay) = &site.overlay {
        lay(overlay, overlay, files)?;
    }
    Ok(())
}

fn lay(overlay: &Path, folder: &Path, files: &mut Files) -> Result<(), Failure> {
    for entry in fs::read_dir(folder).with_context(|| format!("reading the overlay {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            lay(overlay, &path, files)?;
        } else if let Ok(name) = path.strip_prefix(overlay) {
            let bytes = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
            files.insert(name.to_string_lossy().into_owned(), bytes);
        }
    }
    Ok(())
}
