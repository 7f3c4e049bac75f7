//! The numbers, and the documents that hold them.

use std::ops::AddAssign;

use hadron_model::hadron::Staleness;
use serde::{Deserialize, Serialize};

use crate::control_plane::store::Document;

/// Numbers of one kind of resource, or by how much they change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub(crate) total: i64,
    pub(crate) failed: i64,
    pub(crate) up_to_date: i64,
    pub(crate) behind_minor: i64,
    pub(crate) behind_major: i64,
}

impl Tally {
    /// One resource, `sign` times.
    pub(super) fn one(sign: i64, failed: bool, staleness: Staleness) -> Self {
        let mut tally = Self { total: sign, failed: if failed { sign } else { 0 }, ..Self::default() };
        tally.stand(sign, staleness);
        tally
    }

    /// Adds to the number of those that stand like this to their template.
    pub(super) fn stand(&mut self, sign: i64, staleness: Staleness) {
        match staleness {
            // What lies on a template without a recommended version can't be behind it.
            Staleness::UpToDate | Staleness::Unpublished => self.up_to_date += sign,
            Staleness::BehindMinor => self.behind_minor += sign,
            Staleness::BehindMajor => self.behind_major += sign,
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.total += other.total;
        self.failed += other.failed;
        self.up_to_date += other.up_to_date;
        self.behind_minor += other.behind_minor;
        self.behind_major += other.behind_major;
    }
}

/// The numbers of every kind of resource in an account and region, or by how much they change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) environment_templates: Tally,
    pub(crate) service_templates: Tally,
    pub(crate) environments: Tally,
    pub(crate) services: Tally,
    pub(crate) instances: Tally,
    pub(crate) pipelines: Tally,
    pub(crate) components: Tally,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.environment_templates += other.environment_templates;
        self.service_templates += other.service_templates;
        self.environments += other.environments;
        self.services += other.services;
        self.instances += other.instances;
        self.pipelines += other.pipelines;
        self.components += other.components;
    }
}

/// The folded numbers of an account and region.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Summary {
    pub(super) counts: Counts,
}

impl Summary {
    /// Its only key.
    pub(super) const KEY: &'static str = "summary";
}

impl Document for Summary {
    const KIND: &'static str = "counts";

    fn key(&self) -> String {
        Self::KEY.to_owned()
    }
}

/// What one transaction changed, not folded yet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Delta {
    pub(super) id: String,
    pub(super) counts: Counts,
}

impl Document for Delta {
    const KIND: &'static str = "counts_delta";

    fn key(&self) -> String {
        self.id.clone()
    }
}
