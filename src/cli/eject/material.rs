//! A target's files as its last deployment rendered them, secrets filled in.

use std::collections::BTreeMap;

use anyhow::anyhow;

use super::state::Found;
use super::targets::Ejected;
use crate::agent::EnvironmentConfig;
use crate::cli::recorded::Recorded;
use crate::cli::remote::{self, Remote};
use crate::cli::{Exit, Failure};
use crate::domain::{Files, LOCK_FILE, Target};
use crate::eject::{divided, masked, plain};
use crate::renderer::{self, Metadata};

/// The variables whose values hold secrets; Terraform reads it by itself.
pub(super) const SECRETS: &str = "secrets.auto.tfvars.json";

/// Renders what a target's deployment rendered: a root's files, but for its backend.
pub(super) async fn of(
    site: &EnvironmentConfig,
    remote: &Remote,
    ejected: &Ejected,
    states: &BTreeMap<Target, Found>,
) -> Result<Files, Failure> {
    let deployment = remote.proton.deployment(&ejected.deployment).await.map_err(remote::failure)?;
    let work = remote.proton.work(&deployment.arn).await.map_err(remote::failure)?;
    let (Some(bundle), Some(inputs)) = (work.bundle, work.inputs) else {
        let error = anyhow!("deployment {} doesn't say where its bundle and inputs lie", deployment.id);
        return Err(Failure::new(Exit::Unexpected, error));
    };
    let mut recorded = Recorded::read(remote, &bundle, &inputs).await?;
    let sealed = masked(&recorded.inputs);
    recorded.unseal(&sealed, |producer, output| states.get(producer)?.output(output))?;
    let mut files = rendered(ejected, &recorded)?;
    let lock = recorded.lock(remote, &ejected.target).await?;
    if let (open, Some(secret)) = divided(recorded.inputs, &sealed) {
        files.extend([renderer::values_file(&open), (SECRETS.to_owned(), renderer::values_file(&secret).1)]);
    }
    site.add_site(&mut files).map_err(anyhow::Error::new)?;
    if let Some(lock) = lock {
        files.entry(LOCK_FILE.to_owned()).or_insert(lock);
    }
    Ok(files)
}

fn rendered(ejected: &Ejected, recorded: &Recorded) -> Result<Files, Failure> {
    let rendered = recorded.rendered(&ejected.target, &ejected.arn, Metadata::default())?;
    if rendered.large_template.is_some() {
        let words = "its CloudFormation template has over 51,200 bytes, which a root can't hold";
        return Err(Failure::new(Exit::InvalidBundle, anyhow!("{}: {words}", ejected.target))
            .hint("split the template, or move that stack by hand and delete the target from Hadron's record"));
    }
    Ok(plain(rendered.files, &ejected.arn))
}
