//! The layer that writes a change's entry into the change's own transaction.

use super::noting::Noting;
use super::origin::Origin;
use crate::control_plane::plane::Wake;
use crate::control_plane::records::AuditEntry;
use crate::control_plane::store::{Layer, StoreError, Transaction, Typed};
use crate::support::Clock;

/// Stands next to the work of one request.
#[derive(Debug)]
pub(super) struct AuditLayer {
    origin: Origin,
    clock: Clock,
    bell: Wake,
}

impl AuditLayer {
    pub(super) fn new(origin: Origin, clock: Clock, bell: Wake) -> Self {
        Self { origin, clock, bell }
    }
}

impl Layer for AuditLayer {
    fn around(
        &self,
        tx: &mut dyn Transaction,
        work: &mut dyn FnMut(&mut dyn Transaction) -> bool,
    ) -> Result<bool, StoreError> {
        let mut noting = Noting::new(tx);
        if !work(&mut noting) {
            return Ok(false);
        }
        let (touched, remark) = noting.finish();
        if !touched.is_empty() {
            tx.add(&AuditEntry::scope(), &self.origin.changed(self.clock.now(), touched, remark))?;
            // A ring for work that doesn't commit in the end is harmless.
            self.bell.ring();
        }
        Ok(true)
    }
}
