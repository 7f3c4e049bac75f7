//! The calls of a transaction that a layer has nothing to add to.

/// Inside `impl Transaction`: passes the named calls on to the transaction in `self.tx`.
macro_rules! pass_on {
    (@ fetch) => {
        fn fetch(
            &mut self,
            scope: &$crate::domain::Scope,
            kind: &'static str,
            key: &str,
        ) -> Result<Option<$crate::control_plane::store::Row>, $crate::control_plane::store::StoreError> {
            self.tx.fetch(scope, kind, key)
        }
    };
    (@ insert) => {
        fn insert(
            &mut self,
            scope: &$crate::domain::Scope,
            kind: &'static str,
            key: &str,
            body: &str,
            terms: &[$crate::control_plane::store::Term],
        ) -> Result<(), $crate::control_plane::store::StoreError> {
            self.tx.insert(scope, kind, key, body, terms)
        }
    };
    (@ update) => {
        fn update(
            &mut self,
            scope: &$crate::domain::Scope,
            kind: &'static str,
            key: &str,
            version: i64,
            body: &str,
            terms: &[$crate::control_plane::store::Term],
        ) -> Result<(), $crate::control_plane::store::StoreError> {
            self.tx.update(scope, kind, key, version, body, terms)
        }
    };
    (@ remove) => {
        fn remove(
            &mut self,
            scope: &$crate::domain::Scope,
            kind: &'static str,
            key: &str,
            version: i64,
        ) -> Result<(), $crate::control_plane::store::StoreError> {
            self.tx.remove(scope, kind, key, version)
        }
    };
    (@ select) => {
        fn select(
            &mut self,
            scope: &$crate::domain::Scope,
            kind: &'static str,
            select: &$crate::control_plane::store::Select<'_>,
        ) -> Result<Vec<$crate::control_plane::store::Row>, $crate::control_plane::store::StoreError> {
            self.tx.select(scope, kind, select)
        }
    };
    (@ count) => {
        fn count(
            &mut self,
            scope: &$crate::domain::Scope,
            kind: &'static str,
            term: (&str, &str),
            limit: usize,
        ) -> Result<usize, $crate::control_plane::store::StoreError> {
            self.tx.count(scope, kind, term, limit)
        }
    };
    (@ scopes) => {
        fn scopes(
            &mut self,
            kind: &'static str,
        ) -> Result<Vec<$crate::domain::Scope>, $crate::control_plane::store::StoreError> {
            self.tx.scopes(kind)
        }
    };
    (@ append_change) => {
        fn append_change(
            &mut self,
            scope: &$crate::domain::Scope,
            change: &$crate::control_plane::store::StatusChange,
        ) -> Result<i64, $crate::control_plane::store::StoreError> {
            self.tx.append_change(scope, change)
        }
    };
    (@ changes) => {
        fn changes(
            &mut self,
            scope: &$crate::domain::Scope,
            arn: &str,
            after: i64,
            limit: usize,
        ) -> Result<Vec<$crate::control_plane::store::StatusChange>, $crate::control_plane::store::StoreError> {
            self.tx.changes(scope, arn, after, limit)
        }
    };
    (@ put_blob) => {
        fn put_blob(
            &mut self,
            scope: &$crate::domain::Scope,
            kind: &'static str,
            key: &str,
            bytes: &[u8],
        ) -> Result<(), $crate::control_plane::store::StoreError> {
            self.tx.put_blob(scope, kind, key, bytes)
        }
    };
    (@ blob) => {
        fn blob(
            &mut self,
            scope: &$crate::domain::Scope,
            kind: &'static str,
            key: &str,
        ) -> Result<Option<Vec<u8>>, $crate::control_plane::store::StoreError> {
            self.tx.blob(scope, kind, key)
        }
    };
    (@ remove_blob) => {
        fn remove_blob(
            &mut self,
            scope: &$crate::domain::Scope,
            kind: &'static str,
            key: &str,
        ) -> Result<(), $crate::control_plane::store::StoreError> {
            self.tx.remove_blob(scope, kind, key)
        }
    };
    ($($call:ident)+) => {
        $($crate::control_plane::store::pass_on!(@ $call);)+
    };
}

pub(crate) use pass_on;
