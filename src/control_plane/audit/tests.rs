//! The log as a whole: which changes leave an entry, how entries are linked, what a walk finds.

use futures::future::join_all;
use hadron_model::Action;
use hadron_model::hadron::{AuditOutcome, Role};
use serde_json::{Value, json};

use super::canonical;
use super::chain::{Chainer, link_batch};
use super::floodgate::MOST;
use super::verify::{Broken, Walked, beginning, walk};
use super::{Origin, attempted};
use crate::control_plane::duty::Duty;
use crate::control_plane::gate::Gate;
use crate::control_plane::records::{
    AccessKey, AuditEntry, AuditHead, Deployment, Link, LockHolder, StateLock, StateStamp, StateVersion, Touched,
};
use crate::control_plane::store::{StoreError, Stored, Transaction, Typed};
use crate::control_plane::test_plane::TestPlane;
use crate::control_plane::wire::{Attempt, Call, Operations, ProtonError};
use crate::domain::Scope;
use crate::support::Secret;

async fn perform_as(test: &TestPlane, call: &mut Call, target: &str, input: Value) -> Result<Value, ProtonError> {
    let action = Action::targeted(target).unwrap();
    let answer = Gate(test.plane.clone()).perform(call, action, input).await?;
    Ok(serde_json::from_slice(&answer).unwrap())
}

async fn perform(test: &TestPlane, operation: &str, input: Value) -> Result<Value, ProtonError> {
    perform_as(test, &mut test.call(), &format!("AwsProton20200720.{operation}"), input).await
}

/// Every entry: the linked ones in the chain's order, then the others.
async fn entries(test: &TestPlane) -> Vec<AuditEntry> {
    let all = test.plane.store.read(|tx| tx.all::<AuditEntry>(&AuditEntry::scope())).await;
    let all: Result<Vec<Stored<AuditEntry>>, StoreError> = all;
    all.unwrap().into_iter().map(|stored| stored.value).collect()
}

/// The versions that an entry tells of.
fn touched(entry: &AuditEntry) -> Vec<(&str, &str, Option<i64>, Option<i64>)> {
    let plain = |it| {
        let Touched { kind, key, before, after }: &Touched = it;
        (kind.as_str(), key.as_str(), *before, *after)
    };
    entry.touched.iter().map(plain).collect()
}

fn chainer(test: &TestPlane) -> Chainer {
    Chainer { plane: test.plane.clone(), duty: Duty::new("audit"), untold: None, told: 0 }
}

async fn verify(test: &TestPlane, witness: Option<&str>) -> Walked {
    walk(&test.plane, beginning(), witness.map(str::to_owned), i64::MAX).await.unwrap()
}

/// A log of so many linked entries.
async fn log_of(count: usize) -> TestPlane {
    let test = TestPlane::new().await;
    for index in 0..count {
        perform(&test, "CreateEnvironmentTemplate", json!({ "name": format!("t{index}") })).await.unwrap();
    }
    chainer(&test).round(false).await.unwrap();
    test
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_leaves_one_entry_with_its_versions() {
    let test = TestPlane::new().await;
    let arn = test.scope.arn("environment-template/net");
    let key = "environment-template/net";
    perform(&test, "CreateEnvironmentTemplate", json!({ "name": "net" })).await.unwrap();
    perform(&test, "UpdateEnvironmentTemplate", json!({ "name": "net", "description": "d" })).await.unwrap();
    let tags = json!({ "resourceArn": arn, "tags": [{ "key": "owner", "value": "me" }] });
    perform(&test, "TagResource", tags).await.unwrap();
    perform(&test, "ListEnvironmentTemplates", json!({})).await.unwrap();
    perform(&test, "UpdateAccountSettings", json!({ "pipelineServiceRoleArn": "" })).await.unwrap();
    perform(&test, "DeleteEnvironmentTemplate", json!({ "name": "net" })).await.unwrap();

    let log = entries(&test).await;
    let told: Vec<_> = log.iter().map(|entry| (entry.action.as_str(), touched(entry))).collect();
    let create = vec![("template", key, None, Some(1)), ("tags", &arn, None, Some(1))];
    let delete = [("template", key, Some(2), None), ("tags", &arn, Some(2), None)];
    assert_eq!(told[0], ("CreateEnvironmentTemplate", create));
    assert_eq!(told[1], ("UpdateEnvironmentTemplate", vec![("template", key, Some(1), Some(2))]));
    assert_eq!(told[2], ("TagResource", vec![("tags", arn.as_str(), Some(1), Some(2))]));
    assert_eq!(told[3], ("UpdateAccountSettings", vec![("account_settings", "settings", None, Some(1))]));
    assert_eq!((told[4].0, told[4].1.len()), ("DeleteEnvironmentTemplate", 2));
    assert!(delete.iter().all(|gone| told[4].1.contains(gone)), "{:?}", told[4]);
    assert_eq!(told.len(), 5, "a list changes nothing: {told:?}");

    let first = &log[0];
    assert_eq!(first.principal, "arn:aws:iam::123456789012:user/test");
    assert_eq!((first.resource.as_deref(), first.api.as_str()), (Some(arn.as_str()), "proton"));
    assert_eq!((first.request_id.as_str(), first.outcome), ("test", AuditOutcome::Changed));
    assert_eq!((first.at, &first.account), (test.plane.clock.now(), &test.scope.account));
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_is_rolled_back_leaves_no_entry() {
    let test = log_of(1).await;
    let again = perform(&test, "CreateEnvironmentTemplate", json!({ "name": "t0" })).await;
    assert!(matches!(again, Err(ProtonError::Conflict(_))), "{again:?}");
    assert_eq!(entries(&test).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_leaves_an_entry_and_a_poll_and_a_heartbeat_leave_none() {
    let base = TestPlane::new().await;
    let origin = Origin::of(&base.call(), Action::targeted("AwsProton20200720.CreateEnvironment").unwrap(), &json!({}));
    let test = TestPlane { plane: base.plane.on_behalf(&origin), scope: base.scope.clone() };
    let deployment = test.environment("dev").await;
    let agent = test.agent("one");
    let so_far = entries(&test).await.len();
    let since = async |before: usize| entries(&test).await.len() - before;

    assert_eq!(agent.poll(1).await, std::slice::from_ref(&deployment.id));
    assert_eq!(since(so_far).await, 0, "a poll withholds, and that is nobody's doing");
    let epoch = agent.claim(&deployment).await.unwrap();
    assert_eq!(since(so_far).await, 1);
    for _ in 0..3 {
        test.advance(10_000);
        agent.heartbeat(&deployment, epoch).await.unwrap();
    }
    assert_eq!(since(so_far).await, 1, "a heartbeat only renews");
    for _ in 0..3 {
        test.advance(2_000);
        agent.ask(&deployment, epoch, &"a".repeat(64), "1 to add, 0 to change, 0 to destroy").await.unwrap();
    }
    assert_eq!(since(so_far).await, 2, "people are asked once, however often the agent looks for the answer");
    let version = test.get::<Deployment>(&deployment.id).await.unwrap().version;
    agent.succeed(&deployment, epoch, &[]).await.unwrap();
    let log = entries(&test).await;
    assert_eq!(log.len(), so_far + 3);
    let last = log.last().unwrap();
    assert!(touched(last).contains(&("deployment", &deployment.id, Some(version), Some(version + 1))), "{last:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_changes_are_linked_without_gaps_by_two_chainers_at_once() {
    let test = TestPlane::new().await;
    let create = |index: usize| {
        let test = test.clone();
        async move { perform(&test, "CreateEnvironmentTemplate", json!({ "name": format!("t{index}") })).await }
    };
    let link = || {
        let plane = test.plane.clone();
        async move {
            for _ in 0..20 {
                // As if both servers believed that the duty is theirs.
                match plane.store.write(link_batch).await {
                    Ok(_) | Err(StoreError::Stale { .. } | StoreError::Exists { .. }) => tokio::task::yield_now().await,
                    Err(error) => panic!("{error}"),
                }
            }
        }
    };
    let (created, ..) = tokio::join!(join_all((0..60).map(create)), link(), link());
    assert!(created.iter().all(Result::is_ok), "{created:?}");
    chainer(&test).round(false).await.unwrap();
    let numbers: Vec<i64> = entries(&test).await.iter().map(|it| it.link.as_ref().unwrap().sequence).collect();
    assert_eq!(numbers, (1..=60).collect::<Vec<_>>());
    let walked = verify(&test, None).await;
    assert_eq!((walked.broken, walked.progress.last.sequence, walked.unchained), (None, 60, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_server_links_and_another_takes_over_when_it_falls_silent() {
    let test = log_of(1).await;
    let (mut one, mut other) = (chainer(&test), chainer(&test));
    test.advance(20_000);
    perform(&test, "CreateEnvironmentTemplate", json!({ "name": "a" })).await.unwrap();
    one.round(false).await.unwrap();
    perform(&test, "CreateEnvironmentTemplate", json!({ "name": "b" })).await.unwrap();
    other.round(false).await.unwrap();
    assert_eq!(verify(&test, None).await.unchained, 1, "the duty is the first one's");
    test.advance(20_000);
    other.round(false).await.unwrap();
    let walked = verify(&test, None).await;
    assert_eq!((walked.broken, walked.head.sequence), (None, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_whose_server_died_is_linked_later_and_missed_until_then() {
    let test = log_of(2).await;
    perform(&test, "CreateEnvironmentTemplate", json!({ "name": "late" })).await.unwrap();
    let soon = verify(&test, None).await;
    assert_eq!((soon.broken, soon.unchained), (None, 1));
    test.advance(61_000);
    let late = verify(&test, None).await.broken.unwrap();
    assert!(late.problem.contains("waited for its link for 61 seconds"), "{late:?}");
    chainer(&test).round(false).await.unwrap();
    let linked = verify(&test, None).await;
    assert_eq!((linked.broken, linked.head.sequence, linked.unchained), (None, 3, 0));
}

/// Writes past everything that guards the log.
async fn tamper(test: &TestPlane, work: impl Fn(&mut dyn Transaction, &Scope) + Send + 'static) -> Option<Broken> {
    let written = test.plane.store.write(move |tx: &mut dyn Transaction| {
        work(tx, &AuditEntry::scope());
        Ok::<_, StoreError>(())
    });
    written.await.unwrap();
    verify(test, None).await.broken
}

fn entry(tx: &mut dyn Transaction, scope: &Scope, sequence: usize) -> Stored<AuditEntry> {
    tx.all::<AuditEntry>(scope).unwrap().swap_remove(sequence - 1)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_entry_is_found() {
    let test = log_of(6).await;
    let found = tamper(&test, |tx, scope| {
        let mut changed = entry(tx, scope, 3);
        changed.principal = "arn:aws:iam::123456789012:user/somebody-else".into();
        tx.save(scope, &mut changed).unwrap();
    });
    let found = found.await.unwrap();
    assert_eq!(found.at, Some(3));
    assert!(found.problem.starts_with("entry 3 isn't what was written"), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_was_changed_together_with_its_hash_is_found_by_the_next_one() {
    let test = log_of(6).await;
    let found = tamper(&test, |tx, scope| {
        let mut changed = entry(tx, scope, 3);
        changed.principal = "arn:aws:iam::123456789012:user/somebody-else".into();
        let link = changed.link.clone().unwrap();
        let hash = canonical::hash(&changed, 3, &link.previous).unwrap();
        changed.link = Some(Link { hash, ..link });
        tx.save(scope, &mut changed).unwrap();
    });
    assert_eq!(found.await.unwrap().at, Some(4));
}

#[tokio::test(flavor = "multi_thread")]
async fn removed_entries_are_found() {
    let test = log_of(6).await;
    let one = |tx: &mut dyn Transaction, scope: &Scope| {
        let gone = entry(tx, scope, 3);
        tx.delete(scope, &gone).unwrap();
    };
    let found = tamper(&test, one).await.unwrap();
    assert_eq!(found, Broken { at: Some(3), problem: "entry 3 is missing".into() });
    let found = tamper(&test, one).await.unwrap();
    assert_eq!(found, Broken { at: Some(3), problem: "entries 3 to 4 are missing".into() });
}

#[tokio::test(flavor = "multi_thread")]
async fn swapped_entries_are_found() {
    let test = log_of(6).await;
    let found = tamper(&test, |tx, scope| {
        let (mut two, mut three) = (entry(tx, scope, 2), entry(tx, scope, 3));
        std::mem::swap(&mut two.link, &mut three.link);
        tx.save(scope, &mut two).unwrap();
        tx.save(scope, &mut three).unwrap();
    });
    assert_eq!(found.await.unwrap().at, Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_cut_off_is_found_by_its_head() {
    let test = log_of(6).await;
    let found = tamper(&test, |tx, scope| {
        let gone = entry(tx, scope, 6);
        tx.delete(scope, &gone).unwrap();
    });
    let found = found.await.unwrap();
    assert_eq!(found.at, Some(6));
    assert!(found.problem.contains("cut off"), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_written_anew_is_found_by_a_hash_that_was_kept_elsewhere() {
    let test = log_of(6).await;
    let (kept, early) = (verify(&test, None).await.head.hash, entries(&test).await[1].link.clone().unwrap().hash);
    assert_eq!(verify(&test, Some(&kept)).await.broken, None);
    // Without its last entry, and with a head that agrees.
    let unseen = tamper(&test, |tx, scope| {
        let (last, gone) = (entry(tx, scope, 5), entry(tx, scope, 6));
        tx.delete(scope, &gone).unwrap();
        let mut head = tx.get::<AuditHead>(scope, AuditHead::KEY).unwrap().unwrap();
        head.value = AuditHead { sequence: 5, hash: last.link.clone().unwrap().hash };
        tx.save(scope, &mut head).unwrap();
    });
    assert_eq!(unseen.await, None);
    let found = verify(&test, Some(&kept)).await.broken.unwrap();
    assert!(found.problem.contains("written anew"), "{found:?}");
    assert_eq!(verify(&test, Some(&early)).await.broken, None, "a hash before the cut is still there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_in_pieces_comes_to_the_same_end() {
    let test = log_of(6).await;
    let whole = verify(&test, None).await;
    let mut progress = beginning();
    let mut pieces = 0;
    let end = loop {
        let walked = walk(&test.plane, progress, Some(whole.head.hash.clone()), 1).await.unwrap();
        pieces += 1;
        if walked.complete {
            break walked;
        }
        progress = walked.progress;
    };
    assert_eq!((end.broken, &end.progress.last), (None, &whole.progress.last));
    assert_eq!((pieces, end.progress.witnessed), (7, true), "one entry a piece, and the end");
}

fn attempt(access_key: &str) -> Attempt {
    Attempt {
        access_key: access_key.into(),
        region: "us-east-1".into(),
        service: "proton",
        action: "ListServices",
        request_id: "r".into(),
        peer: Some([192, 0, 2, 7].into()),
        user_agent: Some("curl".into()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_unknown_keys_leaves_few_entries_and_its_count() {
    let test = TestPlane::new().await;
    let plane = &test.plane;
    for index in 0..200 {
        attempted(&plane.store, &plane.clock, &plane.audit, attempt(&format!("AKIAUNKNOWN{index}"))).await;
    }
    assert_eq!(entries(&test).await.len(), MOST as usize);
    test.advance(60_000);
    chainer(&test).round(false).await.unwrap();
    let log = entries(&test).await;
    assert_eq!(log.len(), MOST as usize + 1);
    assert_eq!((log[0].principal.as_str(), log[0].source_ip.as_deref()), ("unknown", Some("192.0.2.7")));
    let reason = log.last().unwrap().reason.clone().unwrap();
    assert!(reason.starts_with("140 more requests"), "{reason}");
    assert_eq!(verify(&test, None).await.broken, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_known_is_named_and_so_is_what_is_wrong_with_it() {
    let test = TestPlane::new().await;
    let now = test.plane.clock.now();
    let key = |id: &str| AccessKey::new(id, Secret::new("s"), "123456789012", "ci", Role::Agent, now);
    let keys = [
        (key("AKIAGOOD"), "the signature is wrong"),
        (AccessKey { revoked_at: Some(now), ..key("AKIAREVOKED") }, "the access key is revoked"),
        (AccessKey { expires_at: Some(now), ..key("AKIAEXPIRED") }, "the access key has expired"),
    ];
    for (key, reason) in keys {
        let (id, plane) = (key.id.clone(), &test.plane);
        test.write(move |tx| Ok(tx.add(&AccessKey::scope(), &key)?)).await.unwrap();
        attempted(&plane.store, &plane.clock, &plane.audit, attempt(&id)).await;
        let last = entries(&test).await.pop().unwrap();
        assert_eq!((last.reason.as_deref(), last.outcome), (Some(reason), AuditOutcome::Refused));
        assert_eq!(last.principal, "arn:aws:iam::123456789012:user/ci");
        assert_eq!(last.account, "123456789012");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_sees_its_own_entries_newest_first_and_page_by_page() {
    let test = log_of(5).await;
    let other = TestPlane { plane: test.plane.clone(), scope: Scope::new("210987654321", "us-east-1") };
    test.advance(1000);
    perform(&other, "CreateEnvironmentTemplate", json!({ "name": "theirs" })).await.unwrap();
    attempted(&test.plane.store, &test.plane.clock, &test.plane.audit, attempt("AKIANOBODY")).await;
    let list = async |test: &TestPlane, input: Value| {
        perform_as(test, &mut test.call(), "Hadron20261122.ListAuditEntries", input).await.unwrap()
    };
    let about = |page: &Value| -> Vec<String> {
        let resource = |it: &Value| it["resource"].as_str().unwrap_or("?").rsplit('/').next().unwrap().to_owned();
        page["entries"].as_array().unwrap().iter().map(resource).collect()
    };
    let first = list(&test, json!({ "maxResults": 4 })).await;
    assert_eq!(about(&first), ["?", "t4", "t3", "t2"]);
    assert_eq!(first["entries"][1]["sequence"], 5);
    let rest = list(&test, json!({ "maxResults": 4, "nextToken": first["nextToken"] })).await;
    assert_eq!((about(&rest), rest["nextToken"].as_str()), (vec!["t1".into(), "t0".into()], None));
    assert_eq!(about(&list(&other, json!({})).await), ["?", "theirs"]);
    let now = test.plane.clock.now();
    let seconds = |milliseconds: i64| json!(f64::from(i32::try_from(milliseconds / 1000).unwrap()));
    assert_eq!(about(&list(&test, json!({ "since": seconds(now) })).await), ["?"]);
    assert_eq!(about(&list(&test, json!({ "until": seconds(now) })).await).len(), 5);
    assert_eq!(about(&list(&test, json!({ "outcome": "REFUSED" })).await), ["?"]);
    assert_eq!(
        about(&list(&test, json!({ "principal": "test", "action": "CreateEnvironmentTemplate" })).await).len(),
        5
    );
    assert_eq!(about(&list(&test, json!({ "principal": "est" })).await).len(), 0);
}

fn state_version(number: i64, serial: i64) -> StateVersion {
    StateVersion {
        target_arn: "arn:dev".into(),
        number,
        stamp: Some(StateStamp { lineage: "l".into(), serial }),
        size: 2,
        digest: String::new(),
        at: 0,
        deployment: "d".into(),
        epoch: 1,
        agent: "a".into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_written_state_is_told_with_its_serials() {
    let test = TestPlane::new().await;
    let request = http::Request::post("/").header("user-agent", "terraform").body(()).unwrap().into_parts().0;
    let origin = Origin::of_run("d.1", &request, "PutState", (&test.scope, "arn:dev"));
    let store = test.plane.on_behalf(&origin).store;
    for (number, serial) in [(1, 3), (2, 5)] {
        let (scope, version) = (test.scope.clone(), state_version(number, serial));
        let written = store.write(move |tx: &mut dyn Transaction| {
            tx.put_blob(&scope, "state_version", &format!("arn:dev#{number}"), b"{}")?;
            tx.add(&scope, &version)
        });
        let written: Result<(), StoreError> = written.await;
        written.unwrap();
    }
    let log = entries(&test).await;
    assert_eq!(touched(&log[0]), [("state_version", "arn:dev#1", None, Some(1)), ("state", "arn:dev", None, Some(3))]);
    assert_eq!(
        touched(&log[1]),
        [("state_version", "arn:dev#2", None, Some(1)), ("state", "arn:dev", Some(3), Some(5))]
    );
    assert_eq!((log[1].principal.as_str(), log[1].user_agent.as_deref()), ("hadron:run/d.1", Some("terraform")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_passes_on_says_from_whom() {
    let test = TestPlane::new().await;
    let holder = |deployment: &str| LockHolder {
        lock_id: format!("lock-of-{deployment}"),
        info: "{}".into(),
        deployment: deployment.into(),
        epoch: 2,
        agent: "a".into(),
        access_key: "AKIA".into(),
        password_digest: String::new(),
        since: 0,
    };
    let lock = StateLock { holder: Some(holder("dead")), ..StateLock::free("arn:dev") };
    test.add(lock).await;
    let next = holder("next");
    let (scope, plane) = (test.scope.clone(), test.plane.by_itself(&test.scope, "LockState", "asked"));
    let passed: Result<(), StoreError> = plane
        .store
        .write(move |tx: &mut dyn Transaction| {
            let mut lock = tx.get::<StateLock>(&scope, "arn:dev")?.unwrap();
            lock.last = lock.holder.replace(next.clone());
            tx.save(&scope, &mut lock)
        })
        .await;
    passed.unwrap();
    let log = entries(&test).await;
    let reason = log[0].reason.as_deref().unwrap();
    assert_eq!(reason, "the lock lock-of-dead of run dead.2 passed on: that run is over and silent");
    assert_eq!(log[0].principal, "hadron:server");
}
