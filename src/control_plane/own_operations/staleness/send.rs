//! SendStaleReport.

use hadron_model::hadron::{SendStaleReportInput, SendStaleReportOutput};

use crate::control_plane::plane::Plane;
use crate::control_plane::staleness::send_report;
use crate::control_plane::wire::{Call, ProtonError};

/// Sends the report to an event sink, whatever the sink's pattern says.
///
/// # Errors
/// `ResourceNotFoundException` if there is no such sink.
pub(crate) async fn send_stale_report(
    plane: &Plane,
    call: &mut Call,
    input: SendStaleReportInput,
) -> Result<SendStaleReportOutput, ProtonError> {
    let (events, scope, now) = (plane.events.clone(), call.scope.clone(), call.now);
    let rows = plane.store.write(move |tx| send_report(&events, tx, &scope, &input.sink, now)).await?;
    Ok(SendStaleReportOutput { rows: i64::try_from(rows).unwrap_or(i64::MAX) })
}
