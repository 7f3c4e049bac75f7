//! Seals, keyrings and the pass that seals anew, over a real record.

use serde_json::{Value, json};

use super::keyring::{LEGACY, Standing, open, standing};
use super::master::random_key;
use super::*;
use crate::control_plane::records::{AccessKey, Keyring, StateLock, StateStamp, StateVersion, TagSet};
use crate::control_plane::store::{
    Document, PLAIN, Sealed, Select, Sqlite, Store, StoreError, Term, Transaction, Typed,
};
use crate::support::Secret;

const NOW: i64 = 1_795_305_600_000;

fn scope() -> Scope {
    Scope::new("123456789012", "us-east-1")
}

fn raw() -> Store {
    Store::new(Sqlite::temporary().unwrap())
}

fn access_key(secret: &str) -> AccessKey {
    use hadron_model::hadron::Role;
    AccessKey::new("AKIAONE", Secret::new(secret), "123456789012", "one", Role::Admin, NOW)
}

async fn write(store: &Store, work: impl FnMut(&mut dyn Transaction) -> Result<(), StoreError> + Send + 'static) {
    store.write(work).await.unwrap();
}

async fn read<T: Send + 'static>(
    store: &Store,
    work: impl FnMut(&mut dyn Transaction) -> Result<T, StoreError> + Send + 'static,
) -> T {
    store.read(work).await.unwrap()
}

async fn ring_of(store: &Store) -> Keyring {
    read(store, |tx| Ok(tx.get::<Keyring>(&Keyring::scope(), Keyring::KEY)?.unwrap().value)).await
}

/// The body of the one access key as it lies in the record.
async fn body(store: &Store) -> String {
    read(store, |tx| Ok(tx.fetch(&AccessKey::scope(), AccessKey::KIND, "AKIAONE")?.unwrap().body)).await
}

async fn secret(store: &Store) -> String {
    let key = read(store, |tx| tx.get::<AccessKey>(&AccessKey::scope(), "AKIAONE")).await;
    key.unwrap().secret.reveal().to_owned()
}

#[test]
fn a_text_breaks_in_another_place_under_another_key_and_by_any_flipped_bit() {
    let sealer = Sealer::ephemeral();
    let text = sealer.seal("geheim ü", "here").unwrap();
    assert_eq!(sealer.unseal(&text, "here").unwrap(), "geheim ü");
    assert_ne!(text, sealer.seal("geheim ü", "here").unwrap(), "each seal has a nonce of its own");
    assert!(matches!(sealer.unseal(&text, "there"), Err(SealError::Broken)));
    assert!(matches!(Sealer::ephemeral().unseal(&text, "here"), Err(SealError::UnknownKey { .. })));
    for position in 0..text.len() {
        let mut flipped = text.clone().into_bytes();
        flipped[position] ^= 1;
        let flipped = String::from_utf8(flipped).unwrap();
        // The padding's unused bits are no part of the value, and base64 refuses them set.
        assert!(sealer.unseal(&flipped, "here").is_err(), "position {position}");
    }
    for other in ["", "v1.", "v2.", "v2.AAAA", "v2..AAAA", "secret", "v1.ü", &text[..text.len() - 4]] {
        assert!(sealer.unseal(other, "here").is_err(), "{other}");
    }
}

#[test]
fn bytes_shrink_and_break_by_any_flipped_bit() {
    let sealer = Sealer::ephemeral();
    let state = json!({ "resources": vec![json!({ "type": "aws_instance", "name": "a" }); 100] }).to_string();
    let shut = bytes::seal(&sealer.ring(), state.as_bytes(), "here").unwrap();
    assert!(shut.len() < state.len() / 4, "{} of {}", shut.len(), state.len());
    assert_eq!(bytes::open(&sealer.ring(), &shut, "here").unwrap(), state.as_bytes());
    assert!(bytes::open(&sealer.ring(), &shut, "there").is_err());
    for bit in 0..shut.len() * 8 {
        let mut flipped = shut.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(bytes::open(&sealer.ring(), &flipped, "here").is_err(), "bit {bit}");
    }
    for length in 0..shut.len() {
        assert!(bytes::open(&sealer.ring(), &shut[..length], "here").is_err(), "{length} bytes");
    }
}

#[tokio::test]
async fn a_keyring_is_made_once_and_opens_with_its_master_key_only() {
    let (store, key) = (raw(), random_key());
    assert_eq!(standing(&store).await.unwrap(), Standing::Empty);
    let sealed = open(&store, MasterKey::local(key), None, NOW).await.unwrap().seal("x", "c").unwrap();
    assert_eq!(standing(&store).await.unwrap(), Standing::Sealed);
    let again = open(&store, MasterKey::local(key), None, NOW).await.unwrap();
    assert_eq!(again.unseal(&sealed, "c").unwrap(), "x");
    let before = ring_of(&store).await;
    assert_eq!(before.keys.len(), 1);
    let (wrong, other) = (MasterKey::local(random_key()), MasterKey::local(random_key()));
    for previous in [None, Some(&other)] {
        let error = open(&store, wrong.clone(), previous, NOW).await.unwrap_err();
        assert!(matches!(error, SealError::WrongMaster { .. }), "{error}");
        assert!(error.to_string().contains("nothing was changed"), "{error}");
    }
    assert_eq!(ring_of(&store).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_start_at_once_agree_on_one_keyring() {
    let (store, key) = (raw(), random_key());
    let starts = (0..8).map(|_| open(&store, MasterKey::local(key), None, NOW));
    let sealers = futures::future::try_join_all(starts).await.unwrap();
    let sealed = sealers[0].seal("x", "c").unwrap();
    assert!(sealers.iter().all(|sealer| sealer.unseal(&sealed, "c").is_ok()));
    assert_eq!(ring_of(&store).await.keys.len(), 1);
}

#[tokio::test]
async fn a_new_master_key_wraps_all_data_keys_anew_and_shuts_out_the_old_one() {
    let (store, old, new) = (raw(), MasterKey::local(random_key()), MasterKey::local(random_key()));
    let sealer = open(&store, old.clone(), None, NOW).await.unwrap();
    let first = sealer.seal("first", "c").unwrap();
    sealer.rotate(&store, NOW).await.unwrap();
    let second = sealer.seal("second", "c").unwrap();
    let opened = open(&store, new.clone(), Some(&old), NOW).await.unwrap();
    assert_eq!(opened.unseal(&first, "c").unwrap(), "first");
    assert_eq!(opened.unseal(&second, "c").unwrap(), "second");
    assert!(matches!(open(&store, old.clone(), None, NOW).await, Err(SealError::WrongMaster { .. })));
    // The setting may stay, and the next start needs the old key no more.
    open(&store, new.clone(), Some(&old), NOW).await.unwrap();
    open(&store, new, None, NOW).await.unwrap();
}

#[tokio::test]
async fn a_sealed_record_that_lost_its_keyring_gets_no_second_one() {
    let (store, key) = (raw(), MasterKey::local(random_key()));
    let sealer = open(&store, key.clone(), None, NOW).await.unwrap();
    write(&store.through(Sealed(sealer)), |tx| tx.add(&AccessKey::scope(), &access_key("s"))).await;
    write(&store, |tx| tx.remove(&Keyring::scope(), Keyring::KIND, Keyring::KEY, 1)).await;
    assert!(matches!(open(&store, key, None, NOW).await, Err(SealError::NoKeyring)));
}

#[tokio::test]
async fn nothing_of_a_sealed_row_or_blob_lies_in_the_record_but_its_name_and_terms() {
    let store = raw();
    let sealer = open(&store, MasterKey::local(random_key()), None, NOW).await.unwrap();
    let layered = store.through(Sealed(sealer));
    write(&layered, |tx| {
        tx.insert(&scope(), "thing", "a", "\"geheim\"", &[Term::new("colour", "red")])?;
        tx.put_blob(&scope(), "thing", "a", b"geheim")
    })
    .await;
    let by_colour = |tx: &mut dyn Transaction| {
        let select = Select { term: "colour", value: "red", after: None, descending: false, limit: 9 };
        Ok((tx.select(&scope(), "thing", &select)?.remove(0).body, tx.blob(&scope(), "thing", "a")?.unwrap()))
    };
    let (body, blob) = read(&store, by_colour).await;
    assert!(!body.contains("geheim") && !blob.windows(6).any(|window| window == b"geheim"), "{body}");
    let (body, blob) = read(&layered, by_colour).await;
    assert_eq!((body.as_str(), blob.as_slice()), ("\"geheim\"", b"geheim".as_slice()));
}

#[tokio::test]
async fn a_damaged_row_names_itself_and_one_moved_to_another_scope_or_kind_does_not_open() {
    let store = raw();
    let sealer = open(&store, MasterKey::local(random_key()), None, NOW).await.unwrap();
    let layered = store.through(Sealed(sealer));
    write(&layered, |tx| {
        tx.insert(&scope(), "thing", "a", "1", &[])?;
        tx.insert(&scope(), "thing", "b", "2", &[])
    })
    .await;
    let bodies = read(&store, |tx| {
        let body = |row: Option<crate::control_plane::store::Row>| row.unwrap().body;
        Ok((body(tx.fetch(&scope(), "thing", "a")?), body(tx.fetch(&scope(), "thing", "b")?)))
    });
    let (a, b) = bodies.await;
    let elsewhere = Scope::new("123456789012", "eu-west-1");
    let (cut, moved) = (a[..a.len() - 8].to_owned(), a.clone());
    write(&store, move |tx| {
        tx.update(&scope(), "thing", "a", 1, &b, &[])?;
        tx.update(&scope(), "thing", "b", 1, &a, &[])?;
        tx.insert(&scope(), "thing", "cut", &cut, &[])?;
        tx.insert(&elsewhere, "thing", "moved", &moved, &[])?;
        tx.insert(&scope(), "other", "moved", &moved, &[])
    })
    .await;
    let swapped = read(&layered, |tx| Ok(tx.fetch(&scope(), "thing", "a")?.unwrap().body)).await;
    assert_eq!(swapped, "2", "a seal isn't bound to the key");
    let elsewhere = Scope::new("123456789012", "eu-west-1");
    for (scope, kind, key) in [(scope(), "thing", "cut"), (elsewhere, "thing", "moved"), (scope(), "other", "moved")] {
        let error = layered.read(move |tx: &mut dyn Transaction| tx.fetch(&scope, kind, key)).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
        assert!(error.to_string().contains(&format!("{kind} {key}")), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_learns_of_anothers_rotation_when_it_meets_the_new_key() {
    let (store, key) = (raw(), random_key());
    let one = open(&store, MasterKey::local(key), None, NOW).await.unwrap();
    let other = open(&store, MasterKey::local(key), None, NOW).await.unwrap();
    let seen_by_other = store.through(Sealed(other.clone()));
    let id = one.rotate(&store, NOW).await.unwrap();
    write(&store.through(Sealed(one)), |tx| {
        tx.add(&AccessKey::scope(), &access_key("s"))?;
        tx.put_blob(&scope(), "thing", "a", b"x")
    })
    .await;
    assert_ne!(other.ring().current(), id);
    assert_eq!(read(&seen_by_other, |tx| tx.blob(&scope(), "thing", "a")).await.unwrap(), b"x");
    assert_eq!(other.ring().current(), id);
    assert_eq!(secret(&seen_by_other).await, "s");
}

#[tokio::test(flavor = "multi_thread")]
async fn rotations_under_readers_and_writers_lose_nothing() {
    let store = raw();
    let sealer = open(&store, MasterKey::local(random_key()), None, NOW).await.unwrap();
    let layered = store.through(Sealed(sealer.clone()));
    write(&layered, |tx| tx.add(&AccessKey::scope(), &access_key("0"))).await;
    let writer = layered.clone();
    let writing = tokio::spawn(async move {
        for n in 1..=100 {
            write(&writer, move |tx| {
                let mut stored = tx.get::<AccessKey>(&AccessKey::scope(), "AKIAONE")?.unwrap();
                stored.value.secret = Secret::new(n.to_string());
                tx.save(&AccessKey::scope(), &mut stored)
            })
            .await;
        }
    });
    let reader = layered.clone();
    let reading = tokio::spawn(async move {
        let mut last = 0;
        while last < 100 {
            let now: i32 = secret(&reader).await.parse().unwrap();
            assert!(now >= last);
            last = now;
        }
    });
    for _ in 0..10 {
        sealer.rotate(&store, NOW).await.unwrap();
        reseal::pass(&store, &sealer).await.unwrap();
    }
    writing.await.unwrap();
    reading.await.unwrap();
    assert_eq!(ring_of(&store).await.keys.len(), 11);
}

/// What the first release left: plain rows, plain states, outputs sealed by the master key itself.
async fn first_release(store: &Store, master: [u8; 32]) {
    let v1 = Sealer::new(Ring::of_one(LEGACY.into(), &master), None);
    let sealed = v1.seal("hunter2", &output_context(&scope(), "password")).unwrap();
    let sealed = sealed.replace("v2.v1.", "v1.");
    write(store, move |tx| {
        tx.add(&AccessKey::scope(), &access_key("geheim"))?;
        let environment = json!({
            "name": "dev", "created_at": 1, "description": null, "spec": "spec: {}", "executor": "agent",
            "template": { "template": "net", "version": { "major": 1, "minor": 0 } },
            "progress": {
                "status": "SUCCEEDED", "message": null, "last_attempted_deployment_id": null,
                "last_succeeded_deployment_id": null, "last_attempted_at": 1, "last_succeeded_at": 1,
                "outputs": [{ "sealed": { "key": "password", "ciphertext": sealed } }],
            },
        });
        let terms = [Term::new("all", ""), Term::new("template_version", "environment-template/net:1.0")];
        tx.insert(&scope(), "environment", "dev", &environment.to_string(), &terms)?;
        let version = state_version();
        tx.add(&scope(), &version)?;
        tx.put_blob(&scope(), StateVersion::KIND, &version.key(), b"{\"geheim\":1}")
    })
    .await;
}

fn state_version() -> StateVersion {
    StateVersion {
        target_arn: "arn:x".into(),
        number: 1,
        stamp: Some(StateStamp { lineage: "l".into(), serial: 1 }),
        size: 12,
        digest: "d".into(),
        at: 1,
        deployment: "d".into(),
        epoch: 1,
        agent: "a".into(),
    }
}

async fn environment(store: &Store) -> Value {
    let row = read(store, |tx| tx.fetch(&scope(), "environment", "dev")).await.unwrap();
    serde_json::from_str(&row.body).unwrap()
}

fn password(sealer: &Sealer, environment: &Value) -> (String, String) {
    let ciphertext = environment["progress"]["outputs"][0]["sealed"]["ciphertext"].as_str().unwrap().to_owned();
    let opened = sealer.unseal(&ciphertext, &output_context(&scope(), "password")).unwrap();
    (text::key_of(&ciphertext).unwrap().to_owned(), opened)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_the_first_release_opens_and_a_pass_seals_all_of_it() {
    let (store, master) = (raw(), random_key());
    first_release(&store, master).await;
    assert_eq!(standing(&store).await.unwrap(), Standing::Unsealed);
    // The master key may change in the same start.
    let (old, new) = (MasterKey::local(master), MasterKey::local(random_key()));
    let sealer = open(&store, new, Some(&old), NOW).await.unwrap();
    let layered = store.through(Sealed(sealer.clone()));
    assert_eq!(secret(&layered).await, "geheim");
    assert_eq!(password(&sealer, &environment(&layered).await), (LEGACY.to_owned(), "hunter2".to_owned()));
    let state = |tx: &mut dyn Transaction| tx.blob(&scope(), StateVersion::KIND, "arn:x#1");
    assert_eq!(read(&layered, state).await.unwrap(), b"{\"geheim\":1}");

    let done = reseal::pass(&store, &sealer).await.unwrap();
    assert_eq!(done, reseal::Pass { renewed: 3, left: 0 });
    assert!(!body(&store).await.contains("geheim"));
    assert!(bytes::is_sealed(&read(&store, state).await.unwrap()));
    assert_eq!(read(&layered, state).await.unwrap(), b"{\"geheim\":1}");
    assert_eq!(secret(&layered).await, "geheim");
    let current = sealer.ring().current().to_owned();
    assert_eq!(password(&sealer, &environment(&layered).await), (current, "hunter2".to_owned()));
    assert_eq!(
        reseal::pass(&store, &sealer).await.unwrap(),
        reseal::Pass::default(),
        "a second pass has nothing to do"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_rotation_a_pass_leaves_nothing_under_the_old_key_and_names_what_it_cannot_open() {
    let (store, master) = (raw(), random_key());
    first_release(&store, master).await;
    let sealer = open(&store, MasterKey::local(master), None, NOW).await.unwrap();
    let layered = store.through(Sealed(sealer.clone()));
    reseal::pass(&store, &sealer).await.unwrap();
    let old = sealer.ring().current().to_owned();
    let lock = StateLock::free("arn:x");
    write(&layered, move |tx| tx.add(&scope(), &lock)).await;
    write(&store, |tx| tx.insert(&scope(), TagSet::KIND, "arn:x", "v2.00000000.AAAA", &[Term::new("all", "")])).await;
    let id = sealer.rotate(&store, NOW).await.unwrap();
    assert_eq!(reseal::pass(&store, &sealer).await.unwrap(), reseal::Pass { renewed: 4, left: 1 });
    let bodies = read(&store, |tx| {
        let lock = tx.fetch(&scope(), StateLock::KIND, "arn:x")?.unwrap().body;
        let state = tx.blob(&scope(), StateVersion::KIND, "arn:x#1")?.unwrap();
        Ok((lock, state))
    });
    let (lock, state) = bodies.await;
    assert!(!lock.contains(&old) && bytes::key_of(&state) == Some(id.as_str()));
    assert_eq!(text::key_of(&body(&store).await), Some(id.as_str()));
    assert_eq!(password(&sealer, &environment(&layered).await).0, id);
}

/// A kind that neither list names would never be sealed anew after a rotation.
#[test]
fn every_kind_of_document_is_renewed_or_plain() {
    let mut found = Vec::new();
    let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if let Ok(code) = std::fs::read_to_string(&entry) {
                let kinds = code.split(concat!("const KIND: &'static str ", "= \"")).skip(1);
                found.extend(kinds.filter_map(|rest| rest.split('"').next()).map(str::to_owned));
            }
        }
    }
    let renewed = reseal::names();
    found.retain(|kind| !renewed.contains(&kind.as_str()) && !PLAIN.contains(&kind.as_str()));
    assert!(found.is_empty(), "add to seal/reseal.rs or to store::PLAIN: {found:?}");
}
