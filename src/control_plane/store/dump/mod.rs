//! A record as a plain sequence of rows, the same for every backend: what a backup is made of and what a restore puts back.
//!
//! Rows are taken as they lie, so what is sealed stays sealed.

mod file;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use file::{Counts, DumpError, FORMAT, Header, read, write};

/// The tables, in the order in which rows can be put back: a term needs its document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the schema's own names")]
pub enum Table {
    Records,
    Terms,
    Changes,
    Blobs,
}

impl Table {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Records, Self::Terms, Self::Changes, Self::Blobs];
}

/// One row; its members are the schema's columns.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the schema's own names")]
pub enum Entry {
    Record {
        account: String,
        region: String,
        kind: String,
        key: String,
        version: i64,
        body: String,
    },
    Term {
        account: String,
        region: String,
        kind: String,
        key: String,
        name: String,
        value: String,
        sort: String,
    },
    Change {
        account: String,
        region: String,
        arn: String,
        sequence: i64,
        at: i64,
        previous: Option<String>,
        status: String,
        detail: String,
    },
    Blob {
        account: String,
        region: String,
        kind: String,
        key: String,
        #[serde(with = "in_base64")]
        bytes: Vec<u8>,
    },
}

/// Takes one row.
pub type Take<'t> = &'t mut dyn FnMut(Entry) -> Result<(), DumpError>;

/// One snapshot of a record; all tables belong to the same moment.
pub trait Source {
    /// Hands over every row of a table, one at a time.
    ///
    /// # Errors
    /// What the database has against it, or what `take` says.
    fn each(&mut self, table: Table, take: Take<'_>) -> Result<(), DumpError>;
}

mod in_base64 {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}
