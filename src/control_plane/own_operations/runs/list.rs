//! ListRuns.

use hadron_model::hadron::{ListRunsInput, ListRunsOutput, Operation, RunStatus};

use super::view::{Shown, status};
use crate::control_plane::deployments::{Deployments, TargetRecord};
use crate::control_plane::operations::listing::Listing;
use crate::control_plane::own_operations::states::target_of;
use crate::control_plane::plane::Plane;
use crate::control_plane::records::{Deployment, Environment};
use crate::control_plane::store::{ALL, Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::Target;

/// Runs, newest first: of a target, of all that lies in an environment, or all.
pub(crate) async fn list_runs(
    plane: &Plane,
    call: &mut Call,
    input: ListRunsInput,
) -> Result<ListRunsOutput, ProtonError> {
    let ListRunsInput { target_arn, environment_name, status, max_results, next_token } = input;
    let target = target_arn.map(|arn| target_of(call, &arn)).transpose()?;
    let (target, arn) = target.unzip();
    let filter = (&arn, &environment_name, status);
    let listing = Listing::new(call, Operation::ListRuns, &filter, max_results, next_token)?;
    let engine = Deployments::of(plane, call);
    let wanted = Wanted { engine, target, arn, environment: environment_name, status };
    plane.store.read(move |tx| wanted.page(tx, &listing)).await
}

struct Wanted {
    engine: Deployments,
    target: Option<Target>,
    arn: Option<String>,
    environment: Option<String>,
    status: Option<RunStatus>,
}

impl Wanted {
    fn page(&self, tx: &mut dyn Transaction, listing: &Listing) -> Result<ListRunsOutput, ProtonError> {
        use RunStatus as R;
        let now = self.engine.now;
        let under_way = self.status.is_some_and(|it| !matches!(it, R::Succeeded | R::Failed | R::Cancelled));
        let term = match (&self.arn, &self.environment) {
            (Some(arn), _) => ("target", arn.as_str()),
            _ if under_way => ("in_flight", ""),
            (None, Some(environment)) => ("environment", environment.as_str()),
            (None, None) => (ALL, ""),
        };
        let fits = |deployment: &Deployment| {
            self.environment.as_ref().is_none_or(|name| *name == deployment.environment)
                && self.status.is_none_or(|wanted| wanted == status(deployment, now))
        };
        let page = listing.page::<Deployment>(tx, term, true, fits)?;
        if page.items.is_empty() {
            self.must_exist(tx)?;
        }
        let mut shown = Shown { engine: &self.engine, queue: None };
        let runs: Result<Vec<_>, _> = page.items.iter().map(|it| shown.run(tx, it)).collect();
        Ok(ListRunsOutput { runs: runs?, next_token: page.next_token })
    }

    /// What is named may be misspelt.
    fn must_exist(&self, tx: &mut dyn Transaction) -> Result<(), ProtonError> {
        if let Some(target) = &self.target
            && TargetRecord::load(tx, &self.engine.scope, target)?.is_none()
        {
            return Err(ProtonError::not_found(format!("{target} doesn't exist")));
        }
        if let Some(name) = &self.environment
            && tx.get::<Environment>(&self.engine.scope, name)?.is_none()
        {
            return Err(ProtonError::not_found(format!("environment {name} doesn't exist")));
        }
        Ok(())
    }
}
