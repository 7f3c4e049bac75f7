//! VerifyAudit: walks the chain, a piece a request, so that a log of any length can be walked.

use hadron_model::hadron::{AuditPosition, VerifyAuditInput, VerifyAuditOutput};

use crate::control_plane::audit::verify::{Progress, beginning, walk};
use crate::control_plane::plane::Plane;
use crate::control_plane::records::AuditHead;
use crate::control_plane::wire::{Call, ProtonError};

/// About how many entries one request walks over; a second's work.
const PIECE: i64 = 50_000;

/// Walks from where the last request ended, or from the beginning. The chain is the whole record's: its entries aren't
/// shown, so it doesn't matter whose they are.
///
/// # Errors
/// That the record can't be read.
pub(crate) async fn verify_audit(
    plane: &Plane,
    _call: &mut Call,
    input: VerifyAuditInput,
) -> Result<VerifyAuditOutput, ProtonError> {
    let from = input.from.map_or_else(beginning, |from| Progress {
        last: AuditHead { sequence: from.sequence.max(0), hash: from.hash },
        witnessed: from.head_found,
    });
    let walked = walk(plane, from, input.head, PIECE).await?;
    let Progress { last, witnessed } = walked.progress;
    let (broken_at, problem) = walked.broken.map(|broken| (broken.at, broken.problem)).unzip();
    let empty = walked.head.sequence == 0;
    Ok(VerifyAuditOutput {
        intact: problem.is_none(),
        entries: last.sequence,
        head: (!empty).then_some(walked.head.hash),
        head_sequence: (!empty).then_some(walked.head.sequence),
        broken_at: broken_at.flatten(),
        problem,
        unchained: walked.unchained,
        next: (!walked.complete).then_some(AuditPosition {
            sequence: last.sequence,
            hash: last.hash,
            head_found: witnessed,
        }),
    })
}
