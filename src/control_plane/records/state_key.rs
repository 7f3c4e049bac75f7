//! Which target owns which key of an S3 state bucket.

use serde::{Deserialize, Serialize};

use crate::control_plane::store::{Document, Term};

/// A key that a target has claimed for its state, from its first deployment until it is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateKey {
    /// `dev/pay-api/terraform.tfstate`.
    pub state_key: String,
    /// The target that owns it.
    pub target_arn: String,
}

impl Document for StateKey {
    const KIND: &'static str = "state_key";

    fn key(&self) -> String {
        self.state_key.clone()
    }

    fn terms(&self) -> Vec<Term> {
        vec![Term::new("target", &self.target_arn)]
    }
}
