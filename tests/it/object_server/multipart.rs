//! Objects that come in parts.

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};

use md5::{Digest, Md5};

use super::bench::{Bench, bytes, refusal};

const PART: usize = 5 * 1024 * 1024;

async fn begin(client: &Client) -> String {
    let begun = client.create_multipart_upload().bucket("one").key("a").content_type("text/x-test");
    begun.metadata("colour", "red").send().await.unwrap().upload_id().unwrap().to_owned()
}

async fn part(client: &Client, upload: &str, number: i32, body: Vec<u8>) -> CompletedPart {
    let part = client.upload_part().bucket("one").key("a").upload_id(upload).part_number(number);
    let etag = part.body(ByteStream::from(body)).send().await.unwrap().e_tag().unwrap().to_owned();
    CompletedPart::builder().part_number(number).e_tag(etag).build()
}

fn named(parts: &[CompletedPart]) -> CompletedMultipartUpload {
    CompletedMultipartUpload::builder().set_parts(Some(parts.to_vec())).build()
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_in_any_order_become_one_object() {
    let (bench, client) = Bench::with_buckets().await;
    let whole = bytes(2 * PART + 1000);
    let upload = begin(&client).await;
    let third = part(&client, &upload, 30, whole[2 * PART..].to_vec()).await;
    let wrong = part(&client, &upload, 2, vec![0; 10]).await;
    let second = part(&client, &upload, 2, whole[PART..2 * PART].to_vec()).await;
    let first = part(&client, &upload, 1, whole[..PART].to_vec()).await;
    part(&client, &upload, 99, b"never named".to_vec()).await;
    let listed = client.list_parts().bucket("one").key("a").upload_id(&upload).send().await.unwrap();
    let numbers: Vec<_> = listed.parts().iter().map(|part| part.part_number().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 30, 99]);
    let complete = |parts: &[CompletedPart]| {
        client.complete_multipart_upload().bucket("one").key("a").upload_id(&upload).multipart_upload(named(parts))
    };
    let replaced = complete(&[first.clone(), wrong, third.clone()]).send().await;
    assert_eq!(refusal(replaced), "InvalidPart 400");
    let unordered = complete(&[second.clone(), first.clone(), third.clone()]).send().await;
    assert_eq!(refusal(unordered), "InvalidPartOrder 400");
    assert_eq!(refusal(client.head_object().bucket("one").key("a").send().await), "NotFound 404");

    let parts = [first, second, third];
    let done = complete(&parts).send().await.unwrap();
    assert!(done.e_tag().unwrap().ends_with("-3\""), "{done:?}");
    let again = complete(&parts).send().await.unwrap();
    assert_eq!(again.e_tag(), done.e_tag(), "a repeat of a lost answer");
    let got = client.get_object().bucket("one").key("a").send().await.unwrap();
    assert_eq!((got.content_type(), got.metadata().unwrap()["colour"].as_str()), (Some("text/x-test"), "red"));
    assert!(got.body.collect().await.unwrap().to_vec() == whole);
    let across = format!("bytes={}-{}", PART - 5, 2 * PART + 4);
    let got = client.get_object().bucket("one").key("a").range(across).send().await.unwrap();
    assert!(got.body.collect().await.unwrap().to_vec() == whole[PART - 5..2 * PART + 5]);
    let got = client.get_object().bucket("one").key("a").part_number(2).send().await.unwrap();
    assert_eq!(got.parts_count(), Some(3));
    assert!(got.body.collect().await.unwrap().to_vec() == whole[PART..2 * PART]);
    assert_eq!(bench.files().len(), 3);
    client.copy_object().copy_source("one/a").bucket("two").key("copy").send().await.unwrap();
    client.delete_object().bucket("one").key("a").send().await.unwrap();
    let got = client.get_object().bucket("two").key("copy").send().await.unwrap();
    assert!(got.body.collect().await.unwrap().to_vec() == whole);
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_are_copied_from_other_objects() {
    let (_bench, client) = Bench::with_buckets().await;
    let source = bytes(PART + 2000);
    client.put_object().bucket("two").key("s").body(ByteStream::from(source.clone())).send().await.unwrap();
    let upload = begin(&client).await;
    let copy = |number, range: String| {
        let copy = client.upload_part_copy().bucket("one").key("a").upload_id(&upload).part_number(number);
        copy.copy_source("two/s").copy_source_range(range)
    };
    let mut parts = Vec::new();
    for (number, range) in [(1, format!("bytes=0-{}", PART - 1)), (2, format!("bytes={PART}-{}", PART + 1999))] {
        let copied = copy(number, range).send().await.unwrap();
        let etag = copied.copy_part_result().unwrap().e_tag().unwrap().to_owned();
        parts.push(CompletedPart::builder().part_number(number).e_tag(etag).build());
    }
    assert_eq!(refusal(copy(3, "bytes=99999999-".into()).send().await), "InvalidRange 416");
    let complete = client.complete_multipart_upload().bucket("one").key("a").upload_id(&upload);
    complete.multipart_upload(named(&parts)).send().await.unwrap();
    let got = client.get_object().bucket("one").key("a").send().await.unwrap();
    assert!(got.body.collect().await.unwrap().to_vec() == source);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_etag_of_parts_is_the_md5_of_their_md5s() {
    let (_bench, client) = Bench::with_buckets().await;
    let upload = begin(&client).await;
    let parts = [part(&client, &upload, 1, vec![b'a'; PART]).await, part(&client, &upload, 2, b"end".to_vec()).await];
    let complete = client.complete_multipart_upload().bucket("one").key("a").upload_id(&upload);
    let done = complete.multipart_upload(named(&parts)).send().await.unwrap();
    let both = [Md5::digest(vec![b'a'; PART]), Md5::digest(b"end")].concat();
    assert_eq!(done.e_tag(), Some(format!("\"{}-2\"", hex::encode(Md5::digest(both))).as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn small_parts_absent_uploads_and_lost_races_are_refused() {
    let (_bench, client) = Bench::with_buckets().await;
    let upload = begin(&client).await;
    let parts = [part(&client, &upload, 1, vec![1; 10]).await, part(&client, &upload, 2, vec![2; 10]).await];
    let complete = |upload: &str, parts: &[CompletedPart]| {
        client.complete_multipart_upload().bucket("one").key("a").upload_id(upload).multipart_upload(named(parts))
    };
    assert_eq!(refusal(complete(&upload, &parts).send().await), "EntityTooSmall 400");
    assert_eq!(refusal(complete("nonsense", &parts).send().await), "NoSuchUpload 404");
    let body = ByteStream::from_static(b"x");
    let astray = client.upload_part().bucket("one").key("b").upload_id(&upload).part_number(1).body(body).send().await;
    assert_eq!(refusal(astray), "NoSuchUpload 404");
    client.put_object().bucket("one").key("a").body(ByteStream::from_static(b"first")).send().await.unwrap();
    assert_eq!(refusal(complete(&upload, &parts[..1]).if_none_match("*").send().await), "PreconditionFailed 412");
    complete(&upload, &parts[..1]).send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_given_up_leaves_nothing_and_one_begun_survives_a_restart() {
    let (bench, client) = Bench::with_buckets().await;
    let given_up = begin(&client).await;
    part(&client, &given_up, 1, vec![1; 10]).await;
    client.abort_multipart_upload().bucket("one").key("a").upload_id(&given_up).send().await.unwrap();
    assert!(bench.files().is_empty());
    let upload = begin(&client).await;
    let parts = [part(&client, &upload, 1, b"hello".to_vec()).await];
    drop(client);
    let bench = bench.restart().await;
    let client = bench.client();
    let uploads = client.list_multipart_uploads().bucket("one").send().await.unwrap();
    assert_eq!(uploads.uploads().iter().map(|u| u.upload_id().unwrap()).collect::<Vec<_>>(), [upload.as_str()]);
    let complete = client.complete_multipart_upload().bucket("one").key("a").upload_id(&upload);
    complete.multipart_upload(named(&parts)).send().await.unwrap();
    let got = client.get_object().bucket("one").key("a").send().await.unwrap();
    assert_eq!(got.body.collect().await.unwrap().to_vec(), b"hello");
}
