//! The contract, on a real server; and what only PostgreSQL could get wrong.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::*;
use crate::control_plane::plane::Wake;
use crate::control_plane::store::postgres_server::{Fsync, PostgresServer, psql, shared};
use crate::control_plane::store::{Store, Term, Transaction, contract};
use crate::domain::Scope;

fn scope() -> Scope {
    Scope::new("123456789012", "us-east-1")
}

fn put(store: &Store, key: &str) -> impl Future<Output = Result<(), StoreError>> + use<> {
    let (store, key) = (store.clone(), key.to_owned());
    async move { store.write(move |tx: &mut dyn Transaction| tx.put_blob(&scope(), "b", &key, b"x")).await }
}

async fn blob(store: &Store, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let key = key.to_owned();
    store.read(move |tx: &mut dyn Transaction| tx.blob(&scope(), "b", &key)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_the_contract() {
    contract::contract(|| Postgres::open(&shared().database(), None).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_start_at_once_migrate_once() {
    let url = shared().database();
    let openers = (0..3).map(|_| {
        let url = url.clone();
        tokio::task::spawn_blocking(move || Postgres::open(&url, None).unwrap())
    });
    let opened = futures::future::try_join_all(openers).await.unwrap();
    assert_eq!(psql(&url, "SELECT version FROM hadron_schema"), "1");
    let stores: Vec<Store> = opened.into_iter().map(Store::new).collect();
    put(&stores[0], "a").await.unwrap();
    assert_eq!(blob(&stores[2], "a").await.unwrap(), Some(b"x".to_vec()));
}

/// Fails without statistics: then the planner walks through the kind.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_was_loaded_at_once_finds_a_documents_terms_by_their_index() {
    let url = shared().database();
    let store = open(&url).await;
    let fill = |tx: &mut dyn Transaction| {
        (0..2_000).try_for_each(|n| {
            let names = ["all", "environment", "service", "status", "target"];
            let terms = names.map(|name| Term::new(name, "x").sorted_by(format!("{n:020}")));
            tx.insert(&scope(), "thing", &format!("{n:08}"), "{}", &terms)
        })
    };
    store.write::<_, StoreError, _>(fill).await.unwrap();
    drop(store);
    let _opened_again = open(&url).await;
    let plan = "EXPLAIN SELECT FROM terms WHERE kind = 'thing' AND account = '123456789012'
                AND region = 'us-east-1' AND key = '00000100'";
    let plan = psql(&url, plan);
    assert!(plan.contains("terms_of_record"), "{plan}");
}

#[test]
fn a_newer_database_is_refused_with_a_remedy_and_left_alone() {
    let url = shared().database();
    psql(&url, "CREATE TABLE hadron_schema (version bigint NOT NULL); INSERT INTO hadron_schema VALUES (99)");
    assert_eq!(Postgres::schema(&url, None).unwrap(), Schema { found: 99, known: 1 });
    let error = Postgres::open(&url, None).unwrap_err();
    assert!(matches!(error, StoreError::TooNew { found: 99, known: 1, .. }), "{error}");
    assert!(error.to_string().contains("newer hadron"), "{error}");
    assert_eq!(psql(&url, "SELECT count(*) FROM pg_tables WHERE tablename = 'records'"), "0");
}

#[test]
fn a_database_of_another_encoding_is_refused_with_the_remedy() {
    let url = shared().database();
    psql(&url, "CREATE DATABASE latin ENCODING 'SQL_ASCII' LOCALE 'C' LOCALE_PROVIDER libc TEMPLATE template0");
    let latin = format!("{}/latin", url.rsplit_once('/').unwrap().0);
    let error = Postgres::open(&latin, None).unwrap_err();
    assert!(format!("{error:?}").contains("ENCODING 'UTF8'"), "{error:?}");
}

#[test]
fn who_is_refused_is_told_at_once() {
    let url = shared().database();
    let began = Instant::now();
    let error = Postgres::open(&format!("{url}-not"), None).unwrap_err();
    assert!(matches!(error, StoreError::Database { .. }), "{error:?}");
    assert!(format!("{error:?}").contains("does not exist"), "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(5));
}

/// The driver would fall back to no TLS without a word if it were left to it.
#[test]
fn tls_is_spoken_with_a_server_that_is_trusted_and_with_no_other() {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let (folder, certificate) = (tempfile::tempdir().unwrap(), made.cert.pem());
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, &certificate).unwrap();
    let server = PostgresServer::with_tls(&certificate, &made.signing_key.serialize_pem());
    let url = server.database();
    let began = Instant::now();
    let error = Postgres::open(&format!("{url}?sslmode=require"), None).unwrap_err();
    assert!(format!("{error:?}").contains("certificate"), "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(10), "an untrusted server stays so");
    let in_url = Postgres::open(&format!("{url}?sslmode=verify-full&sslrootcert={}", roots.display()), None).unwrap();
    let _by_setting = Postgres::open(&format!("{url}?sslmode=require"), Some(&roots)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let store = Store::new(in_url);
    runtime.block_on(put(&store, "a")).unwrap();
    let ways =
        "SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'hadron'";
    assert_eq!(psql(&url, ways), "t");
    let elsewhere = url.replace("127.0.0.1", "localhost");
    let error = Postgres::open(&format!("{elsewhere}?sslmode=verify-full"), Some(&roots)).unwrap_err();
    assert!(format!("{error:?}").contains("not valid for name"), "{error:?}");
}

/// On tables of a few rows a planner that minds its costs reads them whole, and then everybody is in everybody's way.
#[tokio::test(flavor = "multi_thread")]
async fn writers_of_different_things_rarely_run_twice() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    let store = Store::new(Postgres::open(&shared().database(), None).unwrap());
    let writers = (0..8).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            for n in 0..25 {
                let key = format!("{writer}-{n}");
                let work = move |tx: &mut dyn Transaction| {
                    RUNS.fetch_add(1, Ordering::SeqCst);
                    assert_eq!(tx.fetch(&scope(), "thing", &key)?, None);
                    let terms = [crate::control_plane::store::Term::new("all", "")];
                    tx.insert(&scope(), "thing", &key, "{}", &terms)?;
                    let change = contract::change("NEW");
                    let arn = format!("arn:{key}");
                    tx.append_change(&scope(), &crate::control_plane::store::StatusChange { arn, ..change })
                };
                store.write(work).await.unwrap();
            }
        })
    });
    futures::future::try_join_all(writers).await.unwrap();
    let runs = RUNS.load(Ordering::SeqCst);
    assert!(runs < 400, "{runs} runs for 200 writes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bell_rings_in_every_process_and_makes_no_echo() {
    let url = shared().database();
    let (one, other) = (open(&url).await, open(&url).await);
    let (here, there) = (Wake::everywhere("work", &one), Wake::everywhere("work", &other));
    let unrelated = Wake::everywhere("registrations", &other).subscribe();
    let (mut own, mut far) = (here.subscribe(), there.subscribe());
    let listening = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                     AND query LIKE 'LISTEN%' AND state = 'idle'";
    while psql(&url, listening) != "2" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    own.mark_unchanged();
    far.mark_unchanged();
    let (before, others) = (*far.borrow(), *unrelated.borrow());
    here.ring();
    heard(&mut far).await;
    own.mark_unchanged();
    there.ring();
    heard(&mut own).await;
    let counts = (*own.borrow(), *far.borrow());
    // Whatever echoes would come back before the answer to another round.
    here.ring();
    heard(&mut far).await;
    there.ring();
    heard(&mut own).await;
    assert!(*own.borrow() <= counts.0 + 2 && *far.borrow() <= counts.1 + 2, "echoes");
    assert!(*far.borrow() > before);
    assert_eq!(*unrelated.borrow(), others);
}

async fn open(url: &str) -> Store {
    let url = url.to_owned();
    Store::new(tokio::task::spawn_blocking(move || Postgres::open(&url, None).unwrap()).await.unwrap())
}

async fn heard(bell: &mut tokio::sync::watch::Receiver<u64>) {
    tokio::time::timeout(Duration::from_secs(20), bell.changed()).await.expect("the bell rings").unwrap();
}

/// Needs a server of its own, since it stops it.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_answers_soon_and_is_found_again() {
    let server = tokio::task::spawn_blocking(|| PostgresServer::start(Fsync::Off)).await.unwrap();
    let url = server.database();
    let store = open(&url).await;
    put(&store, "before").await.unwrap();
    server.stop();
    let began = Instant::now();
    let outcomes = futures::future::join_all((0..20).map(|n| put(&store, &format!("away-{n}")))).await;
    for outcome in outcomes {
        assert!(matches!(outcome, Err(StoreError::Unavailable { .. })), "{outcome:?}");
    }
    assert!(matches!(blob(&store, "before").await, Err(StoreError::Unavailable { .. })));
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
    // Whoever asks while it comes back waits and succeeds.
    let asked = tokio::spawn(put(&store, "meanwhile"));
    server.start_again();
    asked.await.unwrap().unwrap();
    for n in 0..20 {
        assert_eq!(blob(&store, &format!("away-{n}")).await.unwrap(), None);
    }
    assert_eq!(blob(&store, "before").await.unwrap(), Some(b"x".to_vec()));
}

/// What happens to the first COMMIT that passes a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// It arrives and takes place, but its answer gets lost.
    Answer,
    /// It never arrives.
    Request,
}

/// A way to the server that breaks at the first COMMIT; the URL through it.
fn relay(url: &str, cut: Cut) -> String {
    let port = url.rsplit_once(':').unwrap().1.split_once('/').unwrap().0.to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let through = url.replace(&port, &listener.local_addr().unwrap().port().to_string());
    thread::spawn(move || {
        let armed = Arc::new(AtomicBool::new(true));
        for client in listener.incoming().map_while(Result::ok) {
            let server = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
            let mute = Arc::new(AtomicBool::new(false));
            let back = (server.try_clone().unwrap(), client.try_clone().unwrap(), Arc::clone(&mute));
            thread::spawn(move || pass(back.0, back.1, |_| !back.2.load(Ordering::SeqCst)));
            let armed = Arc::clone(&armed);
            thread::spawn(move || {
                pass(client, server, |bytes| {
                    let commits = bytes.windows(6).any(|six| six == b"COMMIT") && armed.swap(false, Ordering::SeqCst);
                    mute.fetch_or(commits, Ordering::SeqCst);
                    !commits || cut == Cut::Answer
                });
            });
        }
    });
    through
}

/// Copies until one end is closed or `may` says no; then closes both.
fn pass(mut from: TcpStream, mut to: TcpStream, may: impl Fn(&[u8]) -> bool) {
    let mut buffer = vec![0; 65536];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if !may(&buffer[..length]) || to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    for end in [from, to] {
        // It may be closed already.
        drop(end.shutdown(Shutdown::Both));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_without_an_answer_is_told_and_never_repeated() {
    for cut in [Cut::Answer, Cut::Request] {
        let url = shared().database();
        let (direct, store) = (open(&url).await, open(&relay(&url, cut)).await);
        let runs = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&runs);
        let written = store.write(move |tx: &mut dyn Transaction| {
            count.fetch_add(1, Ordering::SeqCst);
            tx.append_change(&scope(), &contract::change("NEW"))
        });
        let written = written.await;
        assert!(matches!(written, Err(StoreError::Unavailable { .. })), "{cut:?}: {written:?}");
        assert_eq!(runs.load(Ordering::SeqCst), 1, "{cut:?}");
        let history = async || {
            let read = direct.read(|tx: &mut dyn Transaction| tx.changes(&scope(), "arn:x", 0, 9));
            let history: Result<_, StoreError> = read.await;
            history.unwrap().len()
        };
        assert_eq!(history().await, usize::from(cut == Cut::Answer), "{cut:?}");
        // The same store goes on.
        put(&store, "after").await.unwrap();
        assert_eq!(blob(&direct, "after").await.unwrap(), Some(b"x".to_vec()));
    }
}
