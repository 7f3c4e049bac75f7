//! Single objects and buckets.

use std::time::Duration;

use aws_sdk_s3::config::RequestChecksumCalculation;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm as A, Delete, MetadataDirective, ObjectIdentifier};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::bench::{Bench, bytes, refusal};

/// More bytes than the record takes for an object.
const NOT_FEW: usize = 20_000;

#[tokio::test(flavor = "multi_thread")]
async fn an_object_comes_back_byte_for_byte_with_all_that_was_said_of_it() {
    let (bench, _) = Bench::with_buckets().await;
    for (size, checksums) in [
        (0, RequestChecksumCalculation::WhenSupported),
        (1, RequestChecksumCalculation::WhenRequired),
        (1_000_000, RequestChecksumCalculation::WhenSupported),
        (3_000_001, RequestChecksumCalculation::WhenRequired),
    ] {
        let client = bench.client_with("AKIDEXAMPLE", "secret", checksums);
        let put = client.put_object().bucket("one").key("a").body(ByteStream::from(bytes(size)));
        let put = put.content_type("text/x-test").cache_control("no-store").metadata("colour", "red");
        let put = put.send().await.unwrap();
        let etag = format!("\"{}\"", hex::encode(<md5::Md5 as md5::Digest>::digest(bytes(size))));
        assert_eq!(put.e_tag(), Some(etag.as_str()));
        let head = client.head_object().bucket("one").key("a").send().await.unwrap();
        assert_eq!((head.content_length(), head.e_tag()), (Some(i64::try_from(size).unwrap()), Some(etag.as_str())));
        assert_eq!(head.metadata().unwrap()["colour"], "red");
        let got = client.get_object().bucket("one").key("a").send().await.unwrap();
        assert_eq!((got.content_type(), got.cache_control()), (Some("text/x-test"), Some("no-store")));
        assert!(got.body.collect().await.unwrap().to_vec() == bytes(size), "{size}");
    }
    assert_eq!(bench.files().len(), 1, "what was replaced is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_checksum_is_checked_and_told_again() {
    let (_bench, client) = Bench::with_buckets().await;
    for algorithm in [A::Crc32, A::Crc32C, A::Crc64Nvme, A::Sha1, A::Sha256] {
        let put = client.put_object().bucket("one").key("a").body(ByteStream::from_static(b"hello"));
        put.checksum_algorithm(algorithm.clone()).send().await.unwrap();
        let got = client.get_object().bucket("one").key("a").send().await.unwrap();
        let told = [
            got.checksum_crc32(),
            got.checksum_crc32_c(),
            got.checksum_crc64_nvme(),
            got.checksum_sha1(),
            got.checksum_sha256(),
        ];
        assert_eq!(told.iter().flatten().count(), 1, "{algorithm:?} {told:?}");
        assert_eq!(got.body.collect().await.unwrap().to_vec(), b"hello");
    }
    let put = || client.put_object().bucket("one").key("b").body(ByteStream::from_static(b"hello"));
    assert_eq!(refusal(put().checksum_crc32("AAAAAA==").send().await), "BadDigest 400");
    assert_eq!(refusal(put().content_md5("XrY7u+Ae7tCTyyK7j1rNwA==").send().await), "BadDigest 400");
    assert_eq!(refusal(client.head_object().bucket("one").key("b").send().await), "NotFound 404");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_whose_checksum_follows_it_is_stored_as_it_was_meant() {
    let (bench, client) = Bench::with_buckets().await;
    let path = bench.folder.path().join("upload");
    std::fs::write(&path, bytes(500_000)).unwrap();
    for (sent, kept) in [(None, None), (Some("gzip"), Some("gzip"))] {
        let put = client.put_object().bucket("one").key("a").body(ByteStream::from_path(&path).await.unwrap());
        put.set_content_encoding(sent.map(str::to_owned)).send().await.unwrap();
        let got = client.get_object().bucket("one").key("a").send().await.unwrap();
        assert_eq!((got.content_encoding(), got.checksum_crc32().is_some()), (kept, true));
        assert!(got.body.collect().await.unwrap().to_vec() == bytes(500_000));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_are_cut_exactly() {
    let (_bench, client) = Bench::with_buckets().await;
    let whole = bytes(700_000);
    client.put_object().bucket("one").key("a").body(ByteStream::from(whole.clone())).send().await.unwrap();
    for (range, expected) in [
        ("bytes=0-0", 0..1),
        ("bytes=100-299999", 100..300_000),
        ("bytes=699999-", 699_999..700_000),
        ("bytes=-5", 699_995..700_000),
        ("bytes=5-9999999", 5..700_000),
    ] {
        let got = client.get_object().bucket("one").key("a").range(range).send().await.unwrap();
        let told = format!("bytes {}-{}/700000", expected.start, expected.end - 1);
        assert_eq!(got.content_range(), Some(told.as_str()), "{range}");
        assert!(got.body.collect().await.unwrap().to_vec() == whole[expected], "{range}");
    }
    let beyond = client.get_object().bucket("one").key("a").range("bytes=700000-").send().await;
    assert_eq!(beyond.as_ref().unwrap_err().message(), Some("the range begins beyond the end of the object"));
    assert_eq!(refusal(beyond), "InvalidRange 416");
    let long = client.put_object().bucket("one").key("a".repeat(1025)).send().await;
    assert_eq!(long.as_ref().unwrap_err().message(), Some("the key is longer than 1024 bytes"));
    assert_eq!(refusal(long), "KeyTooLongError 400");
}

#[tokio::test(flavor = "multi_thread")]
async fn any_key_is_one_file_and_none_escapes_the_folder() {
    let (bench, client) = Bench::with_buckets().await;
    let long = "ü".repeat(512);
    let keys =
        ["../../escape", "a//b", "a/./b", "ünï →/💥", "a+b c%20&=?#", "dir/", ".", "..", "con\\:*\"<>|", long.as_str()];
    let body = |key: &str| [key.as_bytes(), &bytes(NOT_FEW)].concat();
    for key in keys {
        client.put_object().bucket("one").key(key).body(body(key).into()).send().await.unwrap();
    }
    for key in keys {
        let got = client.get_object().bucket("one").key(key).send().await.unwrap();
        assert!(got.body.collect().await.unwrap().to_vec() == body(key), "{key}");
    }
    let listed = client.list_objects_v2().bucket("one").send().await.unwrap();
    let mut expected = keys.to_vec();
    expected.sort_unstable();
    assert_eq!(listed.contents().iter().map(|object| object.key().unwrap()).collect::<Vec<_>>(), expected);
    assert_eq!(bench.files().len(), keys.len());
    assert!(bench.files().iter().all(|file| file.len() == 32 && file.bytes().all(|b| b.is_ascii_hexdigit())));
    let longer = client.put_object().bucket("one").key("x".repeat(1025)).send().await;
    assert_eq!(refusal(longer), "KeyTooLongError 400");
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_stand_on_their_own() {
    let (bench, client) = Bench::with_buckets().await;
    let put = client.put_object().bucket("one").key("a b").body(ByteStream::from(bytes(300_000)));
    put.content_type("text/x-test").metadata("colour", "red").send().await.unwrap();
    client.copy_object().copy_source("one/a%20b").bucket("two").key("kept").send().await.unwrap();
    let replaced = client.copy_object().copy_source("one/a%20b").bucket("two").key("replaced").content_type("text/y");
    replaced.metadata_directive(MetadataDirective::Replace).send().await.unwrap();
    client.delete_object().bucket("one").key("a b").send().await.unwrap();
    for (key, content_type, colour) in [("kept", "text/x-test", Some("red")), ("replaced", "text/y", None)] {
        let got = client.get_object().bucket("two").key(key).send().await.unwrap();
        assert_eq!(got.content_type(), Some(content_type));
        assert_eq!(got.metadata().and_then(|m| m.get("colour")).map(String::as_str), colour);
        assert!(got.body.collect().await.unwrap().to_vec() == bytes(300_000));
    }
    assert_eq!(bench.files().len(), 2);
    let onto_itself = client.copy_object().copy_source("two/kept").bucket("two").key("kept").send().await;
    assert_eq!(refusal(onto_itself), "InvalidRequest 400");
    let absent = client.copy_object().copy_source("two/none").bucket("two").key("x").send().await;
    assert_eq!(refusal(absent), "NoSuchKey 404");
}

#[tokio::test(flavor = "multi_thread")]
async fn deletes_are_idempotent_and_leave_no_files() {
    let (bench, client) = Bench::with_buckets().await;
    for n in 0..5 {
        let body = ByteStream::from(bytes(NOT_FEW));
        client.put_object().bucket("one").key(format!("k{n}")).body(body).send().await.unwrap();
    }
    for _ in 0..2 {
        client.delete_object().bucket("one").key("k0").send().await.unwrap();
    }
    let named = |n: usize| ObjectIdentifier::builder().key(format!("k{n}")).build().unwrap();
    let delete = Delete::builder().set_objects(Some((0..4).map(named).collect())).build().unwrap();
    let deleted = client.delete_objects().bucket("one").delete(delete).send().await.unwrap();
    assert_eq!((deleted.deleted().len(), deleted.errors().len()), (4, 0));
    assert_eq!(bench.files().len(), 1);
    assert_eq!(refusal(client.get_object().bucket("one").key("k1").send().await), "NoSuchKey 404");
    assert_eq!(refusal(client.delete_object().bucket("none").key("k1").send().await), "NoSuchBucket 404");
}

#[tokio::test(flavor = "multi_thread")]
async fn buckets_are_made_found_and_removed_when_empty() {
    let (bench, client) = Bench::with_buckets().await;
    let names = client.list_buckets().send().await.unwrap();
    assert_eq!(names.buckets().iter().map(|bucket| bucket.name().unwrap()).collect::<Vec<_>>(), ["one", "two"]);
    assert_eq!(client.head_bucket().bucket("one").send().await.unwrap().bucket_region(), Some("eu-test-1"));
    let location = client.get_bucket_location().bucket("one").send().await.unwrap();
    assert_eq!(location.location_constraint().unwrap().as_str(), "eu-test-1");
    assert_eq!(refusal(client.create_bucket().bucket("one").send().await), "BucketAlreadyOwnedByYou 409");
    for reserved in ["healthz", "readyz", "metrics", "_hadron", "Big", "a"] {
        let made = client.create_bucket().bucket(reserved).send().await;
        assert_eq!(refusal(made), "InvalidBucketName 400", "{reserved}");
    }
    client.put_object().bucket("one").key("a").body(ByteStream::from_static(b"x")).send().await.unwrap();
    assert_eq!(refusal(client.delete_bucket().bucket("one").send().await), "BucketNotEmpty 409");
    client.delete_object().bucket("one").key("a").send().await.unwrap();
    client.delete_bucket().bucket("one").send().await.unwrap();
    assert_eq!(refusal(client.head_bucket().bucket("one").send().await), "NotFound 404");
    assert!(bench.files().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_an_unknown_or_revoked_key_and_no_signature_are_refused() {
    let (bench, _) = Bench::with_buckets().await;
    let checksums = RequestChecksumCalculation::WhenSupported;
    let wrong = bench.client_with("AKIDEXAMPLE", "wrong", checksums);
    assert_eq!(refusal(wrong.list_buckets().send().await), "SignatureDoesNotMatch 403");
    let put = wrong.put_object().bucket("one").key("a").body(ByteStream::from_static(b"x")).send().await;
    assert_eq!(refusal(put), "SignatureDoesNotMatch 403");
    for id in ["AKIDUNKNOWN", "AKIDREVOKED"] {
        let unknown = bench.client_with(id, "secret", checksums);
        assert_eq!(refusal(unknown.list_buckets().send().await), "InvalidAccessKeyId 403", "{id}");
    }
    let unsigned = fetch(&bench.address, "/one/a").await;
    assert!(unsigned.starts_with("HTTP/1.1 403 "), "{unsigned}");
    assert!(bench.files().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_presigned_address_needs_no_key() {
    let (bench, client) = Bench::with_buckets().await;
    client.put_object().bucket("one").key("a b").body(ByteStream::from_static(b"hello")).send().await.unwrap();
    let hour = PresigningConfig::expires_in(Duration::from_hours(1)).unwrap();
    let presigned = client.get_object().bucket("one").key("a b").presigned(hour).await.unwrap();
    let path = presigned.uri().strip_prefix(&format!("http://{}", bench.address)).unwrap().to_owned();
    let got = fetch(&bench.address, &path).await;
    assert!(got.starts_with("HTTP/1.1 200 ") && got.ends_with("\r\n\r\nhello"), "{got}");
    let changed = fetch(&bench.address, &path.replace("a%20b", "b")).await;
    assert!(changed.starts_with("HTTP/1.1 403 "), "{changed}");
}

async fn fetch(address: &str, path: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let (bench, client) = Bench::with_buckets().await;
    let hour = PresigningConfig::expires_in(Duration::from_hours(1)).unwrap();
    let presigned = client.put_object().bucket("one").key("a").presigned(hour).await.unwrap();
    let path = presigned.uri().strip_prefix(&format!("http://{}", bench.address)).unwrap().to_owned();
    let mut stream = tokio::net::TcpStream::connect(&bench.address).await.unwrap();
    let request = format!("PUT {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: 1000000\r\n\r\n", bench.address);
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.write_all(&bytes(300_000)).await.unwrap();
    while bench.files().is_empty() {
        tokio::task::yield_now().await;
    }
    drop(stream);
    while !bench.files().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(refusal(client.head_object().bucket("one").key("a").send().await), "NotFound 404");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_replaced_is_read_to_its_end() {
    let (bench, client) = Bench::with_buckets().await;
    let put = |n| client.put_object().bucket("one").key("a").body(ByteStream::from(vec![n; 20_000_000])).send();
    put(1).await.unwrap();
    let mut reading = client.get_object().bucket("one").key("a").send().await.unwrap().body;
    let first = reading.next().await.unwrap().unwrap();
    put(2).await.unwrap();
    let rest = reading.collect().await.unwrap().to_vec();
    assert_eq!(first.len() + rest.len(), 20_000_000);
    assert!(first.iter().chain(&rest).all(|&byte| byte == 1));
    while bench.files().len() > 1 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_reads_everything_back_and_clears_what_nobody_names() {
    let (bench, client) = Bench::with_buckets().await;
    for n in 0..20 {
        let put = client.put_object().bucket("one").key(format!("k{n}")).body(ByteStream::from(bytes(n * 10_000)));
        put.metadata("n", n.to_string()).send().await.unwrap();
    }
    drop(client);
    std::fs::write(bench.folder.path().join("objects/left-by-a-crash"), "x").unwrap();
    let bench = bench.restart().await;
    let client = bench.client();
    for n in 0..20 {
        let got = client.get_object().bucket("one").key(format!("k{n}")).send().await.unwrap();
        assert_eq!(got.metadata().unwrap()["n"], n.to_string());
        assert!(got.body.collect().await.unwrap().to_vec() == bytes(n * 10_000), "{n}");
    }
    assert_eq!((bench.files().len(), bench.blobs()), (18, 2), "an empty one and one of 10,000 bytes are in the record");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_object_lies_in_the_record_and_leaves_nothing_there_when_it_goes() {
    let (bench, client) = Bench::with_buckets().await;
    let put = |length| client.put_object().bucket("one").key("a").body(bytes(length).into()).send();
    for (length, lie) in [(9, (0, 1)), (16_384, (0, 1)), (16_385, (1, 0)), (300, (0, 1))] {
        put(length).await.unwrap();
        assert_eq!((bench.files().len(), bench.blobs()), lie, "{length}");
    }
    client.copy_object().copy_source("one/a").bucket("two").key("b").send().await.unwrap();
    client.delete_object().bucket("one").key("a").send().await.unwrap();
    drop(client);
    let bench = bench.restart().await;
    let client = bench.client();
    let part = client.get_object().bucket("two").key("b").range("bytes=7-9").send().await.unwrap();
    assert_eq!(part.content_range(), Some("bytes 7-9/300"));
    assert_eq!(part.body.collect().await.unwrap().to_vec(), bytes(300)[7..10]);
    let named = ObjectIdentifier::builder().key("b").build().unwrap();
    let delete = Delete::builder().objects(named).build().unwrap();
    client.delete_objects().bucket("two").delete(delete).send().await.unwrap();
    assert_eq!((bench.files().len(), bench.blobs()), (0, 0));
}
