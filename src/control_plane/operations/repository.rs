//! Repositories that are named but, so far, not linked: they are echoed with the ARN that a link would have.

use hadron_model::{RepositoryBranch, RepositoryBranchInput};

use crate::domain::Scope;

/// A branch of a repository as it is echoed.
pub(crate) fn repository_branch(scope: &Scope, given: &RepositoryBranchInput) -> RepositoryBranch {
    let RepositoryBranchInput { branch, name, provider } = given;
    RepositoryBranch {
        arn: scope.arn(format_args!("repository/{}:{name}", provider.as_str().to_ascii_lowercase())),
        branch: branch.clone(),
        name: name.clone(),
        provider: *provider,
    }
}
