//! `hadron import`: brings back what AWS Proton left.

pub(super) mod apply;
pub(super) mod state;
