//! Service pipelines.

mod cancel;
mod results;
mod update;

pub(crate) use cancel::cancel_service_pipeline_deployment;
pub(crate) use results::{list_service_pipeline_outputs, list_service_pipeline_provisioned_resources};
pub(crate) use update::update_service_pipeline;

use crate::control_plane::deployments::Deployments;
use crate::control_plane::records::Pipeline;
use crate::control_plane::store::{Stored, Transaction, Typed};
use crate::control_plane::wire::ProtonError;

fn pipeline_of(engine: &Deployments, tx: &mut dyn Transaction, service: &str) -> Result<Stored<Pipeline>, ProtonError> {
    tx.get(&engine.scope, service)?
        .ok_or_else(|| ProtonError::not_found(format!("pipeline of service {service} doesn't exist")))
}
