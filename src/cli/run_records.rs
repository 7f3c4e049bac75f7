//! A run's records as commands read them: `runs/<deployment>/<attempt>/…` in the bucket that its bundle lies in.

use anyhow::{Context, anyhow};
use bytes::Bytes;
use hadron_model::DeploymentStatus;

use super::remote::{self, Remote};
use super::{Exit, Failure};
use crate::objects::{ObjectUri, ObjectsError};
use crate::proton::{Deployment, ProtonError};
use crate::settings::Resolved;

/// The records of a deployment's attempts.
pub(super) struct RunRecords {
    remote: Remote,
    pub(super) deployment: Deployment,
    id: String,
    /// `runs/<deployment>/`.
    run: ObjectUri,
}

/// A piece of a stream.
pub(super) struct Piece {
    pub(super) key: String,
    /// Where it begins in the stream, and where it ends.
    pub(super) begin: u64,
    pub(super) end: u64,
}

impl RunRecords {
    /// Asks where the records of a deployment lie.
    pub(super) async fn of(settings: &Resolved, id: &str) -> Result<Self, Failure> {
        if uuid::Uuid::try_parse(id).is_err() {
            return Err(Failure::new(Exit::Usage, anyhow!("{id} is no deployment's id"))
                .hint("`hadron status` shows the id of everything's last deployment, `hadron runs` all of them"));
        }
        let remote = Remote::of(settings).await?;
        let deployment = remote.proton.deployment(id).await.map_err(|error| match error {
            ProtonError::NotFound { .. } => remote::failure(error).hint("`hadron status` lists the deployments"),
            error => remote::failure(error),
        })?;
        let work = remote.proton.work(&deployment.arn).await.map_err(remote::failure)?;
        let bundle = work.bundle.ok_or_else(|| {
            Failure::new(Exit::Unexpected, anyhow!("this Proton endpoint doesn't say where the run's records lie"))
        })?;
        let bundle: ObjectUri = bundle.parse().context("reading the tag hadron:bundle")?;
        let run = ObjectUri::new(bundle.bucket, format!("runs/{id}/"));
        Ok(Self { remote, deployment, id: id.to_owned(), run })
    }

    /// Whether somebody may be at work on the deployment now. An endpoint that doesn't answer knows of nobody.
    pub(super) async fn is_running(&self) -> bool {
        let status = self.remote.proton.deployment(&self.id).await.map(|it| it.status);
        matches!(
            status,
            Ok(DeploymentStatus::InProgress | DeploymentStatus::Cancelling | DeploymentStatus::DeleteInProgress)
        )
    }

    /// The last attempt that has records: they are numbered from 1, and their names sort as numbers only here.
    pub(super) async fn last_attempt(&self) -> Result<Option<u64>, Failure> {
        let found = self.remote.objects.list(&self.run, None).await.map_err(unreadable)?;
        let number = |key: &str| key.strip_prefix(&self.run.key)?.split('/').next()?.parse::<u64>().ok();
        Ok(found.iter().filter_map(|piece| number(&piece.key)).max())
    }

    /// The attempt that is asked for, else the last one; None as long as there are no records at all.
    ///
    /// # Errors
    /// There is no such attempt.
    pub(super) async fn attempt(&self, asked: Option<u64>) -> Result<Option<u64>, Failure> {
        let Some(last) = self.last_attempt().await? else { return Ok(None) };
        let attempt = asked.unwrap_or(last);
        if !(1..=last).contains(&attempt) {
            let words = anyhow!("this deployment has no attempt {attempt}");
            return Err(Failure::new(Exit::Usage, words).hint(format!("its attempts are 1 to {last}")));
        }
        Ok(Some(attempt))
    }

    /// The pieces of an attempt's stream, from behind the key `after` on.
    pub(super) async fn pieces(&self, attempt: u64, stream: &str, after: Option<&str>) -> Result<Vec<Piece>, Failure> {
        let folder = self.object(attempt, &format!("{stream}/"));
        let after = after.filter(|after| after.starts_with(&folder.key));
        let found = self.remote.objects.list(&folder, after).await.map_err(unreadable)?;
        let piece = |key: String, size: u64| {
            let begin: u64 = key.strip_prefix(&folder.key)?.parse().ok()?;
            Some(Piece { begin, end: begin + size, key })
        };
        Ok(found.into_iter().filter_map(|found| piece(found.key, found.size)).collect())
    }

    pub(super) async fn piece(&self, piece: &Piece) -> Result<Bytes, Failure> {
        self.remote.objects.get(&ObjectUri::new(&self.run.bucket, &piece.key)).await.map_err(unreadable)
    }

    /// A document of an attempt, such as `summary.json`; None if there is none.
    pub(super) async fn document(&self, attempt: u64, name: &str) -> Result<Option<Bytes>, Failure> {
        match self.remote.objects.get(&self.object(attempt, name)).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(ObjectsError::NotFound { .. }) => Ok(None),
            Err(error) => Err(unreadable(error)),
        }
    }

    fn object(&self, attempt: u64, name: &str) -> ObjectUri {
        ObjectUri::new(&self.run.bucket, format!("{}{attempt}/{name}", self.run.key))
    }
}

fn unreadable(error: ObjectsError) -> Failure {
    Failure::new(Exit::Unexpected, error).hint("set HADRON_OBJECTS_ENDPOINT if the bucket isn't Hadron's own")
}
