//! Which key a target's state has in an S3 bucket: never one that another target uses.

use sha2::{Digest, Sha256};

use super::Deployments;
use crate::control_plane::records::{Imported, StateKey};
use crate::control_plane::store::{StoreError, Transaction, Typed};
use crate::domain::{Target, state_key};

/// A target's key, and what to tell its owner about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claimed {
    pub(super) key: String,
    pub(super) warning: Option<String>,
}

impl Deployments {
    /// The key a target owns already, else the one that AWS's sample workflow gives it, else (when another target owns
    /// that, as `pay-api` + `dev` may own the key of `pay` + `api-dev`) the same with a short hash of its ARN.
    pub(super) fn claim_state_key(
        &self,
        tx: &mut dyn Transaction,
        target: &Target,
        environment: &str,
    ) -> Result<Claimed, StoreError> {
        let arn = target.arn(&self.scope);
        if let Some(state) = tx.get::<Imported>(&self.scope, &arn)?.and_then(|imported| imported.value.state) {
            return Ok(Claimed { key: state.key, warning: None });
        }
        if let Some(owned) = tx.by_term::<StateKey>(&self.scope, "target", &arn)?.into_iter().next() {
            return Ok(Claimed { key: owned.value.state_key, warning: None });
        }
        let natural = state_key(target, environment);
        let claimed = match tx.get::<StateKey>(&self.scope, &natural)? {
            None => Claimed { key: natural, warning: None },
            Some(taken) => {
                let key = distinct_key(&natural, &arn);
                let warning =
                    format!("state key {natural} belongs to {}; in an S3 bucket {target} uses {key}", taken.target_arn);
                tracing::warn!(target.arn = %arn, "{warning}");
                Claimed { key, warning: Some(warning) }
            }
        };
        tx.add(&self.scope, &StateKey { state_key: claimed.key.clone(), target_arn: arn })?;
        Ok(claimed)
    }

    /// Keeps the key of an imported state from targets that come later. Imported ones may have the same key in different
    /// buckets; what it names then is kept by whoever came first. The other owner, if that isn't an imported one: nobody
    /// can tell in which bucket it uses the key.
    pub(crate) fn keep_state_key(
        &self,
        tx: &mut dyn Transaction,
        arn: &str,
        key: &str,
    ) -> Result<Option<String>, StoreError> {
        let Some(taken) = tx.get::<StateKey>(&self.scope, key)? else {
            tx.add(&self.scope, &StateKey { state_key: key.to_owned(), target_arn: arn.to_owned() })?;
            return Ok(None);
        };
        let imported = tx.get::<Imported>(&self.scope, &taken.target_arn)?.is_some_and(|it| it.state.is_some());
        Ok((!imported && taken.target_arn != arn).then_some(taken.value.target_arn))
    }

    /// Gives a target's key back, since its state holds nothing any more.
    pub(super) fn release_state_key(&self, tx: &mut dyn Transaction, target_arn: &str) -> Result<(), StoreError> {
        for owned in tx.by_term::<StateKey>(&self.scope, "target", target_arn)? {
            tx.delete(&self.scope, &owned)?;
        }
        Ok(())
    }
}

/// Eight digits of the ARN's digest, in the name of the folder.
fn distinct_key(natural: &str, arn: &str) -> String {
    let digest = hex::encode(Sha256::digest(arn));
    let (folder, file) = natural.rsplit_once('/').unwrap_or(("", natural));
    format!("{folder}-{}/{file}", &digest[..8])
}
