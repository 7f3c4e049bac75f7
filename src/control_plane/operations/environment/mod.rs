//! Environments.

mod cancel;
mod create;
mod delete;
mod facts;
mod get;
mod import;
mod list;
mod outputs;
mod plan;
mod provisioning;
#[cfg(test)]
mod tests;
mod update;
mod view;

pub(crate) use cancel::cancel_environment_deployment;
pub(crate) use create::create_environment;
pub(crate) use delete::delete_environment;
pub(crate) use facts::{facts, ready};
pub(crate) use get::get_environment;
pub(crate) use import::import_environment;
pub(crate) use list::list_environments;
pub(crate) use outputs::{list_environment_outputs, list_environment_provisioned_resources};
pub(crate) use update::update_environment;
