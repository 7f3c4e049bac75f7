//! Repositories that are named, linked or not: they are echoed with the ARN that a link has.

use hadron_model::{RepositoryBranch, RepositoryBranchInput};

use super::arn;
use crate::control_plane::records::RepositoryRef;
use crate::domain::Scope;

/// A branch of a repository as it is echoed.
pub(crate) fn repository_branch(scope: &Scope, given: &RepositoryBranchInput) -> RepositoryBranch {
    let RepositoryBranchInput { branch, name, provider } = given;
    RepositoryBranch {
        arn: arn(scope, &RepositoryRef { provider: *provider, name: name.clone() }),
        branch: branch.clone(),
        name: name.clone(),
        provider: *provider,
    }
}
