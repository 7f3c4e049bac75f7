//! The life of a deployment: which status may follow which.
//!
//! ```text
//! IN_PROGRESS ──────────┬──▶ SUCCEEDED
//!   │    ▲ (heartbeat)  ├──▶ FAILED
//!   ▼                   │
//! CANCELLING ───────────┴──▶ CANCELLED | SUCCEEDED (it won the race)
//!
//! DELETE_IN_PROGRESS ──▶ DELETE_COMPLETE (the resource is gone) | DELETE_FAILED
//! ```

use hadron_model::DeploymentStatus;

/// A status that can't follow the current one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a deployment that is {from} can't become {to}")]
pub struct IllegalMove {
    /// Where the deployment stands.
    pub from: DeploymentStatus,
    /// What was asked for.
    pub to: DeploymentStatus,
}

/// Moves a deployment's status; a repeat of the same status is allowed, a move out of a terminal one never.
///
/// # Errors
/// [`IllegalMove`] for every pair that the diagram above doesn't show.
pub fn advance(from: DeploymentStatus, to: DeploymentStatus) -> Result<DeploymentStatus, IllegalMove> {
    use DeploymentStatus as S;
    let legal = from == to
        || match from {
            S::InProgress => matches!(to, S::Succeeded | S::Failed | S::Cancelling | S::Cancelled),
            // A failure while cancelling ends as CANCELLED; who reports it says so, hence no FAILED here.
            S::Cancelling => matches!(to, S::Succeeded | S::Cancelled),
            S::DeleteInProgress => matches!(to, S::DeleteComplete | S::DeleteFailed),
            S::Succeeded | S::Failed | S::Cancelled | S::DeleteComplete | S::DeleteFailed => false,
        };
    if legal { Ok(to) } else { Err(IllegalMove { from, to }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_legal_moves_are_these_and_no_others() {
        let mut moves = Vec::new();
        for &from in DeploymentStatus::ALL {
            for &to in DeploymentStatus::ALL {
                if from != to && advance(from, to).is_ok() {
                    moves.push(format!("{from} → {to}"));
                }
            }
        }
        insta::assert_snapshot!(moves.join("\n"), @r"
        IN_PROGRESS → FAILED
        IN_PROGRESS → SUCCEEDED
        IN_PROGRESS → CANCELLING
        IN_PROGRESS → CANCELLED
        DELETE_IN_PROGRESS → DELETE_FAILED
        DELETE_IN_PROGRESS → DELETE_COMPLETE
        CANCELLING → SUCCEEDED
        CANCELLING → CANCELLED
        ");
    }
}
