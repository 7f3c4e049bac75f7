//! Who holds the lock, and until when.

use hadron::control_plane::records::StateLock;
use hadron::control_plane::state_server::release;
use hadron::control_plane::store::{StoreError, Typed};
use hadron::domain::Target;

use super::bench::{Bench, scope};
use super::state;

fn arn() -> String {
    Target::Environment { name: "dev".into() }.arn(&scope())
}

#[tokio::test]
async fn one_of_many_takes_the_lock_and_the_others_learn_its_id() {
    let bench = Bench::new().await;
    let run = bench.first();
    let ids: Vec<String> = (0..20).map(|n| format!("lock-{n}")).collect();
    let answers = futures::future::join_all(ids.iter().map(|id| run.lock(id))).await;
    let winners: Vec<usize> = (0..20).filter(|&n| answers[n].0 == 200).collect();
    assert_eq!(winners.len(), 1, "{answers:?}");
    for loser in answers.iter().filter(|answer| answer.0 != 200) {
        assert_eq!((loser.0, loser.json()["ID"].as_str()), (423, Some(ids[winners[0]].as_str())));
        assert!(loser.reason().contains("deployment d1 epoch 1 of agent agent-of-AKIA1"), "{loser:?}");
    }
}

#[tokio::test]
async fn the_record_knows_the_holders_run_and_agent() {
    let bench = Bench::new().await;
    bench.first().lock("a").await;
    let lock = bench.plane.store.read::<_, StoreError, _>(|tx| tx.get::<StateLock>(&scope(), &arn())).await.unwrap();
    let holder = lock.unwrap().value.holder.unwrap();
    assert_eq!((holder.deployment.as_str(), holder.epoch, holder.agent.as_str()), ("d1", 1, "agent-of-AKIA1"));
    assert!(holder.info.contains("OperationTypeApply"));
    assert!(!format!("{holder:?}").contains(&bench.first().password));
}

#[tokio::test]
async fn repeats_of_lost_answers_are_no_errors() {
    let bench = Bench::new().await;
    let run = bench.first();
    assert_eq!(run.unlock("never").await.0, 200, "a free lock");
    for _ in 0..2 {
        assert_eq!(run.lock("a").await.0, 200);
    }
    for _ in 0..2 {
        assert_eq!(run.post("a", &state("l", 1, "x")).await.0, 200);
    }
    assert_eq!(run.unlock("a").await.0, 200);
    bench.finish("d1").await;
    bench.add_deployment("d2", "dev").await;
    bench.claim("d2", "AKIA2").await;
    assert_eq!(run.unlock("a").await.0, 200, "while the lock is free");
    assert_eq!(bench.run("d2", 1, "AKIA2", "dev").lock("b").await.0, 200);
    assert_eq!(run.unlock("a").await.0, 200, "while someone else has it");
    assert_eq!(bench.run("d2", 1, "AKIA2", "dev").post("b", &state("l", 2, "y")).await.0, 200, "and has it still");
}

#[tokio::test]
async fn a_holder_writes_and_unlocks_whatever_became_of_its_claim() {
    for case in ["lease lost", "claimed anew", "finished", "key revoked", "key gone", "deployment deleted"] {
        let bench = Bench::new().await;
        let run = bench.first();
        assert_eq!(run.lock("a").await.0, 200);
        match case {
            "lease lost" => bench.lose_lease(),
            "claimed anew" => bench.claim("d1", "AKIA2").await,
            "finished" => bench.finish("d1").await,
            "key revoked" => bench.revoke_key("AKIA1").await,
            "key gone" => bench.remove_key("AKIA1").await,
            _ => bench.delete_deployment("d1").await,
        }
        assert_eq!(run.lock("a").await.0, 200, "{case}: it is its own lock");
        assert_eq!(run.post("a", &state("l", 1, "x")).await.0, 200, "{case}");
        assert_eq!(run.get().await.0, 200, "{case}");
        assert_eq!(run.unlock("a").await.0, 200, "{case}");
        let again = run.lock("b").await;
        assert!([401, 409].contains(&again.0), "{case}: no new lock, but {again:?}");
    }
}

#[tokio::test]
async fn only_the_holder_unlocks_by_id_or_by_force() {
    let bench = Bench::new().await;
    let run = bench.first();
    run.lock("a").await;
    assert_eq!(run.unlock("b").await.0, 423);
    bench.claim("d1", "AKIA2").await;
    let other = bench.run("d1", 2, "AKIA2", "dev");
    assert_eq!(other.unlock("a").await.0, 423);
    assert_eq!(other.force_unlock().await.0, 423);
    assert_eq!(other.lock("a").await.0, 423, "not even by the same id");
    assert_eq!(run.force_unlock().await.0, 200);
    assert_eq!(other.lock("c").await.0, 200);
}

#[tokio::test]
async fn a_broken_lock_loses_no_state_until_someone_else_locks() {
    let bench = Bench::new().await;
    let run = bench.first();
    run.lock("a").await;
    run.force_unlock().await;
    assert_eq!(run.post("a", &state("l", 1, "x")).await.0, 200);
    assert_eq!(run.post("b", &state("l", 2, "x")).await.0, 423, "a lock it never had");
    bench.claim("d1", "AKIA2").await;
    bench.run("d1", 2, "AKIA2", "dev").lock("c").await;
    assert_eq!(run.post("a", &state("l", 2, "y")).await.0, 423);
}

#[tokio::test]
async fn an_ended_run_can_be_released_by_name_only() {
    let bench = Bench::new().await;
    bench.first().lock("a").await;
    let store = &bench.plane.store;
    let release = |epoch| store.write::<_, StoreError, _>(move |tx| release(tx, &scope(), &arn(), "d1", epoch));
    assert!(!release(2).await.unwrap());
    assert!(release(1).await.unwrap());
    assert!(!release(1).await.unwrap());
    assert_eq!(bench.first().lock("b").await.0, 200);
}

#[tokio::test]
async fn the_lock_of_a_dead_run_passes_to_the_next_claim_after_four_silent_leases() {
    for case in ["claimed anew", "finished", "deployment deleted"] {
        let bench = Bench::new().await;
        assert_eq!(bench.first().lock("a").await.0, 200);
        bench.lose_lease();
        match case {
            "claimed anew" => bench.claim("d1", "AKIA2").await,
            "finished" => bench.finish("d1").await,
            _ => bench.delete_deployment("d1").await,
        }
        let heir = if case == "claimed anew" {
            bench.run("d1", 2, "AKIA2", "dev")
        } else {
            bench.add_deployment("d2", "dev").await;
            bench.claim("d2", "AKIA2").await;
            bench.run("d2", 1, "AKIA2", "dev")
        };
        if case != "deployment deleted" {
            bench.wait_leases(3);
        }
        let refused = heir.lock("b").await;
        assert_eq!(refused.0, 423, "{case}: it may still be at work");
        let told = refused.json()["Info"].as_str().unwrap().to_owned();
        assert!(told.contains("deployment d1 epoch 1 of agent agent-of-AKIA1"), "terraform shows this: {told}");
        bench.wait_leases(if case == "deployment deleted" { 3 } else { 1 });
        if case == "claimed anew" {
            bench.change("d1", |d| d.lease.as_mut().unwrap().expires_at += 600_000).await;
        } else {
            bench.change("d2", |d| d.lease.as_mut().unwrap().expires_at += 600_000).await;
        }
        assert_eq!(heir.lock("b").await.0, 200, "{case}");
        assert_eq!(bench.first().post("a", &state("l", 1, "x")).await.0, 423, "{case}: the lock is someone else's");
        assert_eq!(heir.post("b", &state("l", 1, "y")).await.0, 200, "{case}");
    }
}

#[tokio::test]
async fn a_run_that_still_writes_keeps_its_lock() {
    let bench = Bench::new().await;
    let orphan = bench.first();
    orphan.lock("a").await;
    bench.lose_lease();
    bench.claim("d1", "AKIA2").await;
    bench.change("d1", |d| d.lease.as_mut().unwrap().expires_at += 6_000_000).await;
    let heir = bench.run("d1", 2, "AKIA2", "dev");
    for serial in 1..4 {
        bench.wait_leases(3);
        assert_eq!(orphan.post("a", &state("l", serial, "x")).await.0, 200);
        assert_eq!(heir.lock("b").await.0, 423);
    }
    bench.wait_leases(4);
    assert_eq!(heir.lock("b").await.0, 200);
}

#[tokio::test]
async fn a_claim_that_lost_only_its_lease_keeps_its_lock() {
    let bench = Bench::new().await;
    bench.first().lock("a").await;
    bench.wait_leases(100);
    let lock = bench.plane.store.read::<_, StoreError, _>(|tx| tx.get::<StateLock>(&scope(), &arn())).await.unwrap();
    assert_eq!(lock.unwrap().value.holder.unwrap().lock_id, "a");
    assert_eq!(bench.first().post("a", &state("l", 1, "x")).await.0, 200);
}

#[tokio::test]
async fn what_is_no_lock_is_refused() {
    let bench = Bench::new().await;
    for body in ["", "{}", "[]", "{\"ID\":\"\"}", "nonsense"] {
        assert_eq!(bench.first().send("LOCK", "", body, &[]).await.0, 400, "{body}");
    }
}
