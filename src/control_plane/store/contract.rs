//! What every backend must do. Each clause gets a store of its own; run it from the backend's tests.

use std::collections::BTreeSet;

use super::{Backend, Row, Select, StatusChange, Store, StoreError, Term, Transaction};
use crate::domain::Scope;

type Tx<'t> = &'t mut dyn Transaction;

/// Runs the whole contract against stores that `make` makes.
pub(super) async fn contract<B: Backend + 'static>(make: impl Fn() -> B) {
    let store = || Store::new(make());
    a_taken_key_is_refused(store()).await;
    a_stale_update_and_a_stale_removal_change_nothing(store()).await;
    terms_move_with_updates(store()).await;
    pages_walk_both_ways_through_ties(store()).await;
    a_count_counts_what_a_list_would_show(store()).await;
    an_error_rolls_all_of_its_work_back_and_nobody_elses(store()).await;
    a_panic_is_its_own_error_and_the_store_lives_on(store()).await;
    histories_have_no_gaps_under_concurrency(store()).await;
    only_one_of_many_updates_of_a_version_wins(store()).await;
    blobs_are_replaced_read_and_removed(store()).await;
    scopes_and_kinds_do_not_see_each_other(store()).await;
    an_acknowledged_write_is_read(store()).await;
    a_read_sees_one_moment(store()).await;
    what_a_read_writes_is_lost(store()).await;
    awkward_text_survives(store()).await;
    text_sorts_by_its_bytes(store()).await;
    writers_that_read_what_the_other_writes_take_turns(store()).await;
    concurrent_writers_of_a_row_all_get_through_or_are_told(store()).await;
    a_swallowed_refusal_of_a_key_keeps_the_rest(store()).await;
    a_blob_of_20_megabytes_comes_back(store()).await;
    keys_as_long_as_s3_has_them_are_indexed(store()).await;
}

fn scope() -> Scope {
    Scope::new("123456789012", "us-east-1")
}

async fn write<T: Send + 'static>(
    store: &Store,
    work: impl FnMut(Tx<'_>) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    store.write(work).await
}

async fn read<T: Send + 'static>(
    store: &Store,
    work: impl FnMut(Tx<'_>) -> Result<T, StoreError> + Send + 'static,
) -> T {
    store.read(work).await.unwrap()
}

async fn add(store: &Store, key: &str, terms: Vec<Term>) {
    let key = key.to_owned();
    write(store, move |tx| tx.insert(&scope(), "thing", &key, "{}", &terms)).await.unwrap();
}

async fn fetch(store: &Store, key: &str) -> Option<Row> {
    let key = key.to_owned();
    read(store, move |tx| tx.fetch(&scope(), "thing", &key)).await
}

fn select<'a>(value: &'a str, after: Option<(&'a str, &'a str)>, descending: bool, limit: usize) -> Select<'a> {
    Select { term: "colour", value, after, descending, limit }
}

async fn keys(store: &Store, value: &'static str) -> Vec<String> {
    let rows = read(store, move |tx| tx.select(&scope(), "thing", &select(value, None, false, usize::MAX))).await;
    rows.into_iter().map(|row| row.key).collect()
}

pub(super) fn change(status: &str) -> StatusChange {
    let (arn, status, detail) = ("arn:x".to_owned(), status.to_owned(), "{}".to_owned());
    StatusChange { arn, sequence: 0, at: 1, previous: None, status, detail }
}

async fn a_taken_key_is_refused(store: Store) {
    add(&store, "a", vec![]).await;
    let again = write(&store, |tx| tx.insert(&scope(), "thing", "a", "[]", &[])).await;
    assert!(matches!(again, Err(StoreError::Exists { kind: "thing", ref key }) if key == "a"), "{again:?}");
    let row = fetch(&store, "a").await.unwrap();
    assert_eq!((row.version, row.body.as_str(), row.sort.as_str()), (1, "{}", ""));
}

async fn a_stale_update_and_a_stale_removal_change_nothing(store: Store) {
    add(&store, "a", vec![]).await;
    write(&store, |tx| tx.update(&scope(), "thing", "a", 1, "[2]", &[])).await.unwrap();
    for version in [0, 1, 3] {
        let update = write(&store, move |tx| tx.update(&scope(), "thing", "a", version, "[3]", &[])).await;
        assert!(matches!(update, Err(StoreError::Stale { .. })), "{update:?}");
        let removal = write(&store, move |tx| tx.remove(&scope(), "thing", "a", version)).await;
        assert!(matches!(removal, Err(StoreError::Stale { .. })), "{removal:?}");
    }
    let row = fetch(&store, "a").await.unwrap();
    assert_eq!((row.version, row.body.as_str()), (2, "[2]"));
    write(&store, |tx| tx.remove(&scope(), "thing", "a", 2)).await.unwrap();
    assert_eq!(fetch(&store, "a").await, None);
    let gone = write(&store, |tx| tx.update(&scope(), "thing", "a", 2, "[]", &[])).await;
    assert!(matches!(gone, Err(StoreError::Stale { .. })), "{gone:?}");
}

async fn terms_move_with_updates(store: Store) {
    add(&store, "a", vec![Term::new("colour", "red"), Term::new("colour", "blue"), Term::new("shape", "red")]).await;
    let terms = vec![Term::new("colour", "green"), Term::new("colour", "blue").sorted_by("9")];
    write(&store, move |tx| tx.update(&scope(), "thing", "a", 1, "{}", &terms)).await.unwrap();
    assert_eq!(keys(&store, "red").await, Vec::<String>::new());
    assert_eq!(keys(&store, "green").await, ["a"]);
    let blue = read(&store, |tx| tx.select(&scope(), "thing", &select("blue", None, false, 9))).await;
    assert_eq!(blue, [Row { key: "a".into(), version: 2, body: "{}".into(), sort: "9".into() }]);
    write(&store, |tx| tx.remove(&scope(), "thing", "a", 2)).await.unwrap();
    assert_eq!(keys(&store, "green").await, Vec::<String>::new());
    add(&store, "a", vec![]).await;
    assert_eq!(keys(&store, "blue").await, Vec::<String>::new());
}

async fn pages_walk_both_ways_through_ties(store: Store) {
    let mut all = Vec::new();
    for sort in ["1", "2", "2b", ""] {
        for key in ["x", "X", "a", "ä", "a/b"] {
            let key = format!("{key}{sort}");
            add(&store, &key, vec![Term::new("colour", "red").sorted_by(sort)]).await;
            all.push((sort.to_owned(), key));
        }
    }
    all.sort();
    for descending in [false, true] {
        for limit in [1, 3, 7, 100] {
            assert_eq!(walk(&store, descending, limit).await, all, "descending {descending}, limit {limit}");
        }
        all.reverse();
    }
}

async fn walk(store: &Store, descending: bool, limit: usize) -> Vec<(String, String)> {
    let mut walked: Vec<(String, String)> = Vec::new();
    loop {
        let last = walked.last().cloned();
        let page = read(store, move |tx| {
            let after = last.as_ref().map(|(sort, key)| (sort.as_str(), key.as_str()));
            tx.select(&scope(), "thing", &select("red", after, descending, limit))
        });
        let page = page.await;
        assert!(page.len() <= limit);
        if page.is_empty() {
            return walked;
        }
        walked.extend(page.into_iter().map(|row| (row.sort, row.key)));
    }
}

async fn a_count_counts_what_a_list_would_show(store: Store) {
    for key in ["a", "b", "c", "d\0"] {
        let terms = vec![Term::new("colour", "red"), Term::new("colour", "re\0d"), Term::new("shape", "red")];
        add(&store, key, terms).await;
    }
    write(&store, |tx| tx.update(&scope(), "thing", "b", 1, "{}", &[Term::new("colour", "blue")])).await.unwrap();
    write(&store, |tx| tx.remove(&scope(), "thing", "c", 1)).await.unwrap();
    for (value, limit, expected) in [
        ("red", 9, 2),
        ("red", usize::MAX, 2),
        ("red", 1, 1),
        ("red", 0, 0),
        ("re\0d", 9, 2),
        ("blue", 9, 1),
        ("", 9, 0),
    ] {
        let count = read(&store, move |tx| tx.count(&scope(), "thing", ("colour", value), limit)).await;
        let listed = read(&store, move |tx| tx.select(&scope(), "thing", &select(value, None, false, limit))).await;
        assert_eq!((count, listed.len()), (expected, expected), "{value:?} up to {limit}");
    }
    let elsewhere = read(&store, |tx| tx.count(&Scope::new("1", "r"), "thing", ("colour", "red"), 9)).await;
    assert_eq!(elsewhere, 0);
}

async fn an_error_rolls_all_of_its_work_back_and_nobody_elses(store: Store) {
    let works = (0..40).map(|n| {
        let store = store.clone();
        async move {
            let work = move |tx: Tx<'_>| {
                tx.insert(&scope(), "thing", &format!("{n:02}"), "{}", &[Term::new("colour", "red")])?;
                tx.put_blob(&scope(), "thing", &n.to_string(), b"x")?;
                tx.append_change(&scope(), &change(&n.to_string()))?;
                if n % 2 == 0 { Ok(()) } else { Err(StoreError::Closed) }
            };
            let outcome = write(&store, work).await;
            assert_eq!(outcome.is_ok(), n % 2 == 0, "{outcome:?}");
        }
    });
    futures::future::join_all(works).await;
    let even: Vec<String> = (0..40).step_by(2).map(|n| format!("{n:02}")).collect();
    assert_eq!(keys(&store, "red").await, even);
    assert_eq!(read(&store, |tx| tx.blob(&scope(), "thing", "7")).await, None);
    let history = read(&store, |tx| tx.changes(&scope(), "arn:x", 0, usize::MAX)).await;
    assert_eq!(history.iter().map(|change| change.sequence).collect::<Vec<_>>(), (1..=20).collect::<Vec<_>>());
}

async fn a_panic_is_its_own_error_and_the_store_lives_on(store: Store) {
    let panicking = |tx: Tx<'_>| -> Result<(), StoreError> {
        tx.insert(&scope(), "thing", "a", "{}", &[])?;
        panic!("on purpose");
    };
    let (panicked, other) =
        futures::join!(write(&store, panicking), write(&store, |tx| tx.insert(&scope(), "thing", "b", "{}", &[])));
    assert!(matches!(panicked, Err(StoreError::Database { .. })), "{panicked:?}");
    other.unwrap();
    assert!(store.read::<(), StoreError, _>(|_| panic!("on purpose")).await.is_err());
    assert_eq!(fetch(&store, "a").await, None);
    assert!(fetch(&store, "b").await.is_some());
}

async fn histories_have_no_gaps_under_concurrency(store: Store) {
    let appends = (0..50).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            // Every fifth takes its number back.
            let append = move |tx: Tx<'_>| {
                let sequence = tx.append_change(&scope(), &change(&n.to_string()))?;
                if n % 5 == 0 { Err(StoreError::Closed) } else { Ok(sequence) }
            };
            write(&store, append).await.ok()
        })
    });
    let numbers = futures::future::try_join_all(appends).await.unwrap();
    let numbers: BTreeSet<i64> = numbers.into_iter().flatten().collect();
    assert_eq!(numbers, (1..=40).collect());
    let behind = read(&store, |tx| tx.changes(&scope(), "arn:x", 37, 2)).await;
    assert_eq!(behind.iter().map(|change| change.sequence).collect::<Vec<_>>(), [38, 39]);
    assert_eq!(behind[0], StatusChange { sequence: 38, status: behind[0].status.clone(), ..change("") });
    assert_eq!(read(&store, |tx| tx.changes(&scope(), "arn:y", 0, 9)).await, []);
}

async fn only_one_of_many_updates_of_a_version_wins(store: Store) {
    add(&store, "a", vec![]).await;
    let update = |_| write(&store, |tx| tx.update(&scope(), "thing", "a", 1, "[]", &[]));
    let outcomes = futures::future::join_all((0..20).map(update)).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert_eq!(fetch(&store, "a").await.unwrap().version, 2);
}

async fn blobs_are_replaced_read_and_removed(store: Store) {
    let large: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251).to_le_bytes()[0]).collect();
    let body = large.clone();
    write(&store, |tx| tx.put_blob(&scope(), "b", "k", b"small")).await.unwrap();
    write(&store, move |tx| tx.put_blob(&scope(), "b", "k", &body)).await.unwrap();
    assert_eq!(read(&store, |tx| tx.blob(&scope(), "b", "k")).await, Some(large));
    write(&store, |tx| tx.remove_blob(&scope(), "b", "k")).await.unwrap();
    write(&store, |tx| tx.remove_blob(&scope(), "b", "k")).await.unwrap();
    assert_eq!(read(&store, |tx| tx.blob(&scope(), "b", "k")).await, None);
}

async fn scopes_and_kinds_do_not_see_each_other(store: Store) {
    let scopes = [Scope::new("1", "r"), Scope::new("1", "s"), Scope::new("2", "r")];
    for scope in scopes.clone() {
        for kind in ["thing", "other"] {
            let (scope, body) = (scope.clone(), format!("[\"{scope:?}{kind}\"]").replace("\"S", "S"));
            let insert = move |tx: Tx<'_>| {
                tx.insert(&scope, kind, "k", &body, &[Term::new("colour", "red")])?;
                tx.put_blob(&scope, kind, "k", body.as_bytes())?;
                tx.append_change(&scope, &change("NEW"))
            };
            write(&store, insert).await.unwrap();
        }
    }
    for scope in scopes.clone() {
        let seen = read(&store, move |tx| {
            let rows = tx.select(&scope, "thing", &select("red", None, false, 9))?;
            let history = tx.changes(&scope, "arn:x", 0, 9)?.len();
            Ok((rows, history, tx.fetch(&scope, "thing", "k")?, tx.blob(&scope, "other", "k")?))
        });
        let (rows, history, row, blob) = seen.await;
        assert_eq!((rows.len(), history), (1, 2));
        assert_eq!(rows[0].body, row.unwrap().body);
        assert_ne!(rows[0].body.as_bytes(), blob.unwrap());
    }
    assert_eq!(read(&store, |tx| tx.scopes("thing")).await, scopes);
    assert_eq!(read(&store, |tx| tx.scopes("nothing")).await, []);
}

async fn an_acknowledged_write_is_read(store: Store) {
    let clients = (0..8).map(|client| {
        let store = store.clone();
        tokio::spawn(async move {
            for n in 0..50 {
                let key = format!("{client}/{n}");
                add(&store, &key, vec![]).await;
                assert!(fetch(&store, &key).await.is_some(), "{key}");
            }
        })
    });
    futures::future::try_join_all(clients).await.unwrap();
}

async fn a_read_sees_one_moment(store: Store) {
    add(&store, "a", vec![]).await;
    add(&store, "b", vec![]).await;
    let writer = store.clone();
    let writing = tokio::spawn(async move {
        for version in 1..200 {
            let both = move |tx: Tx<'_>| {
                tx.update(&scope(), "thing", "a", version, "{}", &[])?;
                tx.update(&scope(), "thing", "b", version, "{}", &[])
            };
            write(&writer, both).await.unwrap();
        }
    });
    while !writing.is_finished() {
        let pair = read(&store, |tx| Ok((tx.fetch(&scope(), "thing", "a")?, tx.fetch(&scope(), "thing", "b")?))).await;
        assert_eq!(pair.0.unwrap().version, pair.1.unwrap().version);
    }
    writing.await.unwrap();
}

async fn what_a_read_writes_is_lost(store: Store) {
    // A backend may refuse the write or forget it.
    drop(store.read::<_, StoreError, _>(|tx| tx.insert(&scope(), "thing", "a", "{}", &[])).await);
    assert_eq!(fetch(&store, "a").await, None);
    add(&store, "a", vec![]).await;
}

async fn awkward_text_survives(store: Store) {
    for key in ["", " ", "a\0b", "\u{1}", "a'b\"c%_\\", "ünï→💥", "a\nb", "A", "a"] {
        add(&store, key, vec![Term::new("colour", key)]).await;
        let row = fetch(&store, key).await.unwrap();
        assert_eq!(row.key, key);
        let owned = key.to_owned();
        let found = read(&store, move |tx| tx.select(&scope(), "thing", &select(&owned, None, false, 9))).await;
        assert_eq!(found, [row]);
    }
}

async fn text_sorts_by_its_bytes(store: Store) {
    let texts =
        ["a", "B", "b", "_", "-", "ä", "z", "Z", "a_b", "a-b", "a.b", "ab", "aB", "é", "\0", "\u{1}", "1", "10", "9"];
    let mut sorted: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
    sorted.sort();
    for text in texts {
        // By sort, and by key among those that share it.
        add(&store, text, vec![Term::new("colour", "sort").sorted_by(text), Term::new("colour", "key")]).await;
    }
    assert_eq!(keys(&store, "sort").await, sorted);
    assert_eq!(keys(&store, "key").await, sorted);
    let scopes = ["Z", "a", "_", "b"].map(|region| Scope::new("1", region));
    for scope in scopes.clone() {
        write(&store, move |tx| tx.insert(&scope, "sorted", "k", "{}", &[])).await.unwrap();
    }
    let mut sorted = scopes.to_vec();
    sorted.sort_by(|a, b| a.region.cmp(&b.region));
    assert_eq!(read(&store, |tx| tx.scopes("sorted")).await, sorted);
}

/// The rule "one of the two must stay", checked by a look at the other: both may not go.
async fn writers_that_read_what_the_other_writes_take_turns(store: Store) {
    for round in 0..20 {
        let (a, b) = (format!("a{round}"), format!("b{round}"));
        add(&store, &a, vec![]).await;
        add(&store, &b, vec![]).await;
        let leave = |mine: &str, other: &str| {
            let (mine, other) = (mine.to_owned(), other.to_owned());
            write(&store, move |tx| match tx.fetch(&scope(), "thing", &other)? {
                Some(_) => tx.remove(&scope(), "thing", &mine, 1).map(|()| true),
                None => Ok(false),
            })
        };
        let (one, other) = futures::join!(leave(&a, &b), leave(&b, &a));
        assert_ne!(one.unwrap(), other.unwrap(), "round {round}");
    }
    // The same with what isn't there: whoever finds no row of the term may add one.
    for round in 0..20 {
        let first = |key: &'static str| {
            let value = format!("red{round}");
            write(&store, move |tx| {
                if !tx.select(&scope(), "thing", &select(&value, None, false, 1))?.is_empty() {
                    return Ok(false);
                }
                tx.insert(&scope(), "thing", &format!("{key}/{value}"), "{}", &[Term::new("colour", &value)])?;
                Ok(true)
            })
        };
        let (one, other) = futures::join!(first("x"), first("y"));
        assert_ne!(one.unwrap(), other.unwrap(), "round {round}");
    }
}

async fn concurrent_writers_of_a_row_all_get_through_or_are_told(store: Store) {
    let insert = |_| write(&store, |tx| tx.insert(&scope(), "thing", "new", "{}", &[]));
    let outcomes = futures::future::join_all((0..20).map(insert)).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    let told = |outcome: &&Result<(), StoreError>| matches!(outcome, Err(StoreError::Exists { .. }));
    assert_eq!(outcomes.iter().filter(told).count(), 19, "{outcomes:?}");
    // Who reads the version in the same transaction never loses a count.
    let count = |_| {
        write(&store, |tx| {
            let row = tx.fetch(&scope(), "thing", "new")?.ok_or(StoreError::Closed)?;
            let body = row.body.parse::<i64>().unwrap_or(0) + 1;
            tx.update(&scope(), "thing", "new", row.version, &body.to_string(), &[])
        })
    };
    for outcome in futures::future::join_all((0..40).map(count)).await {
        outcome.unwrap();
    }
    let row = fetch(&store, "new").await.unwrap();
    assert_eq!((row.body.as_str(), row.version), ("40", 41));
}

/// Work may take a refusal for an answer and go on.
async fn a_swallowed_refusal_of_a_key_keeps_the_rest(store: Store) {
    add(&store, "a", vec![]).await;
    let work = |tx: Tx<'_>| {
        assert!(matches!(tx.insert(&scope(), "thing", "a", "[]", &[]), Err(StoreError::Exists { .. })));
        assert!(matches!(tx.update(&scope(), "thing", "a", 9, "[]", &[]), Err(StoreError::Stale { .. })));
        tx.insert(&scope(), "thing", "b", "{}", &[])
    };
    write(&store, work).await.unwrap();
    assert!(fetch(&store, "b").await.is_some());
}

async fn a_blob_of_20_megabytes_comes_back(store: Store) {
    let large: Vec<u8> = (0..20_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24).to_le_bytes()[0]).collect();
    let body = large.clone();
    write(&store, move |tx| tx.put_blob(&scope(), "b", "large", &body)).await.unwrap();
    assert!(read(&store, |tx| tx.blob(&scope(), "b", "large")).await == Some(large));
}

/// S3's longest key, as key and as sort, of letters that nothing can compress.
async fn keys_as_long_as_s3_has_them_are_indexed(store: Store) {
    let mut seed = 1_u64;
    let mut letters = |length: usize| {
        let letter = |_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[(seed >> 58) as usize])
        };
        (0..length).map(letter).collect::<String>()
    };
    let (key, sort, bucket) = (letters(1100), letters(1024), letters(63));
    add(&store, &key, vec![Term::new("colour", &bucket).sorted_by(&sort)]).await;
    let found = read(&store, move |tx| tx.select(&scope(), "thing", &select(&bucket, None, false, 9))).await;
    assert_eq!((&found[0].key, &found[0].sort), (&key, &sort));
}
