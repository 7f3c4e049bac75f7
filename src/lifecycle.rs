//! How the process ends: the first signal asks everyone to finish, the second one stops waiting.

use std::future::Future;
use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The process's tasks and the two tokens that end them. Nothing runs outside the tracker.
#[derive(Debug, Clone, Default)]
pub struct Lifecycle {
    /// Cancelled by the first SIGTERM or SIGINT: take no new work, finish what runs.
    pub soft: CancellationToken,
    /// Cancelled when nobody is left who needs the server of this process: an agent's last report still has to be heard.
    pub serving: CancellationToken,
    /// Cancelled by the second one: stop waiting. Terraform goes on under its supervisor even then.
    pub hard: CancellationToken,
    tasks: TaskTracker,
}

impl Lifecycle {
    /// Starts listening for signals.
    ///
    /// # Errors
    /// The system refuses a signal handler.
    pub fn listen() -> io::Result<Self> {
        let lifecycle = Self::default();
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let (soft, hard) = (lifecycle.soft.clone(), lifecycle.hard.clone());
        tokio::spawn(async move {
            for token in [soft, hard] {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                token.cancel();
            }
        });
        Ok(lifecycle)
    }

    /// Runs a task that [`Lifecycle::finish`] waits for. A task that panics asks everyone else to finish too: a
    /// process that goes on without one of its parts looks alive and isn't.
    pub fn spawn<F>(&self, name: &'static str, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let soft = self.soft.clone();
        let inner = self.tasks.spawn(task);
        self.tasks.spawn(async move {
            if inner.await.is_err_and(|error| error.is_panic()) {
                tracing::error!(task = name, "the task {name} panicked; shutting down");
                soft.cancel();
            }
        });
    }

    /// Waits until every task has ended, or until the second signal.
    pub async fn finish(&self) {
        self.tasks.close();
        tokio::select! {
            () = self.tasks.wait() => {}
            () = self.hard.cancelled() => {}
        }
    }
}
