//! `exit-codes.md`.

use super::markdown::{MADE, table};
use crate::cli::Exit;

#[test]
fn the_published_exit_codes_are_those_of_the_program() {
    super::published("exit-codes.md", &page());
}

fn page() -> String {
    let mut text = format!("{MADE}# Exit codes\n\n");
    text += "Every command ends with one of these; the numbers stay. What went wrong is told on stderr: an `error:`, its \
             causes, and a `hint:`. Of several deployments the worst one's code counts.\n\n";
    let rows = Exit::ALL.map(|exit| [(exit as u8).to_string(), exit.meaning().to_owned(), next(exit).to_owned()]);
    text += &table(["code", "meaning", "what to do"], rows);
    text + "\n`hadron audit verify` ends with 1 if the log isn't whole.\n"
}

fn next(exit: Exit) -> &'static str {
    match exit {
        Exit::Done => "nothing",
        Exit::Unexpected => "read the message and the log; if a server was away, try again",
        Exit::Usage => "`hadron COMMAND --help`, [commands](commands.md)",
        Exit::Settings => "`hadron settings` shows each value and its source, `hadron doctor` what is missing",
        Exit::InvalidBundle => "mend what is listed: `hadron bundle check` finds it before",
        Exit::PlanFailed => "nothing was changed: mend the template or the spec and update again",
        Exit::ApplyFailed => {
            "what was changed is in the state: mend the template or the spec and update again, or delete"
        }
        Exit::StoppedByGate => "somebody has rejected the plan ([approval](../approval.md)); nothing was changed",
        Exit::StateAtRisk => {
            "deploy nothing else to the target: `hadron status` prints the commands ([recovery](../recovery.md))"
        }
        Exit::LeaseLost => "nothing: whoever holds the deployment now goes on with it",
        Exit::AwaitingApproval => {
            "`hadron approve` or `hadron reject`; the next one-shot with the same data folder goes on"
        }
        Exit::Cancelled => "update again to finish what was begun",
    }
}

#[test]
fn every_code_is_on_the_page_once() {
    assert!(Exit::ALL.windows(2).all(|pair| (pair[0] as u8) < pair[1] as u8));
}
