//! Directly defined components: one file of a developer's own, beside an environment's or an instance's resources.

mod attachment;
mod cancel;
mod create;
mod delete;
mod get;
mod import;
mod list;
mod outputs;
mod plan;
#[cfg(test)]
mod tests;
mod update;
mod view;

pub(crate) use cancel::cancel_component_deployment;
pub(crate) use create::create_component;
pub(crate) use delete::delete_component;
pub(crate) use get::get_component;
pub(crate) use import::{finish_component, put_imported_component};
pub(crate) use list::list_components;
pub(crate) use outputs::{list_component_outputs, list_component_provisioned_resources};
pub(crate) use update::update_component;
