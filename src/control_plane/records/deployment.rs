//! Deployments: one attempt to bring a target to a state, and who works on it.

use hadron_model::DeploymentStatus;
use hadron_model::hadron::Decision;
use serde::{Deserialize, Serialize};

use super::{BundleRef, VersionRef};
use crate::control_plane::store::{Document, Term};
use crate::domain::Target;

/// What a deployment does to its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "self-explanatory")]
pub enum Action {
    Create,
    Update,
    Delete,
}

impl Action {
    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// An output as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "self-explanatory")]
pub enum Output {
    Plain {
        key: String,
        value: String,
    },
    /// Encrypted under the master key; shown as `***`.
    Sealed {
        key: String,
        ciphertext: String,
    },
}

impl Output {
    /// The output's name.
    pub fn key(&self) -> &str {
        match self {
            Self::Plain { key, .. } | Self::Sealed { key, .. } => key,
        }
    }
}

/// Where a target stands: the part that environments, instances, pipelines and components share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Proton's own names")]
pub struct Progress {
    pub status: DeploymentStatus,
    pub message: Option<String>,
    pub last_attempted_deployment_id: Option<String>,
    pub last_succeeded_deployment_id: Option<String>,
    pub last_attempted_at: i64,
    pub last_succeeded_at: Option<i64>,
    /// The outputs of the last deployment that succeeded.
    pub outputs: Vec<Output>,
}

impl Progress {
    /// A target whose first deployment is about to start.
    pub fn starting(now: i64) -> Self {
        Self {
            status: DeploymentStatus::InProgress,
            message: None,
            last_attempted_deployment_id: None,
            last_succeeded_deployment_id: None,
            last_attempted_at: now,
            last_succeeded_at: None,
            outputs: Vec::new(),
        }
    }

    /// Whether an agent is, or will be, at work on the target.
    pub fn in_flight(&self) -> bool {
        use DeploymentStatus as S;
        matches!(self.status, S::InProgress | S::Cancelling | S::DeleteInProgress)
    }
}

/// What a deployment starts from or leads to; the members that apply depend on the target.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Proton's own names")]
pub struct TargetState {
    /// None for components.
    pub template: Option<VersionRef>,
    /// The spec; for components the serviceSpec.
    pub spec: Option<String>,
    /// Components only.
    pub template_file: Option<String>,
    /// Components only: the service and instance it is attached to.
    pub attached_to: Option<(String, String)>,
    /// Instances only: the deployments whose outputs this one was given.
    pub environment_deployment_id: Option<String>,
    pub pipeline_deployment_id: Option<String>,
    pub component_deployment_ids: Vec<String>,
}

/// Who works on a deployment, and until when without a sign of life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "see contracts: claim, heartbeat, fencing")]
pub struct Lease {
    pub agent: String,
    pub access_key: String,
    /// When this claim was made; leases of older records don't say.
    #[serde(default)]
    pub since: i64,
    pub expires_at: i64,
}

/// A plan that a person decides on before it is applied. It belongs to one claim: whoever claims next plans anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "self-explanatory")]
pub struct Approval {
    /// SHA-256 of the plan file, in lower-case hexadecimal.
    pub digest: String,
    /// `N to add, N to change, N to destroy`.
    pub summary: String,
    /// The principal that asked, which may not decide.
    pub asked_by: String,
    pub asked_at: i64,
    /// None while it is awaited.
    pub decision: Option<Decision>,
    /// The principal that decided.
    pub decided_by: Option<String>,
    pub decided_at: Option<i64>,
    pub comment: Option<String>,
}

/// One deployment.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Proton's own names")]
pub struct Deployment {
    pub id: String,
    pub action: Action,
    pub target: Target,
    pub target_arn: String,
    pub target_created_at: i64,
    /// The environment it happens in; empty for pipelines.
    pub environment: String,
    pub status: DeploymentStatus,
    pub message: Option<String>,
    pub created_at: i64,
    pub last_modified_at: i64,
    pub completed_at: Option<i64>,
    pub initial_state: Option<TargetState>,
    pub target_state: TargetState,
    pub bundle: BundleRef,
    /// `s3://bucket/inputs/sha256/DIGEST`: the resolved inputs in tfvars shape, sealed values shown as `***`.
    pub inputs_uri: String,
    /// Sealed values by JSON pointer into the inputs; given only to the claimer of this deployment.
    pub sealed_inputs: Vec<(String, String)>,
    /// The state key this target has in an S3 bucket.
    pub state_key: String,
    /// What the agent reported with its last outputs; become the target's when it succeeds.
    pub outputs: Vec<Output>,
    /// Counts the claims; a later notify must carry the current one.
    pub epoch: i64,
    pub lease: Option<Lease>,
    /// Shown to one agent, withheld from others until then: (agent, milliseconds since the epoch).
    pub offer: Option<(String, i64)>,
    /// Whether any agent ever claimed it, so that Terraform may have run.
    pub ever_claimed: bool,
    pub last_attempted_deployment_id: Option<String>,
    pub last_succeeded_deployment_id: Option<String>,
    /// Whether an agent may take it, or only a pipeline outside notifies.
    pub executor: super::Executor,
    /// Addresses of objects it names that still lie in the record alone; no agent may take it before they are
    /// published.
    #[serde(default)]
    pub unpublished: Vec<String>,
    /// The access key that claimed it last, which may still bring in the run's records when the lease has ended.
    #[serde(default)]
    pub last_claimed_by: Option<String>,
    /// The access keys of all its claims, in order: the first claimed epoch 1. Empty in older records.
    #[serde(default)]
    pub claimers: Vec<String>,
    /// The plan that the agent has asked people about; None without a gate.
    #[serde(default)]
    pub approval: Option<Approval>,
    /// Whether Proton had finished it before the target was imported: a report about it changes nothing.
    #[serde(default)]
    pub imported: bool,
}

impl Deployment {
    /// The term of those under way that somebody has claimed, be the lease alive or not.
    pub const LEASED: &'static str = "leased";
    /// The term of those that are being cancelled.
    pub const CANCELLING: &'static str = "cancelling";

    /// Whether it still waits for, or has, someone at work.
    pub fn in_flight(&self) -> bool {
        use DeploymentStatus as S;
        matches!(self.status, S::InProgress | S::Cancelling | S::DeleteInProgress)
    }

    /// The access key that claimed it last; of older records as long as the lease is there.
    pub fn claimed_by(&self) -> Option<&str> {
        let lease = self.lease.as_ref().map(|lease| lease.access_key.as_str());
        lease.or(self.last_claimed_by.as_deref())
    }

    /// Whether an access key may write what belongs to one of its runs: whoever claimed that epoch, and nobody else, however
    /// many have claimed since.
    pub fn writes_run(&self, access_key: &str, epoch: i64) -> bool {
        let claimer = usize::try_from(epoch).ok().and_then(|epoch| self.claimers.get(epoch.checked_sub(1)?));
        match claimer {
            Some(claimer) if !claimer.is_empty() => claimer == access_key,
            None if !self.claimers.is_empty() => false,
            _ => self.claimed_by() == Some(access_key),
        }
    }

    /// The plan that waits for a decision. Nothing is decided any more once the deployment is being cancelled.
    pub fn awaits(&self) -> Option<&Approval> {
        let open = self.in_flight() && self.status != DeploymentStatus::Cancelling;
        self.approval.as_ref().filter(|approval| open && approval.decision.is_none())
    }

    /// The lease, unless it has run out.
    pub fn live_lease(&self, now: i64) -> Option<&Lease> {
        self.lease.as_ref().filter(|lease| lease.expires_at > now)
    }
}

impl Document for Deployment {
    const KIND: &'static str = "deployment";

    fn key(&self) -> String {
        self.id.clone()
    }

    fn sort(&self) -> String {
        format!("{:020}", self.created_at)
    }

    fn terms(&self) -> Vec<Term> {
        let sort = self.sort();
        let mut terms = vec![Term::new("target", &self.target_arn).sorted_by(&sort)];
        if !self.environment.is_empty() {
            terms.push(Term::new("environment", &self.environment).sorted_by(&sort));
        }
        match &self.target {
            Target::ServiceInstance { service, .. } | Target::ServicePipeline { service } => {
                terms.push(Term::new("service", service).sorted_by(&sort));
            }
            Target::Environment { .. } | Target::Component { .. } => {}
        }
        if self.in_flight() {
            terms.push(Term::new("in_flight", "").sorted_by(sort));
            if self.lease.is_some() {
                terms.push(Term::new(Self::LEASED, ""));
            }
        }
        if self.status == DeploymentStatus::Cancelling {
            terms.push(Term::new(Self::CANCELLING, ""));
        }
        if !self.unpublished.is_empty() {
            terms.push(Term::new("unpublished", ""));
        }
        terms.extend(self.unpublished.iter().map(|address| Term::new("unpublished", address)));
        terms
    }
}
