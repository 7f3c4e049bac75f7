//! Backups of real records, through both databases.

use super::*;
use crate::control_plane::records::Keyring;
use crate::control_plane::store::postgres_server::shared;
use crate::control_plane::store::{
    PostgresDump, PostgresReplacing, Sqlite, SqliteDump, StatusChange, Store, StoreError, Term, Transaction, Typed,
};
use crate::domain::Scope;

fn postgres() -> String {
    shared().database()
}

fn header() -> Header {
    Header { hadron_backup: FORMAT, schema: 1, made_at: 1, hadron: "0".into(), source: "s".into() }
}

/// Rows with everything that a database could get wrong.
async fn fill(store: &Store) {
    let fill = |tx: &mut dyn Transaction| {
        let keyring = Keyring { master: "m".into(), current: "k".into(), keys: Vec::new(), resealed: None };
        tx.add(&Keyring::scope(), &keyring)?;
        let scope = Scope::new("123456789012", "us-east-1");
        let terms = [Term::new("t", "\0v\u{1}").sorted_by("s\0"), Term::new("all", "")];
        for key in ["a", "ü\0b", "\u{1}\u{2}", "last"] {
            tx.insert(&scope, "k", key, &format!("{{\"key\":{:?}}}", key.len()), &terms)?;
            tx.put_blob(&scope, "b", key, &[0, 255, 10])?;
            let change = StatusChange {
                arn: format!("arn:{key}"),
                sequence: 0,
                at: 7,
                previous: None,
                status: "S".into(),
                detail: "{\"a\":\"\\u0000\"}".into(),
            };
            tx.append_change(&scope, &change)?;
            tx.append_change(&scope, &StatusChange { previous: Some("S".into()), ..change })?;
        }
        tx.put_blob(&scope, "b", "empty", b"")?;
        tx.update(&scope, "k", "last", 1, "{}", &terms[..1])
    };
    store.write::<_, StoreError, _>(fill).await.unwrap();
}

fn rows(source: &mut dyn Source) -> Vec<Entry> {
    let mut rows = Vec::new();
    for table in Table::ALL {
        let take: Take<'_> = &mut |entry| {
            rows.push(entry);
            Ok(())
        };
        source.each(table, take).unwrap();
    }
    rows.sort();
    rows
}

fn backup(source: &mut dyn Source) -> Vec<u8> {
    let mut file = Vec::new();
    write(&mut file, &header(), source).unwrap();
    file
}

/// A filled database, the folder it lies in, and what is in it.
fn filled() -> (tempfile::TempDir, Store, Vec<u8>, Vec<Entry>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hadron.db");
    let store = Store::new(Sqlite::open(&path).unwrap());
    tokio::runtime::Runtime::new().unwrap().block_on(fill(&store));
    // Beside the open store, as beside a server.
    let file = backup(&mut SqliteDump::open(&path).unwrap());
    let all = rows(&mut SqliteDump::open(&path).unwrap());
    (folder, store, file, all)
}

#[test]
fn every_row_comes_back_as_it_was_through_both_databases() {
    let (folder, _store, file, all) = filled();
    let first = folder.path().join("first.db");
    let (found, counts) = Sqlite::load(&first, |put| read(file.as_slice(), 1, put)).unwrap();
    assert_eq!((found, counts.records, counts.changes, counts.blobs), (header(), 5, 8, 5));
    assert_eq!(rows(&mut SqliteDump::open(&first).unwrap()), all);

    let url = postgres();
    let mut place = PostgresReplacing::begin(&url, None).unwrap();
    assert!(place.is_empty().unwrap());
    place.replace(&mut SqliteDump::open(&first).unwrap()).unwrap();
    let mut dump = PostgresDump::open(&url, None).unwrap();
    assert_eq!(rows(&mut dump), all);
    let again = PostgresReplacing::begin(&url, None);
    assert!(matches!(again, Err(StoreError::InUse { .. })), "a session of another hadron is open");

    let second = folder.path().join("second.db");
    let file = backup(&mut dump);
    Sqlite::load(&second, |put| read(file.as_slice(), 1, put)).unwrap();
    assert_eq!(rows(&mut SqliteDump::open(&second).unwrap()), all);
}

#[test]
fn a_snapshot_sees_nothing_that_is_written_after_it_was_taken() {
    let (folder, store, _, all) = filled();
    let mut snapshot = SqliteDump::open(&folder.path().join("hadron.db")).unwrap();
    let put =
        store.write::<_, StoreError, _>(|tx: &mut dyn Transaction| tx.put_blob(&Scope::new("1", "r"), "b", "k", b"x"));
    tokio::runtime::Runtime::new().unwrap().block_on(put).unwrap();
    assert_eq!(rows(&mut snapshot), all);
}

#[test]
fn a_file_that_is_cut_off_or_changed_anywhere_is_refused_and_nothing_of_it_is_kept() {
    let (folder, _store, file, all) = filled();
    let whole = |bytes: &[u8]| {
        let mut rows = Vec::new();
        let take: Take<'_> = &mut |entry| {
            rows.push(entry);
            Ok(())
        };
        read(bytes, 1, take).map(|_| {
            rows.sort();
            rows
        })
    };
    assert_eq!(whole(&file).unwrap(), all);
    for end in 0..file.len() {
        let error = whole(&file[..end]).unwrap_err();
        assert!(matches!(error, DumpError::CutOff { .. } | DumpError::NoBackup), "{end}: {error}");
    }
    for place in 0..file.len() {
        let mut flipped = file.clone();
        flipped[place] ^= 1 << (place % 8);
        // Gzip's own header says when it was made and by whom, which nothing depends on.
        if let Ok(rows) = whole(&flipped) {
            assert!(place < 10 && rows == all, "{place}");
        }
    }
    let path = folder.path().join("torn.db");
    let torn = &file[..file.len() - 20];
    assert!(Sqlite::load(&path, |put| read(torn, 1, put)).is_err());
    assert_eq!(rows(&mut SqliteDump::open(&path).unwrap()), []);
}

#[test]
fn what_a_newer_hadron_wrote_is_refused_with_the_remedy() {
    let (folder, ..) = filled();
    let mut source = SqliteDump::open(&folder.path().join("hadron.db")).unwrap();
    for newer in [Header { hadron_backup: FORMAT + 1, ..header() }, Header { schema: 2, ..header() }] {
        let mut file = Vec::new();
        write(&mut file, &newer, &mut source).unwrap();
        let error = read(file.as_slice(), 1, &mut |_| panic!("no row is looked at")).unwrap_err();
        assert!(error.to_string().contains("use the newer hadron"), "{error}");
    }
    let error = read(&b"something else"[..], 1, &mut |_| Ok(())).unwrap_err();
    assert!(matches!(error, DumpError::NoBackup), "{error}");
}

#[test]
fn a_record_without_a_keyring_is_not_backed_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hadron.db");
    drop(Sqlite::open(&path).unwrap());
    let error = write(Vec::new(), &header(), &mut SqliteDump::open(&path).unwrap()).unwrap_err();
    assert!(matches!(error, DumpError::NoKeyring), "{error}");
}
