//! Conditional requests, also when many come at once.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::{ByteStream, DateTime};

use super::bench::{Bench, refusal};

/// Twenty clients put at once; the outcomes in their order.
async fn race(client: &Client, key: &str, if_match: Option<&str>) -> Vec<Result<String, String>> {
    let puts = (0..20).map(|n| {
        let put = client.put_object().bucket("one").key(key).body(ByteStream::from(format!("put {n}").into_bytes()));
        let put = match if_match {
            Some(etag) => put.if_match(etag),
            None => put.if_none_match("*"),
        };
        tokio::spawn(async move {
            let outcome = put.send().await;
            match outcome {
                Ok(put) => Ok(put.e_tag().unwrap().to_owned()),
                Err(_) => Err(refusal(outcome)),
            }
        })
    });
    futures::future::try_join_all(puts).await.unwrap()
}

async fn content(client: &Client, key: &str) -> String {
    let got = client.get_object().bucket("one").key(key).send().await.unwrap();
    String::from_utf8(got.body.collect().await.unwrap().to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_twenty_puts_if_none_match_one_wins_in_each_of_a_hundred_rounds() {
    let (bench, client) = Bench::with_buckets().await;
    for round in 0..100 {
        let key = format!("lock-{round}");
        let outcomes = race(&client, &key, None).await;
        let winners: Vec<usize> = (0..20).filter(|&n| outcomes[n].is_ok()).collect();
        assert_eq!(winners.len(), 1, "round {round}: {outcomes:?}");
        let losers = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
        assert!(losers.into_iter().all(|loser| loser == "PreconditionFailed 412"), "{outcomes:?}");
        assert_eq!(content(&client, &key).await, format!("put {}", winners[0]));
    }
    assert_eq!((bench.files().len(), bench.blobs()), (0, 100), "losers leave nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_twenty_puts_if_match_one_wins_in_each_of_twenty_rounds() {
    let (_bench, client) = Bench::with_buckets().await;
    let first =
        client.put_object().bucket("one").key("a").body(ByteStream::from_static(b"first")).send().await.unwrap();
    let mut etag = first.e_tag().unwrap().to_owned();
    for round in 0..20 {
        // The winner's bytes must differ from what was there, else its tag is the same and others may win after it.
        let outcomes = race(&client, "a", Some(&etag)).await;
        let winners: Vec<&String> = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok()).collect();
        let same = winners.iter().filter(|winner| ***winner == etag).count();
        assert_eq!(winners.len() - same, 1, "round {round}: {outcomes:?}");
        etag.clone_from(winners.iter().find(|winner| ***winner != etag).unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_of_writes_are_answered_as_s3_does() {
    let (_bench, client) = Bench::with_buckets().await;
    let put = || client.put_object().bucket("one").key("a").body(ByteStream::from_static(b"x"));
    assert_eq!(refusal(put().if_match("\"abc\"").send().await), "NoSuchKey 404");
    put().if_none_match("*").send().await.unwrap();
    assert_eq!(refusal(put().if_match("\"abc\"").send().await), "PreconditionFailed 412");
    assert_eq!(refusal(put().if_none_match("\"abc\"").send().await), "NotImplemented 501");
    let etag = put().send().await.unwrap().e_tag().unwrap().to_owned();
    put().if_match(&etag).send().await.unwrap();
    let delete = || client.delete_object().bucket("one").key("a");
    assert_eq!(refusal(delete().if_match("\"abc\"").send().await), "PreconditionFailed 412");
    delete().if_match(&etag).send().await.unwrap();
    put().if_none_match("*").send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_of_reads_are_answered_as_s3_does() {
    let (_bench, client) = Bench::with_buckets().await;
    let put = client.put_object().bucket("one").key("a").body(ByteStream::from_static(b"x")).send().await.unwrap();
    let etag = put.e_tag().unwrap();
    let get = || client.get_object().bucket("one").key("a");
    get().if_match(etag).send().await.unwrap();
    assert_eq!(refusal(get().if_match("\"abc\"").send().await), "PreconditionFailed 412");
    assert_eq!(refusal(get().if_none_match(etag).send().await), "- 304");
    get().if_none_match("\"abc\"").send().await.unwrap();
    let now = client.head_object().bucket("one").key("a").send().await.unwrap().last_modified().copied().unwrap();
    let before = DateTime::from_secs(now.secs() - i64::try_from(Duration::from_mins(1).as_secs()).unwrap());
    assert_eq!(refusal(get().if_modified_since(now).send().await), "- 304");
    get().if_modified_since(before).send().await.unwrap();
    get().if_unmodified_since(now).send().await.unwrap();
    assert_eq!(refusal(get().if_unmodified_since(before).send().await), "PreconditionFailed 412");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_lock_in_our_own_bucket_is_written_once_even_without_a_condition() {
    let (_bench, client) = Bench::with_buckets().await;
    client.create_bucket().bucket("hadron").send().await.unwrap();
    let put = |bucket: &str, text: &'static [u8]| {
        client.put_object().bucket(bucket).key("locks/sha256/d/x.hcl").body(ByteStream::from_static(text))
    };
    put("hadron", b"first").send().await.unwrap();
    assert_eq!(refusal(put("hadron", b"second").send().await), "PreconditionFailed 412");
    let got = client.get_object().bucket("hadron").key("locks/sha256/d/x.hcl").send().await.unwrap();
    assert_eq!(got.body.collect().await.unwrap().to_vec(), b"first");
    for text in [&b"first"[..], b"second"] {
        put("one", text).send().await.unwrap();
    }
}
