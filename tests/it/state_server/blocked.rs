//! A state that a restore couldn't prove to be the newest.

use hadron::control_plane::state_server::block;
use hadron::control_plane::store::{StoreError, Transaction};
use hadron::domain::Target;

use super::bench::{Bench, scope};
use super::state;

#[tokio::test]
async fn a_blocked_state_can_be_read_and_neither_locked_nor_written_and_says_the_way_out() {
    let bench = Bench::new().await;
    let run = bench.first();
    assert_eq!(run.lock("a").await.0, 200);
    let first = state("l", 4, "x");
    assert_eq!(run.post("a", &first).await.0, 200);
    let arn = Target::Environment { name: "dev".into() }.arn(&scope());
    let named = arn.clone();
    let blocking = move |tx: &mut dyn Transaction| block(tx, &scope(), &named, "restored from a backup of Monday", 9);
    bench.plane.store.write::<_, StoreError, _>(blocking).await.unwrap();
    for refused in [run.post("a", &state("l", 5, "y")).await, run.lock("b").await, run.lock("a").await] {
        assert_eq!(refused.0, 409);
        let reason = refused.reason();
        for words in ["backup of Monday", "serial 4", &format!("hadron state unblock {arn} --serial N")] {
            assert!(reason.contains(words), "no `{words}` in: {reason}");
        }
    }
    let read = run.get().await;
    assert_eq!((read.0, read.1.as_str()), (200, first.as_str()));
    assert_eq!(run.unlock("a").await.0, 200, "a lock is given back all the same");
}
