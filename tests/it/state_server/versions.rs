//! What is written, and what is refused.

use hadron::control_plane::records::StateVersion;
use hadron::control_plane::store::{Document, StoreError, Typed};
use hadron::domain::Target;

use super::bench::{Answer, Bench, scope};
use super::{md5, state};

#[tokio::test]
async fn the_last_state_is_read_byte_for_byte_and_every_version_is_kept() {
    let bench = Bench::new().await;
    let run = bench.first();
    run.lock("a").await;
    assert_eq!(run.get().await, Answer(204, String::new()));
    let states: Vec<String> = (1..=5).map(|serial| state("l", serial, "ü  →") + "\n").collect();
    for state in &states {
        assert_eq!(run.post("a", state).await.0, 200);
        assert_eq!(run.get().await, Answer(200, state.clone()));
    }
    let arn = Target::Environment { name: "dev".into() }.arn(&scope());
    let kept = bench.plane.store.read::<_, StoreError, _>(move |tx| {
        let versions = tx.by_term::<StateVersion>(&scope(), StateVersion::OF_TARGET, &arn)?;
        versions
            .into_iter()
            .map(|v| Ok((v.number, tx.blob(&scope(), StateVersion::KIND, &v.key())?.unwrap())))
            .collect()
    });
    let kept: Vec<(i64, Vec<u8>)> = kept.await.unwrap();
    assert_eq!(kept, (1..).zip(states.into_iter().map(String::into_bytes)).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_state_of_another_lineage_or_an_older_serial_is_refused() {
    let bench = Bench::new().await;
    let run = bench.first();
    run.lock("a").await;
    run.post("a", &state("l", 3, "x")).await;
    let other = run.post("a", &state("m", 4, "x")).await;
    assert_eq!(other.0, 409);
    assert!(other.reason().contains("lineage is l, the upload's is m"), "{other:?}");
    let older = run.post("a", &state("l", 2, "x")).await;
    assert_eq!(older.0, 409);
    assert!(older.reason().contains("serial is 3 already, the upload's is 2"), "{older:?}");
    assert_eq!(run.get().await.1, state("l", 3, "x"));
}

#[tokio::test]
async fn a_write_after_one_whose_answer_was_lost_counts_though_its_serial_is_the_same() {
    let bench = Bench::new().await;
    let run = bench.first();
    run.lock("a").await;
    run.post("a", &state("l", 3, "half")).await;
    assert_eq!(run.post("a", &state("l", 3, "more")).await.0, 200);
    assert_eq!(run.get().await.1, state("l", 3, "more"));
}

#[tokio::test]
async fn a_torn_upload_changes_nothing() {
    let bench = Bench::new().await;
    let run = bench.first();
    run.lock("a").await;
    let whole = state("l", 1, "x");
    run.post("a", &whole).await;
    let next = state("l", 2, "y");
    let torn = &next[..next.len() - 10];
    let answer = run.send("POST", "?ID=a", torn, &[("content-md5", md5(&next))]).await;
    assert_eq!(answer.0, 400);
    assert!(answer.reason().contains("send it again"), "{answer:?}");
    assert_eq!(run.send("POST", "?ID=a", torn, &[]).await.0, 400, "without a digest the JSON tells");
    for no_state in ["", "[]", "{}", "{\"serial\":1}", "{\"lineage\":\"l\",\"serial\":\"1\"}"] {
        assert_eq!(run.post("a", no_state).await.0, 400, "{no_state}");
    }
    assert_eq!(run.get().await.1, whole);
}

#[tokio::test]
async fn state_is_written_and_deleted_under_its_lock_only() {
    let bench = Bench::new().await;
    let run = bench.first();
    assert_eq!(run.post("a", &state("l", 1, "x")).await.0, 423);
    run.lock("a").await;
    assert_eq!(run.send("POST", "", &state("l", 1, "x"), &[]).await.0, 423);
    assert_eq!(run.post("b", &state("l", 1, "x")).await.0, 423);
    assert_eq!(run.get().await.0, 204);
    run.post("a", &state("l", 1, "x")).await;
    assert_eq!(run.send("DELETE", "", "", &[]).await.0, 423);
    for _ in 0..2 {
        assert_eq!(run.send("DELETE", "?ID=a", "", &[]).await.0, 200);
        assert_eq!(run.get().await.0, 204);
    }
    assert_eq!(run.post("a", &state("another life", 1, "x")).await.0, 200);
}

#[tokio::test]
async fn a_large_state_is_kept() {
    let bench = Bench::new().await;
    let run = bench.first();
    run.lock("a").await;
    let large = state("l", 1, &"x".repeat(20_000_000));
    assert_eq!(run.post("a", &large).await.0, 200);
    assert!(run.get().await == Answer(200, large));
}
