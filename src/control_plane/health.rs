//! Whether a control plane can do its work: the record takes writes, its schema is ours, the bucket answers, the disk has
//! room.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::plane::Plane;
use super::store::{Schema, StoreError, Transaction};
use crate::domain::Scope;
use crate::objects::{ObjectUri, ObjectsError};
use crate::support::causes;
use crate::support::health::{Check, Report, folder};

/// How long an answer is good for, so that many who ask cost no more than one.
const FRESH: Duration = Duration::from_secs(2);

/// How long each check may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The schema changes only when a newer server has come.
const SCHEMA_FRESH: Duration = Duration::from_mins(1);

/// Asks the database for its schema; blocks.
pub type SchemaOf = Arc<dyn Fn() -> Result<Schema, String> + Send + Sync>;

/// What is looked at besides the plane.
#[derive(Clone)]
pub struct Surroundings {
    /// The folder that must take files.
    pub data: PathBuf,
    /// How many bytes its disk should have left.
    pub least_free: u64,
    /// Asks the database for its schema.
    pub schema: SchemaOf,
}

/// The readiness of a control plane; cheap to clone.
#[derive(Clone)]
pub struct Readiness {
    plane: Plane,
    surroundings: Surroundings,
    last: Arc<Mutex<Last>>,
}

#[derive(Default)]
struct Last {
    report: Option<(Instant, Report)>,
    schema: Option<(Instant, Check)>,
}

/// How a write that is only tried ends.
enum Tried {
    Well,
    Badly(StoreError),
}

impl From<StoreError> for Tried {
    fn from(error: StoreError) -> Self {
        Self::Badly(error)
    }
}

impl Readiness {
    /// Of this plane.
    pub fn new(plane: Plane, surroundings: Surroundings) -> Self {
        Self { plane, surroundings, last: Arc::default() }
    }

    /// Checks everything, unless that was done a moment ago.
    pub async fn report(&self) -> Report {
        let mut last = self.last.lock().await;
        if let Some((at, report)) = &last.report
            && at.elapsed() < FRESH
        {
            return report.clone();
        }
        let (data, least) = (self.surroundings.data.clone(), self.surroundings.least_free);
        let disk = tokio::task::spawn_blocking(move || folder(&data, least));
        let (record, bucket, disk, schema) =
            tokio::join!(within(self.record()), within(self.bucket()), disk, self.schema(last.schema.take()));
        let mut checks = vec![Check::of("record", record), schema.1.clone(), Check::of("objects", bucket)];
        checks.extend(disk.into_iter().flatten());
        let report = Report(checks);
        let was_well = last.report.as_ref().is_none_or(|(_, report)| report.is_well());
        if was_well && !report.is_well() {
            tracing::warn!("not ready: {}", report.reasons());
        }
        *last = Last { report: Some((Instant::now(), report.clone())), schema: Some(schema) };
        report
    }

    /// Writes and takes it back: that finds a database that is away, or that only reads.
    async fn record(&self) -> Result<(), String> {
        let tried = self.plane.store.write(|tx: &mut dyn Transaction| {
            tx.put_blob(&Scope::new("", ""), "readiness", "tried", b"")?;
            Err::<(), _>(Tried::Well)
        });
        match tried.await {
            Err(Tried::Badly(error)) => Err(causes(&error)),
            Ok(()) | Err(Tried::Well) => Ok(()),
        }
    }

    /// Reads what isn't there.
    async fn bucket(&self) -> Result<(), String> {
        let nothing = ObjectUri::new(&self.plane.settings.bucket, "readiness");
        match self.plane.objects.get_limited(&nothing, 1).await {
            // Without the permission to list, S3 answers so about what isn't there.
            Err(ObjectsError::Denied { code, .. }) if code == "AccessDenied" => Ok(()),
            Ok(_) | Err(ObjectsError::NotFound { .. } | ObjectsError::TooLarge { .. }) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn schema(&self, last: Option<(Instant, Check)>) -> (Instant, Check) {
        if let Some(last) = last.filter(|(at, check)| check.reason.is_none() && at.elapsed() < SCHEMA_FRESH) {
            return last;
        }
        let ask = Arc::clone(&self.surroundings.schema);
        let asking = async { tokio::task::spawn_blocking(move || ask()).await.map_err(|error| error.to_string())? };
        let schema = within(asking).await.and_then(|Schema { found, known }| match found == known {
            true => Ok(()),
            false => Err(format!("the record has schema {found}, this hadron works with {known}")),
        });
        (Instant::now(), Check::of("schema", schema))
    }
}

async fn within<T>(check: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let late = || Err(format!("no answer within {} s", PATIENCE.as_secs()));
    tokio::time::timeout(PATIENCE, check).await.unwrap_or_else(|_| late())
}
