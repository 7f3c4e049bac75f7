//! The fourth step: everything about the bundle that can be known without running it, all problems at once.

use super::StepError;
use super::claim::Claimed;
use super::fetch::Fetched;
use crate::domain::{Bundle, Part, Target, open_bundle_of};

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
    let bundle = open_bundle_of(&claimed.target, &fetched.bundle).map_err(StepError::Bundle)?;
    Ok(Checked { fetched, bundle })
}
