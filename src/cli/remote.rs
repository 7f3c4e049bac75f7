//! The control plane as a command sees it: over the wire, with the settings' key or this machine's own.

use super::agent::Access;
use super::{Exit, Failure, keys};
use crate::objects::{Objects, ObjectsConfig};
use crate::proton::{Proton, ProtonError};
use crate::settings::Resolved;
use crate::support::AwsAccess;

/// Proton and its bucket.
pub(super) struct Remote {
    pub(super) proton: Proton,
    pub(super) objects: Objects,
}

impl Remote {
    /// The endpoint of the settings, else the one that `hadron up` has on this machine by default.
    pub(super) async fn of(settings: &Resolved) -> Result<Self, Failure> {
        let mut access = Access::of(settings)?;
        if access.endpoint.is_none() {
            access.endpoint = Some(format!("http://{}", settings.value::<String>("listen")?));
        }
        if access.credentials.is_none() {
            access.credentials = Some(keys::for_clients(settings)?);
        }
        let outside = settings.text("objects_endpoint").is_some() || settings.text("bucket").is_some();
        let objects = ObjectsConfig {
            endpoint: if outside { settings.text("objects_endpoint") } else { access.endpoint.clone() },
            region: access.region.clone(),
            credentials: if outside { None } else { access.credentials.clone() },
            path_style: !outside || settings.text("objects_endpoint").is_some(),
        };
        let proton =
            AwsAccess { endpoint: access.endpoint, region: Some(access.region), credentials: access.credentials };
        Ok(Self { proton: Proton::new(&proton).await, objects: Objects::new(objects).await })
    }
}

/// A refusal of the control plane, in words.
pub(super) fn failure(error: ProtonError) -> Failure {
    Failure::new(Exit::Unexpected, error).hint("is `hadron up` running, and is HADRON_ENDPOINT right?")
}
