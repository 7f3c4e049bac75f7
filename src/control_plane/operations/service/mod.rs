//! Services. Their instances and pipelines have folders of their own; what the three share is in [`plan`],
//! [`followup`] and [`view`].

pub(crate) mod create;
mod delete;
mod family;
mod followup;
mod get;
mod import;
mod list;
pub(crate) mod plan;
mod submitted;
#[cfg(test)]
mod tests;
mod update;
pub(crate) mod view;

pub(crate) use create::create_service;
pub(crate) use delete::delete_service;
pub(crate) use followup::{after_instance_finished, after_pipeline_finished};
pub(crate) use get::get_service;
pub(crate) use import::{finish_instance, finish_pipeline, import_service, put_imported_instance};
pub(crate) use list::list_services;
pub(crate) use update::{must_be_settled, refuse_leaving, update_service};
