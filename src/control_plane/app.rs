//! The control plane behind its port.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::gate::Gate;
use super::keys::RecordKeys;
use super::plane::Plane;
use super::wire::{self, Front, Handler, Outside, Port};

/// What is served on the port.
#[derive(Clone)]
pub struct App {
    /// Proton's operations and the record.
    pub plane: Plane,
    /// The embedded S3, if there is one.
    pub objects: Option<Handler>,
    /// Everything below `/_hadron/`: state, sealed inputs.
    pub hadron: Option<Handler>,
    /// What is seen from outside besides the APIs.
    pub outside: Outside,
}

/// Serves until `shutdown`, then finishes what is under way.
pub async fn serve(port: impl Into<Port>, app: App, shutdown: CancellationToken) {
    let App { plane, objects, hadron, outside } = app;
    let keys = Arc::new(RecordKeys::of(&plane));
    let clock = plane.clock.clone();
    let front = Front { keys, clock, operations: Arc::new(Gate(plane)), objects, hadron, outside };
    wire::serve(port, front, shutdown).await;
}
