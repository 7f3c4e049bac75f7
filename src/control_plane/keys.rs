//! Access keys out of the record, remembered for a moment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;

use super::plane::Plane;
use super::records::AccessKey;
use super::store::{Store, Typed};
use super::wire::{Caller, Key, Keys, ProtonError};
use crate::support::Clock;

/// How long a found key is remembered, in milliseconds: a revoked one signs no longer than this.
const REMEMBERED: i64 = 2000;

/// How many keys are remembered at most; then all are forgotten, which costs one look-up each.
const MOST: usize = 1024;

/// The keys that this process has found lately, each with the moment until which that holds; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct KnownKeys(Arc<Mutex<HashMap<String, (Key, i64)>>>);

impl KnownKeys {
    /// Lets a key be looked up anew: it has been revoked or rotated.
    pub(crate) fn forget(&self, id: &str) {
        self.0.lock().expect("no one panics while holding the keys").remove(id);
    }

    fn recall(&self, id: &str, now: i64) -> Option<Key> {
        let known = self.0.lock().expect("no one panics while holding the keys");
        known.get(id).filter(|(_, until)| *until > now).map(|(key, _)| key.clone())
    }

    fn remember(&self, id: String, key: Key, until: i64) {
        let mut known = self.0.lock().expect("no one panics while holding the keys");
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(id, (key, until));
    }
}

/// Looks up access keys; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct RecordKeys {
    store: Store,
    clock: Clock,
    known: KnownKeys,
}

impl RecordKeys {
    /// The keys of a control plane, which tells what to forget.
    pub(super) fn of(plane: &Plane) -> Self {
        Self { store: plane.store.clone(), clock: plane.clock.clone(), known: plane.known_keys.clone() }
    }
}

impl Keys for RecordKeys {
    fn find<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Key>, ProtonError>> {
        Box::pin(async move {
            let now = self.clock.now();
            if let Some(key) = self.known.recall(id, now) {
                return Ok(Some(key));
            }
            let wanted = id.to_owned();
            let found = self.store.read(move |tx| tx.get::<AccessKey>(&AccessKey::scope(), &wanted)).await;
            let found = found.map_err(ProtonError::from)?.filter(|stored| stored.is_active(now));
            Ok(found.map(|stored| {
                let until = stored.expires_at.map_or(now + REMEMBERED, |end| end.min(now + REMEMBERED));
                let key = key(&stored);
                self.known.remember(id.to_owned(), key.clone(), until);
                key
            }))
        })
    }
}

fn key(record: &AccessKey) -> Key {
    Key {
        secret: record.secret.clone(),
        account: record.account.clone(),
        caller: Caller {
            access_key: record.id.clone(),
            principal: record.principal(),
            role: record.role,
            groups: record.groups.clone(),
            environments: record.environments.clone(),
        },
    }
}
