//! Who may come in.

use hadron::control_plane::seal::output_context;
use serde_json::json;

use super::bench::{Answer, Bench, scope};
use super::state;

#[tokio::test]
async fn a_wrong_secret_epoch_deployment_or_target_is_not_let_in() {
    let bench = Bench::new().await;
    bench.add_deployment("d2", "prod").await;
    let mut elsewhere = bench.first();
    elsewhere.password.pop();
    for run in [
        bench.run("d1", 1, "AKIA2", "dev"),
        bench.run("d1", 2, "AKIA1", "dev"),
        bench.run("d9", 1, "AKIA1", "dev"),
        bench.run("d1", 1, "AKIA1", "prod"),
        bench.run("d2", 1, "AKIA1", "dev"),
        elsewhere,
    ] {
        for answer in
            [run.get().await, run.lock("x").await, run.post("x", &state("l", 1, "")).await, run.unlock("x").await]
        {
            assert_eq!(answer.0, 401, "{} {answer:?}", run.username);
        }
    }
}

#[tokio::test]
async fn the_password_of_one_target_opens_no_other() {
    let bench = Bench::new().await;
    bench.add_deployment("d2", "prod").await;
    bench.claim("d2", "AKIA1").await;
    let mut run = bench.run("d2", 1, "AKIA1", "prod");
    assert_eq!(run.get().await.0, 204);
    run.password = bench.run("d2", 1, "AKIA1", "dev").password;
    assert_eq!(run.get().await.0, 401);
}

#[tokio::test]
async fn a_claim_that_is_over_is_told_why() {
    let bench = Bench::new().await;
    bench.lose_lease();
    let answer = bench.first().lock("x").await;
    assert_eq!(answer.0, 409);
    assert!(answer.reason().contains("the lease has run out"), "{answer:?}");
    assert_eq!(answer.json()["ID"], answer.reason(), "terraform shows this member only");
    bench.claim("d1", "AKIA2").await;
    let answer = bench.first().lock("x").await;
    assert!(answer.reason().contains("claimed anew"), "{answer:?}");
    assert_eq!(bench.run("d1", 2, "AKIA2", "dev").lock("x").await.0, 200);
    bench.finish("d1").await;
    assert_eq!(bench.run("d1", 2, "AKIA2", "dev").get().await.0, 204, "it still holds the lock");
}

#[tokio::test]
async fn other_addresses_and_methods_are_refused_and_nothing_breaks() {
    let bench = Bench::new().await;
    let mut run = bench.first();
    assert_eq!(run.send("PATCH", "", "", &[]).await.0, 405);
    run.url = "http://127.0.0.1:9440/_hadron/state/1/r/bucket%2Fx".into();
    assert_eq!(run.get().await.0, 404);
}

#[tokio::test]
async fn a_large_body_of_somebody_unknown_is_not_read() {
    let bench = Bench::new().await;
    let stranger = bench.run("d9", 1, "AKIA1", "dev");
    for path in ["/_hadron/state/", "/_hadron/blocks/"] {
        assert_eq!(stranger.offer(path).await.0, 401, "{path}");
    }
}

#[tokio::test]
async fn sealed_inputs_are_opened_for_the_live_claim_only() {
    let bench = Bench::new().await;
    let ciphertext = bench.plane.sealer.seal("geheim", &output_context(&scope(), "a/b~c")).unwrap();
    bench
        .change("d1", move |d| d.sealed_inputs = vec![("/environment/outputs/a~1b~0c".into(), ciphertext.clone())])
        .await;
    let answer = bench.first().sealed().await;
    assert_eq!((answer.0, answer.json()), (200, json!({ "/environment/outputs/a~1b~0c": "geheim" })));
    assert_eq!(bench.run("d1", 1, "AKIA2", "dev").sealed().await.0, 401);
    bench.lose_lease();
    assert_eq!(bench.first().sealed().await.0, 409);
    bench.claim("d1", "AKIA2").await;
    assert_eq!(bench.first().sealed().await.0, 409);
    assert_eq!(bench.run("d1", 2, "AKIA2", "dev").sealed().await.0, 200);
    let Answer(status, body) = bench.run("d9", 1, "AKIA1", "dev").sealed().await;
    assert_eq!(status, 401, "{body}");
}
