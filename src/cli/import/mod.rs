//! `hadron import`: brings back what AWS Proton left.

#[expect(dead_code, reason = "the verb that calls it comes with what reads the repositories")]
pub(super) mod apply;
#[expect(dead_code, reason = "the verb that calls it comes with what reads the repositories")]
pub(super) mod state;
