//! What the server itself puts into its embedded store, within the transaction that names it.

use std::collections::BTreeMap;

use md5::{Digest, Md5};

use super::catalog::{self, Bucket, Described, Object, Piece, scope};
use super::objects::FEW;
use crate::control_plane::store::{Document, StoreError, Transaction, Typed};
use crate::objects::ObjectUri;

/// Puts a small object in the place of whatever was there. False where it has to be put like any other: it isn't small, or
/// the embedded store has no such bucket.
///
/// # Errors
/// The record's own.
pub(crate) fn put_within(
    tx: &mut dyn Transaction,
    now: i64,
    uri: &ObjectUri,
    content_type: &str,
    bytes: &[u8],
) -> Result<bool, StoreError> {
    if bytes.len() > FEW || tx.get::<Bucket>(&scope(), &uri.bucket)?.is_none() {
        return Ok(false);
    }
    let object = new(now, uri, content_type, bytes);
    match tx.get::<Object>(&scope(), &object.key())? {
        // Most are named by their digest, and there since an earlier deployment.
        Some(there) if there.etag == object.etag && there.size == object.size => return Ok(true),
        Some(mut there) => {
            let before = std::mem::replace(&mut there.value, object.clone());
            tx.save(&scope(), &mut there)?;
            // A file of it is removed at the next start, like any that no document names.
            catalog::let_go(tx, before.pieces)?;
        }
        None => tx.add(&scope(), &object)?,
    }
    catalog::keep_bytes(tx, &object.pieces[0], bytes)?;
    Ok(true)
}

fn new(now: i64, uri: &ObjectUri, content_type: &str, bytes: &[u8]) -> Object {
    let size = bytes.len() as u64;
    Object {
        bucket: uri.bucket.clone(),
        key: uri.key.clone(),
        pieces: vec![Piece { file: uuid::Uuid::new_v4().simple().to_string(), size, in_record: true }],
        size,
        etag: hex::encode(Md5::digest(bytes)),
        modified_at: now,
        described: Described { content_type: Some(content_type.to_owned()), ..Described::default() },
        checksums: BTreeMap::new(),
        upload: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control_plane::store::{Sqlite, Store};

    async fn put(store: &Store, bytes: &[u8]) -> bool {
        let (uri, bytes) = (ObjectUri::new("hadron", "inputs/a.json"), bytes.to_vec());
        let put = store.write::<_, StoreError, _>(move |tx| put_within(tx, 7, &uri, "application/json", &bytes));
        put.await.unwrap()
    }

    async fn found(store: &Store) -> Option<(i64, Vec<u8>)> {
        let read = |tx: &mut dyn Transaction| {
            let Some(object) = tx.get::<Object>(&scope(), "hadron/inputs/a.json")? else { return Ok(None) };
            Ok::<_, s3s::S3Error>(Some((object.version, catalog::bytes(tx, &object)?.unwrap().to_vec())))
        };
        store.read(read).await.unwrap()
    }

    #[tokio::test]
    async fn a_small_object_is_there_with_the_transaction_and_replaced_only_by_other_bytes() {
        let store = Store::new(Sqlite::temporary().unwrap());
        assert!(!put(&store, b"{}").await, "there is no such bucket");
        let (name, account) = ("hadron".to_owned(), String::new());
        let bucket = Bucket { name, region: String::new(), created_at: 0, account };
        store.write::<_, StoreError, _>(move |tx| tx.add(&scope(), &bucket)).await.unwrap();
        assert!(!put(&store, &vec![b' '; FEW + 1]).await, "it is no small one");
        assert_eq!(found(&store).await, None);
        for (bytes, version) in [(b"{}", 1), (b"{}", 1), (b"[]", 2)] {
            assert!(put(&store, bytes).await);
            assert_eq!(found(&store).await, Some((version, bytes.to_vec())));
        }
    }
}
