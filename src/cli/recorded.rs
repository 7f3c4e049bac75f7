//! A recorded deployment, made once more on this machine: from the bundle and the inputs that lie in the object store.

use anyhow::{Context, anyhow};
use bytes::Bytes;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::remote::Remote;
use super::{Exit, Failure};
use crate::domain::{Role, Target, lock_key, open_bundle_of};
use crate::eject::Masked;
use crate::objects::{ObjectUri, ObjectsError};
use crate::renderer::{self, Metadata, Rendered, Request};

/// What a deployment was made of.
pub(super) struct Recorded {
    archive: Bytes,
    bundle: ObjectUri,
    /// Sealed values are masked.
    pub(super) inputs: Value,
}

impl Recorded {
    /// Reads both.
    ///
    /// # Errors
    /// Addresses that are none, and what the object store refuses.
    pub(super) async fn read(remote: &Remote, bundle: &str, inputs: &str) -> Result<Self, Failure> {
        let (bundle, inputs) = (uri(bundle)?, uri(inputs)?);
        let archive = remote.objects.get(&bundle).await.with_context(|| format!("reading {bundle}"))?;
        let bytes = remote.objects.get(&inputs).await.with_context(|| format!("reading {inputs}"))?;
        let inputs = serde_json::from_slice(&bytes).with_context(|| format!("{inputs} isn't JSON"))?;
        Ok(Self { archive, bundle, inputs })
    }

    /// Fills in sealed values, as `output` knows them: of which target, by which name.
    ///
    /// # Errors
    /// One that it doesn't know.
    pub(super) fn unseal(
        &mut self,
        sealed: &[Masked],
        output: impl Fn(&Target, &str) -> Option<String>,
    ) -> Result<(), Failure> {
        for it in sealed {
            let value = output(&it.producer, &it.output);
            let Some((place, value)) = self.inputs.pointer_mut(&it.pointer).zip(value) else {
                let error = anyhow!("the sensitive output {} of {} isn't in its state", it.output, it.producer);
                return Err(Failure::new(Exit::Unexpected, error).hint("deploy it once more, then try again"));
            };
            *place = value.into();
        }
        Ok(())
    }

    /// Renders the target's files from the inputs as they are by now.
    ///
    /// # Errors
    /// What is wrong with the bundle.
    pub(super) fn rendered(&self, target: &Target, arn: &str, metadata: Metadata) -> Result<Rendered, Failure> {
        let invalid = |problems| Failure::new(Exit::InvalidBundle, anyhow!("{target}: {problems}"));
        let bundle = open_bundle_of(target, &self.archive).map_err(invalid)?;
        let part = bundle
            .part_for(target)
            .ok_or_else(|| Failure::new(Exit::InvalidBundle, anyhow!("the bundle of {target} has no part for it")))?;
        let request = Request { target, arn, part, inputs: &self.inputs, metadata, stack_template_url: None };
        renderer::render(&request).map_err(invalid)
    }

    /// The provider lock that the template version keeps.
    ///
    /// # Errors
    /// What the object store refuses.
    pub(super) async fn lock(&self, remote: &Remote, target: &Target) -> Result<Option<Vec<u8>>, Failure> {
        let digest = hex::encode(Sha256::digest(&self.archive));
        let uri = ObjectUri::new(&self.bundle.bucket, lock_key(&digest, Role::of(target)));
        match remote.objects.get(&uri).await {
            Ok(lock) => Ok(Some(lock.to_vec())),
            Err(ObjectsError::NotFound { .. }) => Ok(None),
            Err(error) => Err(anyhow::Error::new(error).context(format!("reading {uri}")).into()),
        }
    }
}

fn uri(text: &str) -> Result<ObjectUri, Failure> {
    text.parse().map_err(|error| Failure::new(Exit::Unexpected, anyhow!("{text}: {error}")))
}
