//! Who has asked for work: what tells an operator that nobody looks after an environment.

use serde::{Deserialize, Serialize};

use super::binding::within;
use super::{Ask, Deployments, Selection};
use crate::control_plane::records::Deployment;
use crate::control_plane::store::{Document, StoreError, Transaction, Typed};

/// How exact the record is, in milliseconds: agents ask all the time, and one write a minute tells enough.
const EXACT: i64 = 60_000;

/// How long those are remembered that ask no more, in milliseconds.
const REMEMBERED: i64 = 30 * 24 * 3_600_000;

/// When agents of one binding last asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Asked {
    /// What their key is bound to; everything if it is empty.
    environments: Vec<String>,
    /// What they asked for themselves.
    selection: Selection,
    /// The last of them.
    pub(super) agent: String,
    /// Milliseconds since the epoch.
    pub(super) at: i64,
}

impl Asked {
    /// Whether such an agent would take a deployment.
    pub(super) fn covers(
        &self,
        tx: &mut dyn Transaction,
        engine: &Deployments,
        deployment: &Deployment,
    ) -> Result<bool, StoreError> {
        Ok(self.selection.holds(&deployment.target, &deployment.environment)
            && within(tx, &engine.scope, &self.environments, deployment)?)
    }
}

impl Document for Asked {
    const KIND: &'static str = "asked";

    fn key(&self) -> String {
        let Selection { environment, service, instance, component } = &self.selection;
        let chosen = [environment, service, instance, component].map(|it| it.as_deref().unwrap_or_default());
        format!("{}/{}", self.environments.join(","), chosen.join("/"))
    }
}

impl Deployments {
    /// Whether it is worth noting that an agent asks.
    pub(crate) fn is_news(&self, tx: &mut dyn Transaction, ask: &Ask) -> Result<bool, StoreError> {
        let known = tx.get::<Asked>(&self.scope, &self.asked(ask).key())?;
        Ok(known.is_none_or(|known| self.now - known.at >= EXACT))
    }

    /// Notes that an agent asks. What another server notes at the same time is as good.
    pub(crate) fn note_asking(&self, tx: &mut dyn Transaction, ask: &Ask) -> Result<(), StoreError> {
        let new = self.asked(ask);
        if let Some(mut known) = tx.get::<Asked>(&self.scope, &new.key())? {
            known.value = new;
            return tx.save(&self.scope, &mut known);
        }
        for old in tx.all::<Asked>(&self.scope)? {
            if self.now - old.at > REMEMBERED {
                tx.delete(&self.scope, &old)?;
            }
        }
        tx.add(&self.scope, &new)
    }

    fn asked(&self, ask: &Ask) -> Asked {
        let mut environments = ask.environments.clone();
        environments.sort_unstable();
        Asked { environments, selection: ask.binding.clone(), agent: ask.agent.clone(), at: self.now }
    }
}
