//! The audit log: who changed what, who was refused, and the chain that proves that nothing was taken out.

use hadron_model::hadron::AuditOutcome;
use serde::{Deserialize, Serialize};

use crate::control_plane::store::{Document, Term};
use crate::domain::Scope;

/// One line of the audit log. It is written in the transaction of the change that it tells of; a moment later it gets
/// its [`Link`], and from then on nothing writes it any more.
///
/// Its members are what the hash covers, so an optional one is left out while it is empty: a member that a later
/// version adds leaves the hashes of older entries as they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// A UUID of version 7; empty only while the entry is being made.
    pub id: String,
    /// When, in milliseconds since the epoch.
    pub at: i64,
    /// Who: an ARN, `hadron:server`, `hadron:run/<deployment>.<epoch>`, or `unknown`.
    pub principal: String,
    /// The access key that signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_key: Option<String>,
    /// The account that was acted on; empty when nobody knows who asked.
    pub account: String,
    /// The region that was acted on.
    pub region: String,
    /// `proton`, `hadron`, `state` for Terraform's backend, `server` for what happens by itself.
    pub api: String,
    /// The operation's name.
    pub action: String,
    /// What it was about: an ARN where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The id that the answer carried; empty of what no request caused.
    pub request_id: String,
    /// The address that the connection came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_ip: Option<String>,
    /// What the client called itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// Whether something changed or was refused.
    pub outcome: AuditOutcome,
    /// Why it was refused, or why the server did it by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What changed.
    pub touched: Vec<Touched>,
    /// Its place in the chain; none until the chainer has come by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Link>,
}

/// A document that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touched {
    /// The document's kind; `state` stands for Terraform's state, whose versions are its serials.
    pub kind: String,
    /// Its key.
    pub key: String,
    /// Its version before; none of a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<i64>,
    /// Its version after; none of one that is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<i64>,
}

/// An entry's place in the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Counts all entries of the record, from 1 without gaps.
    pub sequence: i64,
    /// The hash of the entry before, in hexadecimal; zeros at the beginning.
    pub previous: String,
    /// The entry's own, see [`canonical`](crate::control_plane::audit::canonical).
    pub hash: String,
}

impl AuditEntry {
    /// The term that lists an account's entries by time.
    pub const ACCOUNT: &'static str = "account";

    /// The scope that all entries lie in: there is one chain for the whole record.
    pub fn scope() -> Scope {
        Scope::new("", "")
    }

    /// A place in the list of all entries: chained ones come first, in the chain's order. It is the place before every
    /// entry with this sequence number.
    pub fn chained_sort(sequence: i64) -> String {
        format!("c{sequence:020}")
    }

    /// Where the unchained ones begin in the list of all entries.
    pub const UNCHAINED: &'static str = "u";

    /// A place in an account's list: before every entry of this moment.
    pub fn time_sort(at: i64) -> String {
        format!("{at:020}")
    }
}

impl Document for AuditEntry {
    const KIND: &'static str = "audit_entry";

    fn key(&self) -> String {
        self.id.clone()
    }

    fn sort(&self) -> String {
        match &self.link {
            Some(link) => Self::chained_sort(link.sequence),
            None => format!("{}{:020}/{}", Self::UNCHAINED, self.at, self.id),
        }
    }

    fn terms(&self) -> Vec<Term> {
        let sort = format!("{}/{}", Self::time_sort(self.at), self.id);
        vec![Term::new(Self::ACCOUNT, &self.account).sorted_by(sort)]
    }
}

/// The end of the chain, under the key [`AuditHead::KEY`] of [`AuditEntry::scope`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditHead {
    /// The last entry's number; 0 before there is one.
    pub sequence: i64,
    /// The last entry's hash.
    pub hash: String,
}

impl AuditHead {
    /// There is only one.
    pub const KEY: &'static str = "head";
}

impl Document for AuditHead {
    const KIND: &'static str = "audit_head";

    fn key(&self) -> String {
        Self::KEY.into()
    }
}
