//! What was imported from what AWS Proton left, and what of it nobody may deploy yet.

use std::collections::BTreeMap;

use hadron_model::hadron::{AdoptionGroup, StateAt};
use serde::{Deserialize, Serialize};

use crate::control_plane::store::{Document, Term};

/// A resource that was imported, from then until it is gone: a template version, a service, or a target.
///
/// A target begins in quarantine: nothing deploys it until somebody has looked at its plan and adopted it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Imported {
    /// The resource.
    pub arn: String,
    /// When it was imported, in milliseconds since the epoch.
    pub at: i64,
    /// What it was imported as: a digest by member, so that a second import tells what differs.
    pub parts: BTreeMap<String, String>,
    /// The deployment that Proton had finished last; targets only.
    pub deployment: Option<String>,
    /// Whether nobody may deploy it yet; targets only.
    pub quarantined: bool,
    /// Where its state lies, if that isn't where those of other targets do.
    pub state: Option<StateAt>,
    /// Where its state lay before it was copied here.
    #[serde(default)]
    pub moved_from: Option<StateAt>,
    /// What the last plan in quarantine came to.
    #[serde(default)]
    pub plan: Option<AdoptionPlan>,
    /// When it was adopted, in milliseconds since the epoch, and the principal that did.
    #[serde(default)]
    pub adopted: Option<(i64, String)>,
}

/// What a read-only plan of a quarantined target came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdoptionPlan {
    /// What it would do.
    pub group: AdoptionGroup,
    /// The same in one line.
    pub summary: String,
    /// Which resources, or why there is no plan.
    pub message: Option<String>,
    /// SHA-256 over what was planned: deployment, bundle, inputs, and the state as it was.
    pub digest: String,
    /// When, in milliseconds since the epoch.
    pub at: i64,
    /// The principal that planned.
    pub by: String,
}

impl Imported {
    /// The term that lists what is in quarantine.
    pub const QUARANTINED: &'static str = "quarantined";
    /// The term that finds who uses a state: `s3://bucket/key`.
    pub const STATE: &'static str = "state";

    /// A state's address.
    pub fn address(state: &StateAt) -> String {
        format!("s3://{}/{}", state.bucket, state.key)
    }
}

impl Document for Imported {
    const KIND: &'static str = "imported";

    fn key(&self) -> String {
        self.arn.clone()
    }

    fn terms(&self) -> Vec<Term> {
        let mut terms = Vec::new();
        if self.quarantined {
            terms.push(Term::new(Self::QUARANTINED, ""));
        }
        if let Some(state) = &self.state {
            terms.push(Term::new(Self::STATE, Self::address(state)));
        }
        terms
    }
}
