//! Work that one of several servers does at a time: whoever holds the duty.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::plane::Plane;
use super::store::{Document, StoreError, Transaction, Typed};
use crate::domain::Scope;

/// How long a duty is held without a renewal; a dead server's work stands still for so long.
const HELD: i64 = 15_000;

/// Who does something, and until when without another word.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct DutyRecord {
    name: String,
    holder: String,
    /// Milliseconds since the epoch.
    until: i64,
}

impl Document for DutyRecord {
    const KIND: &'static str = "duty";

    fn key(&self) -> String {
        self.name.clone()
    }
}

/// A duty as one server sees it. What it guards must still be harmless when two do it for a moment: a server that was
/// stopped for longer than the duty is held learns only afterwards that another has taken over.
#[derive(Debug, Clone)]
pub(crate) struct Duty {
    name: Cow<'static, str>,
    /// This server, for as long as it runs.
    holder: String,
}

impl Duty {
    pub(crate) fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self { name: name.into(), holder: uuid::Uuid::new_v4().to_string() }
    }

    /// Takes the duty or keeps it; false while another server has it.
    ///
    /// # Errors
    /// That the store refuses.
    pub(crate) async fn hold(&self, plane: &Plane) -> Result<bool, StoreError> {
        let (mine, now) = (self.clone(), plane.clock.now());
        let taken = plane.store.write(move |tx: &mut dyn Transaction| mine.take(tx, now)).await;
        match taken {
            // Another server was faster.
            Err(StoreError::Exists { .. } | StoreError::Stale { .. }) => Ok(false),
            other => other,
        }
    }

    /// Gives the duty back, so that another server needn't wait for its end.
    ///
    /// # Errors
    /// That the store refuses.
    pub(crate) async fn release(&self, plane: &Plane) -> Result<(), StoreError> {
        let mine = self.clone();
        let released = plane.store.write(move |tx: &mut dyn Transaction| {
            let scope = Scope::new("", "");
            match tx.get::<DutyRecord>(&scope, &mine.name)? {
                Some(known) if known.holder == mine.holder => tx.delete(&scope, &known),
                _ => Ok(()),
            }
        });
        match released.await {
            Err(StoreError::Stale { .. }) => Ok(()),
            other => other,
        }
    }

    fn take(&self, tx: &mut dyn Transaction, now: i64) -> Result<bool, StoreError> {
        let scope = Scope::new("", "");
        let mine = DutyRecord { name: self.name.to_string(), holder: self.holder.clone(), until: now + HELD };
        let Some(mut known) = tx.get::<DutyRecord>(&scope, &self.name)? else {
            return tx.add(&scope, &mine).map(|()| true);
        };
        if known.holder != self.holder && now < known.until {
            return Ok(false);
        }
        // Half of the time is left: one write in a while, not one a round.
        if known.holder != self.holder || known.until < now + HELD / 2 {
            known.value = mine;
            tx.save(&scope, &mut known)?;
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control_plane::test_plane::TestPlane;

    #[tokio::test(flavor = "multi_thread")]
    async fn one_server_has_a_duty_until_it_falls_silent() {
        let test = TestPlane::new().await;
        let (one, other) = (Duty::new("events"), Duty::new("events"));
        assert!(one.hold(&test.plane).await.unwrap());
        assert!(!other.hold(&test.plane).await.unwrap());
        assert!(one.hold(&test.plane).await.unwrap());
        test.advance(HELD + 1);
        assert!(other.hold(&test.plane).await.unwrap());
        assert!(!one.hold(&test.plane).await.unwrap());
        one.release(&test.plane).await.unwrap();
        assert!(!one.hold(&test.plane).await.unwrap(), "only the holder gives it back");
        other.release(&test.plane).await.unwrap();
        assert!(one.hold(&test.plane).await.unwrap());
    }
}
