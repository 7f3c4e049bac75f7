use hadron_model::hadron::{
    DescribeStateInput, GetStateVersionInput, Hadron, ListStateVersionsInput, ListStatesInput, PushStateInput,
    ReleaseLockInput, State,
};

use crate::control_plane::records::{Deployment, LockHolder, StateLock};
use crate::control_plane::store::Typed;
use crate::control_plane::test_plane::{LEASE, TestPlane};
use crate::control_plane::wire::ProtonError;
use crate::domain::{Scope, Target};

fn text(lineage: &str, serial: i64, content: &str) -> String {
    format!(r#"{{"version":4,"serial":{serial},"lineage":"{lineage}","outputs":{{}},"content":"{content}"}}"#)
}

/// A plane with the environment `dev`, whose deployment an agent has claimed and whose state it has locked.
struct Scene {
    test: TestPlane,
    dev: Deployment,
    arn: String,
}

impl Scene {
    async fn new() -> Self {
        let test = TestPlane::new().await;
        let dev = test.environment("dev").await;
        let arn = dev.target_arn.clone();
        Self { test, dev, arn }
    }

    async fn locked() -> Self {
        let scene = Self::new().await;
        let epoch = scene.test.agent("victim").claim(&scene.dev).await.unwrap();
        let holder = LockHolder {
            lock_id: "lock-1".into(),
            info: r#"{"ID":"lock-1","Operation":"OperationTypeApply","Who":"me@here"}"#.into(),
            deployment: scene.dev.id.clone(),
            epoch,
            agent: "victim".into(),
            access_key: "AKIAVICTIM".into(),
            password_digest: "0".into(),
            since: scene.test.plane.clock.now(),
        };
        scene.test.add(StateLock { holder: Some(holder), ..StateLock::free(scene.arn.clone()) }).await;
        scene
    }

    async fn push(&self, body: &str, force: Option<bool>) -> Result<State, ProtonError> {
        let input = PushStateInput {
            target_arn: self.arn.clone(),
            body: Some(body.into()),
            force,
            parked: None,
            none: None,
            moves: None,
        };
        Ok(self.test.plane.push_state(&mut self.test.call(), input).await?.state)
    }

    async fn release(&self, lock_id: &str) -> Result<State, ProtonError> {
        let input = ReleaseLockInput { target_arn: self.arn.clone(), lock_id: lock_id.into() };
        Ok(self.test.plane.release_lock(&mut self.test.call(), input).await?.state)
    }

    async fn body(&self, serial: Option<i64>) -> Result<String, ProtonError> {
        let input = GetStateVersionInput { target_arn: self.arn.clone(), serial, parked: None };
        Ok(self.test.plane.get_state_version(&mut self.test.call(), input).await?.body)
    }

    async fn describe(&self) -> Result<State, ProtonError> {
        let input = DescribeStateInput { target_arn: self.arn.clone() };
        Ok(self.test.plane.describe_state(&mut self.test.call(), input).await?.state)
    }

    async fn list(&self, locked: Option<bool>) -> Vec<State> {
        let input = ListStatesInput { locked, ..ListStatesInput::default() };
        self.test.plane.list_states(&mut self.test.call(), input).await.unwrap().states
    }
}

fn conflict(outcome: Result<State, ProtonError>, words: &str) {
    match outcome {
        Err(ProtonError::Conflict(message)) => assert!(message.contains(words), "{message}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pushed_state_is_the_current_one_and_every_version_stays() {
    let scene = Scene::new().await;
    assert!(matches!(scene.describe().await, Err(ProtonError::ResourceNotFound(_))), "nothing was written yet");
    scene.push(&text("l", 1, "a"), None).await.unwrap();
    let state = scene.push(&text("l", 5, "b"), None).await.unwrap();
    assert_eq!((state.lineage.as_str(), state.serial, state.lock.as_ref()), ("l", 5, None));
    assert_eq!(scene.describe().await.unwrap(), state);
    assert_eq!(scene.list(None).await, [state]);
    assert_eq!(scene.body(None).await.unwrap(), text("l", 5, "b"));
    assert_eq!(scene.body(Some(1)).await.unwrap(), text("l", 1, "a"));
    assert!(matches!(scene.body(Some(2)).await, Err(ProtonError::ResourceNotFound(_))));
    let input = ListStateVersionsInput { target_arn: scene.arn.clone(), max_results: Some(1), next_token: None };
    let first = scene.test.plane.list_state_versions(&mut scene.test.call(), input.clone()).await.unwrap();
    let input = ListStateVersionsInput { next_token: first.next_token.clone(), ..input };
    let second = scene.test.plane.list_state_versions(&mut scene.test.call(), input).await.unwrap();
    assert_eq!((first.state_versions[0].serial, second.state_versions[0].serial), (5, 1));
    assert_eq!(first.state_versions[0].written_by.as_deref(), Some("arn:aws:iam::123456789012:user/test"));
    assert_eq!(second.next_token, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_doesnt_continue_the_history_must_be_forced() {
    let scene = Scene::new().await;
    scene.push(&text("l", 3, "a"), None).await.unwrap();
    scene.push(&text("l", 3, "a"), None).await.unwrap();
    conflict(scene.push(&text("other", 9, "b"), None).await, "lineage is other");
    conflict(scene.push(&text("l", 2, "b"), None).await, "serial is 2");
    conflict(scene.push(&text("l", 3, "b"), Some(false)).await, "has other contents");
    assert_eq!(scene.body(None).await.unwrap(), text("l", 3, "a"), "a refused push changes nothing");
    scene.push(&text("l", 2, "b"), Some(true)).await.unwrap();
    let state = scene.push(&text("other", 1, "c"), Some(true)).await.unwrap();
    assert_eq!((state.lineage.as_str(), state.serial), ("other", 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_state_is_refused() {
    let scene = Scene::new().await;
    let old = text("l", 1, "").replace("\"version\":4", "\"version\":3");
    let cut = text("l", 1, "a").replace('}', "");
    for body in ["{}", "no json", "[]", &old, &cut, &text("", 1, ""), &text("l", -1, "")] {
        let refused = scene.push(body, Some(true)).await;
        assert!(matches!(refused, Err(ProtonError::Validation(_))), "{body}: {refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_known_target_of_this_account_has_a_state() {
    let scene = Scene::new().await;
    let elsewhere = Target::Environment { name: "dev".into() }.arn(&Scope::new("210987654321", "us-east-1"));
    let unknown = Target::Environment { name: "prod".into() }.arn(&scene.test.scope);
    for arn in [elsewhere, unknown] {
        let scene = Scene { arn, test: scene.test.clone(), dev: scene.dev.clone() };
        let refused = scene.push(&text("l", 1, ""), Some(true)).await;
        assert!(matches!(refused, Err(ProtonError::ResourceNotFound(_))), "{refused:?}");
    }
    let scene = Scene { arn: "arn:aws:s3:::bucket".into(), ..scene };
    assert!(matches!(scene.describe().await, Err(ProtonError::Validation(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_runs_lock_stays_and_nothing_is_pushed_below_it() {
    let scene = Scene::locked().await;
    conflict(scene.release("lock-1").await, &scene.dev.id);
    conflict(scene.push(&text("l", 1, ""), Some(true)).await, "wait for that run");
    let lock = scene.describe().await.unwrap().lock.unwrap();
    assert!(lock.alive);
    assert_eq!((lock.who.as_deref(), lock.deployment_id.as_deref()), (Some("me@here"), Some(scene.dev.id.as_str())));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lock_of_a_dead_run_is_released_by_its_id_only() {
    let scene = Scene::locked().await;
    scene.test.advance(LEASE);
    assert!(!scene.describe().await.unwrap().lock.unwrap().alive);
    conflict(scene.push(&text("l", 1, ""), None).await, "release its lock first");
    conflict(scene.release("lock-2").await, "lock-1");
    assert_eq!(scene.list(Some(true)).await.len(), 1);
    assert_eq!(scene.release("lock-1").await.unwrap().lock, None);
    assert_eq!(scene.release("lock-1").await.unwrap().lock, None, "a repeat is harmless");
    conflict(scene.release("lock-2").await, "isn't locked");
    assert_eq!((scene.list(Some(true)).await.len(), scene.list(Some(false)).await.len()), (0, 1));
    scene.push(&text("l", 1, ""), None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_a_newer_claim_has_left_behind_is_dead() {
    let scene = Scene::locked().await;
    scene.test.advance(LEASE);
    scene.test.agent("heir").claim(&scene.dev).await.unwrap();
    scene.release("lock-1").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_of_a_target_that_is_gone_can_still_be_read() {
    let scene = Scene::new().await;
    scene.push(&text("l", 1, "a"), None).await.unwrap();
    let scope = scene.test.scope.clone();
    let removed = scene.test.write(move |tx| {
        let dev = tx.get::<crate::control_plane::records::Environment>(&scope, "dev")?.unwrap();
        Ok(tx.delete(&scope, &dev)?)
    });
    removed.await.unwrap();
    assert_eq!(scene.body(None).await.unwrap(), text("l", 1, "a"));
    scene.push(&text("l", 2, "b"), None).await.unwrap();
}
