//! Whether something of an import is here already, and as what.

use std::collections::BTreeMap;

use hadron_model::hadron::{ImportOutcome, ImportResult, StateAt};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::control_plane::deployments::Deployments;
use crate::control_plane::records::Imported;
use crate::control_plane::store::{StoreError, Transaction, Typed};
use crate::control_plane::wire::ProtonError;

/// What a second import doesn't compare: names that it was found by, where the state lies (it may be copied), and what has
/// a comparison of its own.
const NOT_COMPARED: [&str; 4] = ["arn", "state", "instances", "pipeline"];

/// A digest of each member.
pub(super) fn parts(given: &impl Serialize) -> Result<BTreeMap<String, String>, ProtonError> {
    let Value::Object(members) = serde_json::to_value(given)? else { return Ok(BTreeMap::new()) };
    let wanted = members.into_iter().filter(|(name, value)| !NOT_COMPARED.contains(&name.as_str()) && !value.is_null());
    Ok(wanted.map(|(name, value)| (name, hex::encode(Sha256::digest(value.to_string())))).collect())
}

/// What is to be done with something of an import.
pub(super) enum Standing {
    /// It isn't here.
    New,
    /// It is, and stays as it is.
    Here(ImportResult),
}

/// Compares something with what the record has under its name; `there` says whether that is anything, and what.
pub(super) fn standing(
    tx: &mut dyn Transaction,
    engine: &Deployments,
    arn: &str,
    parts: &BTreeMap<String, String>,
    there: Option<String>,
) -> Result<Standing, StoreError> {
    if let Some(before) = tx.get::<Imported>(&engine.scope, arn)? {
        let names = before.parts.keys().chain(parts.keys());
        let mut differing: Vec<&str> =
            names.filter(|name| before.parts.get(*name) != parts.get(*name)).map(String::as_str).collect();
        differing.sort_unstable();
        differing.dedup();
        if differing.is_empty() {
            return Ok(Standing::Here(result(arn, ImportOutcome::Unchanged, None)));
        }
        let when = jiff::Timestamp::from_millisecond(before.at).map(|at| at.to_string()).unwrap_or_default();
        let why = format!(
            "was imported on {when} with other {}; what is here stays; \
             only a new control plane can take it otherwise",
            differing.join(", ")
        );
        return Ok(Standing::Here(conflict(arn, &why)));
    }
    Ok(match there {
        Some(what) => Standing::Here(conflict(arn, &format!("{what} is here already and wasn't imported; it stays"))),
        None => Standing::New,
    })
}

/// Notes that something was imported; a target, which has a deployment, begins in quarantine.
///
/// # Errors
/// `ConflictException` for a state that another target has.
pub(super) fn note(
    tx: &mut dyn Transaction,
    engine: &Deployments,
    arn: &str,
    parts: BTreeMap<String, String>,
    target: Option<(&str, Option<&StateAt>)>,
) -> Result<(), ProtonError> {
    let (deployment, state) = target.unzip();
    let state = state.flatten().cloned();
    if let Some(state) = &state {
        refuse_shared(tx, engine, arn, state)?;
    }
    let imported = Imported {
        arn: arn.to_owned(),
        at: engine.now,
        parts,
        quarantined: deployment.is_some(),
        deployment: deployment.map(str::to_owned),
        state,
        moved_from: None,
        plan: None,
        adopted: None,
    };
    Ok(tx.add(&engine.scope, &imported)?)
}

/// Two targets must never share a state.
fn refuse_shared(
    tx: &mut dyn Transaction,
    engine: &Deployments,
    arn: &str,
    state: &StateAt,
) -> Result<(), ProtonError> {
    let address = Imported::address(state);
    let taken = |owner: &str| ProtonError::conflict(format!("the state {address} of {arn} is that of {owner} already"));
    if let Some(other) = tx.by_term::<Imported>(&engine.scope, Imported::STATE, &address)?.first() {
        return Err(taken(&other.arn));
    }
    match engine.keep_state_key(tx, arn, &state.key)? {
        Some(owner) => Err(taken(&owner)),
        None => Ok(()),
    }
}

/// The id of a target's last deployment; where nothing told it, one that is always the same.
pub(super) fn deployment_id(arn: &str, given: Option<&str>) -> String {
    given.map_or_else(
        || {
            let digest = Sha256::digest(format!("imported {arn}"));
            let bytes = std::array::from_fn(|at| digest[at]);
            uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
        },
        str::to_owned,
    )
}

pub(super) fn result(arn: &str, outcome: ImportOutcome, message: Option<String>) -> ImportResult {
    ImportResult { arn: arn.to_owned(), outcome, message }
}

pub(super) fn imported(arn: &str) -> ImportResult {
    result(arn, ImportOutcome::Imported, None)
}

pub(super) fn conflict(arn: &str, why: &str) -> ImportResult {
    result(arn, ImportOutcome::Conflict, Some(why.to_owned()))
}

pub(super) fn unchanged(arn: &str) -> ImportResult {
    result(arn, ImportOutcome::Unchanged, None)
}
