//! The beginning of a deployment.

use hadron_model::DeploymentStatus;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Deployments, TargetRecord};
use crate::control_plane::object_server::put_within;
use crate::control_plane::records::{Action, BundleRef, Deployment, TargetState};
use crate::control_plane::store::{StoreError, Stored, Transaction, Typed};
use crate::control_plane::wire::ProtonError;
use crate::domain::Target;
use crate::objects::ObjectUri;

/// The kind of the blobs that wait to be put into the bucket; their key is the object's address.
pub(super) const UNPUBLISHED: &str = "unpublished";

/// The resolved inputs of a deployment.
#[derive(Debug, Clone)]
pub(crate) struct Inputs {
    /// In the shape of `proton.auto.tfvars.json`; a sealed value shows as `***`.
    pub(crate) document: Value,
    /// The ciphertexts behind the `***`, by JSON pointer; see [`super::sealed`].
    pub(crate) sealed: Vec<(String, String)>,
}

/// Bytes that a deployment names and that must lie in the bucket before an agent may take it.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    /// `s3://bucket/FOLDER/sha256/DIGEST…`.
    pub(crate) address: String,
    /// SHA-256 of the bytes, in lower-case hexadecimal.
    pub(crate) digest: String,
    /// The object's content.
    pub(crate) bytes: Vec<u8>,
}

/// What to deploy. The target's document is in the record already, even at its first deployment.
#[derive(Debug, Clone)]
pub(crate) struct Begin {
    /// What is deployed.
    pub(crate) target: Target,
    /// Create or update; [`Deployments::delete`] does the third.
    pub(crate) action: Action,
    /// What the target shows once this has succeeded.
    pub(crate) target_state: TargetState,
    /// The bundle to render; a component's comes from [`Deployments::bundle_upload`].
    pub(crate) bundle: BundleRef,
    /// The inputs to render it with.
    pub(crate) inputs: Inputs,
    /// What else must be in the bucket: a component's bundle.
    pub(crate) uploads: Vec<Upload>,
}

impl Deployments {
    /// Begins a deployment: its document, its managed tags, the blobs that are to be published, and the target's
    /// progress, which becomes IN_PROGRESS. The initial state is that of the last deployment that succeeded, else of
    /// the last that was tried.
    ///
    /// # Errors
    /// `ConflictException` while another deployment of the target is under way.
    pub(crate) fn begin(&self, tx: &mut dyn Transaction, begin: Begin) -> Result<Stored<Deployment>, ProtonError> {
        let record = self.load(tx, &begin.target)?;
        self.must_be_idle(tx, &record, &begin.target)?;
        self.refuse_quarantined(tx, &begin.target)?;
        let inputs = self.inputs_upload(&begin.inputs.document)?;
        let mut deployment = self.draft(tx, &record, &begin.target, (begin.action, begin.target_state))?;
        deployment.initial_state = self.state_before(tx, &record)?;
        deployment.bundle = BundleRef { uri: self.in_todays_bucket(&begin.bundle.uri), ..begin.bundle };
        deployment.sealed_inputs = begin.inputs.sealed;
        deployment.inputs_uri.clone_from(&inputs.address);
        self.put_or_leave(tx, &mut deployment, begin.uploads.into_iter().chain([inputs]))?;
        self.start(tx, record, &deployment)
    }

    /// Puts what a deployment names into the bucket, where that can be done here and now, in this very transaction; else
    /// leaves it in the record until somebody has put it there.
    pub(super) fn put_or_leave(
        &self,
        tx: &mut dyn Transaction,
        deployment: &mut Deployment,
        uploads: impl Iterator<Item = Upload>,
    ) -> Result<(), StoreError> {
        for upload in uploads {
            if self.settings.serves_objects && self.put_now(tx, &upload)? {
                continue;
            }
            tx.put_blob(&self.scope, UNPUBLISHED, &upload.address, &upload.bytes)?;
            deployment.unpublished.push(upload.address);
        }
        Ok(())
    }

    fn put_now(&self, tx: &mut dyn Transaction, upload: &Upload) -> Result<bool, StoreError> {
        let Ok(uri) = upload.address.parse::<ObjectUri>() else { return Ok(false) };
        put_within(tx, self.now, &uri, content_type(&upload.address), &upload.bytes)
    }

    /// The target's document.
    ///
    /// # Errors
    /// `ResourceNotFoundException` if there is none.
    pub(crate) fn load(&self, tx: &mut dyn Transaction, target: &Target) -> Result<TargetRecord, ProtonError> {
        TargetRecord::load(tx, &self.scope, target)?
            .ok_or_else(|| ProtonError::not_found(format!("{target} doesn't exist")))
    }

    /// Refuses a second deployment of a target at a time. What counts is the deployment, not the status that the target
    /// shows: a pipeline is IN_PROGRESS while it still waits for its instances.
    ///
    /// # Errors
    /// `ConflictException` that names the deployment under way.
    pub(crate) fn must_be_idle(
        &self,
        tx: &mut dyn Transaction,
        record: &TargetRecord,
        target: &Target,
    ) -> Result<(), ProtonError> {
        let progress = record.progress();
        let Some(id) = &progress.last_attempted_deployment_id else { return Ok(()) };
        match tx.get::<Deployment>(&self.scope, id)? {
            Some(last) if last.in_flight() => {
                Err(ProtonError::conflict(format!("{target} is {}: deployment {id} is still under way", last.status)))
            }
            _ => Ok(()),
        }
    }

    /// Refuses to answer the repeat of a create with a target that is about to vanish.
    ///
    /// # Errors
    /// As [`Self::must_be_idle`].
    pub(crate) fn must_not_be_leaving(
        &self,
        tx: &mut dyn Transaction,
        record: &TargetRecord,
        target: &Target,
    ) -> Result<(), ProtonError> {
        match record.progress().status {
            DeploymentStatus::DeleteInProgress => self.must_be_idle(tx, record, target),
            _ => Ok(()),
        }
    }

    /// An address in the record, in the bucket that the settings name now. Objects keep their keys when they move.
    pub(super) fn in_todays_bucket(&self, address: &str) -> String {
        match address.parse::<ObjectUri>() {
            Ok(uri) => ObjectUri::new(&self.settings.bucket, uri.key).to_string(),
            Err(_) => address.to_owned(),
        }
    }

    /// Bytes to be published as `s3://bucket/bundles/sha256/DIGEST`.
    pub(crate) fn bundle_upload(&self, bytes: Vec<u8>) -> (BundleRef, Upload) {
        let upload = self.upload("bundles", "", bytes);
        (BundleRef { uri: upload.address.clone(), digest: upload.digest.clone() }, upload)
    }

    pub(super) fn inputs_upload(&self, document: &Value) -> Result<Upload, ProtonError> {
        Ok(self.upload("inputs", ".json", serde_json::to_vec_pretty(document)?))
    }

    fn upload(&self, folder: &str, ending: &str, bytes: Vec<u8>) -> Upload {
        let digest = hex::encode(Sha256::digest(&bytes));
        Upload { address: format!("s3://{}/{folder}/sha256/{digest}{ending}", self.settings.bucket), digest, bytes }
    }

    /// A deployment of a target in its present state, without bundle, inputs and initial state.
    pub(super) fn draft(
        &self,
        tx: &mut dyn Transaction,
        record: &TargetRecord,
        target: &Target,
        (action, target_state): (Action, TargetState),
    ) -> Result<Deployment, StoreError> {
        let progress = record.progress();
        let environment = record.environment().to_owned();
        let state_key = self.claim_state_key(tx, target, &environment)?;
        Ok(Deployment {
            id: uuid::Uuid::new_v4().to_string(),
            action,
            target: target.clone(),
            target_arn: target.arn(&self.scope),
            target_created_at: record.created_at(),
            environment,
            status: match action {
                Action::Create | Action::Update => DeploymentStatus::InProgress,
                Action::Delete => DeploymentStatus::DeleteInProgress,
            },
            message: state_key.warning,
            created_at: self.now,
            last_modified_at: self.now,
            completed_at: None,
            initial_state: None,
            target_state,
            bundle: BundleRef { uri: String::new(), digest: String::new() },
            inputs_uri: String::new(),
            sealed_inputs: Vec::new(),
            state_key: state_key.key,
            outputs: Vec::new(),
            epoch: 0,
            lease: None,
            offer: None,
            ever_claimed: false,
            last_attempted_deployment_id: progress.last_attempted_deployment_id.clone(),
            last_succeeded_deployment_id: progress.last_succeeded_deployment_id.clone(),
            executor: record.executor(tx, &self.scope)?,
            unpublished: Vec::new(),
            last_claimed_by: None,
            claimers: Vec::new(),
            approval: None,
            imported: false,
        })
    }

    /// The target state of the last deployment that succeeded, else of the last that was tried.
    fn state_before(&self, tx: &mut dyn Transaction, record: &TargetRecord) -> Result<Option<TargetState>, StoreError> {
        let progress = record.progress();
        let last = progress.last_succeeded_deployment_id.as_ref().or(progress.last_attempted_deployment_id.as_ref());
        let Some(id) = last else { return Ok(None) };
        Ok(tx.get::<Deployment>(&self.scope, id)?.map(|last| last.value.target_state))
    }

    /// Puts a drafted deployment into the record and its target under way.
    pub(super) fn start(
        &self,
        tx: &mut dyn Transaction,
        mut record: TargetRecord,
        deployment: &Deployment,
    ) -> Result<Stored<Deployment>, ProtonError> {
        tx.add(&self.scope, deployment)?;
        self.tag(tx, deployment)?;
        // A pipeline has a history before its first deployment: it waits for the instances.
        let first =
            record.progress().last_attempted_deployment_id.is_none() && !matches!(record, TargetRecord::Pipeline(_));
        let progress = record.progress_mut();
        let previous = (!first).then_some(progress.status);
        progress.status = deployment.status;
        progress.message = None;
        progress.last_attempted_deployment_id = Some(deployment.id.clone());
        progress.last_attempted_at = self.now;
        record.save(tx, &self.scope)?;
        self.note_change(tx, &deployment.target, previous, Some(deployment.status))?;
        Ok(tx.get(&self.scope, &deployment.id)?.expect("a document that was just added is there"))
    }
}

/// What an object of the bucket is served as.
pub(super) fn content_type(address: &str) -> &'static str {
    let json = std::path::Path::new(address).extension().is_some_and(|ending| ending == "json");
    if json { "application/json" } else { "application/gzip" }
}
