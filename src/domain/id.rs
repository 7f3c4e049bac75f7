//! Accounts, regions and the ARNs made of them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The account and region that a request speaks for; every record belongs to exactly one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Scope {
    /// Twelve digits.
    pub account: String,
    /// `us-east-1` and the like; any name is served.
    pub region: String,
}

impl Scope {
    /// A scope of an account in a region.
    pub fn new(account: impl Into<String>, region: impl Into<String>) -> Self {
        Self { account: account.into(), region: region.into() }
    }

    /// `arn:aws:proton:REGION:ACCOUNT:RESOURCE`, in the region's partition.
    pub fn arn(&self, resource: impl fmt::Display) -> String {
        format!("arn:{}:proton:{}:{}:{resource}", partition(&self.region), self.region, self.account)
    }
}

/// The partition that a region lies in, by its name's beginning.
///
/// <https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html>
pub fn partition(region: &str) -> &'static str {
    match region {
        r if r.starts_with("cn-") => "aws-cn",
        r if r.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}
