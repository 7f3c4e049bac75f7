//! Deployments: what happened to a target, what is to be done, and who does it.

mod delete;
mod get;
mod import;
mod list;
mod notify;
mod plan;
mod poll;
mod results;
mod template;
mod view;

pub(crate) use delete::delete_deployment;
pub(crate) use get::get_deployment;
pub(crate) use import::{given_outputs, imported_version};
pub(crate) use list::list_deployments;
pub(crate) use notify::notify_resource_deployment_status_change;
pub(crate) use results::{outputs_of, provisioned_by};
pub(crate) use template::{bundle_of, next_version, refusal, schema_of};
