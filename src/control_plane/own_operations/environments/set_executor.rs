//! SetExecutor.

use hadron_model::hadron::{self, SetExecutorInput, SetExecutorOutput};

use crate::control_plane::plane::Plane;
use crate::control_plane::records::{Deployment, Environment, Executor, ExecutorAhead, Requests};
use crate::control_plane::store::{Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::Scope;

/// Says who deploys what lies in an environment from now on: Hadron's agents, a pipeline outside that notifies, or both by
/// requests to a repository. There is one executor at a time, so what is under way is brought to its end first. Said ahead,
/// it is kept until the environment is created.
pub(crate) async fn set_executor(
    plane: &Plane,
    call: &mut Call,
    input: SetExecutorInput,
) -> Result<SetExecutorOutput, ProtonError> {
    let requests = requests(&input)?;
    let SetExecutorInput { environment_name, executor, ahead, .. } = input;
    let (scope, name) = (call.scope.clone(), environment_name.clone());
    let next = match executor {
        hadron::Executor::Agent => Executor::Agent,
        hadron::Executor::Ci => Executor::Ci,
        hadron::Executor::PullRequest => Executor::PullRequest,
    };
    let (repository, branch) = requests.clone().map(|it| (it.repository, it.branch)).unzip();
    let ahead = ahead == Some(true);
    plane.store.write(move |tx| set(tx, &scope, &name, next, requests.clone(), ahead)).await?;
    Ok(SetExecutorOutput { environment_name, executor, repository, branch })
}

/// The repository that requests are for. The URL is told to agents and shown to people, so it holds no password.
fn requests(input: &SetExecutorInput) -> Result<Option<Requests>, ProtonError> {
    let wants = input.executor == hadron::Executor::PullRequest;
    match (&input.repository, &input.branch) {
        (None, None) if !wants => Ok(None),
        (Some(repository), branch) if wants => {
            let authority = repository.split_once("://").and_then(|(_, rest)| rest.split('/').next());
            if authority.and_then(|it| it.rsplit_once('@')).is_some_and(|(user, _)| user.contains(':')) {
                let words = "repository must hold no password: give it to the agents' Git, by a credential helper";
                return Err(ProtonError::validation(words));
            }
            let branch = branch.clone().unwrap_or_else(|| "main".to_owned());
            Ok(Some(Requests { repository: repository.clone(), branch }))
        }
        _ if wants => Err(ProtonError::validation("executor pull-request needs the repository to publish to")),
        _ => Err(ProtonError::validation("repository and branch go with executor pull-request only")),
    }
}

fn set(
    tx: &mut dyn Transaction,
    scope: &Scope,
    name: &str,
    next: Executor,
    requests: Option<Requests>,
    ahead: bool,
) -> Result<(), ProtonError> {
    let mut environment = match tx.get::<Environment>(scope, name)? {
        Some(environment) => environment,
        None if ahead => return set_ahead(tx, scope, name, next, requests),
        None => {
            let words =
                format!("environment {name} doesn't exist; what it shall begin with can be said ahead (--ahead)");
            return Err(ProtonError::not_found(words));
        }
    };
    if environment.executor == next && environment.requests == requests {
        return Ok(());
    }
    let under_way = tx.by_term::<Deployment>(scope, "in_flight", "")?;
    if let Some(other) = under_way.iter().find(|it| it.environment == name && it.executor != next) {
        return Err(ProtonError::conflict(format!(
            "deployment {} of {} is under way: wait for its end, or cancel it",
            other.id, other.target
        )));
    }
    environment.executor = next;
    environment.requests = requests;
    Ok(tx.save(scope, &mut environment)?)
}

fn set_ahead(
    tx: &mut dyn Transaction,
    scope: &Scope,
    name: &str,
    executor: Executor,
    requests: Option<Requests>,
) -> Result<(), ProtonError> {
    let next = ExecutorAhead { environment: name.to_owned(), executor, requests };
    match tx.get::<ExecutorAhead>(scope, name)? {
        Some(mut said) => {
            said.value = next;
            tx.save(scope, &mut said)?;
        }
        None => tx.add(scope, &next)?,
    }
    Ok(())
}
