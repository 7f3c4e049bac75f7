//! Who asks: the lock's holder, whoever held it last, or a deployment's claim.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::StateError;
use super::address::Address;
use super::ways_out::ways_out;
use crate::control_plane::records::{AccessKey, Deployment, LockHolder, StateBlock, StateLock, TargetRuns};
use crate::control_plane::store::{Transaction, Typed};
use crate::domain::Scope;
use crate::support::credential::state_password;

/// What a request says of itself.
#[derive(Debug, Clone)]
pub(super) struct Credential {
    pub(super) deployment: String,
    pub(super) epoch: i64,
    password: String,
}

impl Credential {
    /// Reads Basic authentication whose user is `<deployment>.<epoch>`.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, StateError> {
        Self::parse(headers).ok_or(StateError::Unauthorized)
    }

    fn parse(headers: &HeaderMap) -> Option<Self> {
        let encoded = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
        let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
        let (username, password) = text.split_once(':')?;
        let (deployment, epoch) = username.rsplit_once('.')?;
        Some(Self { deployment: deployment.into(), epoch: epoch.parse().ok()?, password: password.into() })
    }

    fn digest(&self) -> String {
        hex::encode(Sha256::digest(&self.password))
    }

    fn username(&self) -> String {
        format!("{}.{}", self.deployment, self.epoch)
    }

    fn is(&self, holder: &LockHolder) -> bool {
        let same_run = holder.deployment == self.deployment && holder.epoch == self.epoch;
        same_run && equal(&holder.password_digest, &self.digest())
    }
}

/// A claim whose password was right.
#[derive(Debug)]
pub(super) struct Claim {
    agent: String,
    access_key: String,
    /// Why it doesn't count any more.
    over: Option<&'static str>,
}

/// A caller who is known.
#[derive(Debug)]
pub(super) struct Caller {
    credential: Credential,
    /// The lock as it stands, whoever holds it.
    lock: Option<StateLock>,
    /// The claim, if its key is still there to prove it.
    claim: Option<Claim>,
}

/// Recognises a caller by the lock or by the claim of its deployment.
pub(super) fn identify(
    tx: &mut dyn Transaction,
    address: &Address,
    credential: &Credential,
    now: i64,
) -> Result<Caller, StateError> {
    let lock = tx.get::<StateLock>(&address.scope, &address.arn)?.map(|stored| stored.value);
    let known = lock.iter().flat_map(|lock| [&lock.holder, &lock.last]).flatten().any(|holder| credential.is(holder));
    let deployment = tx.get::<Deployment>(&address.scope, &credential.deployment)?.map(|stored| stored.value);
    let deployment = deployment.filter(|deployment| deployment.target == address.target);
    let claim = match &deployment {
        Some(deployment) => claim(tx, deployment, credential, &address.url, now),
        None => Err(StateError::Unauthorized),
    };
    match claim {
        Ok(claim) => Ok(Caller { credential: credential.clone(), lock, claim: Some(claim) }),
        Err(StateError::Store(error)) => Err(error.into()),
        Err(_) if known => Ok(Caller { credential: credential.clone(), lock, claim: None }),
        Err(error) => Err(error),
    }
}

/// Recognises a run that has something to say about a state, whatever became of its claim: the current claim, whoever
/// holds the lock or held it last, and every run that is still unsettled. Gives deployment, epoch and agent.
pub(super) fn identify_run(
    tx: &mut dyn Transaction,
    address: &Address,
    credential: &Credential,
    now: i64,
) -> Result<(String, i64, String), StateError> {
    let refused = match identify(tx, address, credential, now) {
        Ok(caller) if caller.is_known() => return Ok(caller.run()),
        Ok(caller) => caller.must_be_current().err(),
        Err(StateError::Store(error)) => return Err(error.into()),
        Err(error) => Some(error),
    };
    let Some(refused) = refused else { return Ok((credential.deployment.clone(), credential.epoch, String::new())) };
    let runs = tx.get::<TargetRuns>(&address.scope, &address.arn)?;
    let Some(run) = runs.as_ref().and_then(|runs| runs.run(&credential.deployment, credential.epoch)) else {
        return Err(refused);
    };
    let key = tx.get::<AccessKey>(&AccessKey::scope(), &run.access_key)?;
    let password = key.map(|key| state_password(&key.secret, &address.url, &credential.username()));
    match password.filter(|password| equal(password, &credential.password)) {
        Some(_) => Ok((run.deployment.clone(), run.epoch, run.agent.clone())),
        None => Err(refused),
    }
}

/// Checks a credential against its deployment's claim. Without a claim of that epoch there is no key to check with; that
/// it is over is no secret then.
pub(super) fn claim(
    tx: &mut dyn Transaction,
    deployment: &Deployment,
    credential: &Credential,
    url: &str,
    now: i64,
) -> Result<Claim, StateError> {
    if credential.epoch > deployment.epoch {
        return Err(StateError::Unauthorized);
    }
    if credential.epoch < deployment.epoch {
        return Err(credential.claim_over("the deployment has been claimed anew since"));
    }
    let Some(lease) = &deployment.lease else { return Err(credential.claim_over("the claim is over")) };
    let key = tx.get::<AccessKey>(&AccessKey::scope(), &lease.access_key)?.ok_or(StateError::Unauthorized)?;
    if !equal(&state_password(&key.secret, url, &credential.username()), &credential.password) {
        return Err(StateError::Unauthorized);
    }
    let (agent, access_key) = (lease.agent.clone(), lease.access_key.clone());
    let live = deployment.live_lease(now).is_some();
    let over = match (key.is_active(now), deployment.in_flight(), live) {
        (false, ..) => Some("its access key is revoked or has expired"),
        (_, false, _) => Some("the deployment has finished"),
        (.., false) => Some("the lease has run out"),
        _ => None,
    };
    Ok(Claim { agent, access_key, over })
}

impl Credential {
    fn claim_over(&self, reason: &'static str) -> StateError {
        StateError::ClaimOver { deployment: self.deployment.clone(), epoch: self.epoch, reason }
    }

    /// Refuses a claim that doesn't count any more.
    pub(super) fn current<'c>(&self, claim: Option<&'c Claim>) -> Result<&'c Claim, StateError> {
        let claim = claim.ok_or_else(|| self.claim_over("its access key is gone"))?;
        claim.over.map_or(Ok(claim), |reason| Err(self.claim_over(reason)))
    }
}

impl Caller {
    /// The lock's holder, if it is this caller.
    pub(super) fn held(&self) -> Option<&LockHolder> {
        self.lock.as_ref()?.holder.as_ref().filter(|holder| self.credential.is(holder))
    }

    /// Whether this caller released the lock of this id, and nobody has released it since.
    pub(super) fn released(&self, lock_id: Option<&str>) -> bool {
        let last = self.lock.as_ref().and_then(|lock| lock.last.as_ref());
        last.is_some_and(|last| self.credential.is(last) && lock_id == Some(last.lock_id.as_str()))
    }

    /// Whoever holds the lock.
    pub(super) fn holder(&self) -> Option<&LockHolder> {
        self.lock.as_ref()?.holder.as_ref()
    }

    /// Whether this caller holds the lock or held it last, or its claim is the current one.
    fn is_known(&self) -> bool {
        let mut holders = self.lock.iter().flat_map(|lock| [&lock.holder, &lock.last]).flatten();
        holders.any(|holder| self.credential.is(holder)) || self.must_be_current().is_ok()
    }

    /// Refuses whoever isn't the current claim.
    pub(super) fn must_be_current(&self) -> Result<(), StateError> {
        self.credential.current(self.claim.as_ref()).map(|_| ())
    }

    /// The holder may read, and the current claim.
    pub(super) fn may_read(&self) -> Result<(), StateError> {
        match self.held() {
            Some(_) => Ok(()),
            None => self.credential.current(self.claim.as_ref()).map(|_| ()),
        }
    }

    /// The holder may write, whatever became of its claim. If its lock was broken, and nobody has locked since, what it
    /// brings is still the newest there is; serial and lineage guard the rest.
    pub(super) fn may_write(&self, lock_id: Option<&str>) -> Result<(), StateError> {
        match (self.holder(), self.held()) {
            (_, Some(held)) if lock_id == Some(held.lock_id.as_str()) => Ok(()),
            (None, _) if self.released(lock_id) => Ok(()),
            (Some(holder), _) => Err(StateError::Held(Box::new(holder.clone()))),
            (None, _) => Err(StateError::NotLocked),
        }
    }

    /// Nobody locks a blocked state.
    pub(super) fn must_be_unblocked(&self, address: &Address) -> Result<(), StateError> {
        let arn = address.arn.clone();
        match self.lock.as_ref().and_then(|lock| lock.blocked.clone()) {
            None => Ok(()),
            Some(StateBlock { reason, serial, by: None, .. }) => Err(StateError::Blocked { arn, reason, serial }),
            Some(block) => {
                let commands = ways_out(&arn, &block, block.serial.unwrap_or(0));
                Err(StateError::BlockedByRun { arn, reason: block.reason, commands })
            }
        }
    }

    /// What a restore has blocked isn't written either, not by the holder of its lock: that would build on a state that may
    /// not be the newest. What a run has blocked is: the holder brings what its Terraform has done.
    pub(super) fn may_write_blocked(&self, address: &Address) -> Result<(), StateError> {
        match self.lock.as_ref().and_then(|lock| lock.blocked.as_ref()) {
            Some(StateBlock { by: Some(_), .. }) => Ok(()),
            _ => self.must_be_unblocked(address),
        }
    }

    /// This caller as the holder of a lock; only the current claim may become one.
    pub(super) fn as_holder(&self, lock_id: &str, info: &str, now: i64) -> Result<LockHolder, StateError> {
        let claim = self.credential.current(self.claim.as_ref())?;
        Ok(LockHolder {
            lock_id: lock_id.to_owned(),
            info: info.to_owned(),
            deployment: self.credential.deployment.clone(),
            epoch: self.credential.epoch,
            agent: claim.agent.clone(),
            access_key: claim.access_key.clone(),
            password_digest: self.credential.digest(),
            since: now,
        })
    }

    /// Which run this is, for the record: deployment, epoch and agent.
    pub(super) fn run(&self) -> (String, i64, String) {
        let lock = self.lock.as_ref();
        let holders = lock.into_iter().flat_map(|lock| [&lock.holder, &lock.last]).flatten();
        let mut agents = holders.filter(|holder| self.credential.is(holder)).map(|holder| holder.agent.clone());
        let agent = self.claim.as_ref().map(|claim| claim.agent.clone()).or_else(|| agents.next());
        (self.credential.deployment.clone(), self.credential.epoch, agent.unwrap_or_default())
    }
}

/// Finds the scope and the record of a deployment whose address names only its id.
pub(super) fn deployment_anywhere(
    tx: &mut dyn Transaction,
    id: &str,
) -> Result<Option<(Scope, Deployment)>, StateError> {
    use crate::control_plane::store::Document;
    for scope in tx.scopes(Deployment::KIND)? {
        if let Some(stored) = tx.get::<Deployment>(&scope, id)? {
            return Ok(Some((scope, stored.value)));
        }
    }
    Ok(None)
}

fn equal(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}
