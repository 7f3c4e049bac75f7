//! Who may ask, for what, and what a bucket may be called.

use http::Extensions;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{Credentials, S3Auth, SecretKey};
use s3s::dto::{CopyObjectInput, CopySource, DeleteObjectsInput, UploadPartCopyInput};
use s3s::path::S3Path;
use s3s::validation::{AwsNameValidation, NameValidation};
use s3s::{S3Error, S3Request, S3Result, s3_error};

use super::catalog::{Bucket, scope};
use super::{Guard, OWN_BUCKET};
use crate::control_plane::authority::{ObjectAction, ObjectCaller, ObjectResource};
use crate::control_plane::records::{AccessKey, Deployment, TargetRuns};
use crate::control_plane::store::{Document, Select, Store, StoreError, Transaction, Typed};
use crate::domain::Scope;
use crate::support::{Clock, Secret};

/// Top-level paths of ours, which a bucket of that name would hide. `_hadron` can be no bucket anyway.
const RESERVED: &[&str] = &["healthz", "readyz", "metrics"];

/// The key of the server itself.
#[derive(Debug, Clone)]
pub(super) struct ServerKey {
    pub(super) id: String,
    pub(super) secret: Secret,
}

impl ServerKey {
    /// A key that nobody has had before, and nobody will have after this process.
    pub(super) fn new() -> Self {
        let random = || uuid::Uuid::new_v4().simple().to_string();
        Self { id: format!("SERVER{}", random().to_uppercase()), secret: Secret::new(random() + &random()) }
    }
}

/// The record's access keys, and our own.
pub(super) struct Keys {
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) own_key: ServerKey,
}

#[async_trait::async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if access_key == self.own_key.id {
            return Ok(SecretKey::from(self.own_key.secret.reveal()));
        }
        let (id, now) = (access_key.to_owned(), self.clock.now());
        let key = self.store.read::<_, StoreError, _>(move |tx| tx.get::<AccessKey>(&AccessKey::scope(), &id)).await?;
        let key = key.filter(|key| key.is_active(now));
        let key = key.ok_or_else(|| s3_error!(InvalidAccessKeyId, "the access key doesn't exist in our records"))?;
        Ok(SecretKey::from(key.value.secret.reveal()))
    }
}

/// The account that a request speaks for, left with it by [`Access`].
#[derive(Debug, Clone)]
struct Account(String);

/// The account that a request speaks for.
pub(super) fn account(extensions: &Extensions) -> String {
    extensions.get::<Account>().map(|account| account.0.clone()).unwrap_or_default()
}

/// Asks the policies before anything tells whether an object is there.
pub(super) struct Access {
    pub(super) store: Store,
    pub(super) guard: Guard,
    pub(super) own_key: ServerKey,
}

#[async_trait::async_trait]
impl S3Access for Access {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        let Some(signer) = cx.credentials().map(|credentials| credentials.access_key.clone()) else {
            return Err(s3_error!(AccessDenied, "the request is not signed"));
        };
        let (bucket, key) = match cx.s3_path() {
            S3Path::Root => (String::new(), None),
            S3Path::Bucket { bucket } => (bucket.to_string(), None),
            S3Path::Object { bucket, key } => (bucket.to_string(), Some(key.to_string())),
        };
        let account = match action(cx.s3_op().name()) {
            // Each of its objects is asked for below.
            None => self.permit(&signer, &[]).await?,
            Some(ObjectAction::ListBucket) => {
                let prefix = prefix(cx.uri().query()).filter(|prefix| !prefix.is_empty());
                self.permit(&signer, &[(ObjectAction::ListBucket, bucket, prefix)]).await?
            }
            Some(action) => self.permit(&signer, &[(action, bucket, key)]).await?,
        };
        cx.extensions_mut().insert(Account(account));
        Ok(())
    }

    async fn copy_object(&self, request: &mut S3Request<CopyObjectInput>) -> S3Result<()> {
        self.permit_source(request.credentials.as_ref(), &request.input.copy_source).await
    }

    async fn upload_part_copy(&self, request: &mut S3Request<UploadPartCopyInput>) -> S3Result<()> {
        self.permit_source(request.credentials.as_ref(), &request.input.copy_source).await
    }

    async fn delete_objects(&self, request: &mut S3Request<DeleteObjectsInput>) -> S3Result<()> {
        let bucket = &request.input.bucket;
        let named = request.input.delete.objects.iter().map(|object| object.key.clone());
        let all: Vec<_> = named.map(|key| (ObjectAction::DeleteObject, bucket.clone(), Some(key))).collect();
        self.permit(signer(request.credentials.as_ref())?, &all).await.map(drop)
    }
}

/// Something that is asked for: what with, in which bucket, of which key.
pub(crate) type Wish = (ObjectAction, String, Option<String>);

impl Access {
    async fn permit_source(&self, credentials: Option<&Credentials>, source: &CopySource) -> S3Result<()> {
        // Other sources are refused as such.
        let CopySource::Bucket { bucket, key, .. } = source else { return Ok(()) };
        let wish = (ObjectAction::GetObject, bucket.to_string(), Some(key.to_string()));
        self.permit(signer(credentials)?, &[wish]).await.map(drop)
    }

    /// Whether a key may have all of it; the key's account.
    async fn permit(&self, signer: &str, wishes: &[Wish]) -> S3Result<String> {
        if signer == self.own_key.id {
            return Ok(self.guard.account.clone());
        }
        let (signer, wanted, own) = (signer.to_owned(), wishes.to_vec(), self.guard.account.clone());
        let (caller, found) = self.store.read(move |tx| look(tx, &signer, &wanted, &own)).await?;
        let caller = caller.ok_or_else(|| s3_error!(InvalidAccessKeyId, "the access key doesn't exist any more"))?;
        for ((action, ..), object) in wishes.iter().zip(&found) {
            let permitted = self.guard.authority.permit_object(&caller, *action, object);
            permitted.map_err(|words| s3_error!(AccessDenied, "{words}"))?;
        }
        Ok(caller.account)
    }
}

fn signer(credentials: Option<&Credentials>) -> S3Result<&str> {
    let signer = credentials.map(|credentials| credentials.access_key.as_str());
    signer.ok_or_else(|| s3_error!(AccessDenied, "the request is not signed"))
}

/// The caller, and what there is to know of what it wishes.
fn look(
    tx: &mut dyn Transaction,
    signer: &str,
    wishes: &[Wish],
    installation: &str,
) -> Result<(Option<ObjectCaller>, Vec<ObjectResource>), StoreError> {
    let Some(key) = tx.get::<AccessKey>(&AccessKey::scope(), signer)? else { return Ok((None, Vec::new())) };
    let mut found = Vec::new();
    for wish in wishes {
        found.push(object(tx, (&key.account, &key.id), wish, installation)?);
    }
    let caller = ObjectCaller {
        access_key: key.id.clone(),
        principal: key.principal(),
        account: key.account.clone(),
        role: key.role,
        groups: key.groups.clone(),
        environments: key.environments.clone(),
    };
    Ok((Some(caller), found))
}

/// What there is to know of an object, for whoever signs with a key of this account and id.
pub(crate) fn object(
    tx: &mut dyn Transaction,
    (account, access_key): (&str, &str),
    (action, bucket, key): &Wish,
    installation: &str,
) -> Result<ObjectResource, StoreError> {
    let mut object = ObjectResource {
        bucket: bucket.clone(),
        key: key.clone(),
        own: bucket == OWN_BUCKET,
        account: account.to_owned(),
        claimed: false,
    };
    if object.own {
        whose(tx, (account, access_key), *action, installation, &mut object)?;
    } else if !matches!(action, ObjectAction::CreateBucket | ObjectAction::ListAllMyBuckets) {
        object.account = tx.get::<Bucket>(&scope(), bucket)?.map(|it| it.value.account).unwrap_or_default();
    }
    Ok(object)
}

/// Of our own bucket the runs belong to the account of their deployment. Bundles and inputs are named by their digests,
/// which only those know who may have them; to list them, as all the rest, is for the installation's account.
fn whose(
    tx: &mut dyn Transaction,
    (account, access_key): (&str, &str),
    action: ObjectAction,
    installation: &str,
    object: &mut ObjectResource,
) -> Result<(), StoreError> {
    installation.clone_into(&mut object.account);
    let parts: Vec<&str> = object.key.as_deref().unwrap_or_default().splitn(3, '/').collect();
    match parts[..] {
        ["runs", id, rest] => {
            for scope in tx.scopes(Deployment::KIND)? {
                if let Some(deployment) = tx.get::<Deployment>(&scope, id)? {
                    let claimed = claimed(tx, &scope, &deployment, (access_key, action, rest))?;
                    object.claimed = scope.account == account && claimed;
                    object.account = scope.account;
                    break;
                }
            }
        }
        ["bundles" | "inputs" | "locks", ..] if action == ObjectAction::GetObject => object.account.clear(),
        ["locks", "sha256", rest] => {
            let digest = rest.split('/').next().unwrap_or_default();
            if let Some(account) = deploys(tx, (account, access_key), digest)? {
                (object.claimed, object.account) = (true, account);
            }
        }
        _ => {}
    }
    Ok(())
}

/// Whether what lies behind `runs/<deployment>/` is a key's. A run's records are written by whoever claimed that epoch, even
/// if others have claimed since; they are read by whoever claimed last, and by the current claim of the same target as long
/// as nobody has settled the run.
fn claimed(
    tx: &mut dyn Transaction,
    scope: &Scope,
    deployment: &Deployment,
    (access_key, action, rest): (&str, ObjectAction, &str),
) -> Result<bool, StoreError> {
    let epoch = rest.split('/').next().and_then(|attempt| attempt.parse::<i64>().ok());
    let last = deployment.claimed_by() == Some(access_key);
    let wrote = epoch.map_or(last, |epoch| deployment.writes_run(access_key, epoch));
    if !matches!(action, ObjectAction::GetObject | ObjectAction::ListBucket) || last || wrote {
        return Ok(wrote || (last && action.reads()));
    }
    let Some(runs) = tx.get::<TargetRuns>(scope, &deployment.target_arn)? else { return Ok(false) };
    let unsettled = runs.unsettled.iter().any(|run| run.deployment == deployment.id);
    let heir = runs.unsettled.last().filter(|_| unsettled && runs.unsettled.len() > 1);
    let Some(heir) = heir.filter(|heir| heir.access_key == access_key) else { return Ok(false) };
    let current = tx.get::<Deployment>(scope, &heir.deployment)?;
    Ok(current.is_some_and(|it| it.in_flight() && it.epoch == heir.epoch))
}

/// The account of a deployment of the bundle of this digest that is under way and claimed with this key.
fn deploys(
    tx: &mut dyn Transaction,
    (account, access_key): (&str, &str),
    digest: &str,
) -> Result<Option<String>, StoreError> {
    let scopes = tx.scopes(Deployment::KIND)?.into_iter().filter(|scope| scope.account == account);
    for scope in scopes.collect::<Vec<_>>() {
        let mut last: Option<(String, String)> = None;
        loop {
            let after = last.as_ref().map(|(sort, key)| (sort.as_str(), key.as_str()));
            let select = Select { term: "in_flight", value: "", after, descending: false, limit: 200 };
            let page = tx.page::<Deployment>(&scope, &select)?;
            let Some(end) = page.last() else { break };
            last = Some((end.sort.clone(), end.value.key()));
            let mine = |it: &Deployment| it.claimed_by() == Some(access_key) && it.bundle.digest == digest;
            if page.iter().any(|stored| mine(&stored.value)) {
                return Ok(Some(scope.account));
            }
        }
    }
    Ok(None)
}

/// IAM's name for what an operation of S3's does; none for the deletion of many, each of which is asked for by itself.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>
fn action(operation: &str) -> Option<ObjectAction> {
    Some(match operation {
        "ListBuckets" => ObjectAction::ListAllMyBuckets,
        "CreateBucket" => ObjectAction::CreateBucket,
        "DeleteBucket" => ObjectAction::DeleteBucket,
        "GetBucketLocation" => ObjectAction::GetBucketLocation,
        "HeadBucket" | "ListObjects" | "ListObjectsV2" => ObjectAction::ListBucket,
        "GetObject" | "HeadObject" => ObjectAction::GetObject,
        "PutObject"
        | "CopyObject"
        | "CreateMultipartUpload"
        | "UploadPart"
        | "UploadPartCopy"
        | "CompleteMultipartUpload" => ObjectAction::PutObject,
        "DeleteObject" => ObjectAction::DeleteObject,
        "DeleteObjects" => return None,
        "AbortMultipartUpload" => ObjectAction::AbortMultipartUpload,
        "ListParts" => ObjectAction::ListMultipartUploadParts,
        "ListMultipartUploads" => ObjectAction::ListBucketMultipartUploads,
        _ => ObjectAction::Unserved,
    })
}

/// The prefix that a list is limited to.
fn prefix(query: Option<&str>) -> Option<String> {
    let pairs = query?.split('&').filter_map(|pair| pair.split_once('='));
    let value = pairs.filter(|(name, _)| *name == "prefix").map(|(_, value)| value.replace('+', " ")).next()?;
    percent_encoding::percent_decode_str(&value).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

/// AWS's rules for names, and ours.
pub(super) struct Names;

impl NameValidation for Names {
    fn validate_bucket_name(&self, name: &str) -> bool {
        AwsNameValidation::new().validate_bucket_name(name) && !RESERVED.contains(&name)
    }
}

impl From<StoreError> for S3Error {
    /// Rules are checked inside transactions, so what the store itself refuses is our fault; the client learns no more.
    fn from(error: StoreError) -> Self {
        if let StoreError::Unavailable { .. } = error {
            tracing::warn!(%error, "the record of objects is away");
            return s3_error!(error, ServiceUnavailable, "the record is away for a moment; try again");
        }
        tracing::error!(%error, "the record of objects refuses");
        s3_error!(error, InternalError, "internal error")
    }
}

/// A file system's refusal: ours too.
pub(super) fn broken(error: std::io::Error) -> S3Error {
    tracing::error!(%error, "the files of objects can't be read or written");
    s3_error!(error, InternalError, "internal error: {}", error.kind())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control_plane::records::Action;
    use crate::control_plane::test_plane::{LEASE, TestPlane, environment};

    /// Whether a key's wish for `runs/<path>` is for something that it has claimed.
    async fn is_its(test: &TestPlane, access_key: &'static str, action: ObjectAction, path: &str) -> bool {
        let wish = (action, OWN_BUCKET.to_owned(), Some(format!("runs/{path}")));
        let account = test.scope.account.clone();
        let look = move |tx: &mut dyn Transaction| object(tx, (&account, access_key), &wish, "999999999999");
        test.plane.store.read::<_, StoreError, _>(look).await.unwrap().claimed
    }

    #[tokio::test]
    async fn a_runs_records_are_written_by_whoever_claimed_that_epoch() {
        let test = TestPlane::new().await;
        let dev = test.environment("dev").await;
        test.agent("old").claim(&dev).await.unwrap();
        test.advance(LEASE + 1);
        test.agent("new").claim(&dev).await.unwrap();
        for (key, epoch, its) in [
            ("AKIAOLD", 1, true),
            ("AKIAOLD", 2, false),
            ("AKIANEW", 1, false),
            ("AKIANEW", 2, true),
            ("AKIANEW", 3, false),
            ("AKIAOTHER", 1, false),
        ] {
            let path = format!("{}/{epoch}/events/0", dev.id);
            assert_eq!(is_its(&test, key, ObjectAction::PutObject, &path).await, its, "{key} writes epoch {epoch}");
        }
        let earlier = format!("{}/1/events/0", dev.id);
        assert!(is_its(&test, "AKIANEW", ObjectAction::GetObject, &earlier).await, "the journal is read by the next");
    }

    #[tokio::test]
    async fn an_unsettled_runs_records_are_read_by_the_targets_current_claim() {
        let test = TestPlane::new().await;
        let dev = test.environment("dev").await;
        test.agent("lost").claim(&dev).await.unwrap();
        test.advance(LEASE + 1);
        let engine = test.engine();
        test.write(move |tx| engine.cancel(tx, &environment("dev"))).await.unwrap();
        let next = test.deploy(environment("dev"), Action::Update, "next").await.unwrap();
        let journal = format!("{}/1/events/0", dev.id);
        let reads = async || is_its(&test, "AKIAHEIR", ObjectAction::GetObject, &journal).await;
        assert!(!reads().await);
        let heir = test.agent("heir");
        heir.claim(&next).await.unwrap();
        assert!(reads().await);
        assert!(!is_its(&test, "AKIAHEIR", ObjectAction::PutObject, &journal).await, "and not written");
        assert!(!is_its(&test, "AKIAOTHER", ObjectAction::GetObject, &journal).await);
        heir.fail(&next, 1).await.unwrap();
        assert!(!reads().await, "settled");
    }
}
