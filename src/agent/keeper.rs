//! The thread that keeps the leases: heartbeats have a thread, a runtime and connections of their own, so that nothing the
//! agent does elsewhere, however long it blocks, can starve them.

use std::io;
use std::sync::mpsc;

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

use super::metrics::LEASE_BEAT;
use crate::proton::Proton;
use crate::support::AwsAccess;
use crate::support::health::Beat;

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Keeper {
    handle: Handle,
    proton: Proton,
    end: CancellationToken,
    beat: Beat,
}

impl Keeper {
    /// Starts the thread, with a client that shares no connection with any other.
    pub(super) fn start(access: AwsAccess) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().thread_name("lease-io").build()?;
        let (end, handle) = (CancellationToken::new(), runtime.handle().clone());
        let ended = end.clone();
        let beat = Beat::default();
        let beating = beat.clone();
        let (tell, told) = mpsc::sync_channel(1);
        std::thread::Builder::new().name("lease".to_owned()).spawn(move || {
            runtime.block_on(async move {
                // Whoever waits for it is there until it comes.
                tell.send(Proton::new(&access).await).ok();
                while !ended.is_cancelled() {
                    beating.beat();
                    tokio::time::timeout(LEASE_BEAT, ended.cancelled()).await.ok();
                }
            });
        })?;
        let proton = told.recv().map_err(|_| io::Error::other("the lease thread ended at once"))?;
        Ok(Self { handle, proton, end, beat })
    }

    /// Where tasks are spawned that nothing may starve. They must never block.
    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// What the thread gives while it goes round.
    pub(super) fn beat(&self) -> &Beat {
        &self.beat
    }

    /// The client of those tasks.
    pub(super) fn proton(&self) -> &Proton {
        &self.proton
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.end.cancel();
    }
}
