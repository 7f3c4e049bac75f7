//! Buckets: made, found, listed and removed.

use s3s::dto::{
    Bucket as BucketEntry, BucketLocationConstraint, CreateBucketInput, CreateBucketOutput, DeleteBucketInput,
    DeleteBucketOutput, GetBucketLocationInput, GetBucketLocationOutput, HeadBucketInput, HeadBucketOutput,
    ListBucketsInput, ListBucketsOutput, Owner,
};
use s3s::{S3Error, S3Request, S3Result, s3_error};

use super::access::account;
use super::catalog::{self, Bucket, Object, Upload, scope};
use super::objects::timestamp;
use super::service::Objects;
use super::{OWN_BUCKET, multipart};
use crate::control_plane::store::{Select, StoreError, Typed};

/// The region whose buckets have no location constraint.
const CLASSIC: &str = "us-east-1";

pub(super) async fn create(server: &Objects, request: S3Request<CreateBucketInput>) -> S3Result<CreateBucketOutput> {
    let CreateBucketInput { bucket: name, create_bucket_configuration, .. } = request.input;
    let constraint = create_bucket_configuration.and_then(|configuration| configuration.location_constraint);
    let region = constraint.map(|region| region.as_str().to_owned()).or(request.region.map(|r| r.to_string()));
    let region = region.unwrap_or_else(|| CLASSIC.to_owned());
    let account = account(&request.extensions);
    let bucket = Bucket { name: name.clone(), region, created_at: server.clock.now(), account: account.clone() };
    let created = server.store.write(move |tx| tx.add(&scope(), &bucket)).await;
    match created {
        Ok(()) => Ok(CreateBucketOutput { location: Some(format!("/{name}")) }),
        Err(StoreError::Exists { .. }) => Err(taken(find(server, name).await?, &account)),
        Err(error) => Err(error.into()),
    }
}

fn taken(bucket: Bucket, account: &str) -> S3Error {
    let Bucket { name, account: owner, .. } = bucket;
    if owner == account || owner.is_empty() {
        return s3_error!(BucketAlreadyOwnedByYou, "the bucket {name} is yours already");
    }
    s3_error!(BucketAlreadyExists, "the bucket {name} belongs to another account")
}

pub(super) async fn head(server: &Objects, request: S3Request<HeadBucketInput>) -> S3Result<HeadBucketOutput> {
    let bucket = find(server, request.input.bucket).await?;
    let bucket_region = bucket.region.parse().ok();
    Ok(HeadBucketOutput { bucket_region, ..Default::default() })
}

pub(super) async fn location(
    server: &Objects,
    request: S3Request<GetBucketLocationInput>,
) -> S3Result<GetBucketLocationOutput> {
    let bucket = find(server, request.input.bucket).await?;
    let region = (bucket.region != CLASSIC).then(|| BucketLocationConstraint::from(bucket.region));
    Ok(GetBucketLocationOutput { location_constraint: region })
}

async fn find(server: &Objects, name: String) -> S3Result<Bucket> {
    server.store.read(move |tx| Ok(catalog::bucket(tx, &name)?.value)).await
}

pub(super) async fn list(server: &Objects, request: S3Request<ListBucketsInput>) -> S3Result<ListBucketsOutput> {
    let buckets = server.store.read::<_, StoreError, _>(|tx| tx.all::<Bucket>(&scope())).await?;
    let prefix = request.input.prefix.unwrap_or_default();
    let account = account(&request.extensions);
    let visible = |bucket: &Bucket| bucket.account.is_empty() || bucket.account == account;
    let entry = |bucket: Bucket| BucketEntry {
        name: Some(bucket.name),
        creation_date: Some(timestamp(bucket.created_at)),
        bucket_region: Some(bucket.region),
    };
    let mine = buckets.into_iter().map(|stored| stored.value);
    let mine = mine.filter(|bucket| visible(bucket) && bucket.name.starts_with(&prefix));
    let owner = Owner { id: Some("hadron".into()), display_name: Some("hadron".into()) };
    Ok(ListBucketsOutput { buckets: Some(mine.map(entry).collect()), owner: Some(owner), ..Default::default() })
}

pub(super) async fn delete(server: &Objects, request: S3Request<DeleteBucketInput>) -> S3Result<DeleteBucketOutput> {
    let name = request.input.bucket;
    if name == OWN_BUCKET {
        return Err(s3_error!(AccessDenied, "Hadron keeps bundles and run records in {name}; it can't be deleted"));
    }
    let unnamed = server.store.write(move |tx| {
        let bucket = catalog::bucket(tx, &name)?;
        let any = Select { term: Object::IN_BUCKET, value: &name, after: None, descending: false, limit: 1 };
        if !tx.page::<Object>(&scope(), &any)?.is_empty() {
            return Err(s3_error!(BucketNotEmpty, "the bucket {name} is not empty"));
        }
        let mut unnamed = Vec::new();
        for upload in tx.by_term::<Upload>(&scope(), Upload::IN_BUCKET, &name)? {
            unnamed.extend(multipart::forget(tx, &upload)?);
        }
        tx.delete(&scope(), &bucket)?;
        Ok(unnamed)
    });
    server.contents.discard(&unnamed.await?);
    Ok(DeleteBucketOutput::default())
}
