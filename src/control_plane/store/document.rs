//! Typed documents over a transaction's rows.

use std::ops::{Deref, DerefMut};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Row, Select, StoreError, Transaction};
use crate::domain::Scope;

/// Something to find documents by: all documents of a kind that carry the same name and value, ordered by `sort`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// What is indexed: `environment`, `status`.
    pub name: &'static str,
    /// The value to look for.
    pub value: String,
    /// The order among documents of the same value.
    pub sort: String,
}

impl Term {
    /// A term whose documents are ordered by their key.
    pub fn new(name: &'static str, value: impl Into<String>) -> Self {
        Self { name, value: value.into(), sort: String::new() }
    }

    /// Orders the documents of this term.
    #[must_use]
    pub fn sorted_by(mut self, sort: impl Into<String>) -> Self {
        self.sort = sort.into();
        self
    }
}

/// A kind of document.
pub trait Document: Serialize + DeserializeOwned {
    /// The kind's name in the record; never changes once released.
    const KIND: &'static str;

    /// Unique within a scope.
    fn key(&self) -> String;

    /// What it can be listed by. Every document can also be listed by the term [`ALL`], ordered by [`Document::sort`].
    fn terms(&self) -> Vec<Term> {
        Vec::new()
    }

    /// Its place in the list of all documents of its kind; by key where empty.
    fn sort(&self) -> String {
        String::new()
    }
}

/// What is read of a kind of document: all of it, or a part that leaves out what is long and not asked for. Members that
/// a part doesn't name are skipped without being kept.
pub trait View: DeserializeOwned {
    /// The kind of document.
    const OF: &'static str;
}

impl<T: Document> View for T {
    const OF: &'static str = T::KIND;
}

/// The term that every document carries, with an empty value.
pub const ALL: &str = "all";

/// A document with the version it was read at.
#[derive(Debug, Clone)]
pub struct Stored<T> {
    /// Its key; not called `key`, since a document's own member of that name must stay within reach.
    pub row_key: String,
    /// The version to name when it is written back.
    pub version: i64,
    /// Its place in the list it was found in.
    pub sort: String,
    /// The document.
    pub value: T,
}

impl<T> Deref for Stored<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Stored<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

/// Typed access, on every transaction.
pub trait Typed {
    /// Reads a document by its key.
    fn get<T: Document>(&mut self, scope: &Scope, key: &str) -> Result<Option<Stored<T>>, StoreError>;
    /// Adds a document; [`StoreError::Exists`] if its key is taken.
    fn add<T: Document>(&mut self, scope: &Scope, value: &T) -> Result<(), StoreError>;
    /// Writes a changed document back, and takes over its new version; [`StoreError::Stale`] if it has moved on.
    fn save<T: Document>(&mut self, scope: &Scope, stored: &mut Stored<T>) -> Result<(), StoreError>;
    /// Removes a document; [`StoreError::Stale`] if it has moved on.
    fn delete<T: Document>(&mut self, scope: &Scope, stored: &Stored<T>) -> Result<(), StoreError>;
    /// All documents with a term, in its order.
    fn by_term<T: View>(&mut self, scope: &Scope, name: &str, value: &str) -> Result<Vec<Stored<T>>, StoreError>;
    /// All documents of a kind, in their order.
    fn all<T: View>(&mut self, scope: &Scope) -> Result<Vec<Stored<T>>, StoreError>;
    /// One page of documents.
    fn page<T: View>(&mut self, scope: &Scope, select: &Select<'_>) -> Result<Vec<Stored<T>>, StoreError>;
}

impl Typed for dyn Transaction + '_ {
    fn get<T: Document>(&mut self, scope: &Scope, key: &str) -> Result<Option<Stored<T>>, StoreError> {
        self.fetch(scope, T::KIND, key)?.map(open).transpose()
    }

    fn add<T: Document>(&mut self, scope: &Scope, value: &T) -> Result<(), StoreError> {
        self.insert(scope, T::KIND, &value.key(), &text(value)?, &terms(value))
    }

    fn save<T: Document>(&mut self, scope: &Scope, stored: &mut Stored<T>) -> Result<(), StoreError> {
        let value = &stored.value;
        self.update(scope, T::KIND, &value.key(), stored.version, &text(value)?, &terms(value))?;
        stored.version += 1;
        Ok(())
    }

    fn delete<T: Document>(&mut self, scope: &Scope, stored: &Stored<T>) -> Result<(), StoreError> {
        self.remove(scope, T::KIND, &stored.value.key(), stored.version)
    }

    fn by_term<T: View>(&mut self, scope: &Scope, name: &str, value: &str) -> Result<Vec<Stored<T>>, StoreError> {
        self.page(scope, &Select { term: name, value, after: None, descending: false, limit: usize::MAX })
    }

    fn all<T: View>(&mut self, scope: &Scope) -> Result<Vec<Stored<T>>, StoreError> {
        self.by_term(scope, ALL, "")
    }

    fn page<T: View>(&mut self, scope: &Scope, select: &Select<'_>) -> Result<Vec<Stored<T>>, StoreError> {
        self.select(scope, T::OF, select)?.into_iter().map(open).collect()
    }
}

fn terms<T: Document>(value: &T) -> Vec<Term> {
    let mut terms = value.terms();
    terms.push(Term::new(ALL, "").sorted_by(value.sort()));
    terms
}

fn text<T: Document>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|source| StoreError::Corrupt { kind: T::KIND, key: value.key(), source })
}

fn open<T: View>(row: Row) -> Result<Stored<T>, StoreError> {
    match serde_json::from_str(&row.body) {
        Ok(value) => Ok(Stored { row_key: row.key, version: row.version, sort: row.sort, value }),
        Err(source) => Err(StoreError::Corrupt { kind: T::OF, key: row.key, source }),
    }
}
