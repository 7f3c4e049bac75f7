//! The control plane behind its port.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::gate::Gate;
use super::keys::RecordKeys;
use super::plane::Plane;
use super::wire::{self, Front, Handler};

/// What is served on the port.
#[derive(Clone)]
pub struct App {
    /// Proton's operations and the record.
    pub plane: Plane,
    /// The embedded S3, if there is one.
    pub objects: Option<Handler>,
    /// Everything below `/_hadron/`: state, sealed inputs.
    pub hadron: Option<Handler>,
}

/// Serves until `shutdown`, then finishes what is under way.
///
/// # Errors
/// When the listener fails.
pub async fn serve(listener: TcpListener, app: App, shutdown: CancellationToken) -> std::io::Result<()> {
    let App { plane, objects, hadron } = app;
    let keys = Arc::new(RecordKeys::of(&plane));
    let front = Front { keys, clock: plane.clock.clone(), operations: Arc::new(Gate(plane)), objects, hadron };
    wire::serve(listener, front, shutdown).await
}
