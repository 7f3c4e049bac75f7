//! Runs: deployments as operators see them, with who works on each and whether it is still alive.

mod decide;
#[cfg(test)]
mod decide_tests;
mod describe;
mod list;
#[cfg(test)]
mod tests;
mod view;

pub(super) use decide::{approve_run, reject_run};
pub(super) use describe::describe_run;
pub(super) use list::list_runs;
pub(crate) use view::run;
