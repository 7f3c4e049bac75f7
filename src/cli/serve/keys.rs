//! The installation's own keys in the record.

use anyhow::{Context, anyhow};
use hadron_model::hadron::Role;

use crate::cli::keys::LocalKeys;
use crate::cli::{Exit, Failure};
use crate::control_plane::audit;
use crate::control_plane::records::AccessKey;
use crate::control_plane::store::{Store, StoreError, Transaction, Typed};
use crate::domain::Scope;
use crate::settings::Resolved;
use crate::support::Clock;

/// Puts the installation's own keys into the record, once.
pub(super) async fn register(
    store: &Store,
    settings: &Resolved,
    keys: &LocalKeys,
    clock: &Clock,
) -> Result<(), Failure> {
    let account: String = settings.value("account")?;
    if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Failure::new(Exit::Settings, anyhow!("`account` is {account}; an AWS account has twelve digits")));
    }
    let now = clock.now();
    let wanted = [(Role::Admin, &keys.admin), (Role::Agent, &keys.agent)]
        .map(|(role, (id, secret))| AccessKey::new(id, secret.clone(), &account, role.as_str(), role, now));
    let scope = Scope::new(&account, settings.value::<String>("region")?);
    let audited = audit::by_itself(store, clock, &scope, "RegisterLocalKeys", "the data folder has new keys");
    let written = audited.write(move |tx: &mut dyn Transaction| {
        for key in &wanted {
            if tx.get::<AccessKey>(&AccessKey::scope(), &key.id)?.is_none() {
                tx.add(&AccessKey::scope(), key)?;
            }
        }
        Ok::<_, StoreError>(())
    });
    Ok(written.await.context("writing the access keys into the record")?)
}
