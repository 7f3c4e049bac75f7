//! What the first start of this release does to a record of an earlier one: terms that documents have gained are
//! indexed, and what is kept up from now on is counted once.

use serde::{Deserialize, Serialize};

use super::counts;
use super::records::{Deployment, Environment, Pipeline, ServiceInstance, StateLock};
use super::store::{Document, Store, StoreError, Transaction, Typed};
use crate::domain::Scope;

/// Grows whenever a document's terms or their order change.
const TERMS: u32 = 4;

/// Documents that one transaction indexes.
const AT_ONCE: usize = 500;

/// Which terms the record's documents carry.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Indexed {
    terms: u32,
}

impl Indexed {
    const KEY: &'static str = "terms";
}

impl Document for Indexed {
    const KIND: &'static str = "indexed";

    fn key(&self) -> String {
        Self::KEY.to_owned()
    }
}

/// Brings a record up to what this release expects; it can be broken off and begun again, and done by several servers.
///
/// # Errors
/// That the store refuses, or that a later release has written here, which this one would write past.
pub async fn upgrade(store: &Store) -> Result<(), StoreError> {
    let everywhere = Scope::new("", "");
    let scope = everywhere.clone();
    let found = store.read::<_, StoreError, _>(move |tx| tx.get::<Indexed>(&scope, Indexed::KEY)).await?;
    if let Some(newer) = found.as_ref().filter(|it| it.terms > TERMS) {
        return Err(StoreError::NewerTerms { found: newer.terms, known: TERMS });
    }
    if found.as_ref().is_none_or(|it| it.terms < TERMS) {
        index_anew::<Environment>(store).await?;
        index_anew::<ServiceInstance>(store).await?;
        index_anew::<Pipeline>(store).await?;
        index_anew::<StateLock>(store).await?;
        index_under_way(store).await?;
        let noted =
            store.write(move |tx: &mut dyn Transaction| match tx.get::<Indexed>(&everywhere, Indexed::KEY)? {
                Some(mut known) => {
                    known.terms = TERMS;
                    tx.save(&everywhere, &mut known)
                }
                None => tx.add(&everywhere, &Indexed { terms: TERMS }),
            });
        unless_another_did(noted.await)?;
    }
    counts::prepare(store).await
}

/// Writes every document of a kind back, which gives it the terms that it has now.
async fn index_anew<T: Document>(store: &Store) -> Result<(), StoreError> {
    for scope in store.read(|tx| tx.scopes(T::KIND)).await? {
        let (within, keys) = (scope.clone(), store);
        let keys: Vec<String> = keys
            .read::<_, StoreError, _>(move |tx| Ok(tx.all::<T>(&within)?.iter().map(|it| it.value.key()).collect()))
            .await?;
        for some in keys.chunks(AT_ONCE) {
            let (scope, some) = (scope.clone(), some.to_vec());
            let written = store.write(move |tx: &mut dyn Transaction| {
                for key in &some {
                    if let Some(mut it) = tx.get::<T>(&scope, key)? {
                        tx.save(&scope, &mut it)?;
                    }
                }
                Ok(())
            });
            unless_another_did(written.await)?;
        }
    }
    Ok(())
}

/// The same for the deployments under way; of all the others no term has changed, and there may be a million.
async fn index_under_way(store: &Store) -> Result<(), StoreError> {
    for scope in store.read(|tx| tx.scopes(Deployment::KIND)).await? {
        let written = store.write(move |tx: &mut dyn Transaction| {
            for mut it in tx.by_term::<Deployment>(&scope, "in_flight", "")? {
                tx.save(&scope, &mut it)?;
            }
            Ok(())
        });
        unless_another_did(written.await)?;
    }
    Ok(())
}

fn unless_another_did(outcome: Result<(), StoreError>) -> Result<(), StoreError> {
    match outcome {
        Err(StoreError::Stale { .. } | StoreError::Exists { .. }) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control_plane::counts::{current, full_count};
    use crate::control_plane::store::{Sqlite, Term};
    use crate::control_plane::test_plane::TestPlane;

    /// A record as an earlier release left it: written without the layer that counts, and without the newer terms.
    async fn old_record() -> (Store, Scope) {
        let test = TestPlane::new().await;
        test.settled_environment("dev", &[]).await;
        test.settled_instance("shop", "one", "dev").await;
        let claimed = test.environment("new").await;
        test.publish().await;
        test.agent("a").claim(&claimed).await.unwrap();
        let (scope, within) = (test.scope.clone(), test.scope.clone());
        let rows = test.plane.store.read::<_, StoreError, _>(move |tx| {
            let mut rows = Vec::new();
            for kind in [Environment::KIND, ServiceInstance::KIND, Deployment::KIND, "service", "template"] {
                let all =
                    super::super::store::Select { term: "all", value: "", after: None, descending: false, limit: 99 };
                rows.extend(tx.select(&within, kind, &all)?.into_iter().map(|row| (kind, row)));
            }
            Ok(rows)
        });
        let (rows, store) = (rows.await.unwrap(), Store::new(Sqlite::temporary().unwrap()));
        let within = scope.clone();
        let copied = store.write::<_, StoreError, _>(move |tx| {
            for (kind, row) in &rows {
                let mut terms = vec![Term::new("all", "")];
                if row.body.contains(r#""status":"IN_PROGRESS""#) && *kind == Deployment::KIND {
                    terms.push(Term::new("in_flight", ""));
                }
                tx.insert(&within, kind, &row.key, &row.body, &terms)?;
            }
            Ok(())
        });
        copied.await.unwrap();
        (store, scope)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_older_record_gets_its_terms_and_its_numbers_and_keeps_them_at_the_next_start() {
        let (store, scope) = old_record().await;
        upgrade(&store).await.unwrap();
        upgrade(&store).await.unwrap();
        let found = store.read::<_, StoreError, _>(move |tx| {
            let by_name = tx.by_term::<ServiceInstance>(&scope, "name", "one")?;
            let leased = tx.by_term::<Deployment>(&scope, Deployment::LEASED, "")?;
            Ok(((by_name.len(), by_name[0].version), leased.len(), current(tx, &scope)?, full_count(tx, &scope)?))
        });
        let (found, leased, kept, counted) = found.await.unwrap();
        assert_eq!(found, (1, 2), "found by its new term, written back once");
        assert_eq!(leased, 1, "only what is under way, and claimed");
        assert_eq!((kept.instances.total, kept.environments.total), (1, 2));
        assert_eq!(kept, counted);
    }
}
