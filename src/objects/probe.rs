//! Whether a store keeps the one promise that locking needs.

use bytes::Bytes;
use uuid::Uuid;

use super::{ObjectUri, Objects, ObjectsError};

impl Objects {
    /// Writes one scratch object twice with `If-None-Match: *`. Terraform's `use_lockfile` rests on the second being
    /// refused; several S3 look-alikes accept it, and give then neither a lock nor an error.
    ///
    /// # Errors
    /// [`ObjectsError::NoConditionalWrites`] for such a store, and whatever else keeps us from writing.
    pub async fn probe_conditional_writes(&self, bucket: &str) -> Result<(), ObjectsError> {
        let scratch = ObjectUri::new(bucket, format!(".hadron-probe/{}", Uuid::new_v4()));
        let probe = Bytes::from_static(b"Hadron asks whether this store honours If-None-Match. This may be deleted.\n");
        self.put_if_absent(&scratch, probe.clone()).await?;
        let second = self.put_if_absent(&scratch, probe).await;
        if let Err(error) = self.delete(&scratch).await {
            tracing::debug!(object = %scratch, %error, "left the probe's scratch object behind");
        }
        if second? {
            return Err(ObjectsError::NoConditionalWrites { bucket: bucket.to_owned() });
        }
        Ok(())
    }
}
