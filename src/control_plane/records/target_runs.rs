//! The runs of a target that began and whose end nobody has settled.

use serde::{Deserialize, Serialize};

use crate::control_plane::store::Document;

/// How many runs a claim's answer names at most: they travel in a header. What lies behind is named once those are settled.
const NAMED: usize = 100;

/// The unsettled runs of a target, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetRuns {
    /// The target.
    pub target_arn: String,
    /// In the order of their claims.
    pub unsettled: Vec<UnsettledRun>,
}

/// A claimed run without a terminal report of its own epoch: nobody has said that its Terraform is over and that what it
/// did is in the state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnsettledRun {
    /// The run: a deployment and the epoch of its claim.
    pub deployment: String,
    /// See [`UnsettledRun::deployment`].
    pub epoch: i64,
    /// The agent that claimed it.
    pub agent: String,
    /// The access key that claimed it.
    pub access_key: String,
    /// When, in milliseconds since the epoch.
    pub since: i64,
    /// The number of the newest adoption that its claim was told of; 0 for none.
    #[serde(default)]
    pub told_adoption: i64,
}

impl UnsettledRun {
    fn is(&self, deployment: &str, epoch: i64) -> bool {
        self.deployment == deployment && self.epoch == epoch
    }
}

impl TargetRuns {
    /// A run, while it is unsettled.
    pub fn run(&self, deployment: &str, epoch: i64) -> Option<&UnsettledRun> {
        self.unsettled.iter().find(|run| run.is(deployment, epoch))
    }

    /// What the claim of a run is told: those that were claimed before it.
    pub fn before(&self, deployment: &str, epoch: i64) -> &[UnsettledRun] {
        let at = self.unsettled.iter().position(|run| run.is(deployment, epoch)).unwrap_or(self.unsettled.len());
        &self.unsettled[..at.min(NAMED)]
    }

    /// Forgets a run only; the run, if it was unsettled.
    pub fn settle_alone(&mut self, deployment: &str, epoch: i64) -> Option<UnsettledRun> {
        let at = self.unsettled.iter().position(|run| run.is(deployment, epoch))?;
        Some(self.unsettled.remove(at))
    }

    /// Forgets a run and all that its claim was told of; the run, if it was unsettled.
    pub fn settle(&mut self, deployment: &str, epoch: i64) -> Option<UnsettledRun> {
        let named = self.before(deployment, epoch).len();
        let at = self.unsettled.iter().position(|run| run.is(deployment, epoch))?;
        let run = self.unsettled.remove(at);
        self.unsettled.drain(..named);
        Some(run)
    }
}

impl Document for TargetRuns {
    const KIND: &'static str = "target_runs";

    fn key(&self) -> String {
        self.target_arn.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(count: i64) -> TargetRuns {
        let run = |epoch| UnsettledRun {
            deployment: "d".into(),
            epoch,
            agent: "a".into(),
            access_key: "AKIA".into(),
            since: epoch,
            told_adoption: 0,
        };
        TargetRuns { target_arn: "arn".into(), unsettled: (1..=count).map(run).collect() }
    }

    #[test]
    fn a_settled_run_takes_those_before_it_along_and_none_behind() {
        let mut four = runs(4);
        assert_eq!(four.before("d", 3).len(), 2);
        assert_eq!(four.settle("d", 3).unwrap().epoch, 3);
        assert_eq!(four.unsettled.iter().map(|run| run.epoch).collect::<Vec<_>>(), [4]);
        assert_eq!(four.settle("d", 3), None);
        assert_eq!(four.settle("other", 4), None);
    }

    #[test]
    fn no_more_is_settled_than_was_named() {
        let mut many = runs(150);
        assert_eq!(many.before("d", 150).len(), NAMED);
        many.settle("d", 150).unwrap();
        assert_eq!(many.unsettled.len(), 49);
        assert_eq!(many.before("d", 151)[0].epoch, 101);
    }
}
