//! What Proton's environments have besides Proton's own: who deploys what lies in one.

mod set_executor;
#[cfg(test)]
mod tests;

pub(super) use set_executor::set_executor;
