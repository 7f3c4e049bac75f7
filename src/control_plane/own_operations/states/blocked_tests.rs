use hadron_model::Action;
use hadron_model::hadron::{AuditOutcome, State};
use serde_json::{Value, json};

use crate::control_plane::deployments::tidy;
use crate::control_plane::gate::Gate;
use crate::control_plane::records::{
    AuditEntry, BlockingRun, Deployment, LockHolder, ParkedState, StateBlock, StateLock, StateStamp, Suspect,
};
use crate::control_plane::store::{Document, StoreError, Typed};
use crate::control_plane::test_plane::{LEASE, TestPlane};
use crate::control_plane::wire::{Operations, ProtonError};

fn text(serial: i64) -> String {
    format!(r#"{{"version":4,"serial":{serial},"lineage":"l","resources":[]}}"#)
}

fn suspect(address: &str, id: Option<&str>, in_parked: bool) -> Suspect {
    let id = id.map(str::to_owned);
    Suspect { address: address.into(), kind: "t".into(), id, why: "its creation has no end".into(), in_parked }
}

/// A plane whose environment `dev` is blocked.
struct Scene {
    test: TestPlane,
    dev: Deployment,
}

impl Scene {
    async fn new(suspects: Vec<Suspect>, parked: Option<i64>) -> Self {
        let test = TestPlane::new().await;
        let dev = test.environment("dev").await;
        let by = BlockingRun { deployment: dev.id.clone(), epoch: 1, agent: "a".into() };
        let parked = parked.map(|serial| ParkedState {
            target_arn: dev.target_arn.clone(),
            stamp: StateStamp { lineage: "l".into(), serial },
            size: 1,
            digest: format!("digest-{serial}"),
            at: 1,
            by: by.clone(),
        });
        let scope = test.scope.clone();
        let blobs: Vec<_> = parked.iter().map(|it| (it.key(), text(it.stamp.serial))).collect();
        test.write(move |tx| {
            blobs.iter().try_for_each(|(key, text)| tx.put_blob(&scope, ParkedState::KIND, key, text.as_bytes()))?;
            Ok(())
        })
        .await
        .unwrap();
        let parked = parked.into_iter().collect();
        let block = StateBlock { reason: "left over".into(), since: 1, serial: None, by: Some(by), suspects, parked };
        test.add(StateLock { blocked: Some(block), ..StateLock::free(&dev.target_arn) }).await;
        Self { test, dev }
    }

    async fn perform(&self, operation: &str, mut input: Value) -> Result<State, ProtonError> {
        input["targetArn"] = self.dev.target_arn.as_str().into();
        let action = Action::targeted(&format!("Hadron20261122.{operation}")).unwrap();
        let answer = Gate(self.test.plane.clone()).perform(&mut self.test.call(), action, input).await?;
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        Ok(serde_json::from_value(answer["state"].clone()).unwrap())
    }

    async fn lock(&self) -> StateLock {
        self.test.get::<StateLock>(&self.dev.target_arn).await.unwrap().value
    }

    /// The adoptions that the next run is told of.
    async fn adoptions(&self) -> Vec<String> {
        self.lock().await.adoptions.iter().map(|it| format!("{}={}", it.address, it.id)).collect()
    }

    async fn entries(&self) -> Vec<AuditEntry> {
        let all = self.test.plane.store.read::<_, StoreError, _>(|tx| tx.all::<AuditEntry>(&AuditEntry::scope()));
        all.await.unwrap().into_iter().map(|it| it.value).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn suspects_are_decided_one_by_one_and_the_last_lifts_the_block() {
    let scene = Scene::new(vec![suspect("t.a", Some("1"), false), suspect("t.b", None, false)], None).await;
    let shown = scene.perform("DescribeState", json!({})).await.unwrap().blocked.unwrap();
    let arn = &scene.dev.target_arn;
    assert_eq!(shown.commands[0], format!("hadron state adopt {arn} t.a=1 --none"));
    assert_eq!(shown.suspects.unwrap().len(), 2);
    let one = json!({ "adoptions": [{ "address": "t.a", "id": "one" }] });
    let state = scene.perform("AdoptResources", one.clone()).await.unwrap();
    assert_eq!(state.blocked.unwrap().suspects.unwrap()[0].address, "t.b");
    let again = scene.perform("AdoptResources", one).await.unwrap();
    assert_eq!(again.adoptions.unwrap().len(), 1, "a repeat is harmless");
    assert!(scene.test.agent("a").claim(&scene.dev).await.is_err());
    let state = scene.perform("AdoptResources", json!({ "none": true })).await.unwrap();
    assert_eq!(state.blocked, None);
    assert_eq!(scene.adoptions().await, ["t.a=one"]);
    let told = scene.test.agent("a").claimed(&scene.dev).await.unwrap();
    assert_eq!(told.get("x-hadron-adopt"), Some("1"));
    let nothing = scene.perform("AdoptResources", json!({})).await;
    assert!(matches!(nothing, Err(ProtonError::Validation(_))), "{nothing:?}");
    let entry = scene.entries().await.into_iter().find(|entry| entry.action == "AdoptResources").unwrap();
    assert_eq!((entry.outcome, entry.resource.as_deref()), (AuditOutcome::Changed, Some(arn.as_str())));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_asked_for_is_told_apart_and_can_be_taken_back() {
    let scene = Scene::new(vec![suspect("t.a", Some("1"), false)], None).await;
    let adopt = |address: &str, id: &str| json!({ "adoptions": [{ "address": address, "id": id }] });
    scene.perform("AdoptResources", adopt("t.a", "one")).await.unwrap();
    scene.perform("AdoptResources", adopt("t.a", "two")).await.unwrap();
    scene.perform("AdoptResources", adopt("t.b", "b")).await.unwrap();
    let asked: Vec<_> = scene.lock().await.adoptions.into_iter().map(|it| (it.id, it.asked)).collect();
    assert_eq!(asked, [("two".to_owned(), true), ("b".to_owned(), false)], "a corrected answer is one still");
    scene.perform("AdoptResources", json!({ "none": true })).await.unwrap();
    assert_eq!(scene.adoptions().await, ["t.a=two"], "an answer outlives a repeat");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_parked_state_becomes_the_current_one_and_known_suspects_are_adopted() {
    let suspects = vec![suspect("t.there", None, true), suspect("t.a", Some("1"), false)];
    let scene = Scene::new(suspects, Some(9)).await;
    let state = scene.perform("PushState", json!({ "parked": true })).await.unwrap();
    assert_eq!((state.serial, state.blocked), (9, None));
    assert_eq!(scene.adoptions().await, ["t.a=1"]);
    let (scope, key) = (scene.test.scope.clone(), format!("{}#digest-9", scene.dev.target_arn));
    let blob = scene.test.plane.store.read::<_, StoreError, _>(move |tx| tx.blob(&scope, ParkedState::KIND, &key));
    assert_eq!(blob.await.unwrap(), None, "nothing stays behind");
    let again = scene.perform("PushState", json!({ "parked": true })).await;
    assert!(matches!(&again, Err(ProtonError::Conflict(words)) if words.contains("is parked")), "{again:?}");
    for wrong in [json!({}), json!({ "parked": true, "body": text(1) })] {
        assert!(matches!(scene.perform("PushState", wrong).await, Err(ProtonError::Validation(_))));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspect_without_an_id_outlives_the_parked_state_unless_it_is_denied() {
    let suspects = || vec![suspect("t.b", None, false)];
    let scene = Scene::new(suspects(), Some(9)).await;
    let left = scene.perform("PushState", json!({ "parked": true })).await.unwrap().blocked.unwrap();
    assert_eq!((left.parked, left.suspects.unwrap().len()), (None, 1));
    assert_eq!(left.commands[0], format!("hadron state adopt {} --none", scene.dev.target_arn));
    let scene = Scene::new(suspects(), Some(9)).await;
    let state = scene.perform("PushState", json!({ "parked": true, "none": true })).await.unwrap();
    assert_eq!(state.blocked, None);
    let scene = Scene::new(suspects(), Some(9)).await;
    assert_eq!(scene.perform("UnblockState", json!({ "serial": 0 })).await.unwrap().blocked, None);
    assert!(scene.adoptions().await.is_empty(), "the newest here counts");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_lock_is_released_by_the_server_with_an_entry_and_a_live_one_never() {
    let test = TestPlane::new().await;
    let dev = test.environment("dev").await;
    let epoch = test.agent("victim").claim(&dev).await.unwrap();
    let holder = LockHolder {
        lock_id: "lock-1".into(),
        info: "{}".into(),
        deployment: dev.id.clone(),
        epoch,
        agent: "victim".into(),
        access_key: "AKIAVICTIM".into(),
        password_digest: "0".into(),
        since: test.plane.clock.now(),
    };
    test.add(StateLock { holder: Some(holder), ..StateLock::free(&dev.target_arn) }).await;
    let scene = Scene { test, dev };
    let held = async || scene.lock().await.holder.is_some();
    scene.test.advance(100 * LEASE);
    tidy(&scene.test.plane).await.unwrap();
    assert!(held().await, "its claim may count again");
    scene.test.agent("heir").claim(&scene.dev).await.unwrap();
    scene.test.advance(4 * LEASE - 1);
    let rest = tidy(&scene.test.plane).await.unwrap();
    assert!(held().await && rest.as_millis() == 1, "{rest:?}");
    let lock = scene.perform("DescribeState", json!({})).await.unwrap().lock.unwrap();
    assert_eq!((lock.alive, lock.released_at.unwrap().0), (false, scene.test.plane.clock.now() + 1));
    scene.test.advance(1);
    tidy(&scene.test.plane).await.unwrap();
    assert!(!held().await);
    assert_eq!(scene.lock().await.last.unwrap().lock_id, "lock-1", "what it still writes is taken");
    let entries = scene.entries().await;
    let entry = entries.iter().find(|entry| entry.action == "ReleaseDeadLock").unwrap();
    assert_eq!(entry.principal, "hadron:server");
    assert!(entry.reason.as_ref().unwrap().contains(&format!("{}.1 of agent victim", scene.dev.id)));
}
