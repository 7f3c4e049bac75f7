//! Service instances.

mod cancel;
mod create;
mod get;
mod list;
mod results;
mod update;

pub(crate) use cancel::cancel_service_instance_deployment;
pub(crate) use create::create_service_instance;
pub(crate) use get::get_service_instance;
pub(crate) use list::list_service_instances;
pub(crate) use results::{list_service_instance_outputs, list_service_instance_provisioned_resources};
pub(crate) use update::update_service_instance;

use crate::control_plane::deployments::Deployments;
use crate::control_plane::records::ServiceInstance;
use crate::control_plane::store::{Stored, Transaction, Typed};
use crate::control_plane::wire::ProtonError;
use crate::domain::Target;

fn target_of(service: &str, name: &str) -> Target {
    Target::ServiceInstance { service: service.to_owned(), name: name.to_owned() }
}

fn instance_of(
    engine: &Deployments,
    tx: &mut dyn Transaction,
    service: &str,
    name: &str,
) -> Result<Stored<ServiceInstance>, ProtonError> {
    tx.get(&engine.scope, &ServiceInstance::key_of(service, name))?
        .ok_or_else(|| ProtonError::not_found(format!("{} doesn't exist", target_of(service, name))))
}
