//! Connections between the account that manages an environment and the account that it lies in.

use hadron_model::EnvironmentAccountConnectionStatus;
use serde::{Deserialize, Serialize};

use crate::control_plane::store::{Document, Term};
use crate::domain::Scope;

/// A connection. Two accounts see the same one, so it lies in neither's scope but in the region's own: there is one
/// document, and each change of its status is one conditional update.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Proton's own names")]
pub struct EnvironmentAccountConnection {
    pub id: String,
    /// The account that asked for it; its ARN and its tags are this account's.
    pub environment_account: String,
    /// The account that accepts or rejects it.
    pub management_account: String,
    pub environment_name: String,
    pub role_arn: Option<String>,
    pub component_role_arn: Option<String>,
    pub codebuild_role_arn: Option<String>,
    pub status: EnvironmentAccountConnectionStatus,
    pub requested_at: i64,
    pub last_modified_at: i64,
}

impl EnvironmentAccountConnection {
    /// The term that lists what an account has asked for, oldest first.
    pub const OF_ENVIRONMENT_ACCOUNT: &'static str = "environment_account";

    /// The term that lists what an account has been asked, oldest first.
    pub const OF_MANAGEMENT_ACCOUNT: &'static str = "management_account";

    /// The term that lists the connections for one environment; see [`Self::place`].
    pub const OF_ENVIRONMENT: &'static str = "environment";

    /// The scope that the connections of a region lie in.
    pub fn scope(region: &str) -> Scope {
        Scope::new("", region)
    }

    /// The value of [`Self::OF_ENVIRONMENT`].
    pub fn place(management_account: &str, environment_name: &str) -> String {
        format!("{management_account}/{environment_name}")
    }
}

impl Document for EnvironmentAccountConnection {
    const KIND: &'static str = "environment_account_connection";

    fn key(&self) -> String {
        self.id.clone()
    }

    fn sort(&self) -> String {
        format!("{:020}", self.requested_at)
    }

    fn terms(&self) -> Vec<Term> {
        let place = Self::place(&self.management_account, &self.environment_name);
        vec![
            Term::new(Self::OF_ENVIRONMENT_ACCOUNT, &self.environment_account).sorted_by(self.sort()),
            Term::new(Self::OF_MANAGEMENT_ACCOUNT, &self.management_account).sorted_by(self.sort()),
            Term::new(Self::OF_ENVIRONMENT, place).sorted_by(self.sort()),
        ]
    }
}
