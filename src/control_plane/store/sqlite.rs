//! SQLite: one writer that commits in groups, a few readers on snapshots.

use futures::future::BoxFuture;

use super::{Backend, StoreError, Work};

/// The embedded database of one machine.
#[derive(Debug)]
pub struct Sqlite {}

impl Backend for Sqlite {
    fn write(&self, _work: Work) -> BoxFuture<'static, Result<(), StoreError>> {
        Box::pin(async { Err(StoreError::Closed) })
    }
    fn read(&self, _work: Work) -> BoxFuture<'static, Result<(), StoreError>> {
        Box::pin(async { Err(StoreError::Closed) })
    }
}
