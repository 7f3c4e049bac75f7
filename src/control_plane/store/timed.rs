//! How long transactions take, for whoever wants to know.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;

use super::{Backend, Heard, Store, StoreError, Work};

/// Whether a transaction may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "self-explanatory")]
pub enum Access {
    Read,
    Write,
}

/// Is told of each transaction: what it was, how long it took from the wish to its durable end, and whether the database
/// did its part.
pub type Stopwatch = Arc<dyn Fn(Access, Duration, bool) + Send + Sync>;

struct Timed {
    inner: Arc<dyn Backend>,
    stopwatch: Stopwatch,
}

impl Timed {
    fn time(
        &self,
        access: Access,
        work: BoxFuture<'static, Result<(), StoreError>>,
    ) -> BoxFuture<'static, Result<(), StoreError>> {
        let (began, stopwatch) = (Instant::now(), Arc::clone(&self.stopwatch));
        Box::pin(async move {
            let done = work.await;
            stopwatch(access, began.elapsed(), done.is_ok());
            done
        })
    }
}

impl Backend for Timed {
    fn write(&self, work: Work) -> BoxFuture<'static, Result<(), StoreError>> {
        self.time(Access::Write, self.inner.write(work))
    }

    fn read(&self, work: Work) -> BoxFuture<'static, Result<(), StoreError>> {
        self.time(Access::Read, self.inner.read(work))
    }

    fn ring(&self, bell: &'static str) {
        self.inner.ring(bell);
    }

    fn is_shared(&self) -> bool {
        self.inner.is_shared()
    }

    fn hear(&self, bell: &'static str, heard: Heard) {
        self.inner.hear(bell, heard);
    }
}

impl Store {
    /// The same record, whose transactions are timed.
    #[must_use]
    pub fn timed(&self, stopwatch: Stopwatch) -> Self {
        let inner = Arc::clone(&self.backend);
        Self { backend: Arc::new(Timed { inner, stopwatch }), layers: self.layers.clone() }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::control_plane::store::Sqlite;
    use crate::domain::Scope;

    #[tokio::test(flavor = "multi_thread")]
    async fn each_transaction_is_told_of_once() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = Arc::clone(&told);
        let stopwatch: Stopwatch = Arc::new(move |access, _, well| tell.lock().unwrap().push((access, well)));
        let store = Store::new(Sqlite::temporary().unwrap()).timed(stopwatch);
        let scope = Scope::new("", "");
        let within = scope.clone();
        store.write(move |tx| tx.put_blob(&within, "kind", "key", b"x")).await.unwrap();
        let found: Result<_, StoreError> = store.read(move |tx| tx.blob(&scope, "kind", "key")).await;
        assert_eq!(found.unwrap().unwrap(), b"x");
        assert_eq!(*told.lock().unwrap(), [(Access::Write, true), (Access::Read, true)]);
    }
}
