//! One page of a list, the same way for every list operation.

use hadron_model::Action;
use serde::Serialize;

use crate::control_plane::store::{Select, Stored, Transaction, Typed, View};
use crate::control_plane::wire::paging::{PageKey, Position};
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::Scope;

/// Entries of a page without `maxResults`, and the most that can be asked for.
const LARGEST_PAGE: usize = 100;

/// A list request: its place in the record and in the pages.
#[derive(Debug, Clone)]
pub(crate) struct Listing {
    scope: Scope,
    page_key: PageKey,
    query: String,
    limit: usize,
    token: Option<String>,
}

/// One page.
#[derive(Debug)]
pub(crate) struct Page<T> {
    /// What is on it.
    pub(crate) items: Vec<T>,
    /// What continues it; never empty.
    pub(crate) next_token: Option<String>,
}

impl<T> Page<T> {
    /// The page with every entry in another form.
    pub(crate) fn map<U>(self, form: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(form).collect(), next_token: self.next_token }
    }
}

impl Listing {
    /// Reads a list request. `filter` is whatever decides which entries there are and in which order: a token is only
    /// good for the same operation, filter, account and region.
    pub(crate) fn new(
        call: &Call,
        operation: impl Into<Action>,
        filter: &impl Serialize,
        max_results: Option<i64>,
        next_token: Option<String>,
    ) -> Result<Self, ProtonError> {
        let Scope { account, region } = &call.scope;
        let query = serde_json::to_string(&(operation.into().name(), account, region, filter))?;
        let limit = max_results.and_then(|max| usize::try_from(max).ok()).unwrap_or(LARGEST_PAGE);
        let limit = limit.clamp(1, LARGEST_PAGE);
        Ok(Self { scope: call.scope.clone(), page_key: call.page_key.clone(), query, limit, token: next_token })
    }

    /// The same request, for documents that lie in another scope than the caller's.
    pub(crate) fn within(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// A page of the documents that carry a term and that `keep` wants.
    pub(crate) fn page<T: View>(
        &self,
        tx: &mut dyn Transaction,
        (term, value): (&str, &str),
        descending: bool,
        mut keep: impl FnMut(&T) -> bool,
    ) -> Result<Page<Stored<T>>, ProtonError> {
        self.page_where(tx, (term, value), descending, |_, item| Ok(keep(item)))
    }

    /// As [`Self::page`], where it takes a look into the record to tell.
    pub(crate) fn page_where<T: View>(
        &self,
        tx: &mut dyn Transaction,
        (term, value): (&str, &str),
        descending: bool,
        mut keep: impl FnMut(&mut dyn Transaction, &T) -> Result<bool, ProtonError>,
    ) -> Result<Page<Stored<T>>, ProtonError> {
        let mut after = self.start()?;
        let mut items = Vec::new();
        // One more than the page holds tells whether anything follows. Who keeps few of them reads on in larger steps.
        let mut limit = self.limit + 1;
        while items.len() <= self.limit {
            let behind = after.as_ref().map(|at| (at.sort.as_str(), at.key.as_str()));
            let found = tx.page::<T>(&self.scope, &Select { term, value, after: behind, descending, limit })?;
            let last = found.last().map(position);
            let exhausted = found.len() < limit;
            for item in found {
                if keep(tx, &item)? {
                    items.push(item);
                }
            }
            if exhausted {
                break;
            }
            (after, limit) = (last, LARGEST_PAGE + 1);
        }
        Ok(self.cut(items, position))
    }

    /// A page of entries that are all at hand, in order; `place` tells each one's unique position, ascending or
    /// descending from one to the next.
    pub(crate) fn page_of<T>(
        &self,
        items: Vec<T>,
        descending: bool,
        place: impl Fn(&T) -> String,
    ) -> Result<Page<T>, ProtonError> {
        let start = self.start()?;
        let after = |item: &T, at: &Position| if descending { place(item) < at.sort } else { place(item) > at.sort };
        let items = items.into_iter().filter(|item| start.as_ref().is_none_or(|at| after(item, at))).collect();
        Ok(self.cut(items, |item| Position { sort: place(item), key: String::new() }))
    }

    fn start(&self) -> Result<Option<Position>, ProtonError> {
        self.token.as_deref().map(|token| self.page_key.open(&self.query, token)).transpose()
    }

    fn cut<T>(&self, mut items: Vec<T>, place: impl Fn(&T) -> Position) -> Page<T> {
        let more = items.len() > self.limit;
        items.truncate(self.limit);
        let last = items.last().filter(|_| more);
        let next_token = last.map(|last| self.page_key.issue(&self.query, &place(last)));
        Page { items, next_token }
    }
}

fn position<T>(item: &Stored<T>) -> Position {
    Position { sort: item.sort.clone(), key: item.row_key.clone() }
}
