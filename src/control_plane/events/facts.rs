//! What a message about a change tells besides the change: where, which template's version, by which deployment.

use serde::{Deserialize, Serialize};

use crate::control_plane::records::{Deployment, VersionRef};
use crate::control_plane::store::{Select, StoreError, Transaction, Typed};
use crate::domain::{Scope, Target};

/// What is known of a target at the moment of a change; nothing for templates and services.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Facts {
    /// The environment it lies in.
    pub(super) environment: Option<String>,
    /// What is being deployed.
    pub(super) template: Option<VersionRef>,
    /// The deployment's id.
    pub(super) deployment: Option<String>,
    /// What was before and what is now, in no form's words.
    pub(super) previous: Option<String>,
    /// See `previous`.
    pub(super) status: String,
}

impl Facts {
    /// Reads them in the transaction of the change. The last deployment is the one that the change is about: a target
    /// has one at a time, and it outlives the target.
    pub(super) fn at_change(
        tx: &mut dyn Transaction,
        scope: &Scope,
        arn: &str,
        (previous, status): (Option<&str>, &str),
    ) -> Result<Self, StoreError> {
        let known = Self { previous: previous.map(str::to_owned), status: status.to_owned(), ..Self::default() };
        let Ok((_, target)) = Target::parse(arn) else { return Ok(known) };
        let last = Select { term: "target", value: arn, after: None, descending: true, limit: 1 };
        let last = tx.page::<Deployment>(scope, &last)?.pop();
        Ok(match last {
            None => known,
            Some(last) => {
                let Deployment { id, environment, target_state, .. } = last.value;
                // An environment lies in none, and a pipeline's is empty.
                let inside = !matches!(target, Target::Environment { .. }) && !environment.is_empty();
                let environment = inside.then_some(environment);
                Self { environment, template: target_state.template, deployment: Some(id), ..known }
            }
        })
    }
}
