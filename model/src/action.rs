//! An operation of either API.

use crate::{Operation, Shape, hadron};

/// An operation of either API, as the wire, the policies and the audit log see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// One of Proton's.
    Proton(Operation),
    /// One of our own.
    Hadron(hadron::Operation),
}

impl Action {
    /// Every operation there is.
    pub fn all() -> impl Iterator<Item = Self> {
        let proton = Operation::ALL.iter().copied().map(Self::Proton);
        proton.chain(hadron::Operation::ALL.iter().copied().map(Self::Hadron))
    }

    /// Finds an operation by the whole text of `X-Amz-Target`: `AwsProton20200720.GetService`.
    pub fn targeted(target: &str) -> Option<Self> {
        let (prefix, name) = target.split_once('.')?;
        Self::all().find(|action| action.target_prefix() == prefix && action.name() == name)
    }

    /// The operation's name: `GetService`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Proton(operation) => operation.name(),
            Self::Hadron(operation) => operation.name(),
        }
    }

    /// The API's name in credential scopes and in front of actions in policies: `proton`, `hadron`.
    pub const fn service(self) -> &'static str {
        match self {
            Self::Proton(_) => crate::SIGNING_NAME,
            Self::Hadron(_) => hadron::SIGNING_NAME,
        }
    }

    /// What comes before the operation's name in `X-Amz-Target`.
    pub const fn target_prefix(self) -> &'static str {
        match self {
            Self::Proton(_) => crate::TARGET_PREFIX,
            Self::Hadron(_) => hadron::TARGET_PREFIX,
        }
    }

    /// The constraints of its input.
    pub fn input(self) -> &'static Shape {
        match self {
            Self::Proton(operation) => operation.input(),
            Self::Hadron(operation) => operation.input(),
        }
    }

    /// The shape of its output.
    pub fn output(self) -> &'static Shape {
        match self {
            Self::Proton(operation) => operation.output(),
            Self::Hadron(operation) => operation.output(),
        }
    }

    /// The exceptions that it declares.
    pub const fn errors(self) -> &'static [&'static str] {
        match self {
            Self::Proton(operation) => operation.errors(),
            Self::Hadron(operation) => operation.errors(),
        }
    }

    /// Whether it changes nothing.
    pub const fn reads(self) -> bool {
        match self {
            Self::Proton(operation) => operation.reads(),
            Self::Hadron(operation) => operation.reads(),
        }
    }
}

impl From<Operation> for Action {
    fn from(operation: Operation) -> Self {
        Self::Proton(operation)
    }
}

impl From<hadron::Operation> for Action {
    fn from(operation: hadron::Operation) -> Self {
        Self::Hadron(operation)
    }
}

#[cfg(test)]
mod tests {
    use super::Action;

    #[test]
    fn a_target_names_one_operation_of_one_api() {
        assert_eq!(Action::targeted("AwsProton20200720.GetService").unwrap().name(), "GetService");
        assert_eq!(Action::targeted("Hadron20261122.CreateKey").unwrap().service(), "hadron");
        for unknown in ["Hadron20261122.GetService", "AwsProton20200720.CreateKey", "GetService", ""] {
            assert_eq!(Action::targeted(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn reads_are_known() {
        let reads = |target| Action::targeted(target).unwrap().reads();
        assert!(reads("AwsProton20200720.ListServices") && reads("Hadron20261122.DescribeRun"));
        assert!(!reads("AwsProton20200720.UpdateService") && !reads("Hadron20261122.PushState"));
    }
}
