//! Client tokens: the repeat of a request finds what the first one made.
//!
//! ```text
//! let once = Once::new(Operation::CreateComponent, input.client_token.as_deref(), &input)?;
//! plane.store.write(move |tx| {
//!     if let Some(name) = once.earlier(tx, &scope, now)? { /* answer with the resource as it is now */ }
//!     …
//!     once.remember(tx, &scope, &name, now)
//! })
//! ```

use hadron_model::Operation;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::control_plane::records::IdempotencyToken;
use crate::control_plane::store::{ALL, Select, StoreError, Stored, Transaction, Typed};
use crate::control_plane::wire::ProtonError;
use crate::domain::Scope;

/// How long a token is remembered, in milliseconds; clients repeat within minutes.
const REMEMBERED: i64 = 24 * 60 * 60 * 1000;

/// How many expired tokens a new one clears away, so that they can't pile up.
const CLEARED: usize = 4;

/// A request that must happen once.
#[derive(Debug, Clone)]
pub(crate) struct Once {
    operation: &'static str,
    token: Option<String>,
    input: String,
}

impl Once {
    /// A request with its client token; without a token every request is a new one.
    pub(crate) fn new(operation: Operation, token: Option<&str>, input: &impl Serialize) -> Result<Self, ProtonError> {
        let input = hex::encode(Sha256::digest(serde_json::to_vec(input)?));
        let token = token.filter(|token| !token.is_empty()).map(str::to_owned);
        Ok(Self { operation: operation.name(), token, input })
    }

    /// The key of the resource that an earlier request with this token made. It may be gone meanwhile; then the request
    /// is a new one.
    ///
    /// # Errors
    /// `ValidationException` if the token came with other parameters.
    pub(crate) fn earlier(
        &self,
        tx: &mut dyn Transaction,
        scope: &Scope,
        now: i64,
    ) -> Result<Option<String>, ProtonError> {
        let Some(known) = self.stored(tx, scope)?.filter(|known| known.at + REMEMBERED > now) else { return Ok(None) };
        if known.input != self.input {
            return Err(ProtonError::validation("Idempotent parameter mismatch"));
        }
        Ok(Some(known.value.resource))
    }

    /// Remembers which resource the request made or changed.
    pub(crate) fn remember(
        &self,
        tx: &mut dyn Transaction,
        scope: &Scope,
        resource: &str,
        now: i64,
    ) -> Result<(), ProtonError> {
        let Some(token) = &self.token else { return Ok(()) };
        clear_expired(tx, scope, now)?;
        if let Some(known) = self.stored(tx, scope)? {
            tx.delete(scope, &known)?;
        }
        let record = IdempotencyToken {
            operation: self.operation.into(),
            token: token.clone(),
            input: self.input.clone(),
            resource: resource.into(),
            at: now,
        };
        Ok(tx.add(scope, &record)?)
    }

    fn stored(&self, tx: &mut dyn Transaction, scope: &Scope) -> Result<Option<Stored<IdempotencyToken>>, StoreError> {
        let Some(token) = &self.token else { return Ok(None) };
        tx.get(scope, &IdempotencyToken::key_of(self.operation, token))
    }
}

fn clear_expired(tx: &mut dyn Transaction, scope: &Scope, now: i64) -> Result<(), StoreError> {
    let oldest = Select { term: ALL, value: "", after: None, descending: false, limit: CLEARED };
    for known in tx.page::<IdempotencyToken>(scope, &oldest)? {
        if known.at + REMEMBERED <= now {
            tx.delete(scope, &known)?;
        }
    }
    Ok(())
}
