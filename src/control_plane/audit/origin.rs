//! Who does something, from where, and what it is: an entry before anything has happened.

use std::sync::Mutex;

use hadron_model::Action;
use hadron_model::hadron::AuditOutcome;
use http::HeaderMap;
use serde_json::Value;
use uuid::timestamp::context::ContextV7;
use uuid::{Timestamp, Uuid};

use super::resource;
use crate::control_plane::records::{AuditEntry, Touched};
use crate::control_plane::wire::{Attempt, Call, Peer, RequestId};
use crate::domain::Scope;

/// The principal of what happens by itself.
pub(super) const SERVER: &str = "hadron:server";

/// The principal of a request that nobody can be held to.
pub(super) const UNKNOWN: &str = "unknown";

/// Longest texts that a client has a say in, in characters; the rest is cut off.
const LONGEST: usize = 300;

/// An entry without its id and its time.
#[derive(Debug, Clone)]
pub(crate) struct Origin(AuditEntry);

impl Origin {
    /// A request of a known caller.
    pub(crate) fn of(call: &Call, action: Action, input: &Value) -> Self {
        let caller = &call.caller;
        Self(AuditEntry {
            principal: caller.principal.clone(),
            access_key: Some(caller.access_key.clone()),
            resource: resource::named(action.name(), &call.scope, input),
            request_id: call.request_id.clone(),
            source_ip: call.peer.map(|peer| peer.to_string()),
            user_agent: user_agent(&call.headers),
            ..blank(&call.scope, action.service(), action.name())
        })
    }

    /// A request of Terraform's to the state server, about a target.
    pub(crate) fn of_run(
        run: &str,
        request: &http::request::Parts,
        action: &'static str,
        (scope, target): (&Scope, &str),
    ) -> Self {
        Self(AuditEntry {
            principal: format!("hadron:run/{}", short(run)),
            resource: (!target.is_empty()).then(|| short(target)),
            request_id: request.extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default(),
            source_ip: request.extensions.get::<Peer>().map(|peer| peer.0.to_string()),
            user_agent: user_agent(&request.headers),
            ..blank(scope, "state", action)
        })
    }

    /// What the server does by itself.
    pub(super) fn of_server(scope: &Scope, action: &'static str, reason: String) -> Self {
        Self(AuditEntry { principal: SERVER.into(), reason: Some(reason), ..blank(scope, "server", action) })
    }

    /// A request whose signature isn't accepted. `account` and `principal` are those of the key, if anyone has it.
    pub(super) fn of_attempt(attempt: &Attempt, key: Option<(&str, String)>) -> Self {
        let (account, principal) = key.unwrap_or_else(|| ("", UNKNOWN.into()));
        let scope = Scope::new(account, short(&attempt.region));
        Self(AuditEntry {
            principal,
            access_key: Some(short(&attempt.access_key)),
            request_id: attempt.request_id.clone(),
            source_ip: attempt.peer.map(|peer| peer.to_string()),
            user_agent: attempt.user_agent.as_deref().map(short),
            ..blank(&scope, attempt.service, attempt.action)
        })
    }

    /// The same request, when nobody can be held to it.
    pub(super) fn unproved(self) -> Self {
        Self(AuditEntry { principal: UNKNOWN.into(), ..self.0 })
    }

    /// Many requests that nobody can be held to.
    pub(super) fn of_many() -> Self {
        Self(AuditEntry { principal: UNKNOWN.into(), ..blank(&Scope::new("", ""), "server", "Authenticate") })
    }

    /// The entry of a change; a remark says what the change alone doesn't.
    pub(super) fn changed(&self, now: i64, touched: Vec<Touched>, remark: Option<String>) -> AuditEntry {
        let reason = remark.or_else(|| self.0.reason.clone());
        AuditEntry { id: id(now), at: now, touched, reason, ..self.0.clone() }
    }

    /// The entry of a refusal.
    pub(super) fn refused(self, now: i64, reason: &str) -> AuditEntry {
        let outcome = AuditOutcome::Refused;
        AuditEntry { id: id(now), at: now, outcome, reason: Some(reason.to_owned()), ..self.0 }
    }
}

fn blank(scope: &Scope, api: &str, action: &str) -> AuditEntry {
    AuditEntry {
        id: String::new(),
        at: 0,
        principal: String::new(),
        access_key: None,
        account: scope.account.clone(),
        region: scope.region.clone(),
        api: api.to_owned(),
        action: action.to_owned(),
        resource: None,
        request_id: String::new(),
        source_ip: None,
        user_agent: None,
        outcome: AuditOutcome::Changed,
        reason: None,
        touched: Vec::new(),
        link: None,
    }
}

/// Ids of one process are in the order of their making, even within a millisecond.
fn id(now: i64) -> String {
    static ORDER: Mutex<ContextV7> = Mutex::new(ContextV7::new());
    let milliseconds = u64::try_from(now).unwrap_or_default();
    let nanoseconds = u32::try_from(milliseconds % 1000 * 1_000_000).unwrap_or_default();
    Uuid::new_v7(Timestamp::from_unix(&ORDER, milliseconds / 1000, nanoseconds)).to_string()
}

fn user_agent(headers: &HeaderMap) -> Option<String> {
    headers.get(http::header::USER_AGENT)?.to_str().ok().map(short)
}

fn short(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}
