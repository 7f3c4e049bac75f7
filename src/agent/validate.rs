//! The fourth step: everything about the bundle that can be known without running it, all problems at once.

use super::StepError;
use super::claim::Claimed;
use super::fetch::Fetched;
use crate::domain::{Bundle, BundleKind, Part, Target, check_bundle, unpack};

/// A deployment whose bundle is sound.
pub(super) struct Checked {
    pub(super) fetched: Fetched,
    bundle: Bundle,
}

impl Checked {
    /// The part of the bundle that provisions the target.
    pub(super) fn part(&self, target: &Target) -> Result<&Part, StepError> {
        self.bundle.part_for(target).ok_or_else(|| StepError::NoPart(target.to_string()))
    }
}

/// Unpacks and checks the bundle.
pub(super) fn validate(claimed: &Claimed, fetched: Fetched) -> Result<Checked, StepError> {
    let kind = match claimed.target {
        Target::Environment { .. } => BundleKind::Environment,
        Target::ServiceInstance { .. } | Target::ServicePipeline { .. } => BundleKind::Service,
        Target::Component { .. } => BundleKind::Component,
    };
    let files = unpack(&fetched.bundle).map_err(StepError::Bundle)?;
    // Whether a pipeline must be there was the registrar's question; here the bundle itself says whether it is.
    let has_pipeline = files.keys().any(|path| path.starts_with("pipeline_infrastructure/"));
    let customer_managed = kind == BundleKind::Service && !has_pipeline;
    let bundle = check_bundle(kind, files, customer_managed).map_err(StepError::Bundle)?;
    Ok(Checked { fetched, bundle })
}
