//! Writes the end of a check down, unless the version has gone meanwhile.

use hadron_model::TemplateVersionStatus;

use super::{Checked, Verdict, Waiting};
use crate::control_plane::operations::templates::version::detail;
use crate::control_plane::operations::{history, tags};
use crate::control_plane::plane::Plane;
use crate::control_plane::records::TemplateVersion;
use crate::control_plane::store::{Document, StoreError, Typed};

/// One conditional write: the version as it was taken still waits, or nothing changes.
pub(super) async fn record(plane: &Plane, waiting: Waiting, verdict: Verdict) -> Result<(), StoreError> {
    let now = plane.clock.now();
    let reason = match &verdict {
        Verdict::Sound(_) => format!("{} is sound", waiting.version.key()),
        Verdict::Failed(reason) => format!("{}: {reason}", waiting.version.key()),
    };
    plane
        .by_itself(&waiting.scope, "RegisterTemplateVersion", reason)
        .store
        .write(move |tx| {
            let Waiting { scope, version: taken, .. } = &waiting;
            let Some(mut version) = tx.get::<TemplateVersion>(scope, &taken.key())? else { return Ok(()) };
            // Deleted and created anew, it waits for a check of its own.
            if version.status != taken.status || version.created_at != taken.created_at {
                return Ok(());
            }
            apply(&mut version, &verdict);
            version.last_modified_at = now;
            let (arn, status) = (scope.arn(version.key()), version.status.as_str());
            tx.save(scope, &mut version)?;
            if let Some(bundle) = &version.bundle {
                tags::set_managed_tag(tx, scope, &arn, "hadron:bundle", &bundle.uri)?;
            }
            history::append(tx, scope, &arn, Some(taken.status.as_str()), status, &detail(&version), now)
        })
        .await
}

fn apply(version: &mut TemplateVersion, verdict: &Verdict) {
    match verdict {
        Verdict::Sound(Checked { schema, bundle, has_pipeline }) => {
            version.status = TemplateVersionStatus::Draft;
            version.status_message.clear();
            version.schema = Some(schema.clone());
            version.bundle = Some(bundle.clone());
            version.has_pipeline = *has_pipeline;
        }
        Verdict::Failed(reason) => {
            version.status = TemplateVersionStatus::RegistrationFailed;
            version.status_message.clone_from(reason);
        }
    }
}
