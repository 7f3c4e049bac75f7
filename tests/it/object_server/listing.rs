//! Listing: the pages of any size, with any prefix and delimiter, say the same as a model of a few lines.

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::EncodingType;

use super::bench::{Bench, refusal};

const KEYS: &[&str] = &[
    "a",
    "a/",
    "a/1",
    "a/2/x",
    "a/2/y",
    "a/3",
    "ab",
    "b//c",
    "b/c",
    "logs-2026/1",
    "logs-2026/2",
    "logs/1",
    "z/ü",
    "ä/1",
    "ä/2",
    "💥/1",
];

/// What a listing says: keys, and folded prefixes with a `~` before.
fn model(prefix: &str, delimiter: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut keys: Vec<&&str> = KEYS.iter().filter(|key| key.starts_with(prefix)).collect();
    keys.sort_unstable();
    for key in keys {
        let rest = &key[prefix.len()..];
        let line = match rest.find(delimiter).filter(|_| !delimiter.is_empty()) {
            Some(end) => format!("~{prefix}{}", &rest[..end + delimiter.len()]),
            None => (*key).to_owned(),
        };
        if lines.last() != Some(&line) {
            lines.push(line);
        }
    }
    lines
}

async fn listed(client: &Client, prefix: &str, delimiter: &str, size: i32) -> Vec<String> {
    let mut lines = Vec::new();
    let mut token = None;
    loop {
        let list = client.list_objects_v2().bucket("one").prefix(prefix).delimiter(delimiter).max_keys(size);
        let page = list.set_continuation_token(token).send().await.unwrap();
        assert!(page.key_count().unwrap() <= size);
        let keys = page.contents().iter().map(|object| object.key().unwrap().to_owned());
        let folded = page.common_prefixes().iter().map(|common| format!("~{}", common.prefix().unwrap()));
        let mut both: Vec<String> = keys.chain(folded).collect();
        both.sort_by(|one, other| one.trim_start_matches('~').cmp(other.trim_start_matches('~')));
        lines.extend(both);
        token = page.next_continuation_token().map(str::to_owned);
        assert_eq!(page.is_truncated(), Some(token.is_some()));
        if token.is_none() {
            return lines;
        }
    }
}

async fn filled() -> (Bench, Client) {
    let (bench, client) = Bench::with_buckets().await;
    for key in KEYS {
        client.put_object().bucket("one").key(*key).body(ByteStream::from_static(b"x")).send().await.unwrap();
    }
    client.put_object().bucket("two").key("a/other").body(ByteStream::from_static(b"x")).send().await.unwrap();
    (bench, client)
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_any_size_say_what_the_model_says() {
    let (_bench, client) = filled().await;
    for prefix in ["", "a", "a/", "a/2/", "b/", "logs", "z", "ä/", "nothing"] {
        for delimiter in ["", "/", "s-2", "2"] {
            for size in [1, 2, 3, 1000] {
                let listed = listed(&client, prefix, delimiter, size).await;
                assert_eq!(listed, model(prefix, delimiter), "prefix {prefix:?} delimiter {delimiter:?} size {size}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_listing_starts_after_and_encodings_work() {
    let (_bench, client) = filled().await;
    let list = client.list_objects().bucket("one").delimiter("/").max_keys(2).encoding_type(EncodingType::Url);
    let page = list.clone().send().await.unwrap();
    assert_eq!((page.contents()[0].key(), page.common_prefixes()[0].prefix()), (Some("a"), Some("a/")));
    let page = list.clone().marker(page.next_marker().unwrap()).send().await.unwrap();
    assert_eq!((page.contents()[0].key(), page.common_prefixes()[0].prefix()), (Some("ab"), Some("b/")));
    let after = client.list_objects_v2().bucket("one").start_after("logs/1").encoding_type(EncodingType::Url);
    let keys = after.send().await.unwrap();
    let keys: Vec<&str> = keys.contents().iter().map(|object| object.key().unwrap()).collect();
    assert_eq!(keys, ["z/%C3%BC", "%C3%A4/1", "%C3%A4/2", "%F0%9F%92%A5/1"]);
    let none = client.list_objects_v2().bucket("one").max_keys(0).send().await.unwrap();
    assert_eq!((none.key_count(), none.is_truncated()), (Some(0), Some(false)));
    let bad = client.list_objects_v2().bucket("one").continuation_token("%%%").send().await;
    assert_eq!(refusal(bad), "InvalidArgument 400");
    assert_eq!(refusal(client.list_objects_v2().bucket("none").send().await), "NoSuchBucket 404");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folded_prefix_of_thousands_is_one_line() {
    let (_bench, client) = Bench::with_buckets().await;
    for n in 0..1200 {
        let body = ByteStream::from_static(b"");
        client.put_object().bucket("one").key(format!("many/{n:05}")).body(body).send().await.unwrap();
    }
    client.put_object().bucket("one").key("more").body(ByteStream::from_static(b"")).send().await.unwrap();
    assert_eq!(listed(&client, "", "/", 1).await, ["~many/", "more"]);
    assert_eq!(listed(&client, "many/", "", 1000).await.len(), 1200);
}
