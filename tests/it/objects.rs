//! The object store's client against a store that keeps its promises, and one that doesn't.

use bytes::Bytes;
use hadron::objects::{ObjectUri, Objects, ObjectsConfig, ObjectsError};
use hadron::support::Secret;

use crate::far_end::s3;

async fn client(url: &str) -> Objects {
    Objects::new(ObjectsConfig {
        endpoint: Some(url.to_owned()),
        region: "eu-west-1".into(),
        credentials: Some(("AKIDHADRON".into(), Secret::new("secret"))),
        path_style: true,
        trust: None,
    })
    .await
}

fn uri(text: &str) -> ObjectUri {
    text.parse().unwrap()
}

#[tokio::test]
async fn what_is_put_can_be_read_back_and_is_signed_with_our_own_key() {
    let far = s3::start().await;
    let objects = client(&far.url).await;
    objects.create_bucket("b").await.unwrap();
    objects.put(&uri("s3://b/dir/a b+c.txt"), Bytes::from_static(b"hello"), "text/plain").await.unwrap();
    assert_eq!(objects.get(&uri("s3://b/dir/a b+c.txt")).await.unwrap(), "hello");
    assert_eq!(far.get("b/dir/a b+c.txt").unwrap(), "hello");
    assert!(far.store.access_keys.lock().unwrap().iter().all(|key| key == "AKIDHADRON"));
}

#[tokio::test]
async fn a_missing_object_is_named() {
    let far = s3::start().await;
    let error = client(&far.url).await.get(&uri("s3://b/none")).await.unwrap_err();
    assert!(matches!(error, ObjectsError::NotFound { .. }), "{error:?}");
    assert_eq!(error.to_string(), "s3://b/none doesn't exist");
}

#[tokio::test]
async fn an_object_above_the_limit_is_not_read() {
    let far = s3::start().await;
    far.put("b/large", vec![0; 1000]);
    let objects = client(&far.url).await;
    let error = objects.get_limited(&uri("s3://b/large"), 999).await.unwrap_err();
    assert!(matches!(error, ObjectsError::TooLarge { limit: 999, .. }), "{error:?}");
    assert_eq!(objects.get_limited(&uri("s3://b/large"), 1000).await.unwrap().len(), 1000);
}

#[tokio::test]
async fn only_the_first_conditional_write_creates() {
    let far = s3::start().await;
    let objects = client(&far.url).await;
    assert!(objects.put_if_absent(&uri("s3://b/k"), Bytes::from_static(b"1")).await.unwrap());
    assert!(!objects.put_if_absent(&uri("s3://b/k"), Bytes::from_static(b"2")).await.unwrap());
    assert_eq!(far.get("b/k").unwrap(), "1");
}

#[tokio::test]
async fn a_listing_turns_every_page_and_resumes_behind_a_key() {
    let far = s3::start().await;
    for key in ["b/p/1", "b/p/2", "b/p/3", "b/p/4", "b/p/5", "b/q/1"] {
        far.put(key, key.to_owned());
    }
    let objects = client(&far.url).await;
    let keys = |found: Vec<hadron::objects::ObjectInfo>| found.into_iter().map(|o| o.key).collect::<Vec<_>>();
    let all = keys(objects.list(&uri("s3://b/p/"), None).await.unwrap());
    assert_eq!(all, ["p/1", "p/2", "p/3", "p/4", "p/5"]);
    let rest = keys(objects.list(&uri("s3://b/p/"), Some("p/3")).await.unwrap());
    assert_eq!(rest, ["p/4", "p/5"]);
}

#[tokio::test]
async fn a_presigned_address_needs_no_credentials() {
    let far = s3::start().await;
    let url = client(&far.url).await.presigned_get(&uri("s3://b/k"), 60).await.unwrap();
    assert!(url.starts_with(&format!("{}/b/k?", far.url)) && url.contains("X-Amz-Signature="), "{url}");
}

#[tokio::test]
async fn the_probe_passes_a_store_that_honours_conditions_and_leaves_nothing_behind() {
    let far = s3::start().await;
    client(&far.url).await.probe_conditional_writes("state").await.unwrap();
    assert!(far.keys("").is_empty());
}

#[tokio::test]
async fn the_probe_refuses_a_store_that_ignores_conditions() {
    let far = s3::start_with(s3::S3 { ignores_conditions: true, ..s3::S3::default() }).await;
    let error = client(&far.url).await.probe_conditional_writes("state").await.unwrap_err();
    assert!(matches!(error, ObjectsError::NoConditionalWrites { .. }), "{error:?}");
    assert!(error.to_string().contains("state = hadron"), "{error}");
}

#[tokio::test]
async fn a_store_that_is_away_is_called_unreachable() {
    let objects = client("http://127.0.0.1:9").await;
    let error = objects.get(&uri("s3://b/k")).await.unwrap_err();
    assert!(matches!(error, ObjectsError::Unreachable { .. }), "{error:?}");
    assert!(error.is_passing());
}
