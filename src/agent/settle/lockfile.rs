//! The lock beside a state in a bucket: `<key>.tflock`.
//!
//! It says who has taken it and when, but not for which run. A Terraform that was killed, or couldn't give its lock back,
//! has held it to its end, and its events say when it took it: after its first word, and before its first one about a
//! resource. So a lock that was taken then, on that host, is its own; whatever else lies there is somebody else's, and is
//! never released.
//!
//! <https://developer.hashicorp.com/terraform/language/backend/s3#state-locking>

use jiff::Timestamp;
use serde::Deserialize;

use super::{Settler, Trouble};
use crate::agent::StepError;
use crate::agent::context::Context;
use crate::agent::error::chain;
use crate::agent::workdir::RunDir;
use crate::objects::{ObjectUri, Objects, ObjectsError};
use crate::terraform::{Backend, LockTaken, Session};

/// Lock files are a few hundred bytes.
const LARGEST: u64 = 1 << 16;

/// What a lock file holds, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LockInfo {
    #[serde(rename = "ID")]
    id: String,
    /// `user@host`.
    #[serde(default)]
    who: String,
    created: Timestamp,
}

impl LockInfo {
    /// Whether one of these Terraforms has taken it.
    fn is_of(&self, taken: &[LockTaken]) -> bool {
        let host = self.who.rsplit('@').next().unwrap_or_default();
        let by = |it: &LockTaken| it.host == host && (it.from..=it.to).contains(&self.created);
        !host.is_empty() && taken.iter().any(by)
    }
}

/// Removes the lock file of a run whose Terraforms are dead, if one of them has taken it. What stays locked is told, in
/// words.
pub(super) async fn release(settler: &Settler<'_>, run_dir: &RunDir) -> Result<Option<String>, Trouble> {
    let Some((uri, objects)) = lock_file(settler.context, settler.session).await else {
        return Ok(in_table(settler.session));
    };
    let bytes = match objects.get_limited(&uri, LARGEST).await {
        Ok(bytes) => bytes,
        Err(ObjectsError::NotFound { .. }) => return Ok(None),
        Err(error) if error.is_passing() => return Err(Trouble::Passing(chain(&error))),
        Err(error) => return Err(Trouble::Final(Box::new(StepError::Objects(error)))),
    };
    let Ok(lock) = serde_json::from_slice::<LockInfo>(&bytes) else {
        return Ok(Some(format!("{uri} isn't one of Terraform's locks, and keeps everybody from the state.")));
    };
    if !lock.is_of(&LockTaken::of_run(run_dir.path())?) {
        return Ok(Some(foreign(&uri, &lock)));
    }
    tracing::warn!(object = %uri, "the lock {} of a dead terraform is released", lock.id);
    match objects.delete(&uri).await {
        Ok(()) => Ok(None),
        Err(error) if error.is_passing() => Err(Trouble::Passing(chain(&error))),
        Err(error) => Ok(Some(kept(&lock, &error))),
    }
}

async fn lock_file(context: &Context, session: &Session) -> Option<(ObjectUri, Objects)> {
    let Backend::S3 { bucket, key, region, endpoint, use_path_style, dynamodb_table: None, .. } = &session.backend
    else {
        return None;
    };
    let objects = context.state_objects(endpoint.clone(), region.clone(), *use_path_style, &session.env).await;
    Some((ObjectUri::new(bucket, format!("{key}.tflock")), objects))
}

fn kept(LockInfo { id, .. }: &LockInfo, error: &ObjectsError) -> String {
    format!(
        "The state is still locked by this run, which is over: {}. As somebody who may delete the lock: terraform \
         force-unlock {id}",
        chain(error)
    )
}

fn foreign(uri: &ObjectUri, LockInfo { id, who, created }: &LockInfo) -> String {
    format!(
        "The state is locked by {who} since {created} ({uri}), and nothing proves that this run has done that. If nobody \
         works on it any more: terraform force-unlock {id}"
    )
}

/// Such a lock can't be told from another.
fn in_table(session: &Session) -> Option<String> {
    let Backend::S3 { dynamodb_table: Some(table), .. } = &session.backend else { return None };
    Some(format!(
        "Its lock in the DynamoDB table {table} may be left: the next run says so, and with which ID terraform \
         force-unlock releases it."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(who: &str, created: &str) -> LockInfo {
        LockInfo { id: "1".into(), who: who.into(), created: created.parse().unwrap() }
    }

    #[test]
    fn a_lock_is_ours_only_if_our_terraform_took_it() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let taken = [LockTaken {
            host: "ci-1".into(),
            from: at("2026-01-01T10:00:00.100Z"),
            to: at("2026-01-01T11:00:00.900+01:00"),
        }];
        assert!(lock("root@ci-1", "2026-01-01T10:00:00.123456789Z").is_of(&taken));
        assert!(!lock("root@ci-2", "2026-01-01T10:00:00.5Z").is_of(&taken), "another host's");
        assert!(!lock("root@ci-1", "2026-01-01T10:00:00.0Z").is_of(&taken), "it was there before");
        assert!(!lock("root@ci-1", "2026-01-01T10:00:01Z").is_of(&taken), "it was taken later");
        assert!(!lock("", "2026-01-01T10:00:00.5Z").is_of(&[LockTaken { host: String::new(), ..taken[0].clone() }]));
    }
}
