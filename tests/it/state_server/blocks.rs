//! A run that can't settle a state blocks it.

use hadron::control_plane::records::{
    Adoption, ParkedState, StateBlock, StateLock, StateStamp, TargetRuns, UnsettledRun,
};
use hadron::control_plane::store::{Document, StoreError, Transaction, Typed};
use hadron::domain::Target;
use serde_json::{Value, json};

use super::bench::{Answer, Bench, scope};
use super::state;

fn arn() -> String {
    Target::Environment { name: "dev".into() }.arn(&scope())
}

fn trouble(reason: &str, state: Option<&str>) -> Value {
    let queue =
        json!({ "address": "aws_sqs_queue.q", "type": "aws_sqs_queue", "id": "https://sqs/q", "why": "no end" });
    json!({ "reason": reason, "suspects": [queue], "state": state })
}

async fn blocked(bench: &Bench) -> Option<StateBlock> {
    let lock = bench.plane.store.read::<_, StoreError, _>(|tx| tx.get::<StateLock>(&scope(), &arn())).await.unwrap();
    lock.and_then(|lock| lock.value.blocked)
}

/// The parked states, newest last.
async fn parked(bench: &Bench) -> Vec<String> {
    let block = blocked(bench).await.unwrap();
    let read = move |tx: &mut dyn Transaction| {
        let blob = |state: &ParkedState| tx.blob(&scope(), ParkedState::KIND, &state.key());
        block.parked.iter().map(blob).collect::<Result<Vec<_>, StoreError>>()
    };
    let bytes = bench.plane.store.read::<_, StoreError, _>(read).await.unwrap();
    bytes.into_iter().map(|bytes| String::from_utf8(bytes.unwrap()).unwrap()).collect()
}

fn commands(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.0, 200, "{answer:?}");
    serde_json::from_value(answer.json()["commands"].clone()).unwrap()
}

#[tokio::test]
async fn a_run_blocks_its_target_and_is_told_the_commands_that_lift_the_block() {
    let bench = Bench::new().await;
    let run = bench.first();
    assert_eq!(run.lock("a").await.0, 200);
    assert_eq!(run.post("a", &state("l", 4, "x")).await.0, 200);
    let told = commands(&run.block(&trouble("q may exist", None)).await);
    let arn = arn();
    assert_eq!(
        told,
        [
            format!("hadron state adopt {arn} aws_sqs_queue.q=https://sqs/q"),
            format!("hadron state adopt {arn} --none"),
            format!("hadron state unblock {arn} --serial 4"),
        ]
    );
    let refused = run.lock("b").await;
    assert_eq!(refused.0, 409);
    assert!(refused.reason().contains("q may exist") && refused.reason().contains(&told[0]), "{}", refused.reason());
    assert_eq!(run.post("a", &state("l", 5, "y")).await.0, 200, "the holder's word is never refused");
    assert_eq!(run.unlock("a").await.0, 200);
    let block = blocked(&bench).await.unwrap();
    assert_eq!((block.suspects[0].address.as_str(), block.by.unwrap().epoch), ("aws_sqs_queue.q", 1));
}

#[tokio::test]
async fn what_is_parked_stays_until_somebody_decides_and_the_newest_lies_on_top() {
    let bench = Bench::new().await;
    let run = bench.first();
    let seven = state("l", 7, "x");
    let told = commands(&run.block(&trouble("first", Some(&seven))).await);
    assert_eq!(told[0], format!("hadron state push {} --parked", arn()));
    bench.wait_leases(0);
    run.block(&json!({ "reason": "second" })).await;
    assert_eq!(parked(&bench).await, std::slice::from_ref(&seven), "blocking again keeps it");
    let block = blocked(&bench).await.unwrap();
    assert_eq!((block.reason.as_str(), block.suspects.len()), ("second", 0));
    assert_eq!(block.parked[0].stamp, StateStamp { lineage: "l".into(), serial: 7 });
    let (six, eight) = (state("l", 6, "x"), state("l", 8, "x"));
    run.block(&trouble("third", Some(&six))).await;
    run.block(&trouble("fourth", Some(&eight))).await;
    run.block(&trouble("repeat", Some(&seven))).await;
    assert_eq!(parked(&bench).await, [six, seven, eight]);
}

#[tokio::test]
async fn a_state_that_is_here_already_or_is_none_is_not_parked() {
    let bench = Bench::new().await;
    let run = bench.first();
    run.lock("a").await;
    run.post("a", &state("l", 4, "x")).await;
    run.block(&trouble("known", Some(&state("l", 4, "x")))).await;
    assert!(blocked(&bench).await.unwrap().parked.is_empty());
    assert_eq!(run.block(&trouble("torn", Some("{\"serial\":"))).await.0, 200);
    let block = blocked(&bench).await.unwrap();
    assert!(block.parked.is_empty() && block.reason.contains("is none, and wasn't kept"), "{}", block.reason);
    assert_eq!(run.block(&json!({})).await.0, 400);
}

#[tokio::test]
async fn whoever_held_the_lock_may_block_whatever_became_of_its_claim_and_nobody_else() {
    let bench = Bench::new().await;
    let orphan = bench.first();
    orphan.lock("a").await;
    bench.lose_lease();
    bench.claim("d1", "AKIA2").await;
    assert_eq!(orphan.block(&trouble("holder", None)).await.0, 200);
    orphan.unlock("a").await;
    assert_eq!(orphan.block(&trouble("last holder", None)).await.0, 200);
    bench.add_deployment("d2", "prod").await;
    bench.claim("d2", "AKIA1").await;
    assert_eq!(bench.run("d2", 1, "AKIA1", "dev").block(&trouble("elsewhere", None)).await.0, 401);
    bench.lose_lease();
    let late = bench.run("d1", 2, "AKIA2", "dev");
    assert_eq!(late.block(&trouble("never held it", None)).await.0, 409);
    let run = UnsettledRun {
        deployment: "d1".into(),
        epoch: 2,
        agent: "a".into(),
        access_key: "AKIA2".into(),
        since: 1,
        told_adoption: 0,
    };
    let runs = TargetRuns { target_arn: arn(), unsettled: vec![run] };
    let add = move |tx: &mut dyn Transaction| tx.add(&scope(), &runs);
    bench.plane.store.write::<_, StoreError, _>(add).await.unwrap();
    assert_eq!(late.block(&trouble("unsettled", None)).await.0, 200, "it has something to say until it is settled");
    assert_eq!(bench.run("d1", 2, "AKIA1", "dev").block(&trouble("another's key", None)).await.0, 401);
    assert_eq!(blocked(&bench).await.unwrap().reason, "unsettled");
}

#[tokio::test]
async fn only_the_current_claim_hears_what_it_was_told_to_adopt() {
    let bench = Bench::new().await;
    let run = bench.first();
    assert_eq!(run.adoptions().await.json(), json!({ "adopt": [] }));
    let adoption = |number| Adoption { number, address: format!("t.r{number}"), id: "i".into(), asked: number == 1 };
    let lock = StateLock { adoptions: vec![adoption(1), adoption(2)], adopted: 2, ..StateLock::free(arn()) };
    let told = UnsettledRun {
        deployment: "d1".into(),
        epoch: 1,
        agent: "a".into(),
        access_key: "AKIA1".into(),
        since: 1,
        told_adoption: 1,
    };
    let runs = TargetRuns { target_arn: arn(), unsettled: vec![told] };
    let add = move |tx: &mut dyn Transaction| {
        tx.add(&scope(), &lock)?;
        tx.add(&scope(), &runs)
    };
    bench.plane.store.write::<_, StoreError, _>(add).await.unwrap();
    let heard = run.adoptions().await;
    let first = json!({ "adopt": [{ "address": "t.r1", "id": "i", "asked": true }] });
    assert_eq!(heard.json(), first, "the second came after its claim");
    bench.lose_lease();
    assert_eq!(run.adoptions().await.0, 409);
}
